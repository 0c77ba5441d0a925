//! config.md, "Linux Process": AppArmor and SELinux; config-linux.md, "Mount Label". Row O-16.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use testkit::Test;

use super::common::{Bundle, says};
use super::harbour::{tmpfs, told};
use super::running::{each_is_refused, exec, exec_file, reported, waiting};

pub(crate) const TESTS: &[Test] = testkit::tests! {
    o16_a_profile_where_apparmor_does_not_run_is_an_error(no_apparmor),
    o16_unconfined_where_apparmor_does_not_run_is_what_it_says(no_apparmor),
    o16_a_label_where_selinux_does_not_run_is_an_error(no_selinux),
    o16_exec_with_a_label_that_cannot_be_is_an_error(no_apparmor, no_selinux),
    o16_empty_labels_ask_for_nothing(userns),
    o16_a_profile_that_is_not_loaded_leaves_nothing(apparmor),
    o16_the_profile_is_the_programs(apparmor),
    o16_the_profile_of_exec_is_the_containers_or_its_own(apparmor),
    o16_what_the_profile_denies_the_program_may_not(apparmor),
    o16_a_file_in_the_place_of_attr_exec_is_not_written(apparmor),
    o16_the_selinux_label_is_the_programs(root, selinux),
    o16_the_selinux_label_of_exec_is_the_containers_or_its_own(root, selinux),
    o16_the_session_keyring_has_the_programs_selinux_label(root, selinux, keys),
    o16_a_selinux_label_that_the_policy_does_not_know_leaves_nothing(root, selinux),
    o16_what_selinux_does_not_allow_the_program_may_not(root, selinux, enforcing),
};

/// A container without the lock that somebody counts on is worse than none. runc says the same.
fn o16_a_profile_where_apparmor_does_not_run_is_an_error() {
    each_is_refused(&[(|c| c["process"]["apparmorProfile"] = json!("acme"), "apparmor")]);
}

/// Nobody is confined there.
fn o16_unconfined_where_apparmor_does_not_run_is_what_it_says() {
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    config["process"]["apparmorProfile"] = json!("unconfined");
    bundle.write(&config).report();
}

fn o16_a_label_where_selinux_does_not_run_is_an_error() {
    let label: fn(&mut Value) =
        |c| c["process"]["selinuxLabel"] = json!("system_u:system_r:container_t:s0:c4,c5");
    each_is_refused(&[(label, "selinux label is specified")]);
}

fn o16_exec_with_a_label_that_cannot_be_is_an_error() {
    let bundle = waiting(|_| {});
    for (option, word) in [("--apparmor", "apparmor"), ("--process-label", "selinux")] {
        let error = bundle.must_fail(&["exec", option, "acme", bundle.id(), "/probe"], 255);
        says(&error.to_lowercase(), word);
    }
    assert_eq!(bundle.state_of(bundle.id())["status"], "running");
}

fn o16_empty_labels_ask_for_nothing() {
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    config["process"]["apparmorProfile"] = json!("");
    config["process"]["selinuxLabel"] = json!("");
    bundle.write(&config).report();
}

/// runc's own suite asks for that word.
fn o16_a_profile_that_is_not_loaded_leaves_nothing() {
    each_is_refused(&[(|c| c["process"]["apparmorProfile"] = json!("coracle-test-not-loaded"), "apparmor")]);
}

/// A loaded profile that allows everything but to write `/denied`; it goes with this.
struct Profile(String);

impl Profile {
    fn load(name: &str) -> Profile {
        let name = format!("coracle-test-{name}-{}", std::process::id());
        Profile::parse("--replace", &name);
        Profile(name)
    }

    fn parse(verb: &str, name: &str) {
        let mut parser = Command::new("apparmor_parser");
        parser.args([verb, "--skip-cache"]).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut parser = parser.spawn().expect("apparmor_parser starts");
        let text = format!(
            "profile {name} flags=(attach_disconnected) {{ file, deny /denied w, capability, network, mount, umount, signal, ptrace, unix, pivot_root, userns, change_profile, }}\n"
        );
        // A parser of before version 4 knows no rule for user namespaces.
        let text = text.replace("userns, ", "");
        parser.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it reads");
        assert!(parser.wait().expect("our child").success(), "apparmor_parser {verb}");
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        Profile::parse("--remove", &self.0);
    }
}

fn label(report: &probe::Report) -> String {
    report.kernel.label.clone().unwrap_or_default()
}

/// "apparmorProfile: specifies the name of the AppArmor profile for the process."
fn o16_the_profile_is_the_programs() {
    let profile = Profile::load("run");
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    config["process"]["apparmorProfile"] = json!(profile.0);
    let found = label(&bundle.write(&config).report());
    assert!(found.starts_with(&profile.0), "{found}");
}

fn o16_the_profile_of_exec_is_the_containers_or_its_own() {
    let (first, other) = (Profile::load("first"), Profile::load("other"));
    let bundle = waiting(|c| c["process"]["apparmorProfile"] = json!(first.0));
    for (found, wanted) in [
        (exec(&bundle, &[]), &first.0),
        (exec_file(&bundle, |_| {}), &first.0),
        (exec(&bundle, &["--apparmor", &other.0]), &other.0),
        (exec_file(&bundle, |process| process["apparmorProfile"] = json!(other.0)), &other.0),
    ] {
        assert!(label(&found).starts_with(wanted.as_str()), "{wanted}: {}", label(&found));
    }
    bundle.must(&["delete", "--force", bundle.id()]);
}

/// CVE-2019-16884, CVE-2025-52881: what is on the container's /proc must not take the label.
fn o16_a_file_in_the_place_of_attr_exec_is_not_written() {
    let profile = Profile::load("cve");
    let bundle = Bundle::new();
    let canary = bundle.path().join("canary");
    std::fs::write(&canary, "untouched").expect("a file");
    for place in ["/proc/self/attr/exec", "/proc/self/attr/apparmor/exec", "/proc/1/attr/exec"] {
        let mut config = Bundle::config();
        config["process"]["apparmorProfile"] = json!(profile.0);
        config["mounts"].as_array_mut().expect("a list").push(json!({
            "destination": place, "type": "bind", "source": canary, "options": ["bind"],
        }));
        let output = bundle.write(&config).run();
        assert_eq!(std::fs::read_to_string(&canary).expect("it is there"), "untouched", "{place}");
        // Refusing such a mount is right as well.
        if output.status.success() {
            let report: probe::Report = serde_json::from_slice(&output.stdout).expect("a report");
            assert!(label(&report).starts_with(&profile.0), "{place}: {}", label(&report));
        }
    }
    // A root filesystem that brings a /proc of its own; the true one is elsewhere.
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    for folder in ["self/attr", "self/attr/apparmor", "1/attr", "1/attr/apparmor", "thread-self/attr"] {
        let folder = bundle.path().join("rootfs/proc").join(folder);
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("exec"), "untouched").expect("a file");
    }
    config["mounts"][0]["destination"] = json!("/tmp");
    config["process"]["apparmorProfile"] = json!(profile.0);
    config["process"]["args"] = json!(["/probe", "open", "/tmp/self/attr/current"]);
    let did = bundle.write(&config).report().did.expect("it read").detail.unwrap_or_default();
    assert!(did.starts_with(&profile.0), "{did}");
}

/// Its label alone would not tell that the kernel keeps it to the profile.
fn o16_what_the_profile_denies_the_program_may_not() {
    let profile = Profile::load("deny");
    let writes = |place: &str| json!(["/probe", "write", place, "x"]);
    for (profile, place, said) in
        [(&profile.0[..], "/denied", "EACCES"), (&profile.0, "/allowed", ""), ("unconfined", "/denied", "")]
    {
        let report = reported(|c| {
            c["process"]["apparmorProfile"] = json!(profile);
            c["process"]["args"] = writes(place);
        });
        assert_eq!(told(&report), said, "run: {profile}: {place}");
        let bundle = waiting(|_| {});
        let report = exec_file(&bundle, |process| {
            process["apparmorProfile"] = json!(profile);
            process["args"] = writes(place);
        });
        assert_eq!(told(&report), said, "exec: {profile}: {place}");
    }
}

/// Where a policy runs that has what containers are called in all of them: type `container_t` for their processes,
/// `svirt_sandbox_file_t` for their files. `scripts/selinux.cil` is a small one.
const SELINUX: &str = "system_u:system_r:container_t:s0:c4,c5";

/// "selinuxLabel: specifies the SELinux label for the process."
fn o16_the_selinux_label_is_the_programs() {
    let report = reported(|c| c["process"]["selinuxLabel"] = json!(SELINUX));
    assert_eq!(label(&report), SELINUX);
    assert_ne!(label(&reported(|_| {})), SELINUX, "without, it has another");
}

fn o16_the_selinux_label_of_exec_is_the_containers_or_its_own() {
    const OTHER: &str = "system_u:system_r:container_t:s0:c4";
    let bundle = waiting(|c| c["process"]["selinuxLabel"] = json!(SELINUX));
    for (found, wanted) in [
        (exec(&bundle, &[]), SELINUX),
        (exec_file(&bundle, |_| {}), SELINUX),
        (exec(&bundle, &["--process-label", OTHER]), OTHER),
        (exec_file(&bundle, |process| process["selinuxLabel"] = json!(OTHER)), OTHER),
    ] {
        assert_eq!(label(&found), wanted);
    }
}

/// The program could not use its own keys otherwise.
fn o16_the_session_keyring_has_the_programs_selinux_label() {
    let report = reported(|c| c["process"]["selinuxLabel"] = json!(SELINUX));
    assert_eq!(report.kernel.keyring_label.as_deref(), Some(SELINUX));
}

fn o16_a_selinux_label_that_the_policy_does_not_know_leaves_nothing() {
    each_is_refused(&[(
        |c| c["process"]["selinuxLabel"] = json!("system_u:system_r:nobody_made_this_t:s0"),
        "SELinux",
    )]);
}

/// Its label alone would not tell that the kernel keeps it to the policy: it may write its container's files, and none
/// where passwords are.
fn o16_what_selinux_does_not_allow_the_program_may_not() {
    for (label, place, said) in
        [(SELINUX, "/other/file", "EACCES"), (SELINUX, "/own/file", ""), ("", "/other/file", "")]
    {
        let report = reported(|c| {
            c["process"]["selinuxLabel"] = json!(label);
            c["process"]["args"] = json!(["/probe", "write", place, "x"]);
            c["linux"]["mountLabel"] = json!("system_u:object_r:svirt_sandbox_file_t:s0:c4,c5");
            let mounts = c["mounts"].as_array_mut().expect("a list");
            let other = ["context=\"system_u:object_r:shadow_t:s0\""];
            mounts.extend([tmpfs("/own", &[]), tmpfs("/other", &other)]);
        });
        assert_eq!(told(&report), said, "{label}: {place}");
    }
}
