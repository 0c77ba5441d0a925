//! Builds the programs a container needs, by the cargo that runs us.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The programs that were built, by name.
pub(crate) struct Programs(BTreeMap<String, PathBuf>);

impl Programs {
    /// The path of a program.
    pub(crate) fn path(&self, name: &str) -> Result<&Path> {
        self.0.get(name).map(PathBuf::as_path).with_context(|| format!("cargo built no program {name}"))
    }
}

/// The runtime, the probe and the rootfs-builder.
pub(crate) const ALL: &[&str] = &["coracle", "probe", "rootfs-builder"];

/// Builds the programs of these packages. Cargo itself tells where it puts them: the target directory
/// can be anywhere.
pub(crate) fn programs(root: &Path, packages: &[&str]) -> Result<Programs> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--locked", "--message-format=json-render-diagnostics"])
        .args(packages.iter().flat_map(|package| ["-p", package]))
        .current_dir(root)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cargo can't be started")?;
    if !output.status.success() {
        bail!("{} cannot be built; cargo says why above", packages.join(", "));
    }
    Ok(Programs(output.stdout.split(|byte| *byte == b'\n').filter_map(executable).collect()))
}

/// The name and path in one of cargo's messages, where it announces a program.
fn executable(message: &[u8]) -> Option<(String, PathBuf)> {
    let message: serde_json::Value = serde_json::from_slice(message).ok()?;
    let name = message.get("target")?.get("name")?.as_str()?;
    let path = message.get("executable")?.as_str()?;
    Some((name.to_owned(), path.into()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_a_message_of_a_program_names_one() {
        let message =
            br#"{"reason":"compiler-artifact","target":{"name":"coracle"},"executable":"/t/coracle"}"#;
        assert_eq!(super::executable(message), Some(("coracle".to_owned(), "/t/coracle".into())));
        let library = br#"{"reason":"compiler-artifact","target":{"name":"coracle"},"executable":null}"#;
        assert_eq!(super::executable(library), None);
        assert_eq!(super::executable(b"warning: something"), None);
    }
}
