//! `cargo lesson`: the learner's companion, and the prover of the course.
//!
//! Nothing here depends on the crate `coracle`: the companion works while the learner's code does not compile.

mod cargo;
pub mod doctor;
pub mod first;
mod programs;
pub mod prove;
mod runtime;
pub mod verbs;
mod verdict;
