//! Whose filter it is, and what it may forbid: the program's, and no call of the runtime's own.

use std::fs;

use serde_json::{Value, json};

use super::{Bundle, number, rule, rules, text, under};
use crate::common::{Finish, Leaks};

/// A container that runs under `seccomp` until somebody ends it.
fn running(seccomp: Value) -> Bundle {
    let bundle = under(seccomp, &["wait-signal", "TERM"]);
    bundle.create(bundle.id());
    bundle.must(&["start", bundle.id()]);
    bundle
}

fn did(said: &str) -> probe::Did {
    let report: probe::Report =
        serde_json::from_str(said.lines().next().unwrap_or_default()).expect("a report");
    report.did.expect("it did something")
}

pub(super) fn o26_exec_is_under_the_filter() {
    let bundle = running(rules(&[rule(&["kcmp"], "ERRNO")]));
    let said = bundle.must(&["exec", bundle.id(), "/probe", "syscall", &number!(SYS_kcmp), "99", "99"]);
    assert_eq!(did(&said).errno.as_deref(), Some("EPERM"));
    bundle.must(&["delete", "--force", bundle.id()]);
}

/// A process object says nothing of seccomp: it is the container's.
pub(super) fn o26_exec_of_a_process_file_is_under_the_filter() {
    let bundle = running(rules(&[rule(&["kcmp"], "ERRNO")]));
    for no_new_privileges in [false, true] {
        let process = json!({
            "args": ["/probe", "syscall", number!(SYS_kcmp), "99", "99"], "cwd": "/", "user": { "uid": 0, "gid": 0 },
            "noNewPrivileges": no_new_privileges,
        });
        let file = bundle.path().join("process.json");
        fs::write(&file, process.to_string()).expect("a file");
        let said = bundle.must(&["exec", "--process", &file.display().to_string(), bundle.id()]);
        assert_eq!(did(&said).errno.as_deref(), Some("EPERM"));
    }
    bundle.must(&["delete", "--force", bundle.id()]);
}

/// Whoever may not have them loses them, filter or not.
pub(super) fn o26_it_takes_no_capability_of_the_programs() {
    for no_new_privileges in [false, true] {
        let bundle = under(rules(&[rule(&["kcmp"], "ERRNO")]), &[]);
        let mut config = config_of(&bundle);
        config["process"]["noNewPrivileges"] = json!(no_new_privileges);
        let kill = json!(["CAP_KILL"]);
        config["process"]["capabilities"] = json!({ "bounding": kill, "effective": kill, "permitted": kill });
        let report = bundle.write(&config).report();
        let kill = vec!["CAP_KILL".to_owned()];
        assert_eq!((&report.caps.effective, &report.caps.permitted), (&kill, &kill));
        assert_eq!((&report.caps.bounding, report.caps.ambient.len()), (&kill, 0));
        assert_eq!(report.seccomp, Some(probe::Seccomp::Filter));
    }
}

pub(super) fn o26_it_takes_no_capability_of_an_ordinary_user() {
    for no_new_privileges in [false, true] {
        let bundle = under(rules(&[rule(&["kcmp"], "ERRNO")]), &["syscall", &number!(SYS_kcmp), "99", "99"]);
        let mut config = config_of(&bundle);
        config["process"]["user"] = json!({ "uid": 7, "gid": 7 });
        config["process"]["noNewPrivileges"] = json!(no_new_privileges);
        let all = json!(["CAP_KILL", "CAP_SYS_ADMIN"]);
        config["process"]["capabilities"] = json!({ "bounding": all, "effective": ["CAP_KILL"], "permitted": ["CAP_KILL"],
            "inheritable": ["CAP_KILL"], "ambient": ["CAP_KILL"] });
        let report = bundle.write(&config).report();
        let kill = vec!["CAP_KILL".to_owned()];
        assert_eq!((report.uid, &report.caps.effective, &report.caps.permitted), (7, &kill, &kill));
        assert_eq!(report.did.expect("it did").errno.as_deref(), Some("EPERM"));
    }
}

pub(super) fn o26_no_new_privileges_is_not_set_for_it() {
    let bundle = under(rules(&[rule(&["kcmp"], "ERRNO")]), &[]);
    let report = bundle.report();
    assert_eq!((report.no_new_privs, report.seccomp), (Some(false), Some(probe::Seccomp::Filter)));
}

/// The calls by which a runtime sets a container up, up to its last words: forbidden, and the container runs all the same. (But
/// for recvmsg, by which the probe hears of the network's devices.)
pub(super) fn o26_only_the_program_needs_its_calls() {
    let calls = [
        "accept4",
        "sendmsg",
        "memfd_create",
        "ftruncate",
        "capset",
        "setresuid",
        "setresgid",
        "setgroups",
        "chdir",
        "close_range",
        "mount",
        "move_mount",
        "openat2",
        "pivot_root",
        "setsid",
        "seccomp",
        "clone3",
        "faccessat2",
        "access",
        "kcmp",
    ];
    for no_new_privileges in [false, true] {
        let bundle = under(rules(&[rule(&calls, "KILL_PROCESS")]), &["wait-signal", "TERM"]);
        let mut config = config_of(&bundle);
        config["process"]["noNewPrivileges"] = json!(no_new_privileges);
        bundle.write(&config).create(bundle.id());
        bundle.must(&["start", bundle.id()]);
        bundle.ready();
        bundle.must(&["kill", bundle.id(), "TERM"]);
        bundle.wait_for(bundle.id(), "stopped");
        bundle.must(&["delete", bundle.id()]);
    }
}

pub(super) fn config_of(bundle: &Bundle) -> Value {
    let text = fs::read(bundle.path().join("config.json")).expect("a config");
    serde_json::from_slice(&text).expect("JSON")
}

/// By run, by start and by exec: each fails and says what it was, and nothing is left of a run.
#[track_caller]
fn is_an_error(seccomp: &Value, words: &[&str]) {
    let told = |row: &str, said: &str| {
        let said = said.to_lowercase();
        for word in words {
            assert!(said.contains(word), "{row}: no {word:?} in {said}");
        }
    };
    let bundle = under(seccomp.clone(), &[]);
    let mut run = bundle.command(&[], bundle.id());
    let leaks = Leaks::watch(&mut run, bundle.id());
    let output = run.finish();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    told("run", &text(&output.stderr));
    leaks.assert_none(&bundle, "run");

    bundle.create(bundle.id());
    told("start", &bundle.must_fail(&["start", bundle.id()], 1));
    bundle.wait_for(bundle.id(), "stopped");
    bundle.must(&["delete", bundle.id()]);
}

pub(super) fn o26_an_execve_that_is_forbidden_is_an_error() {
    let mut one = rule(&["execve"], "ERRNO");
    is_an_error(&rules(&[one.clone()]), &["/probe", "operation not permitted"]);
    one["errnoRet"] = json!(libc::ENETDOWN);
    is_an_error(&rules(&[one]), &["/probe", "network is down"]);
    // Nothing is allowed, not even to say so.
    is_an_error(&json!({ "defaultAction": "SCMP_ACT_ERRNO" }), &["/probe", "operation not permitted"]);
}

pub(super) fn o26_an_execve_that_ends_the_process_is_an_error() {
    for action in ["KILL", "KILL_PROCESS", "KILL_THREAD", "TRAP"] {
        is_an_error(&rules(&[rule(&["execve"], action)]), &["/probe", "seccomp"]);
    }
    is_an_error(&json!({ "defaultAction": "SCMP_ACT_KILL" }), &["/probe", "seccomp"]);
}

/// The program's interpreter is not there, which nobody sees before execve, and the filter forbids whatever could tell.
pub(super) fn o26_an_execve_that_fails_under_a_filter_says_why() {
    let allowed =
        json!({ "defaultAction": "SCMP_ACT_KILL_PROCESS", "syscalls": [rule(&["execve"], "ALLOW")] });
    let bundle = under(allowed, &[]);
    let mut config = config_of(&bundle);
    let script = bundle.path().join("rootfs/script");
    std::fs::write(&script, "#!/not/there\n").expect("a script");
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("it is ours");
    config["process"]["args"] = json!(["/script"]);
    bundle.write(&config);
    let output = bundle.run();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.to_lowercase().contains("no such file or directory") && said.contains("/script"), "{said}");
}
