//! What the tests of Coracle use: real containers, the evidence of what they saw, and a safety net around them.
//!
//! A test says what is true of a container, and is judged by what the probe saw inside or the host saw outside:
//!
//! ```no_run
//! use testkit::prelude::*;
//!
//! fn the_hostname_inside_is_the_one_it_was_given() {
//!     let inside = Container::new().hostname("boat").run(&[]).report().hostname;
//!     assert_eq!(inside, "boat", "the hostname inside is still the host's");
//! }
//! ```
//!
//! The same tests grade any runtime: `CORACLE_RUNTIME=/usr/sbin/runc cargo test --test lesson-01`.

mod bundle;
mod cgroup;
mod command;
mod container;
mod failure;
mod furniture;
mod harbour;
mod harness;
mod leak;
mod limit;
mod lines;
mod lock;
mod look;
mod net;
mod rootfs;
mod session;
mod stranger;
mod terminal;
pub mod tier;
mod vm;
mod workspace;

use std::time::{Duration, Instant};

pub use cgroup::Cgroups;
pub use failure::{Class, judge};
pub use harness::{Kind, Plan, Test, main, probe, runtime};
pub use session::in_net;
pub use terminal::{PROMPT, Terminal};
pub use vm::{in_vm, patient};
pub use workspace::program;

/// What a lesson's tests.rs needs.
pub mod prelude {
    pub use nix::sys::signal::Signal;

    pub use crate::bundle::Bundle;
    pub use crate::command::{Done, Running};
    pub use crate::container::Container;
    pub use crate::furniture::Folder;
    pub use crate::harbour::Harbour;
    pub use crate::lock::Lock;
    pub use crate::look::Look;
    pub use crate::net::Outside;
    pub use crate::rootfs::{Canary, Rootfs};
    pub use crate::session::{Output, Program, Session};
    pub use crate::{listed, within};
    pub use serde_json::{Value, json};
}

/// Mounts for a message: one a line.
pub fn listed<'a>(mounts: impl IntoIterator<Item = &'a probe::Mount>) -> String {
    mounts.into_iter().map(|mount| format!("\n  {mount}")).collect()
}

/// Asserts that `fact` becomes true within `time`; `words` say what it is.
///
/// # Panics
/// When the time is over: an assertion that names the fact.
#[track_caller]
pub fn within(time: Duration, words: &str, mut fact: impl FnMut() -> bool) {
    let end = Instant::now() + vm::patient(time);
    while !fact() {
        assert!(Instant::now() < end, "not within {time:?}: {words}");
        // Facts of other processes give no event to wait for.
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Makes the `main` of a lesson's tests: the lesson's number, then `red` or `guard` (or `plain`, for what is
/// no part of the proof) and the name of each test function, with the tiers it needs beyond the lesson's own in parentheses.
#[macro_export]
macro_rules! lesson {
    ($number:literal, $($kind:ident $(($($tier:ident),*))? $test:ident),* $(,)?) => {
        fn main() -> std::process::ExitCode {
            $crate::main(&$crate::Plan {
                suite: concat!("lesson-", $number),
                lesson: Some($number),
                runtime: env!("CARGO_BIN_EXE_coracle-under-test"),
                probe: Some(env!("CARGO_BIN_EXE_probe-under-test")),
                tests: vec![$($crate::Test {
                    name: stringify!($test),
                    kind: $crate::Kind::$kind,
                    needs: &[$($(stringify!($tier)),*)?],
                    body: $test,
                }),*],
            })
        }
    };
}

/// Makes the `main` of another package's tests: the suite's name, the runtime's path (`""` for none), and the test
/// functions with the tiers they need in parentheses.
#[macro_export]
macro_rules! suite {
    ($name:literal, runtime = $runtime:expr, tests = [$($test:ident $(($($tier:ident),*))?),* $(,)?] $(,)?) => {
        fn main() -> std::process::ExitCode {
            $crate::main(&$crate::Plan {
                suite: $name,
                lesson: None,
                runtime: $runtime,
                probe: None,
                tests: vec![$($crate::Test {
                    name: stringify!($test),
                    kind: $crate::Kind::plain,
                    needs: &[$($(stringify!($tier)),*)?],
                    body: $test,
                }),*],
            })
        }
    };
}

/// Test functions with the tiers they need in parentheses, as a list of [`Test`]: for a suite of several rooms, whose `main`
/// puts their lists together.
#[macro_export]
macro_rules! tests {
    ($($test:ident $(($($tier:ident),*))?),* $(,)?) => {
        &[$($crate::Test {
            name: stringify!($test),
            kind: $crate::Kind::plain,
            needs: &[$($(stringify!($tier)),*)?],
            body: $test,
        }),*]
    };
}
