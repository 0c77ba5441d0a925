//! `show`: what a bundle's container would be.

use std::fmt::Write;
use std::path::Path;

use anyhow::Result;
use serde_json::Value;

use crate::bundle;

/// A bundle for the reader: the whole config with `json`, a summary otherwise.
///
/// # Errors
/// There is no config, or it is no JSON.
pub fn show(bundle: &Path, json: bool) -> Result<String> {
    let config = bundle::read(bundle)?;
    Ok(if json { format!("{config:#}\n") } else { summary(&config) })
}

fn summary(config: &Value) -> String {
    let mut lines = String::new();
    let mut line = |name: &str, value: String| {
        if !value.is_empty() {
            // Writing to a String cannot fail.
            let _ = writeln!(lines, "{name:<12}{value}");
        }
    };
    let at = |pointer: &str| config.pointer(pointer).unwrap_or(&Value::Null);
    let yes = |pointer: &str, words: &str| {
        if at(pointer) == &Value::Bool(true) { words.into() } else { String::new() }
    };
    line("version", word(at("/ociVersion")));
    line("program", words(at("/process/args")));
    line("terminal", yes("/process/terminal", "yes"));
    line("user", format!("{}:{}", at("/process/user/uid"), at("/process/user/gid")));
    line("folder", word(at("/process/cwd")));
    line("rootfs", word(at("/root/path")) + &yes("/root/readonly", ", read-only"));
    line("hostname", word(at("/hostname")));
    line(
        "namespaces",
        each(at("/linux/namespaces"), |namespace| {
            let path = namespace["path"].as_str().map(|path| format!("={path}")).unwrap_or_default();
            word(&namespace["type"]) + &path
        }),
    );
    line("cgroup", word(at("/linux/cgroupsPath")));
    line("may", words(at("/process/capabilities/bounding")));
    line("no new", yes("/process/noNewPrivileges", "privileges"));
    line("mounts", each(at("/mounts"), |mount| word(&mount["destination"])));
    line("masked", words(at("/linux/maskedPaths")));
    line("read-only", words(at("/linux/readonlyPaths")));
    lines
}

/// A text as it is, without quotes; control characters are escaped, for a config may come from anybody.
fn word(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.escape_debug().to_string().replace("\\\"", "\"").replace("\\'", "'"),
        other => other.to_string(),
    }
}

fn words(list: &Value) -> String {
    each(list, word)
}

fn each(list: &Value, one: impl Fn(&Value) -> String) -> String {
    list.as_array().map(|list| list.iter().map(one).collect::<Vec<_>>().join(" ")).unwrap_or_default()
}
