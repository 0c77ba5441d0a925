//! The other programs of the workspace, for tests that need one beside their own package's.

use std::path::PathBuf;
use std::process::Command;

/// The program of the package `name`: cargo builds it beside this test with the workspace, and here where only the test's
/// package was.
///
/// # Panics
/// Where it cannot be built.
pub fn program(name: &str) -> PathBuf {
    // target/TRIPLE/PROFILE/deps/TEST
    let test = std::env::current_exe().expect("the path of this test");
    let folder = test.ancestors().nth(2).expect("a target folder");
    let path = folder.join(name);
    if !path.is_file() {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--package", name]);
        if folder.ends_with("release") {
            build.arg("--release");
        }
        let status = build.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo starts");
        assert!(status.success(), "cargo build --package {name}: {status}");
    }
    path
}
