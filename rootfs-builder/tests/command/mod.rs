//! Runs of the builder.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::{TempDir, tempdir};

use crate::program::program;

pub(crate) const BUILDER: &str = env!("CARGO_BIN_EXE_rootfs-builder");

pub(crate) const KINDS: [&str; 3] = ["dir", "tar", "oci"];

pub(crate) fn builder(source: &str, program: &Path, kind: &str, output: &Path) -> Command {
    let mut command = Command::new(BUILDER);
    command.arg("--source").arg(format!("{source}={}", program.display()));
    command.arg("--output").arg(format!("{kind}={}", output.display()));
    command
}

pub(crate) fn run(command: &mut Command) -> Output {
    command.output().expect("the builder starts")
}

pub(crate) fn build(source: &str, program: &Path, kind: &str, output: &Path) -> String {
    let done = run(&mut builder(source, program, kind, output));
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).expect("text")
}

/// The command fails, and says each of `words`.
pub(crate) fn fails(command: &mut Command, words: &[&str]) {
    let done = run(command);
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(!done.status.success(), "it should have failed: {command:?}");
    for word in words {
        assert!(said.contains(word), "{word:?} is missing in: {said}");
    }
}

/// Names in a directory, hidden ones too: what a failure left would be among them.
pub(crate) fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .expect("the directory is there")
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A directory with an earlier output of each kind in it.
pub(crate) fn earlier() -> TempDir {
    let here = tempdir().unwrap();
    for kind in KINDS {
        build("probe", program(), kind, &here.path().join(kind));
    }
    here
}

/// The builder under a limit on the size of files, so that writing the program into the tree fails half-way.
pub(crate) fn limited(command: &Command) -> Command {
    let mut shell = Command::new("sh");
    // SIGXFSZ would kill it; ignored, the write returns EFBIG. The unit is 512 bytes, or 1024 in bash.
    shell
        .args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\""])
        .arg(BUILDER)
        .args(command.get_args());
    shell
}
