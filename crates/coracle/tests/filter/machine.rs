//! A machine for programs of classic BPF.

use coracle::sys::Statement;

/// A system call as a filter is told of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    pub(crate) audit: u32,
    pub(crate) number: u32,
    pub(crate) args: [u64; 6],
}

/// Runs a program of classic BPF as the kernel does, for those of its statements that seccomp takes; all else, a jump out of it,
/// and a program that the kernel would not take are failures.
pub(crate) fn run(program: &[Statement], call: &Call) -> u32 {
    assert!((1..=libc::BPF_MAXINSNS as usize).contains(&program.len()), "{} statements", program.len());
    let mut data = [0; size_of::<libc::seccomp_data>()];
    data[..4].copy_from_slice(&call.number.to_ne_bytes());
    data[4..8].copy_from_slice(&call.audit.to_ne_bytes());
    data[8..16].copy_from_slice(&0x7fff_1234_5678_9abc_u64.to_ne_bytes());
    for (n, arg) in call.args.iter().enumerate() {
        data[16 + 8 * n..24 + 8 * n].copy_from_slice(&arg.to_ne_bytes());
    }
    let (mut a, mut at) = (0_u32, 0);
    loop {
        let statement = program[at];
        let (code, value) = (u32::from(statement.code), statement.value);
        let branch = |holds: bool| usize::from(if holds { statement.yes } else { statement.no });
        at += 1;
        match code {
            // BPF_LD | BPF_W | BPF_ABS, and so on: linux/bpf_common.h.
            0x20 => {
                let place = value as usize;
                assert!(place.is_multiple_of(4), "a load that is not aligned");
                a = u32::from_ne_bytes(data[place..place + 4].try_into().expect("four bytes"));
            }
            0x54 => a &= value,
            0x05 => at += value as usize,
            0x15 => at += branch(a == value),
            0x25 => at += branch(a > value),
            0x35 => at += branch(a >= value),
            0x06 => return value,
            _ => panic!("statement {} has the code {code:#x}", at - 1),
        }
    }
}
