//! The learner's verbs: one file each.
//!
//! Progress has no file of its own. What is open is read from the sources; what the finished runtime looks like is
//! the commit that `start` began from; what a verb replaces is kept in git under `refs/coracle/backup`.

mod book;
mod change;
mod desk;
mod diff;
mod git;
mod grade;
mod hint;
mod ink;
mod start;
mod status;
mod test;
mod trace;
mod update;
mod watch;

pub use book::book;
pub use change::{catch_up, reset, solve};
pub use diff::diff;
pub use grade::grade;
pub use hint::{Hints, hint};
pub use start::start;
pub use status::{status, status_as_json};
pub use test::test;
pub use trace::{Trace, trace, trace_stage};
pub use update::{Prefer, update};
pub use watch::watch;
