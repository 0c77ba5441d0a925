//! Ways out of a container that runtimes have had, each tried against this one: a test for each CVE, named after it.
//!
//! What an attack wants to reach is a canary, a file or directory of the test's own outside of the root filesystem. It must be
//! untouched in the end, and the same thing used as it is meant to be used must work: else nothing was tried.
//!
//! It takes any runtime: `CORACLE_RUNTIME=/usr/sbin/runc cargo test -p coracle --test cve`. A race is run 500 times, and not
//! longer than 12 seconds; with `CORACLE_ROUNDS` as often as that says.

#[path = "../common/mod.rs"]
mod common;

mod attack;
mod devices;
mod places;
mod procfs;
mod rights;
mod runtime;

use std::process::ExitCode;

use common::{harbour, running, user};

fn main() -> ExitCode {
    let rooms = [runtime::TESTS, places::TESTS, procfs::TESTS, devices::TESTS, rights::TESTS];
    testkit::main(&testkit::Plan {
        suite: "cve",
        lesson: None,
        runtime: env!("CARGO_BIN_EXE_coracle"),
        probe: None,
        tests: rooms.concat(),
    })
}
