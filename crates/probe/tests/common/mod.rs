//! What the suites share.
#![allow(dead_code, unreachable_pub, reason = "each suite is a crate of its own and uses a part")]

use std::fs;
use std::process::{Command, ExitCode};

use assert_cmd::assert::Assert;
use libtest_mimic::{Arguments, Trial};
use probe::Report;
use tempfile::TempDir;

pub const PROBE: &str = env!("CARGO_BIN_EXE_probe");

pub fn probe(args: &[&str]) -> assert_cmd::Command {
    let mut command = assert_cmd::Command::new(PROBE);
    command.args(args);
    command
}

/// A shell script that is given the probe's path as `$0`.
pub fn shell(script: &str) -> assert_cmd::Command {
    let mut command = assert_cmd::Command::new("sh");
    command.args(["-c", script, PROBE]);
    command
}

/// The report on the first line.
pub fn report(assert: Assert) -> Report {
    parse(&assert.get_output().stdout)
}

pub fn parse(stdout: &[u8]) -> Report {
    let text = String::from_utf8(stdout.to_vec()).expect("a report is UTF-8");
    let line = text.lines().next().expect("there is a report");
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"))
}

/// What a test needs of the machine: `Err` says why it can't have it.
pub type Need = fn() -> Result<(), String>;

/// A user namespace of one's own.
pub const USER: &[&str] = &["-U", "-r"];
/// A user namespace that maps nothing.
pub const UNMAPPED: &[&str] = &["-U"];
/// A user and a mount namespace.
pub const MOUNTS: &[&str] = &["-U", "-r", "-m"];
/// The first process of its own user, mount and PID namespace, with a /proc of its own.
pub const FIRST: &[&str] = &["-U", "-r", "-p", "-f", "--mount-proc"];

pub fn user() -> Result<(), String> {
    works("unshare", USER)
}

pub fn unmapped() -> Result<(), String> {
    works("unshare", UNMAPPED)
}

pub fn mounts() -> Result<(), String> {
    works("unshare", MOUNTS)
}

pub fn first() -> Result<(), String> {
    works("unshare", FIRST)
}

/// Whether the tool runs a program with these options here.
pub fn works(tool: &str, options: &[&str]) -> Result<(), String> {
    let asked = format!("{tool} {}", options.join(" "));
    match Command::new(tool).args(options).arg("true").output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("{asked}: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Err(format!("{asked}: {error}")),
    }
}

/// unshare(1) with these options.
pub fn unshare(options: &[&str]) -> assert_cmd::Command {
    let mut command = assert_cmd::Command::new("unshare");
    command.args(options);
    command
}

/// One test, by its name, and what it needs.
pub struct Test {
    pub name: &'static str,
    pub needs: &'static [Need],
    pub run: fn(),
}

/// The suite's `main`: `tests! { name, name needs(user) }`. A test that can't run here is ignored with the reason, never
/// passed, which the harness of the standard library has no way to say; with CORACLE_STRICT=1 it fails.
#[macro_export]
macro_rules! tests {
    ($($name:ident $(needs($($need:path),+))?),+ $(,)?) => {
        fn main() -> std::process::ExitCode {
            $crate::common::run(&[$($crate::common::Test {
                name: stringify!($name),
                needs: &[$($($need),+)?],
                run: $name,
            }),+])
        }
    };
}

pub fn run(tests: &[Test]) -> ExitCode {
    let strict = std::env::var_os("CORACLE_STRICT").is_some_and(|value| value == "1");
    let trial = |test: &Test| {
        let run = test.run;
        match test.needs.iter().find_map(|need| need().err()) {
            None => Trial::test(test.name, move || {
                run();
                Ok(())
            }),
            Some(why) if strict => Trial::test(test.name, move || Err(why.into())),
            Some(why) => Trial::test(test.name, || Ok(())).with_kind(why).with_ignored_flag(true),
        }
    };
    libtest_mimic::run(&Arguments::from_args(), tests.iter().map(trial).collect()).exit_code()
}

/// A root file system that holds the probe and nothing else.
pub fn private_root() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::copy(PROBE, root.path().join("probe")).unwrap();
    root
}
