//! config.md, "POSIX process": rlimits; "Linux Process": noNewPrivileges. Rows O-13 and O-15.

use serde_json::{Value, json};
use testkit::Test;

use super::common::{Bundle, text};
use super::running::{each_is_refused, exec, exec_file, reported, waiting};

pub(crate) const TESTS: &[Test] = testkit::tests! {
    o13_rlimits_are_those_of_the_config(userns),
    o13_rlimits_of_exec_are_the_containers_or_its_files(userns),
    o13_an_rlimit_that_is_none_is_refused(userns),
    o13_an_rlimit_that_is_there_twice_is_refused(userns),
    o13_a_limit_above_the_callers_is_for_root(raised_limits, root),
    o13_a_limit_above_the_callers_in_a_user_namespace(raised_limits, root),
    o13_the_lowest_limits_do_not_keep_the_program_from_running(userns),
    o15_no_new_privileges_is_what_the_config_says(userns),
    o15_no_new_privileges_of_exec(userns),
};

fn limit(soft: u64, hard: u64) -> probe::Rlimit {
    probe::Rlimit { soft, hard }
}

/// "soft: MUST be the value of the limit enforced"; "hard: the ceiling".
fn o13_rlimits_are_those_of_the_config() {
    let report = reported(|c| {
        c["process"]["rlimits"] = json!([
            { "type": "RLIMIT_NOFILE", "soft": 123, "hard": 456 },
            { "type": "RLIMIT_CORE", "soft": 0, "hard": 0 },
        ]);
    });
    assert_eq!(report.rlimits["RLIMIT_NOFILE"], limit(123, 456));
    assert_eq!(report.rlimits["RLIMIT_CORE"], limit(0, 0));
}

fn o13_rlimits_of_exec_are_the_containers_or_its_files() {
    let bundle =
        waiting(|c| c["process"]["rlimits"] = json!([{ "type": "RLIMIT_NOFILE", "soft": 123, "hard": 456 }]));
    let found = |report: probe::Report| report.rlimits["RLIMIT_NOFILE"];
    assert_eq!(found(exec(&bundle, &[])), limit(123, 456));
    assert_eq!(found(exec_file(&bundle, |_| {})), limit(123, 456));
    let own = json!([{ "type": "RLIMIT_NOFILE", "soft": 99, "hard": 100 }]);
    assert_eq!(found(exec_file(&bundle, |process| process["rlimits"] = own)), limit(99, 100));
}

/// "The runtime MUST generate an error for any values which cannot be mapped to a relevant kernel interface"; "If rlimits
/// contains duplicated entries with same type, the runtime MUST generate an error."
fn o13_an_rlimit_that_is_none_is_refused() {
    each_is_refused(&[
        (
            |c| c["process"]["rlimits"] = json!([{ "type": "RLIMIT_LUCK", "soft": 1, "hard": 1 }]),
            "RLIMIT_LUCK",
        ),
        (|c| c["process"]["rlimits"] = json!([{ "type": "RLIMIT_NOFILE", "soft": 2, "hard": 1 }]), "rlimit"),
    ]);
}

fn o13_an_rlimit_that_is_there_twice_is_refused() {
    each_is_refused(&[(
        |c| {
            let one = json!({ "type": "RLIMIT_NOFILE", "soft": 9, "hard": 9 });
            c["process"]["rlimits"] = json!([one, one]);
        },
        "RLIMIT_NOFILE",
    )]);
}

/// The report of a run whose caller may have no core files, of a container that may.
#[track_caller]
fn raised(change: impl FnOnce(&mut Value)) -> probe::Rlimit {
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    config["process"]["rlimits"] = json!([{ "type": "RLIMIT_CORE", "soft": 4096, "hard": 8192 }]);
    change(&mut config);
    bundle.write(&config);
    let run = bundle.command(&[], bundle.id());
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "ulimit -Hc 0; exec \"$@\"", "sh"]).arg(run.get_program()).args(run.get_args());
    let output = shell.output().expect("sh starts");
    let report: probe::Report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("no report: {}", text(&output.stderr)));
    report.rlimits["RLIMIT_CORE"]
}

fn o13_a_limit_above_the_callers_is_for_root() {
    assert_eq!(raised(|_| {}), limit(4096, 8192));
}

/// Root of the container has no say in it, and the runtime has: it must be done from outside.
fn o13_a_limit_above_the_callers_in_a_user_namespace() {
    let found = raised(|c| {
        let linux = &mut c["linux"];
        linux["namespaces"].as_array_mut().expect("a list").push(json!({ "type": "user" }));
        linux["uidMappings"] = json!([{ "containerID": 0, "hostID": 0, "size": 1 }]);
        linux["gidMappings"] = json!([{ "containerID": 0, "hostID": 0, "size": 1 }]);
    });
    assert_eq!(found, limit(4096, 8192));
}

/// They come last: the steps before must not be held by them.
fn o13_the_lowest_limits_do_not_keep_the_program_from_running() {
    let bundle = waiting(|c| {
        c["process"]["rlimits"] = json!([
            { "type": "RLIMIT_NOFILE", "soft": 8, "hard": 8 },
            { "type": "RLIMIT_FSIZE", "soft": 100_000, "hard": 100_000 },
        ]);
    });
    assert_eq!(exec(&bundle, &[]).rlimits["RLIMIT_NOFILE"], limit(8, 8));
}

/// "setting noNewPrivileges to true prevents the process from gaining additional privileges." An explicit false is false.
fn o15_no_new_privileges_is_what_the_config_says() {
    for (asked, wanted) in [(json!(true), true), (json!(false), false), (Value::Null, false)] {
        let found = reported(|c| c["process"]["noNewPrivileges"] = asked).no_new_privs;
        assert_eq!(found, Some(wanted));
    }
}

fn o15_no_new_privileges_of_exec() {
    let bundle = waiting(|c| c["process"]["noNewPrivileges"] = json!(true));
    assert_eq!(exec(&bundle, &[]).no_new_privs, Some(true));
    let own = exec_file(&bundle, |process| process["noNewPrivileges"] = json!(false));
    assert_eq!(own.no_new_privs, Some(false));
    let bundle = waiting(|_| {});
    assert_eq!(exec(&bundle, &["--no-new-privs"]).no_new_privs, Some(true));
}
