//! The learner's verbs.

mod git;
mod reference;

pub mod diff;
pub mod hint;
pub mod solve;
pub mod start;
pub mod status;
pub mod test;
