//! The specification, a room a section, a test a MUST. A test's name begins with the row of the list of what a runtime must do.
//!
//! It takes any runtime: `CORACLE_RUNTIME=/usr/sbin/runc cargo test -p coracle --test conformance`. What another one does
//! otherwise is a line of `disagreements.d`, with its reason; `scripts/conformance` holds them all against each other.

#[path = "../common/mod.rs"]
mod common;

mod capabilities;
mod cgroup_devices;
mod cgroup_limits;
mod cgroup_paths;
mod checkpoint;
mod config;
mod descriptors;
mod device_errors;
mod devices;
mod events;
mod features;
mod groups;
mod hook_failures;
mod hook_notes;
mod hook_process;
mod hooks;
mod idmaps;
mod kernel;
mod labels;
mod lifecycle;
mod limits;
mod mappings;
mod mount_label;
mod mount_options;
mod mounts;
mod names;
mod namespaces;
mod network;
mod paths;
mod process;
mod propagation;
mod scheduling;
mod scopes;
mod seccomp;
mod systemd;
mod systemd_limits;
mod terminal;
mod update;

use std::process::ExitCode;

use common::{harbour, running};

fn main() -> ExitCode {
    let rooms = [
        lifecycle::TESTS,
        hooks::TESTS,
        hook_process::TESTS,
        hook_failures::TESTS,
        config::TESTS,
        mounts::TESTS,
        mount_options::TESTS,
        mount_label::TESTS,
        idmaps::TESTS,
        propagation::TESTS,
        terminal::TESTS,
        process::TESTS,
        limits::TESTS,
        capabilities::TESTS,
        labels::TESTS,
        scheduling::TESTS,
        names::TESTS,
        namespaces::TESTS,
        mappings::TESTS,
        devices::TESTS,
        device_errors::TESTS,
        network::TESTS,
        cgroup_paths::TESTS,
        cgroup_limits::TESTS,
        cgroup_devices::TESTS,
        update::TESTS,
        kernel::TESTS,
        seccomp::TESTS,
        paths::TESTS,
        descriptors::TESTS,
        systemd::TESTS,
        systemd_limits::TESTS,
        features::TESTS,
        events::TESTS,
        checkpoint::TESTS,
    ];
    testkit::main(&testkit::Plan {
        suite: "conformance",
        lesson: None,
        runtime: env!("CARGO_BIN_EXE_coracle"),
        probe: None,
        tests: rooms.concat(),
    })
}
