//! The same tests once more, in a machine that has control groups of version 2 alone.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::failure::{Class, OrHarness, fail};

/// How many times as long as usual the tests wait for what should come: an emulated processor is that slow.
const PATIENCE: &str = "CORACLE_PATIENCE";

/// A time to wait, on a machine that may be a slow one.
pub fn patient(time: Duration) -> Duration {
    let factor = std::env::var(PATIENCE).ok().and_then(|factor| factor.parse().ok());
    time * factor.unwrap_or(1)
}

/// Runs this test's own executable once more in the machine that the prefix `$CORACLE_VM` leads to, with all its tests but
/// those that need the tier `vm`, which is not there.
///
/// # Panics
/// With the sentences that do not hold there: an assertion. With those that cannot be tried there: a failure of the
/// harness.
#[track_caller]
pub fn in_vm() {
    let prefix = std::env::var("CORACLE_VM").or_harness("read $CORACLE_VM, which the tier vm asks for");
    let own = std::env::current_exe().or_harness("find this test's executable");
    let mut words = prefix.split_whitespace();
    let output = Command::new(words.next().unwrap_or_default())
        .args(words)
        .args(["env", "-u", "CORACLE_VM", "-u", "CORACLE_VERDICTS", "-u", "CORACLE_STRICT"])
        .arg(format!("{PATIENCE}=10"))
        .arg(own)
        .stdin(Stdio::null())
        .output()
        .or_harness("start the machine of $CORACLE_VM");
    let said = String::from_utf8_lossy(&output.stdout);
    let ignored = said.lines().filter(|line| line.ends_with("... ignored"));
    let elsewhere: Vec<_> = ignored.filter(|line| !line.contains("needs a machine with cgroup v2")).collect();
    if !said.contains("test result: ") || !elsewhere.is_empty() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        fail(
            Class::Harness,
            format!("the tests do not run in the machine of $CORACLE_VM: {elsewhere:#?} {stderr}"),
        );
    }
    let failed = failures(&said);
    assert!(output.status.success(), "on version 2 of control groups:\n{}", failed.join("\n"));
}

/// Each sentence that failed, and the first line of what it said. A report has a block of lines for each.
fn failures(said: &str) -> Vec<String> {
    let mut lines = said.lines();
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" ----")) {
            found.push(format!("{name}: {}", lines.next().unwrap_or_default()));
        }
    }
    found
}
