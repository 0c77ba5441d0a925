//! From verdicts to a program of classic BPF, for the machine in the kernel that decides on every system call.
//!
//! ```text
//! load arch
//! arch == the first?  no -> the next one, or the end: another architecture
//!   load nr
//!   nr >= the middle of the ranges?  yes -> the upper half     (and so on: a search of the range, not of the call)
//!     answer | arguments: for each rule, all its conditions, then its answer; else the default
//! ```

use std::mem::offset_of;

use crate::sys::{Compare, Statement};

use super::arch::Arch;
use super::verdict::{self, Range, Verdict};
use super::{Condition, Operator, Profile};

/// The program of `profile` for calls of `architectures`.
pub fn program(profile: &Profile, architectures: &[Arch]) -> Vec<Statement> {
    let mut sections: Vec<(u32, Vec<Arch>)> = Vec::new();
    for arch in architectures {
        match sections.iter_mut().find(|(audit, _)| *audit == arch.audit()) {
            Some((_, shared)) => shared.push(*arch),
            None => sections.push((arch.audit(), vec![*arch])),
        }
    }
    let section = |(audit, shared): (u32, Vec<Arch>)| {
        let ranges = verdict::ranges(profile, &shared);
        let wide = shared.iter().any(|arch| arch.has_wide_arguments());
        (audit, tree(&ranges, profile.default, wide))
    };
    join(sections.into_iter().map(section).collect())
}

/// The whole filter: goes to the section of the architecture that the call is one of ([`Arch::audit`], in
/// `seccomp_data.arch`), with the call's number loaded (`seccomp_data.nr`). A section never falls out of its end. What is of no
/// architecture in the list ends the process ([`super::OTHER_ARCHITECTURE`]): by its number, another call would be judged.
///
/// A section may be long: a comparison can skip 255 statements, an unconditional jump any number.
pub fn join(sections: Vec<(u32, Vec<Statement>)>) -> Vec<Statement> {
    let mut program = vec![Statement::load(offset_of!(libc::seccomp_data, arch) as u32)];
    for (audit, section) in sections {
        program.push(Statement::branch(Compare::Equal, audit, 1, 0));
        program.push(Statement::jump(section.len() as u32 + 1));
        program.push(Statement::load(offset_of!(libc::seccomp_data, nr) as u32));
        program.extend(section);
    }
    program.push(Statement::answer(super::OTHER_ARCHITECTURE));
    program
}

/// Searches the loaded number's range in `ranges` (never empty, sorted, the first from 0 on): asks whether it lies in the
/// upper half of them, and goes on so with that half, until one is left; then answers with its verdict. `default` and `wide`
/// are for [`arguments`].
///
/// The lower half comes first. Where it is longer than the 255 statements that a comparison can skip, an unconditional jump
/// does.
pub fn tree(ranges: &[Range], default: u32, wide: bool) -> Vec<Statement> {
    let (lower, upper) = ranges.split_at(ranges.len() / 2);
    if lower.is_empty() {
        return match &upper[0].verdict {
            Verdict::Answer(answer) => vec![Statement::answer(*answer)],
            Verdict::Ask(rules) => arguments(rules, default, wide),
        };
    }
    let (first, lower, upper) = (upper[0].first, tree(lower, default, wide), tree(upper, default, wide));
    let mut program = match u8::try_from(lower.len()) {
        Ok(length) => vec![Statement::branch(Compare::GreaterOrEqual, first, length, 0)],
        Err(_) => {
            vec![Statement::branch(Compare::GreaterOrEqual, first, 0, 1), Statement::jump(lower.len() as u32)]
        }
    };
    program.extend(lower);
    program.extend(upper);
    program
}

/// Answers with the first of `rules` whose conditions all hold, else with `default`. `wide`: whether arguments have 64 bits;
/// of those that have not, the lower half is all.
pub fn arguments(rules: &[(Vec<Condition>, u32)], default: u32, wide: bool) -> Vec<Statement> {
    let mut program = Vec::new();
    for (conditions, answer) in rules {
        // From behind, for what fails must know how much there is to skip. There are six arguments at most.
        let mut rule = vec![Statement::answer(*answer)];
        for one in conditions.iter().rev() {
            let mut code = condition(one, wide, rule.len() as u8);
            code.append(&mut rule);
            rule = code;
        }
        program.append(&mut rule);
    }
    program.push(Statement::answer(default));
    program
}

/// Where a statement goes on.
#[derive(Clone, Copy)]
enum Go {
    Next,
    /// Behind the condition: it holds.
    Holds,
    /// Behind the rule: it does not hold.
    Fails,
}

/// Goes on behind itself where the condition holds, else `fails` statements further.
///
/// The machine's numbers have 32 bits: an argument (`seccomp_data.args`) is two of them, and the upper half decides where it
/// differs. Of an argument that is not `wide`, the lower half is all.
fn condition(condition: &Condition, wide: bool, fails: u8) -> Vec<Statement> {
    use Compare::{Equal, Greater, GreaterOrEqual};
    use Go::{Fails, Holds, Next};
    let (value, mask) = match condition.operator {
        Operator::MaskedEqual => (condition.second & condition.value, Some(condition.value)),
        _ => (condition.value, None),
    };
    // The comparisons of the upper half, then those of the lower one.
    let (upper, lower): (&[_], _) = match condition.operator {
        Operator::Equal | Operator::MaskedEqual => (&[(Equal, Next, Fails)], (Equal, Holds, Fails)),
        Operator::NotEqual => (&[(Equal, Next, Holds)], (Equal, Fails, Holds)),
        Operator::Greater => (&[(Greater, Holds, Next), (Equal, Next, Fails)], (Greater, Holds, Fails)),
        Operator::GreaterOrEqual => {
            (&[(Greater, Holds, Next), (Equal, Next, Fails)], (GreaterOrEqual, Holds, Fails))
        }
        Operator::Less => (&[(Greater, Fails, Next), (Equal, Next, Holds)], (GreaterOrEqual, Fails, Holds)),
        Operator::LessOrEqual => (&[(Greater, Fails, Next), (Equal, Next, Holds)], (Greater, Fails, Holds)),
    };
    let mut steps = Vec::new();
    if wide {
        steps.extend(half(condition.index, true, mask));
        let number = (value >> 32) as u32;
        steps.extend(upper.iter().map(|(compare, yes, no)| Step::Branch(*compare, number, *yes, *no)));
    }
    steps.extend(half(condition.index, false, mask));
    let (compare, yes, no) = lower;
    steps.push(Step::Branch(compare, value as u32, yes, no));
    let count = steps.len();
    let statement = |(n, step): (usize, Step)| {
        let rest = (count - n - 1) as u8;
        let skip = |go| match go {
            Next => 0,
            Holds => rest,
            Fails => rest + fails,
        };
        match step {
            Step::Plain(statement) => statement,
            Step::Branch(compare, number, yes, no) => Statement::branch(compare, number, skip(yes), skip(no)),
        }
    };
    steps.into_iter().enumerate().map(statement).collect()
}

/// A statement that does not know yet how far its jumps are.
enum Step {
    Plain(Statement),
    Branch(Compare, u32, Go, Go),
}

/// Loads a half of an argument, and takes of it what is in the same half of `mask`.
fn half(index: u8, upper: bool, mask: Option<u64>) -> impl Iterator<Item = Step> {
    let second = upper == cfg!(target_endian = "little");
    let offset =
        offset_of!(libc::seccomp_data, args) as u32 + 8 * u32::from(index) + if second { 4 } else { 0 };
    let mask = mask.map(|mask| if upper { (mask >> 32) as u32 } else { mask as u32 });
    [Some(Statement::load(offset)), mask.map(Statement::and)].into_iter().flatten().map(Step::Plain)
}
