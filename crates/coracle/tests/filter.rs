//! The compiler of seccomp filters, held against what the profile says: by a machine of its own for the programs, which knows
//! nothing of how they are made, and a reading of the profile that makes no program.

use coracle::seccomp::arch::Arch;
use coracle::seccomp::{compile, table};
use serde_json::{Value, json};

mod common;
#[path = "filter/machine.rs"]
mod machine;
#[path = "filter/reading.rs"]
mod reading;

use machine::{Call, run};
use reading::{X86, answer, checked, compare};

testkit::suite! { "filter",
    runtime = "",
    tests = [
        every_operator_compares_all_64_bits,
        conditions_of_a_rule_are_all_asked_for_and_rules_are_alternatives,
        two_conditions_on_one_argument_are_two_rules,
        a_rule_without_conditions_goes_first,
        profiles_of_all_kinds_are_decided_as_they_say,
        a_profile_of_an_engine_is_decided_as_it_says,
        each_architecture_has_its_own_numbers,
        a_call_of_another_architecture_ends_the_process,
        what_is_newer_than_the_profile_is_not_implemented,
        a_detour_is_judged_as_the_call,
        an_engines_profile_is_a_short_program,
        the_numbers_are_the_kernels,
    ]
}

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const EPERM: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
const ENOSYS: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
const KILL: u32 = libc::SECCOMP_RET_KILL_PROCESS;

/// Numbers without an order, the same ones each time (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

fn condition(index: u64, op: &str, value: u64, second: u64) -> Value {
    json!({ "index": index, "op": format!("SCMP_CMP_{op}"), "value": value, "valueTwo": second })
}

const OPERATORS: [&str; 7] = ["EQ", "NE", "LT", "LE", "GT", "GE", "MASKED_EQ"];

fn every_operator_compares_all_64_bits() {
    for op in OPERATORS {
        for value in [0, 5, 0xffff_ffff, 0x1_0000_0000, 0x1_0000_0005, 0xffff_ffff_0000_0001, u64::MAX] {
            let one = condition(2, op, value, 0x5_0000_0005);
            let rule = json!({ "names": ["ioctl"], "action": "SCMP_ACT_ERRNO", "args": [one] });
            compare(&json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule] }), &X86);
        }
    }
}

fn conditions_of_a_rule_are_all_asked_for_and_rules_are_alternatives() {
    let all: Vec<Value> = (0..6).map(|n| condition(n, OPERATORS[n as usize], 3 + n, n)).collect();
    for count in 1..=6 {
        let rules = json!([
            { "names": ["mmap", "kcmp"], "action": "SCMP_ACT_ALLOW", "args": all[..count] },
            { "names": ["kcmp"], "action": "SCMP_ACT_LOG", "args": [condition(5, "GE", 0x1_0000_0000, 0)] },
        ]);
        compare(&json!({ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules }), &X86);
    }
}

fn two_conditions_on_one_argument_are_two_rules() {
    let two = [condition(0, "EQ", 100, 0), condition(0, "EQ", 9001, 0), condition(1, "EQ", 7, 0)];
    let rules = json!([{ "names": ["process_vm_readv"], "action": "SCMP_ACT_ALLOW", "args": two }]);
    let asked = json!({ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules });
    compare(&asked, &X86);
    let program = compile::program(&checked(&asked), &X86);
    let number = libc::SYS_process_vm_readv as u32;
    let verdict = |args| run(&program, &Call { audit: Arch::native().audit(), number, args });
    if Arch::native() == Arch::X86_64 {
        assert_eq!(
            [[100, 0, 0, 0, 0, 0], [9001, 0, 0, 0, 0, 0], [0, 7, 0, 0, 0, 0]].map(verdict),
            [ALLOW; 3]
        );
        assert_eq!(verdict([0; 6]), EPERM);
    }
}

fn a_rule_without_conditions_goes_first() {
    for order in [[0, 1, 2], [1, 0, 2], [2, 1, 0]] {
        let rules = [
            json!({ "names": ["chmod"], "action": "SCMP_ACT_LOG", "args": [condition(1, "GT", 4, 0)] }),
            json!({ "names": ["chmod"], "action": "SCMP_ACT_ERRNO", "errnoRet": 9 }),
            // As the default, so it says nothing.
            json!({ "names": ["chmod"], "action": "SCMP_ACT_ALLOW" }),
        ];
        let rules = order.map(|n: usize| rules[n].clone());
        compare(&json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules }), &X86);
    }
}

fn profiles_of_all_kinds_are_decided_as_they_say() {
    const ACTIONS: [&str; 8] =
        ["ALLOW", "ERRNO", "KILL", "KILL_PROCESS", "KILL_THREAD", "TRAP", "TRACE", "LOG"];
    // No detour leads to these.
    const NAMES: [&str; 10] =
        ["read", "write", "openat", "clone", "ptrace", "mseal", "no_such_call", "ioctl", "execve", "umount2"];
    let mut random = Random(7);
    let with_number = |action: &str, number: usize| match action {
        "ERRNO" | "TRACE" => json!(number),
        _ => Value::Null,
    };
    for _ in 0..40 {
        let rules: Vec<Value> = (0..random.below(9))
            .map(|_| {
                let action = ACTIONS[random.below(ACTIONS.len())];
                let names: Vec<_> = (0..=random.below(3)).map(|_| NAMES[random.below(NAMES.len())]).collect();
                let args: Vec<Value> = (0..random.below(4))
                    .map(|_| {
                        let value = [0, 7, 0xffff_ffff, 0x7_0000_0007, u64::MAX][random.below(5)];
                        condition(random.below(6) as u64, OPERATORS[random.below(7)], value, 7)
                    })
                    .collect();
                let number = with_number(action, random.below(4095));
                json!({ "names": names, "action": format!("SCMP_ACT_{action}"), "errnoRet": number, "args": args })
            })
            .collect();
        let action = ACTIONS[random.below(ACTIONS.len())];
        let number = with_number(action, random.below(4095));
        compare(
            &json!({
                "defaultAction": format!("SCMP_ACT_{action}"), "defaultErrnoRet": number, "syscalls": rules,
            }),
            [&X86[..], &X86[..1], &X86[..2], &[Arch::Aarch64, Arch::Arm], &[Arch::Riscv64]][random.below(5)],
        );
    }
}

fn a_profile_of_an_engine_is_decided_as_it_says() {
    let asked = common::profile();
    compare(&asked, &[Arch::X86_64, Arch::X32]);
    compare(&asked, &[Arch::Aarch64, Arch::Arm]);
}

fn each_architecture_has_its_own_numbers() {
    let rules = json!([{ "names": ["mkdirat", "mkdir"], "action": "SCMP_ACT_ERRNO" }]);
    let asked = json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules });
    let all = [Arch::X86_64, Arch::X86, Arch::X32, Arch::Aarch64, Arch::Arm];
    let program = compile::program(&checked(&asked), &all);
    let verdict =
        |arch: Arch, number: u32| run(&program, &Call { audit: arch.audit(), number, args: [0; 6] });
    for (arch, number) in [
        (Arch::X86_64, 258),
        (Arch::X86_64, 83),
        (Arch::X86, 296),
        (Arch::X86, 39),
        (Arch::X32, 0x4000_0102),
        (Arch::Aarch64, 34),
        (Arch::Arm, 323),
    ] {
        assert_eq!(verdict(arch, number), EPERM, "{arch:?} {number}");
        assert_eq!(verdict(arch, number + 1), ALLOW, "{arch:?} {number} + 1");
    }
}

fn a_call_of_another_architecture_ends_the_process() {
    let asked = json!({ "defaultAction": "SCMP_ACT_ALLOW" });
    let program = compile::program(&checked(&asked), &[Arch::X86_64]);
    let verdict = |audit, number| run(&program, &Call { audit, number, args: [0; 6] });
    assert_eq!(verdict(Arch::X86_64.audit(), 0), ALLOW);
    for audit in [Arch::X86.audit(), Arch::Aarch64.audit(), 0, u32::MAX] {
        assert_eq!(verdict(audit, 0), KILL, "{audit:#x}");
    }
    // x32, but for the number of a call that a tracer has skipped.
    assert_eq!(verdict(Arch::X86_64.audit(), 0x4000_0000), KILL);
    assert_eq!(verdict(Arch::X86_64.audit(), u32::MAX), ALLOW);
}

fn what_is_newer_than_the_profile_is_not_implemented() {
    let rules = json!([{ "names": ["openat2", "read"], "action": "SCMP_ACT_ALLOW" }]);
    for (default, above) in [
        ("ERRNO", ENOSYS),
        ("KILL", ENOSYS),
        ("KILL_PROCESS", ENOSYS),
        ("TRAP", ENOSYS),
        ("ALLOW", ALLOW),
        ("LOG", libc::SECCOMP_RET_LOG),
        ("TRACE", libc::SECCOMP_RET_TRACE | 1),
    ] {
        let asked = json!({ "defaultAction": format!("SCMP_ACT_{default}"), "syscalls": rules });
        let program = compile::program(&checked(&asked), &X86);
        for (arch, newest) in [(Arch::X86_64, 437), (Arch::X86, 437), (Arch::X32, 0x4000_01b5)] {
            let verdict = |number| run(&program, &Call { audit: arch.audit(), number, args: [0; 6] });
            assert_eq!(verdict(newest), ALLOW, "{default} {arch:?}");
            assert_eq!(
                verdict(newest - 1),
                answer(&asked["defaultAction"], &Value::Null),
                "{default} {arch:?}"
            );
            assert_eq!([newest + 1, newest + 60].map(verdict), [above; 2], "{default} {arch:?}");
        }
    }
}

fn a_detour_is_judged_as_the_call() {
    let verdict = |asked: &Value, number, first: u64| {
        let program = compile::program(&checked(asked), &X86);
        run(&program, &Call { audit: Arch::X86.audit(), number, args: [first, 1, 2, 3, 4, 5] })
    };
    let (socketcall, ipc) = (102, 117);
    let denied = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{ "names": ["socket", "shmget"], "action": "SCMP_ACT_ERRNO" }],
    });
    assert_eq!(
        [1, 2, 0xff_0000_0001].map(|which| verdict(&denied, socketcall, which)),
        [EPERM, ALLOW, EPERM]
    );
    // Its upper half is a version.
    assert_eq!([23, 0x1_0017, 22].map(|which| verdict(&denied, ipc, which)), [EPERM, EPERM, ALLOW]);
    let one = |default: &str, action: &str| {
        let args = [condition(0, "EQ", 40, 0)];
        let rule = json!({ "names": ["socket"], "action": format!("SCMP_ACT_{action}"), "args": args });
        json!({ "defaultAction": format!("SCMP_ACT_{default}"), "syscalls": [rule] })
    };
    // The arguments cannot be seen there: what may be forbidden is, and what may not be permitted is not.
    assert_eq!(verdict(&one("ALLOW", "ERRNO"), socketcall, 1), EPERM);
    assert_eq!(verdict(&one("ERRNO", "ALLOW"), socketcall, 1), EPERM);
}

fn an_engines_profile_is_a_short_program() {
    let program = compile::program(&checked(&common::profile()), &X86);
    assert!(program.len() < 1500, "{} statements", program.len());
    // No call is asked more than a few questions: its range is searched, not the call itself.
    let steps = |number| {
        let mut at = 0;
        let mut steps = 0;
        while program[at].code != 0x06 {
            let statement = program[at];
            let (a, value) = (if at == 0 { Arch::X86_64.audit() } else { number }, statement.value);
            at += 1 + match statement.code {
                0x05 => value as usize,
                0x15 if steps == 1 => {
                    usize::from(if Arch::X86_64.audit() == value { statement.yes } else { statement.no })
                }
                0x35 => usize::from(if a >= value { statement.yes } else { statement.no }),
                _ => 0,
            };
            steps += 1;
        }
        steps
    };
    let most = (0..470).map(steps).max();
    assert!(most < Some(24), "{most:?} statements for a call");
}

/// Against the libc crate, which has the numbers from another place.
fn the_numbers_are_the_kernels() {
    macro_rules! same {
        ($($name:ident = $constant:ident),* $(,)?) => {
            $(assert_eq!(
                table::number(Arch::native(), stringify!($name)),
                Some(libc::$constant as u32),
                stringify!($name)
            );)*
        };
    }
    same! {
        read = SYS_read, openat = SYS_openat, execve = SYS_execve, execveat = SYS_execveat, clone3 = SYS_clone3,
        sendmsg = SYS_sendmsg, prctl = SYS_prctl, mount_setattr = SYS_mount_setattr, futex = SYS_futex,
        clock_gettime = SYS_clock_gettime, newfstatat = SYS_newfstatat, statx = SYS_statx, rseq = SYS_rseq,
        pidfd_open = SYS_pidfd_open, mseal = SYS_mseal, ppoll = SYS_ppoll, umount2 = SYS_umount2,
    }
    for (arch, name, number) in [
        (Arch::Aarch64, "newfstatat", Some(79)),
        (Arch::Aarch64, "fstatat", None),
        (Arch::Aarch64, "clock_gettime64", None),
        (Arch::Aarch64, "futex_time64", None),
        (Arch::Arm, "set_tls", Some(0xf_0005)),
        (Arch::Arm, "clock_gettime64", Some(403)),
        (Arch::Arm, "sync_file_range2", Some(341)),
        (Arch::X86, "clock_gettime", Some(265)),
        (Arch::X86, "_llseek", Some(140)),
        (Arch::X32, "read", Some(0x4000_0000)),
        (Arch::X32, "execve", Some(0x4000_0208)),
        (Arch::X32, "pwritev2", Some(0x4000_0223)),
        (Arch::X32, "uselib", None),
        (Arch::S390x, "read", Some(3)),
        (Arch::Mips64, "read", Some(5000)),
        (Arch::Riscv64, "riscv_hwprobe", Some(258)),
        (Arch::Parisc, "read", None),
    ] {
        assert_eq!(table::number(arch, name), number, "{arch:?} {name}");
    }
}
