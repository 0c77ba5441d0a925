//! From text to a config: read once where all is well, with a good message where it is not.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::{Deserializer, Value, json};

use super::file::broken;
use super::{blame, version};
use crate::config::{Config, Process, Resources};
use crate::error::Result;
use crate::explain::Explain;

/// Reads a config, the text of `file`.
///
/// # Errors
/// Line and column of what is no JSON; the JSON pointer of what has the wrong type, or is missing.
pub fn config(text: &str, file: &Path, explain: &Explain) -> Result<Config> {
    let mut config: Config = read(text, file)?;
    if version::check(&config.oci_version)? == 0 {
        explain.warn(&format!(
            "/ociVersion: {}, an old one: what later versions no longer have, such as /platform, is ignored",
            config.oci_version
        ));
        if let Some(process) = &mut config.process {
            take_flat_capabilities(process, explain);
        }
    }
    Ok(config)
}

/// Reads a process object, the text of `file`, as `exec --process` is given one. Where it has no user, it is root's: runc
/// takes such a file, and there are those who write it.
///
/// # Errors
/// As [`config`].
pub fn process(text: &str, file: &Path) -> Result<Process> {
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(mut object)) if object.get("user").is_none_or(Value::is_null) => {
            object.insert("user".into(), json!({ "uid": 0, "gid": 0 }));
            read(&Value::Object(object).to_string(), file)
        }
        _ => read(text, file),
    }
}

/// Reads the object `/linux/resources`, the text of `file`, as `update --resources` is given one.
///
/// # Errors
/// As [`config`].
pub fn resources(text: &str, file: &Path) -> Result<Resources> {
    read(text, file)
}

fn read<T: DeserializeOwned>(text: &str, file: &Path) -> Result<T> {
    let error = match serde_json::from_str(text) {
        Ok(read) => return Ok(read),
        Err(error) => error,
    };
    // The first error may be one of meaning, with one of JSON behind it; that one is what to mend first.
    let json = if error.is_data() { serde_json::from_str::<Value>(text).err() } else { Some(error) };
    if let Some(error) = json {
        return Err(broken(file, format!("is no valid JSON: {error}")));
    }
    // Once more, by a slower reader that remembers its way.
    serde_path_to_error::deserialize(&mut Deserializer::from_str(text))
        .map_err(|found| blame::blame(text, &found))
}

/// Before 1.0 there was one list for four sets.
fn take_flat_capabilities(process: &mut Process, explain: &Explain) {
    if let Some(capabilities) = process.capabilities.as_mut().filter(|asked| asked.flat) {
        explain.warn(
            "/process/capabilities: one list, as before version 1.0: read as bounding, effective, inheritable and \
             permitted",
        );
        capabilities.flat = false;
    }
}
