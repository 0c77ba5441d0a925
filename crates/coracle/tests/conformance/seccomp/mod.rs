//! config-linux.md, "Seccomp". Row O-26. What a filter decides, is held against its words in tests/filter.rs; here it is what
//! becomes of a program.

mod exec;
mod notify;
mod wrong;

use exec::*;
pub(crate) use notify::Supervisor;
use notify::*;
use wrong::*;

use std::os::unix::process::ExitStatusExt;

use serde_json::{Value, json};
use testkit::Test;

use super::common::{self, Bundle, Finish, text};

pub(crate) const TESTS: &[Test] = testkit::tests! {
    o26_a_call_fails_with_the_errno_of_its_rule(userns),
    o26_without_an_errno_it_is_eperm(userns),
    o26_the_default_has_its_errno(userns),
    o26_allow_and_log_let_a_call_be_made(userns),
    o26_kill_and_trap_end_the_program_by_sigsys(userns),
    o26_trace_without_a_tracer_is_enosys(userns),
    o26_every_operator_compares_64_bits(userns),
    o26_all_conditions_of_a_rule_must_hold(userns),
    o26_rules_for_one_call_are_alternatives(userns),
    o26_conditions_on_one_argument_are_alternatives(userns),
    o26_unknown_calls_are_ignored(userns),
    o26_what_is_newer_than_the_profile_is_enosys(userns),
    o26_a_profile_of_an_engine_lets_programs_run(userns),
    o26_calls_of_i386_are_judged_by_their_own_numbers(userns, i386),
    o26_calls_of_an_architecture_that_is_not_listed_end_the_program(userns, i386),
    o26_a_detour_of_i386_is_judged_as_the_call(userns, i386),
    o26_flags_are_given_to_the_kernel(userns),
    o26_without_seccomp_there_is_no_filter(userns),
    o26_an_empty_object_asks_for_nothing(userns),
    // exec.rs
    o26_exec_is_under_the_filter(userns),
    o26_exec_of_a_process_file_is_under_the_filter(userns),
    o26_it_takes_no_capability_of_the_programs(userns),
    o26_it_takes_no_capability_of_an_ordinary_user(root),
    o26_no_new_privileges_is_not_set_for_it(userns),
    o26_only_the_program_needs_its_calls(userns),
    o26_an_execve_that_is_forbidden_is_an_error(userns),
    o26_an_execve_that_ends_the_process_is_an_error(userns),
    o26_an_execve_that_fails_under_a_filter_says_why(userns),
    // wrong.rs
    o26_an_errno_for_an_action_that_takes_none_is_an_error(userns),
    o26_every_action_is_taken(userns),
    o26_every_architecture_is_taken(userns),
    o26_unknown_words_are_errors(userns),
    o26_a_rule_must_name_a_call(userns),
    o26_more_rules_than_the_kernel_takes_are_an_error(userns),
    o26_a_supervisor_must_be_named(userns),
    o26_notify_is_not_for_what_hands_the_listener_over(userns),
    // notify.rs
    o26_a_supervisor_gets_one_state_and_the_listener(userns),
    o26_a_supervisor_gets_it_for_create_and_start(userns),
    o26_a_supervisor_gets_one_for_each_exec(userns),
    o26_a_supervisor_may_decide_on_the_first_calls(userns),
    o26_a_supervisor_on_an_abstract_socket(userns),
    o26_without_a_rule_for_it_the_supervisor_is_ignored(userns),
    o26_a_supervisor_that_does_not_listen_is_an_error(userns),
    o26_start_fails_where_the_supervisor_has_gone(userns),
    o26_exec_fails_where_the_supervisor_has_gone(userns),
};

/// The number of a call on this machine.
macro_rules! number {
    ($name:ident) => {
        libc::$name.to_string()
    };
}
pub(crate) use number;

/// A bundle whose program is the probe with these arguments, under this filter.
pub(crate) fn under(seccomp: Value, args: &[&str]) -> Bundle {
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    config["process"]["args"] = json!([&["/probe"], args].concat());
    config["linux"]["seccomp"] = seccomp;
    bundle.write(&config);
    bundle
}

/// A profile that allows all, with these rules.
pub(crate) fn rules(rules: &[Value]) -> Value {
    json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules })
}

pub(crate) fn rule(names: &[&str], action: &str) -> Value {
    json!({ "names": names, "action": format!("SCMP_ACT_{action}") })
}

/// What a call becomes: `Ok` with what it returned, or the errno's name.
#[track_caller]
pub(crate) fn call(seccomp: &Value, args: &[&str]) -> Result<i64, String> {
    let did = under(seccomp.clone(), args).report().did.expect("it did something");
    did.value.ok_or(did.errno.unwrap_or_default())
}

fn errno(name: &str) -> Result<i64, String> {
    Err(name.to_owned())
}

/// A call that no program and no library makes by itself: a comparison of two processes, with five arguments, that fails
/// where there are none.
fn kcmp(seccomp: &Value, args: [u64; 3]) -> Result<i64, String> {
    let [a, b, c] = args.map(|arg| arg.to_string());
    call(seccomp, &["syscall", &number!(SYS_kcmp), "99", "99", &a, &b, &c])
}

fn condition(index: u64, op: &str, value: u64, second: u64) -> Value {
    json!({ "index": index, "op": format!("SCMP_CMP_{op}"), "value": value, "valueTwo": second })
}

fn o26_a_call_fails_with_the_errno_of_its_rule() {
    let seccomp = rules(&[
        json!({ "names": ["getsid", "kcmp"], "action": "SCMP_ACT_ERRNO", "errnoRet": libc::ENETDOWN }),
    ]);
    assert_eq!(kcmp(&seccomp, [0, 0, 0]), errno("ENETDOWN"));
    assert_eq!(call(&seccomp, &["syscall", &number!(SYS_getsid), "0"]), errno("ENETDOWN"));
    // And others do not.
    assert_eq!(call(&seccomp, &["syscall", &number!(SYS_getppid)]), Ok(0));
}

/// "If not specified its default value is EPERM."
fn o26_without_an_errno_it_is_eperm() {
    assert_eq!(kcmp(&rules(&[rule(&["kcmp"], "ERRNO")]), [0, 0, 0]), errno("EPERM"));
}

/// A profile in which all is allowed that the probe and a library call, and `kcmp` is not.
fn all_but_kcmp() -> Value {
    let mut seccomp = common::profile();
    seccomp["syscalls"].as_array_mut().expect("rules").push(rule(&["clone", "unshare"], "ALLOW"));
    seccomp
}

fn o26_the_default_has_its_errno() {
    let mut seccomp = all_but_kcmp();
    assert_eq!(kcmp(&seccomp, [0, 0, 0]), errno("EPERM"));
    seccomp["defaultErrnoRet"] = json!(libc::ENXIO);
    assert_eq!(kcmp(&seccomp, [0, 0, 0]), errno("ENXIO"));
    seccomp["defaultErrnoRet"] = Value::Null;
    assert_eq!(kcmp(&seccomp, [0, 0, 0]), errno("EPERM"));
}

fn o26_allow_and_log_let_a_call_be_made() {
    for action in ["ALLOW", "LOG"] {
        let mut seccomp = all_but_kcmp();
        seccomp["syscalls"].as_array_mut().expect("rules").push(rule(&["kcmp"], action));
        // The kernel's own answer: there is no process 99.
        assert_eq!(kcmp(&seccomp, [0, 0, 0]), errno("ESRCH"), "{action}");
    }
}

fn o26_kill_and_trap_end_the_program_by_sigsys() {
    for action in ["KILL", "KILL_PROCESS", "KILL_THREAD", "TRAP"] {
        let bundle = under(rules(&[rule(&["kcmp"], action)]), &["syscall", &number!(SYS_kcmp), "0", "0"]);
        let output = bundle.run();
        let ended = (output.status.code(), output.status.signal());
        assert_eq!(ended, (Some(128 + libc::SIGSYS), None), "{action}: {}", text(&output.stderr));
        assert_eq!(text(&output.stdout), "", "{action}: it went on");
    }
}

fn o26_trace_without_a_tracer_is_enosys() {
    assert_eq!(kcmp(&rules(&[rule(&["kcmp"], "TRACE")]), [0, 0, 0]), errno("ENOSYS"));
}

fn o26_every_operator_compares_64_bits() {
    const LARGE: u64 = 0x7_0000_0007;
    for (op, yes, no) in [
        ("EQ", [LARGE, LARGE], [7, 0x7_0000_0000]),
        ("NE", [7, 0x7_0000_0000], [LARGE, LARGE]),
        ("LT", [0x7_0000_0006, 0x6_0000_0008], [LARGE, 0x8_0000_0000]),
        ("LE", [LARGE, 0x6_0000_0008], [0x7_0000_0008, 0x8_0000_0000]),
        ("GE", [LARGE, 0x8_0000_0000], [0x7_0000_0006, 0x6_0000_0008]),
        ("GT", [0x7_0000_0008, 0x8_0000_0000], [LARGE, 0x6_0000_0008]),
        ("MASKED_EQ", [5, 0xf0_0000_0005], [1, 0x1_0000_0005]),
    ] {
        let mut one = rule(&["kcmp"], "ERRNO");
        one["args"] = json!([condition(4, op, LARGE, 5)]);
        let seccomp = rules(&[one]);
        for (values, wanted) in [(yes, "EPERM"), (no, "ESRCH")] {
            for value in values {
                assert_eq!(kcmp(&seccomp, [0, 0, value]), errno(wanted), "{op} {value:#x}");
            }
        }
    }
}

fn o26_all_conditions_of_a_rule_must_hold() {
    let mut one = rule(&["kcmp"], "ERRNO");
    one["args"] = json!([condition(2, "EQ", 0, 0), condition(3, "EQ", 1337, 0)]);
    let seccomp = rules(&[one]);
    for (args, wanted) in [([0, 1337, 0], "EPERM"), ([0, 0, 0], "ESRCH"), ([1, 1337, 0], "ESRCH")] {
        assert_eq!(kcmp(&seccomp, args), errno(wanted), "{args:?}");
    }
}

fn o26_rules_for_one_call_are_alternatives() {
    let one = |value: u64, number: i32| {
        let args = [condition(3, "EQ", value, 0)];
        json!({ "names": ["kcmp"], "action": "SCMP_ACT_ERRNO", "errnoRet": number, "args": args })
    };
    let seccomp = rules(&[one(1, libc::EPERM), one(2, libc::EXDEV)]);
    for (value, wanted) in [(1, "EPERM"), (2, "EXDEV"), (3, "ESRCH")] {
        assert_eq!(kcmp(&seccomp, [0, value, 0]), errno(wanted), "{value}");
    }
}

/// As runc has it, whose profiles are written so.
fn o26_conditions_on_one_argument_are_alternatives() {
    let mut one = rule(&["kcmp"], "ERRNO");
    one["args"] = json!([condition(3, "EQ", 100, 0), condition(3, "EQ", 9001, 0)]);
    let seccomp = rules(&[one]);
    for (value, wanted) in [(100, "EPERM"), (9001, "EPERM"), (0, "ESRCH")] {
        assert_eq!(kcmp(&seccomp, [0, value, 0]), errno(wanted), "{value}");
    }
}

fn o26_unknown_calls_are_ignored() {
    let seccomp = rules(&[rule(&["no_such_call", "kcmp", "nor_this_one"], "ERRNO")]);
    assert_eq!(kcmp(&seccomp, [0, 0, 0]), errno("EPERM"));
}

/// As runc has it: a library takes EPERM for a verdict, and ENOSYS for an old kernel, and falls back.
fn o26_what_is_newer_than_the_profile_is_enosys() {
    let seccomp = all_but_kcmp();
    assert_eq!(call(&seccomp, &["syscall", "1000", "1", "2"]), errno("ENOSYS"));
    assert_eq!(kcmp(&seccomp, [0, 0, 0]), errno("EPERM"));
}

fn o26_a_profile_of_an_engine_lets_programs_run() {
    let bundle = under(common::profile(), &[]);
    let report = bundle.report();
    assert_eq!(report.seccomp, Some(probe::Seccomp::Filter));
    assert_eq!(report.fds.len(), 3, "{:?}", report.fds);
    // By the flags of a process of its own kind, and of one with namespaces.
    let clone = number!(SYS_clone);
    assert_eq!(call(&common::profile(), &["syscall", &clone, "0x10000000"]), errno("EPERM"));
    assert_eq!(call(&common::profile(), &["syscall", &number!(SYS_clone3), "0", "0"]), errno("ENOSYS"));
}

fn with_architectures(mut seccomp: Value, architectures: &[&str]) -> Value {
    seccomp["architectures"] = json!(architectures);
    seccomp
}

fn o26_calls_of_i386_are_judged_by_their_own_numbers() {
    let both = ["SCMP_ARCH_X86", "SCMP_ARCH_X86_64"];
    let seccomp = with_architectures(rules(&[rule(&["kcmp"], "ERRNO")]), &both);
    // 349 is its kcmp; the number of ours is another call there.
    assert_eq!(call(&seccomp, &["syscall32", "349", "99", "99"]), errno("EPERM"));
    assert_eq!(call(&seccomp, &["syscall32", "20"]), Ok(1), "getpid");
    assert_ne!(call(&seccomp, &["syscall32", &number!(SYS_kcmp)]), errno("EPERM"));
    assert_eq!(kcmp(&seccomp, [0, 0, 0]), errno("EPERM"));
}

/// With the right name and the wrong number, every filter could be passed by.
fn o26_calls_of_an_architecture_that_is_not_listed_end_the_program() {
    let seccomp = with_architectures(rules(&[rule(&["kcmp"], "ERRNO")]), &["SCMP_ARCH_X86_64"]);
    let output = under(seccomp, &["syscall32", "20"]).run();
    assert_eq!(output.status.code(), Some(128 + libc::SIGSYS), "{}", text(&output.stdout));
}

/// socketcall(2) makes the call that its first argument says.
fn o26_a_detour_of_i386_is_judged_as_the_call() {
    let both = ["SCMP_ARCH_X86", "SCMP_ARCH_X86_64"];
    let seccomp = with_architectures(rules(&[rule(&["socket"], "ERRNO")]), &both);
    // 102 is socketcall, 1 is socket; 0 is no address that arguments are at.
    assert_eq!(call(&seccomp, &["syscall32", "102", "1", "0"]), errno("EPERM"));
    assert_eq!(call(&seccomp, &["syscall32", "102", "2", "0"]), errno("EFAULT"));
}

/// The value that is given to seccomp(2) is told with --debug, as runc tells it.
fn o26_flags_are_given_to_the_kernel() {
    const FLAG: &str = "SECCOMP_FILTER_FLAG_";
    for (flags, value) in [
        // Nothing said is not the same as none.
        (Value::Null, 4),
        (json!([]), 0),
        (json!(["TSYNC"].map(|name| format!("{FLAG}{name}"))), 0),
        (json!(["LOG"].map(|name| format!("{FLAG}{name}"))), 2),
        (json!(["LOG", "SPEC_ALLOW"].map(|name| format!("{FLAG}{name}"))), 6),
        (json!(["WAIT_KILLABLE_RECV"].map(|name| format!("{FLAG}{name}"))), 0),
    ] {
        let mut seccomp = rules(&[rule(&["kcmp"], "ERRNO")]);
        seccomp["flags"] = flags.clone();
        assert_eq!(kcmp(&seccomp, [0, 0, 0]), errno("EPERM"), "{flags}");
        let bundle = under(seccomp, &[]);
        let output = bundle.command(&["--debug"], bundle.id()).finish();
        let said = text(&output.stderr);
        assert!(said.contains(&format!("\"seccomp filter flags: {value}\"")), "{flags}: {said}");
    }
}

fn o26_without_seccomp_there_is_no_filter() {
    // The machine that tests may have one of its own.
    let own = std::fs::read_to_string("/proc/self/status").expect("our status");
    let filters = |status: &str| {
        status.lines().find_map(|line| line.strip_prefix("Seccomp_filters:")).map(|n| n.trim().to_owned())
    };
    let inside = |seccomp: Value| {
        let did = under(seccomp, &["open", "/proc/self/status"]).report().did.expect("it read");
        filters(&did.detail.expect("a status")).expect("a count").parse::<u32>().expect("a number")
    };
    let own: u32 = filters(&own).and_then(|count| count.parse().ok()).unwrap_or(0);
    assert_eq!(inside(Value::Null), own);
    assert_eq!(inside(rules(&[])), own + 1);
}

fn o26_an_empty_object_asks_for_nothing() {
    assert_eq!(kcmp(&json!({}), [0, 0, 0]), errno("ESRCH"));
}
