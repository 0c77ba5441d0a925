//! Builds the programs a container needs, by the cargo that runs us.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::cargo::{self, Message, cargo};

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
    let output = cargo()
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
    Ok(Programs(cargo::messages(&output).into_iter().filter_map(program).collect()))
}

/// The name and path in one of cargo's messages, where it announces a program.
fn program(message: Message) -> Option<(String, PathBuf)> {
    Some((message.target?.name, message.executable?))
}

#[cfg(test)]
mod tests {
    use super::program;

    fn executable(line: &[u8]) -> Option<(String, std::path::PathBuf)> {
        program(serde_json::from_slice(line).ok()?)
    }

    #[test]
    fn only_a_message_of_a_program_names_one() {
        let message = br#"{"reason":"compiler-artifact","target":{"name":"coracle","kind":["bin"],"src_path":"/m"},"executable":"/t/coracle"}"#;
        assert_eq!(executable(message), Some(("coracle".to_owned(), "/t/coracle".into())));
        let library = br#"{"reason":"compiler-artifact","target":{"name":"coracle","kind":["lib"],"src_path":"/l"},"executable":null}"#;
        assert_eq!(executable(library), None);
        assert_eq!(executable(b"warning: something"), None);
    }
}
