//! `cargo lesson`: the learner's companion, and the prover of the course.
//!
//! Nothing here depends on the crate `coracle`: the companion works while the learner's code does not compile.

pub mod doctor;
pub mod first;
pub mod prove;
pub mod verbs;
