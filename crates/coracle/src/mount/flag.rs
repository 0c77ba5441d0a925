//! `--mount`: an entry of `/mounts` in one word, as Podman and Docker have it.

use std::path::Path;

use super::{Mount, Wrong};
use crate::config;
use crate::error::{Error, Result};

impl Mount {
    /// Reads `type=tmpfs,destination=/scratch,size=1m,ro`: what is neither `type` nor `source` nor `destination` (nor one
    /// of their other names, `src`, `dst` and `target`) is an option, as in config.json. A bind takes the mounts below it
    /// along, unless one says `bind`. A relative source is below `directory`.
    ///
    /// # Errors
    /// [`Error::Usage`].
    pub fn from_flag(text: &str, directory: &Path) -> Result<Mount> {
        let wrong = |problem: String| Error::Usage { problem: format!("--mount {text}: {problem}") };
        let mut spec = config::Mount::new("", "", "", &[]);
        let (mut kind, mut source, mut destination) = (None, None, None);
        for word in text.split(',') {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            let place = match name {
                "type" => &mut kind,
                "source" | "src" => &mut source,
                "destination" | "dst" | "target" => &mut destination,
                "readonly" => {
                    spec.options.push("ro".into());
                    continue;
                }
                _ => {
                    spec.options.push(word.into());
                    continue;
                }
            };
            if place.replace(value).is_some() {
                return Err(wrong(format!("{name} is there twice")));
            }
        }
        let destination =
            destination.ok_or_else(|| wrong("destination is missing: where inside".to_owned()))?;
        spec.destination = destination.into();
        spec.kind = kind.map(Into::into);
        spec.source = source.map(Into::into);
        if kind == Some("bind") {
            // First, for the last one counts.
            spec.options.insert(0, "rbind".into());
        }
        let mut mount = Mount::from_spec(&spec).map_err(|found| wrong(sentence(&found)))?;
        if mount.options.idmap.is_some() {
            return Err(wrong("idmap needs mappings, and these a config.json has: use run".to_owned()));
        }
        mount.begin_at(directory);
        Ok(mount)
    }
}

/// What is wrong, without a pointer: nobody has a JSON here. An option is named by the problem.
fn sentence(wrong: &Wrong) -> String {
    match wrong.pointer.strip_prefix("/options") {
        Some(_) => wrong.problem.clone(),
        None => format!("{} {}", wrong.pointer.trim_start_matches('/'), wrong.problem),
    }
}
