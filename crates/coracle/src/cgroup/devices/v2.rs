//! A small program for the kernel: the device rules of a control group of version 2 (bpf(2)).
//!
//! The kernel calls it whenever a process of the group opens a device or makes one, with the kind, the access and the
//! numbers. Its answer, 1 or 0, allows or denies.

use std::os::fd::BorrowedFd;

use nix::errno::Errno;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};

use super::{Access, Rule};
use crate::error::{Error, Result};
use crate::sys::{self, Instruction};

/// Registers. The answer is in R0; the argument, a pointer to `struct bpf_cgroup_dev_ctx`, comes in R1.
const R0: u8 = 0;
const ARGUMENT: u8 = 1;
const KIND: u8 = 2;
const ACCESS: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;

/// `BPF_DEVCG_DEV_BLOCK` and `BPF_DEVCG_DEV_CHAR`.
const BLOCK: u32 = 1;
const CHARACTER: u32 = 2;

/// Makes the kernel ask these rules, of which the last that matches wins, about every device that a process of the
/// group in the folder `group` opens or makes. What no rule matches is denied. The program lives as long as the group;
/// programs of the groups above are asked as well.
///
/// # Errors
/// `EPERM` without CAP_BPF and CAP_NET_ADMIN, or CAP_SYS_ADMIN, over the host; `EINVAL` where the kernel was built
/// without CONFIG_CGROUP_BPF.
pub(super) fn filter_devices(group: BorrowedFd<'_>, rules: &[Rule]) -> Result<()> {
    let program = compile(rules);
    let loaded = match sys::bpf_load_device_filter(&program) {
        Err(Errno::EPERM) => with_locked_memory(|| sys::bpf_load_device_filter(&program)),
        other => other,
    };
    let cure = "the kernel needs CONFIG_CGROUP_BPF, and we CAP_BPF or CAP_SYS_ADMIN";
    loaded
        .and_then(|loaded| sys::bpf_attach_device_filter(group, &loaded))
        .map_err(|errno| Error::refused("bpf, to limit the devices of the control group")(errno))
        .map_err(|error| error.with_cure(Errno::EPERM, cure).with_cure(Errno::EINVAL, cure))
}

/// Before Linux 5.11 a program counts as locked memory, of which little is allowed to all programs of a user together.
fn with_locked_memory<T>(load: impl Fn() -> nix::Result<T>) -> nix::Result<T> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_MEMLOCK)?;
    setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY).map_err(|_| Errno::EPERM)?;
    let loaded = load();
    // The container inherits our limits: this one is not meant for it.
    setrlimit(Resource::RLIMIT_MEMLOCK, soft, hard)?;
    loaded
}

/// The rules as a program, from the last to the first. Each decides those bits of the access that no later one has
/// decided: an allowed bit is taken out, and when none is left, all are allowed; a denied bit denies all.
fn compile(rules: &[Rule]) -> Vec<Instruction> {
    let mut program = vec![
        Instruction::load(KIND, ARGUMENT, 0),
        Instruction::copy(ACCESS, KIND),
        Instruction::and(KIND, 0xffff),
        Instruction::shift_right(ACCESS, 16),
        Instruction::load(MAJOR, ARGUMENT, 4),
        Instruction::load(MINOR, ARGUMENT, 8),
    ];
    rules.iter().rev().for_each(|rule| program.extend(block(rule)));
    program.extend(answer(0));
    program
}

/// One rule: comparisons that jump to the block's end where it does not match, and what it decides.
fn block(rule: &Rule) -> Vec<Instruction> {
    let kind = match rule.kind {
        'b' => Some(BLOCK),
        'c' => Some(CHARACTER),
        _ => None,
    };
    let comparisons: Vec<(u8, u32)> = [(KIND, kind), (MAJOR, rule.major), (MINOR, rule.minor)]
        .into_iter()
        .filter_map(|(register, value)| Some((register, value?)))
        .collect();
    let Access(access) = rule.access;
    let decision = if rule.allow {
        [Instruction::and(ACCESS, !access), Instruction::jump_unless_equal(ACCESS, 0, 2)]
    } else {
        // Denied bits are looked for in a copy: those that are not denied stay undecided.
        [Instruction::jump_if_any(ACCESS, access, 1), Instruction::jump(2)]
    };
    let length = comparisons.len() + decision.len() + 2;
    let mut block: Vec<Instruction> = Vec::with_capacity(length);
    for (n, (register, value)) in comparisons.into_iter().enumerate() {
        block.push(Instruction::jump_unless_equal(register, value, (length - n - 1) as i16));
    }
    block.extend(decision);
    block.extend(answer(rule.allow.into()));
    block
}

fn answer(value: u32) -> [Instruction; 2] {
    [Instruction::set(R0, value), Instruction::exit()]
}
