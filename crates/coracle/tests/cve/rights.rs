//! What a program may: no more than was asked for, by no word that is half understood.

use std::process::Command;

use serde_json::{Value, json};
use testkit::Test;

use super::common::delegated::Delegated;
use super::common::{Bundle, is_coracle, text};
use super::running::{exec, exec_file, waiting};
use super::user::{User, words};

pub(crate) const TESTS: &[Test] = testkit::tests! {
    cve_2022_29162_exec_fills_nothing_that_is_inheritable(userns),
    cve_2022_27650_no_file_gives_a_user_what_exec_had(root, setcap),
    cve_2025_27612_a_file_of_exec_fills_nothing_that_is_inheritable(userns),
    cve_2023_25809_the_callers_control_groups_cannot_be_written(root, userns),
    cve_2026_30892_a_user_that_is_half_understood_is_not_root(userns),
    cve_2024_3154_annotations_command_no_service_manager(systemd),
};

const GIVEN: &str = "CAP_NET_BIND_SERVICE";

/// A container that waits, with one capability and another one that its later programs can get.
fn with_one_capability() -> Bundle {
    waiting(|config| {
        let (own, all) = (json!(["CAP_KILL"]), json!(["CAP_KILL", GIVEN]));
        config["process"]["capabilities"] = json!({ "bounding": all, "effective": own, "permitted": own });
    })
}

#[track_caller]
fn assert_not_handed_on(report: &probe::Report) {
    assert!(report.caps.effective.iter().any(|name| name == GIVEN), "it has it: {:?}", report.caps);
    for set in [&report.caps.inheritable, &report.caps.ambient] {
        assert!(!set.iter().any(|name| name == GIVEN), "{:?}", report.caps);
    }
}

/// runc before 1.1.2: `exec --cap` added to the inheritable set as well, so that a program with inheritable file capabilities
/// had more than its user. Cure: that set stays as it is. GHSA-f3fp-gc8g-vw66.
fn cve_2022_29162_exec_fills_nothing_that_is_inheritable() {
    let bundle = with_one_capability();
    assert_not_handed_on(&exec(&bundle, &["--cap", GIVEN]));
}

/// crun before 1.4.4 did so for every exec: here is what it is good for. A user runs a file with an inheritable capability.
/// GHSA-wr4f-w546-m398.
fn cve_2022_27650_no_file_gives_a_user_what_exec_had() {
    let bundle = with_one_capability();
    let run_by_a_user = |set: &str| {
        let file = bundle.path().join("rootfs").join(set);
        let copied = Command::new("cp").arg(testkit::probe()).arg(&file).status();
        assert!(copied.expect("cp starts").success(), "a copy of the probe");
        let marked = Command::new("setcap").arg(format!("{GIVEN}={set}")).arg(&file).status();
        assert!(marked.expect("setcap starts").success(), "a file capability");
        let program = format!("/{set}");
        let said = bundle.must(&["exec", "--cap", GIVEN, "--user", "1000:1000", bundle.id(), &program]);
        serde_json::from_str::<probe::Report>(&said).expect("a report")
    };
    assert_eq!(run_by_a_user("ei").caps.effective, Vec::<String>::new(), "the program's set was filled");
    assert_eq!(run_by_a_user("ep").caps.effective, [GIVEN], "what the file itself gives is another matter");
}

/// youki's libcontainer before 0.5.3 did so as well, for what a later process asks for. GHSA-5w4j-f78p-4wh9.
fn cve_2025_27612_a_file_of_exec_fills_nothing_that_is_inheritable() {
    let bundle = with_one_capability();
    let all = json!(["CAP_KILL", GIVEN]);
    let with = |inheritable: Value| {
        exec_file(&bundle, |process| {
            process["capabilities"] = json!({
                "bounding": all, "effective": all, "permitted": all, "inheritable": inheritable,
            });
        })
    };
    assert_not_handed_on(&with(json!([])));
    assert_eq!(with(json!([GIVEN])).caps.inheritable, [GIVEN], "who asks for it has it");
}

/// runc before 1.1.5, called by an ordinary user, left /sys/fs/cgroup to be written: the container's root is that user outside,
/// and the user's own control groups were open to it. Cure: read-only, where the container has none of its own.
/// GHSA-m8cg-xc2p-r3fc.
fn cve_2023_25809_the_callers_control_groups_cannot_be_written() {
    let user = User::new();
    let Some(delegated) = Delegated::new() else { return };
    let folder = delegated.inside();
    let (file, made) = (format!("{folder}/cgroup.procs"), format!("{folder}/made"));
    let inside = |option: &str, action: &[&str]| delegated.report(&user, option, action);
    for option in ["ro", "rw"] {
        let made_one = inside(option, &["mkdir", &made]);
        assert!(!delegated.path.join("made").exists(), "{option}: a group of the caller's was made");
        let (wrote, seen) =
            (words(&inside(option, &["write", &file, "0"])), inside(option, &["open", &file]));
        // Not to show it at all is right as well; others do.
        if is_coracle() {
            assert_eq!([words(&made_one), wrote], [["EROFS"], ["EROFS"]], "{option}");
            assert!(seen.did.is_some_and(|did| did.ok), "{option}: it is there to be read");
        } else {
            assert_ne!(wrote, [""; 0], "{option}: the group of the caller was written to");
        }
    }
}

/// crun read the user `1` of `exec --user` as root. Cure: one number or two, and nothing else. NVD, CVE-2026-30892.
fn cve_2026_30892_a_user_that_is_half_understood_is_not_root() {
    let bundle = waiting(|_| {});
    for user in
        ["1", "1000", "1:", ":1", "x", "-1", "1:x", "x:1", "+1", " 1", "0x1", "4294967296", "4294967297"]
    {
        let output = bundle.call(&["exec", "--user", user, bundle.id(), "/probe"]);
        // In a user namespace there may be no such user: then there is none.
        if let Ok(report) = serde_json::from_slice::<probe::Report>(&output.stdout) {
            assert_ne!(report.euid, 0, "--user {user:?} is root");
            assert!(!is_coracle() || user.parse() == Ok(report.uid), "--user {user:?} is {}", report.uid);
        }
    }
    for (user, ids) in [("0", (0, 0)), ("0:0", (0, 0)), ("1", (1, 0)), ("1:2", (1, 2))] {
        if nix::unistd::geteuid().is_root() || ids == (0, 0) {
            let report = exec(&bundle, &["--user", user]);
            assert_eq!((report.uid, report.gid), ids, "--user {user:?}");
        }
    }
}

/// CRI-O before 1.29.4 handed a pod's annotations to the runtime, and runc and crun make properties of a unit of them: systemd,
/// root of the host, runs the commands that they hold. Cure: annotations are for others. GHSA-2cgq-h8xw-2v5j.
fn cve_2024_3154_annotations_command_no_service_manager() {
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    let unit = format!("coracle-{}.scope", bundle.id());
    config["linux"]["cgroupsPath"] = json!(format!("machine.slice:coracle:{}", bundle.id()));
    config["process"]["args"] = json!(["/probe", "wait-signal", "TERM"]);
    config["annotations"] = json!({
        "org.systemd.property.Description": "'escaped'",
        "org.systemd.property.TimeoutStopUSec": "uint64 7000000",
        "org.systemd.property.CollectMode": "'inactive-or-failed'",
    });
    let path = bundle.write(&config).path().display().to_string();
    let mut create = bundle.coracle(&["--systemd-cgroup", "create", "--bundle", &path, bundle.id()]);
    let null = std::process::Stdio::null;
    assert!(create.stdout(null()).stderr(null()).status().expect("it starts").success(), "it is made");
    let mut systemctl = Command::new("systemctl");
    if !nix::unistd::geteuid().is_root() {
        systemctl.arg("--user");
    }
    let properties = ["--property=Description", "--property=TimeoutStopUSec", "--property=ActiveState"];
    let said = systemctl.arg("show").args(properties).arg(&unit).output().expect("systemctl starts");
    let said = text(&said.stdout);
    assert!(said.contains("ActiveState=active"), "{unit}: {said}");
    assert!(!said.contains("escaped") && !said.contains("TimeoutStopUSec=7s"), "{unit}: {said}");
    bundle.must(&["delete", "--force", bundle.id()]);
}
