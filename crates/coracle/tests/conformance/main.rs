//! The specification, a room a section, a test a MUST. A test's name begins with the row of the list of what a runtime must do.
//!
//! It takes any runtime: `CORACLE_RUNTIME=/usr/sbin/runc cargo test -p coracle --test conformance`. What another one does
//! otherwise is a line of `disagreements.toml`, with its reason.

#[path = "../common/mod.rs"]
mod common;

mod capabilities;
mod config;
mod descriptors;
mod devices;
mod features;
mod hooks;
mod kernel;
mod labels;
mod lifecycle;
mod limits;
mod mounts;
mod names;
mod namespaces;
mod network;
mod paths;
mod process;
mod running;
mod scheduling;
mod seccomp;
mod terminal;

use std::process::ExitCode;

fn main() -> ExitCode {
    let rooms = [
        lifecycle::TESTS,
        hooks::TESTS,
        config::TESTS,
        mounts::TESTS,
        terminal::TESTS,
        process::TESTS,
        limits::TESTS,
        capabilities::TESTS,
        labels::TESTS,
        scheduling::TESTS,
        names::TESTS,
        namespaces::TESTS,
        devices::TESTS,
        network::TESTS,
        kernel::TESTS,
        seccomp::TESTS,
        paths::TESTS,
        descriptors::TESTS,
        features::TESTS,
    ];
    testkit::main(&testkit::Plan {
        suite: "conformance",
        lesson: None,
        runtime: env!("CARGO_BIN_EXE_coracle"),
        probe: None,
        tests: rooms.concat(),
    })
}
