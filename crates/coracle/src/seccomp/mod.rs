//! seccomp: which system calls a container may make (seccomp(2); runtime-spec, config-linux.md, "Seccomp").
//!
//! A profile gives a verdict on each call by its name. The kernel knows names of none: it asks a program, at each call, that
//! gets the architecture, a number and six arguments, and answers. Compiled is before the birth of the process, loaded is last
//! before it becomes the program: what the filter forbids, it then forbids to us as well.

pub mod action;
pub mod arch;
pub mod compile;
pub mod load;
pub mod notify;
pub mod table;
pub mod verdict;

use std::path::PathBuf;

use crate::sys::Statement;

use arch::Arch;

/// What becomes of a call of an architecture that the profile does not list. (libseccomp ends the thread; a process without
/// one of its threads is worse than none.)
pub const OTHER_ARCHITECTURE: u32 = libc::SECCOMP_RET_KILL_PROCESS;

/// The operators of `args`.
pub const OPERATORS: [(&str, Operator); 7] = [
    ("SCMP_CMP_EQ", Operator::Equal),
    ("SCMP_CMP_GE", Operator::GreaterOrEqual),
    ("SCMP_CMP_GT", Operator::Greater),
    ("SCMP_CMP_LE", Operator::LessOrEqual),
    ("SCMP_CMP_LT", Operator::Less),
    ("SCMP_CMP_MASKED_EQ", Operator::MaskedEqual),
    ("SCMP_CMP_NE", Operator::NotEqual),
];

/// The flags of `flags`, and what seccomp(2) takes for them. Init has one thread, so that there is nobody to synchronise with:
/// TSYNC is taken and does nothing, as with runc.
pub const FLAGS: [(&str, libc::c_ulong); 4] = [
    ("SECCOMP_FILTER_FLAG_LOG", libc::SECCOMP_FILTER_FLAG_LOG),
    ("SECCOMP_FILTER_FLAG_SPEC_ALLOW", libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW),
    ("SECCOMP_FILTER_FLAG_TSYNC", 0),
    ("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV),
];

/// How an argument is compared with a value, both without a sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Operator {
    Equal,
    GreaterOrEqual,
    Greater,
    LessOrEqual,
    Less,
    /// The bits of `value` in it are those of `second`.
    MaskedEqual,
    NotEqual,
}

/// What an argument must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition {
    /// Which argument, from 0 to 5.
    pub index: u8,
    /// How it is compared.
    pub operator: Operator,
    /// With what.
    pub value: u64,
    /// For [`Operator::MaskedEqual`].
    pub second: u64,
}

/// One rule of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The calls it is about.
    pub names: Vec<String>,
    /// What all their arguments must be for it to count.
    pub conditions: Vec<Condition>,
    /// What becomes of them: the filter's answer ([`action::encode`]).
    pub action: u32,
}

/// A profile, as a config has it: checked, and not compiled yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The answer to what no rule is about.
    pub default: u32,
    /// The rules, in their order.
    pub rules: Vec<Rule>,
    /// The architectures that it lists.
    pub architectures: Vec<Arch>,
}

/// A filter to be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// The program.
    pub program: Vec<Statement>,
    /// `SECCOMP_FILTER_FLAG_*`.
    pub flags: libc::c_ulong,
    /// Who decides on calls whose answer is Notify; `None` where there are none.
    pub listener: Option<Listener>,
}

/// A supervisor of system calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// The socket it listens on; behind an `@`, an abstract name.
    pub path: PathBuf,
    /// What it is told besides; may be empty.
    pub metadata: String,
}
