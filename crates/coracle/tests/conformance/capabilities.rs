//! config.md, "Linux Process": capabilities. Row O-14.

use serde_json::{Value, json};
use testkit::Test;

use super::common::{Bundle, Finish, text};
use super::running::{exec, waiting};

pub(crate) const TESTS: &[Test] = testkit::tests! {
    o14_the_sets_are_those_of_the_config(userns),
    o14_without_capabilities_there_are_none(userns),
    o14_the_ambient_set_is_kept_by_an_ordinary_user(root),
    o14_an_ambient_one_must_be_permitted_and_inheritable(userns),
    o14_an_unknown_one_is_a_warning(userns),
    o14_one_that_is_not_permitted_is_a_warning(userns),
    o14_one_that_cannot_be_granted_is_a_warning(root),
    o14_exec_has_the_containers(userns),
    o14_a_capability_of_exec_is_not_handed_on(userns),
};

/// What the probe sees with these sets, and what the log says.
#[track_caller]
fn with(sets: Value, user: u32) -> (probe::Report, String) {
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    config["process"]["capabilities"] = sets;
    config["process"]["user"] = json!({ "uid": user, "gid": user });
    let log = bundle.path().join("log").display().to_string();
    let output = bundle.write(&config).command(&["--log", &log], bundle.id()).finish();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    let report = serde_json::from_str(said.lines().next().unwrap_or_default()).expect("a report");
    (report, std::fs::read_to_string(log).unwrap_or_default())
}

/// Of root's, execve makes of the bounding and the inheritable set what counts.
fn o14_the_sets_are_those_of_the_config() {
    let (two, one) = (json!(["CAP_CHOWN", "CAP_KILL"]), json!(["CAP_KILL"]));
    let sets = json!({ "bounding": two, "effective": two, "permitted": two, "inheritable": one });
    let caps = with(sets, 0).0.caps;
    assert_eq!(caps.bounding, ["CAP_CHOWN", "CAP_KILL"]);
    assert_eq!(caps.permitted, ["CAP_CHOWN", "CAP_KILL"]);
    assert_eq!(caps.effective, ["CAP_CHOWN", "CAP_KILL"]);
    assert_eq!(caps.inheritable, ["CAP_KILL"]);
    assert!(caps.ambient.is_empty(), "{caps:?}");
}

fn o14_without_capabilities_there_are_none() {
    for sets in [Value::Null, json!({})] {
        assert_eq!(with(sets, 0).0.caps, probe::Caps::default());
    }
}

fn o14_the_ambient_set_is_kept_by_an_ordinary_user() {
    let one = json!(["CAP_NET_RAW"]);
    let sets =
        json!({ "bounding": one, "effective": one, "permitted": one, "inheritable": one, "ambient": one });
    let caps = with(sets, 1000).0.caps;
    for set in [&caps.bounding, &caps.effective, &caps.permitted, &caps.inheritable, &caps.ambient] {
        assert_eq!(set, &["CAP_NET_RAW"], "{caps:?}");
    }
}

/// capabilities(7); what cannot be is no failure.
fn o14_an_ambient_one_must_be_permitted_and_inheritable() {
    let one = json!(["CAP_KILL"]);
    let sets = json!({ "bounding": one, "effective": one, "permitted": one, "ambient": one });
    let (report, log) = with(sets, 0);
    assert!(report.caps.ambient.is_empty(), "{:?}", report.caps);
    assert!(log.contains("ambient"), "{log}");
}

/// "Any value which cannot be mapped to a relevant kernel interface, or cannot be granted otherwise MUST be logged as a
/// warning by the runtime."
fn o14_an_unknown_one_is_a_warning() {
    let sets = json!({ "bounding": ["CAP_UNKNOWN", "CAP_KILL"] });
    let (report, log) = with(sets, 0);
    assert_eq!(report.caps.bounding, ["CAP_KILL"]);
    assert!(log.contains("warning") && log.contains("CAP_UNKNOWN"), "{log}");
}

/// "Runtimes SHOULD NOT fail if the container configuration requests capabilities that cannot be granted."
fn o14_one_that_is_not_permitted_is_a_warning() {
    let sets = json!({ "bounding": ["CAP_KILL"], "effective": ["CAP_KILL"], "inheritable": ["CAP_CHOWN"] });
    let (report, log) = with(sets, 0);
    assert!(report.caps.inheritable.is_empty(), "{:?}", report.caps);
    assert!(log.contains("/effective: CAP_KILL") && log.contains("/inheritable: CAP_CHOWN"), "{log}");
}

/// A runtime that has been left without one cannot give it.
fn o14_one_that_cannot_be_granted_is_a_warning() {
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    let two = json!(["CAP_KILL", "CAP_WAKE_ALARM"]);
    config["process"]["capabilities"] = json!({ "bounding": two, "effective": two, "permitted": two });
    let log = bundle.path().join("log").display().to_string();
    let run = bundle.write(&config).command(&["--log", &log], bundle.id());
    let mut without = std::process::Command::new("capsh");
    without.args(["--drop=cap_wake_alarm", "--", "-c", "exec \"$@\"", "sh"]).arg(run.get_program());
    let output = without.args(run.get_args()).output().expect("capsh starts");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let report: probe::Report = serde_json::from_slice(&output.stdout).expect("a report");
    assert_eq!(report.caps.effective, ["CAP_KILL"]);
    let said = std::fs::read_to_string(log).unwrap_or_default();
    assert!(said.contains("warning") && said.contains("CAP_WAKE_ALARM"), "{said}");
}

fn o14_exec_has_the_containers() {
    let one = json!(["CAP_KILL"]);
    let sets = json!({ "bounding": one, "effective": one, "permitted": one });
    let bundle = waiting(|c| c["process"]["capabilities"] = sets);
    assert_eq!(exec(&bundle, &[]).caps.effective, ["CAP_KILL"]);
    let file = super::running::exec_file(&bundle, |_| {});
    assert_eq!(file.caps.effective, ["CAP_KILL"], "a file that says nothing of them");
}

/// CVE-2022-29162: the inheritable and the ambient set stay as they are.
fn o14_a_capability_of_exec_is_not_handed_on() {
    let bundle = waiting(|c| c["process"]["capabilities"] = json!({}));
    let caps = exec(&bundle, &["--cap", "CAP_KILL", "--cap", "CAP_CHOWN"]).caps;
    assert_eq!(caps.effective, ["CAP_CHOWN", "CAP_KILL"]);
    assert_eq!(caps.bounding, ["CAP_CHOWN", "CAP_KILL"]);
    assert!(caps.inheritable.is_empty() && caps.ambient.is_empty(), "{caps:?}");
}
