//! What a config may not say of seccomp.

use serde_json::{Value, json};

use super::{Bundle, kcmp, rule, rules, text, under};
use crate::common::{Finish, Leaks};

/// A run of this fails, its error names all of `words`, and nothing is left.
#[track_caller]
fn refused(seccomp: Value, words: &[&str]) {
    let shown = seccomp.to_string();
    let bundle: Bundle = under(seccomp, &[]);
    let mut run = bundle.command(&[], bundle.id());
    let leaks = Leaks::watch(&mut run, bundle.id());
    let output = run.finish();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{shown}: {said}");
    for word in words {
        assert!(said.contains(word), "{shown}: no {word:?} in {said}");
    }
    leaks.assert_none(&bundle, &shown);
}

/// "When the action doesn't support an errno, the runtime MUST print and error and fail."
pub(super) fn o26_an_errno_for_an_action_that_takes_none_is_an_error() {
    for action in ["ALLOW", "KILL", "KILL_PROCESS", "KILL_THREAD", "LOG", "TRAP"] {
        let mut one = rule(&["kcmp"], action);
        one["errnoRet"] = json!(1);
        refused(rules(&[one]), &["errnoRet"]);
        let seccomp = json!({ "defaultAction": format!("SCMP_ACT_{action}"), "defaultErrnoRet": 1 });
        refused(seccomp, &["defaultErrnoRet"]);
    }
    // Where it is taken, it is not made another.
    let mut one = rule(&["kcmp"], "ERRNO");
    one["errnoRet"] = json!(5000);
    refused(rules(&[one]), &["/linux/seccomp/syscalls/0/errnoRet"]);
}

pub(super) fn o26_every_action_is_taken() {
    for action in ["KILL", "KILL_PROCESS", "KILL_THREAD", "TRAP", "ERRNO", "TRACE", "LOG"] {
        under(rules(&[rule(&["kcmp"], action)]), &[]).report();
    }
    for action in ["ERRNO", "TRACE"] {
        let mut one = rule(&["kcmp"], action);
        one["errnoRet"] = json!(7);
        under(rules(&[one]), &[]).report();
    }
}

pub(super) fn o26_every_architecture_is_taken() {
    let names = [
        "X86",
        "X86_64",
        "X32",
        "ARM",
        "AARCH64",
        "MIPS",
        "MIPS64",
        "MIPS64N32",
        "MIPSEL",
        "MIPSEL64",
        "MIPSEL64N32",
        "PPC",
        "PPC64",
        "PPC64LE",
        "S390",
        "S390X",
        "PARISC",
        "PARISC64",
        "RISCV64",
        "LOONGARCH64",
        "M68K",
        "SH",
        "SHEB",
    ];
    let with = |names: &[&str]| {
        let mut seccomp = rules(&[rule(&["kcmp"], "ERRNO")]);
        seccomp["architectures"] = names.iter().map(|name| format!("SCMP_ARCH_{name}")).collect();
        seccomp
    };
    for name in names {
        assert_eq!(kcmp(&with(&[name]), [0, 0, 0]), Err("EPERM".into()), "{name}");
    }
    assert_eq!(kcmp(&with(&names), [0, 0, 0]), Err("EPERM".into()));
}

pub(super) fn o26_unknown_words_are_errors() {
    let with = |key: &str, value: Value| {
        let mut seccomp = rules(&[rule(&["kcmp"], "ERRNO")]);
        seccomp[key] = value;
        seccomp
    };
    refused(with("defaultAction", json!("SCMP_ACT_SHRUG")), &["SCMP_ACT_SHRUG"]);
    refused(with("architectures", json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_ABACUS"])), &["SCMP_ARCH_ABACUS"]);
    refused(with("flags", json!(["SECCOMP_FILTER_FLAG_RED"])), &["SECCOMP_FILTER_FLAG_RED"]);
    refused(rules(&[rule(&["kcmp"], "SHRUG")]), &["SCMP_ACT_SHRUG"]);
    for (args, word) in [
        (json!([{ "index": 0, "value": 1, "op": "SCMP_CMP_NEAR" }]), "SCMP_CMP_NEAR"),
        (json!([{ "index": 6, "value": 1, "op": "SCMP_CMP_EQ" }]), "6"),
    ] {
        let mut one = rule(&["kcmp"], "ERRNO");
        one["args"] = args;
        refused(rules(&[one]), &[word]);
    }
    // What is required: a default, a rule's action, all of a condition.
    refused(json!({ "syscalls": [rule(&["kcmp"], "ERRNO")] }), &["defaultAction"]);
    refused(rules(&[json!({ "names": ["kcmp"] })]), &["action"]);
}

/// "names MUST contain at least one entry."
pub(super) fn o26_a_rule_must_name_a_call() {
    for names in [json!([]), Value::Null, json!([""])] {
        refused(
            rules(&[json!({ "names": names, "action": "SCMP_ACT_ERRNO" })]),
            &["/linux/seccomp/syscalls/0/names"],
        );
    }
}

pub(super) fn o26_more_rules_than_the_kernel_takes_are_an_error() {
    let one = |value: u64| {
        let args = json!([{ "index": 0, "value": value, "op": "SCMP_CMP_EQ" }]);
        json!({ "names": ["kcmp"], "action": "SCMP_ACT_ERRNO", "args": args })
    };
    let many: Vec<Value> = (0..1500).map(one).collect();
    refused(rules(&many), &["/linux/seccomp/syscalls", "4096"]);
    // What fits, fits though no comparison can skip it.
    let some: Vec<Value> = (0..150).map(one).collect();
    under(rules(&some), &[]).report();
}

/// "This field MUST NOT be set if listenerPath is not set."
pub(super) fn o26_a_supervisor_must_be_named() {
    let mut seccomp = rules(&[rule(&["kcmp"], "ERRNO")]);
    seccomp["listenerMetadata"] = json!("x");
    refused(seccomp, &["/linux/seccomp/listenerMetadata"]);
    refused(rules(&[rule(&["kcmp"], "NOTIFY")]), &["listenerPath"]);
}

/// As runc has it, in its words.
pub(super) fn o26_notify_is_not_for_what_hands_the_listener_over() {
    let with_listener = |mut seccomp: Value| {
        seccomp["listenerPath"] = json!("/proc/self/exe");
        seccomp
    };
    let notified = with_listener(rules(&[rule(&["kcmp", "write"], "NOTIFY")]));
    refused(notified, &["SCMP_ACT_NOTIFY cannot be used for the write syscall"]);
    let default = with_listener(json!({ "defaultAction": "SCMP_ACT_NOTIFY" }));
    refused(default, &["SCMP_ACT_NOTIFY cannot be used as default action"]);
}
