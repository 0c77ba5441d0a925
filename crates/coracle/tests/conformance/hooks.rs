//! config.md, "POSIX-platform Hooks", and runtime.md, "Lifecycle": when they run, and where. Rows O-05 and O-06.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use probe::{Note, Seccomp};
use serde_json::{Value, json};
use testkit::Test;

use super::common::{self, Finish, Leaks};
use super::hook_notes::{ALL, Noted, one_each};
use super::seccomp::{Supervisor, rule, rules};

pub(crate) const TESTS: &[Test] = testkit::tests! {
    o05_hooks_run_in_the_listed_order_at_their_moments(userns),
    o05_the_runtimes_hooks_run_in_its_namespaces(userns),
    o05_create_container_hooks_run_in_the_container_before_its_root_is(userns),
    o05_start_container_hooks_run_in_the_container(userns),
    o05_start_container_hooks_are_under_the_filter_and_no_others(userns),
    o05_the_filter_need_not_allow_what_it_takes_to_run_a_hook(userns),
    o05_a_supervisor_hears_of_a_start_container_hook(userns),
    o05_poststop_hooks_run_once_when_the_container_is_gone(userns),
    o06_poststart_hooks_run_before_start_returns(userns),
};

fn namespaces_of(pid: &str) -> BTreeMap<String, String> {
    let folder = Path::new("/proc").join(pid).join("ns");
    let names = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"];
    let link = |name: &&str| {
        let link = std::fs::read_link(folder.join(name)).expect("a namespace");
        ((*name).to_owned(), link.to_string_lossy().into_owned())
    };
    names.iter().map(link).collect()
}

/// As [`namespaces_of`], of a process that noted them.
fn namespaces(note: &Note) -> BTreeMap<String, String> {
    let of_ours = |name: &str| ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"].contains(&name);
    let all = note.report.ns.iter().filter(|(name, _)| of_ours(name));
    all.map(|(name, inode)| (name.clone(), format!("{name}:[{inode}]"))).collect()
}

/// "Hooks MUST be called in the listed order."
fn o05_hooks_run_in_the_listed_order_at_their_moments() {
    let noted = ALL.iter().fold(Noted::new(), |noted, moment| {
        let hooks = [1, 2].map(|n| noted.noting(moment, &format!("{moment} {n}")));
        noted.hooks(moment, hooks)
    });
    let expected = |moments: &[&str]| -> Vec<String> {
        moments.iter().flat_map(|moment| [1, 2].map(|n| format!("{moment} {n}"))).collect()
    };
    noted.write().create(noted.id());
    assert_eq!(noted.names(), expected(&ALL[..3]), "after create");
    noted.bundle.must(&["start", noted.id()]);
    noted.bundle.wait_for(noted.id(), "stopped");
    let names = noted.names();
    assert_eq!(names[6..8], expected(&ALL[3..4]), "before the program: {names:?}");
    assert!(names[8..].contains(&"program".to_owned()), "{names:?}");
    let hooks: Vec<_> = names.into_iter().filter(|name| name != "program").collect();
    assert_eq!(hooks, expected(&ALL[..5]), "after start");
    noted.bundle.must(&["delete", noted.id()]);
    assert_eq!(noted.names()[11..], expected(&ALL[5..]), "after delete");
}

/// "The prestart, createRuntime, poststart and poststop hooks MUST be executed in the runtime namespace."
fn o05_the_runtimes_hooks_run_in_its_namespaces() {
    let noted = one_each();
    noted.whole_life();
    let ours = namespaces_of("self");
    for moment in ["prestart", "createRuntime", "poststart", "poststop"] {
        assert_eq!(namespaces(&noted.note(moment)), ours, "{moment}");
    }
}

/// "The createContainer hooks' path MUST resolve in the runtime namespace", and they "MUST be executed in the container
/// namespace", "before the pivot_root operation", when the mount namespace was set up.
fn o05_create_container_hooks_run_in_the_container_before_its_root_is() {
    let noted = one_each();
    noted.whole_life();
    let (hook, program) = (noted.note("createContainer"), noted.note("program"));
    let expected = namespaces(&program);
    assert_eq!(namespaces(&hook), expected);
    assert!(hook.report.root_entries.contains(&"usr".to_owned()), "{:?}", hook.report.root_entries);
    let proc = noted.bundle.path().canonicalize().expect("the bundle").join("rootfs/proc");
    let mounted = hook.report.mount_at(&proc.to_string_lossy());
    assert_eq!(mounted.map(|mount| mount.fstype.as_str()), Some("proc"), "the mounts are there");
}

/// "The startContainer hooks' path MUST resolve in the container namespace. The startContainer hooks MUST be executed in the
/// container namespace."
fn o05_start_container_hooks_run_in_the_container() {
    let noted = one_each();
    noted.whole_life();
    let (hook, program) = (noted.note("startContainer").report, noted.note("program").report);
    assert_eq!((&hook.ns, &hook.root_entries), (&program.ns, &program.root_entries));
    assert_eq!(hook.mounts, program.mounts);
    assert_eq!(hook.ppid, 1, "init waits for it");
}

/// They are found in the container, and may be anybody's: without the filter, they would be a way around it.
fn o05_start_container_hooks_are_under_the_filter_and_no_others() {
    for no_new_privileges in [false, true] {
        let mut noted = one_each();
        noted.config["process"]["noNewPrivileges"] = json!(no_new_privileges);
        noted.config["linux"]["seccomp"] = common::profile();
        noted.whole_life();
        for moment in ALL {
            let expected = if moment == "startContainer" { Seccomp::Filter } else { Seccomp::Disabled };
            let found = noted.note(moment).report.seccomp;
            assert_eq!(found, Some(expected), "{moment}, noNewPrivileges: {no_new_privileges}");
        }
        assert_eq!(noted.note("program").report.seccomp, Some(Seccomp::Filter));
    }
}

/// Only the hook's own calls are the filter's business, as with the program. What the probe calls is not among these.
fn o05_the_filter_need_not_allow_what_it_takes_to_run_a_hook() {
    let mut noted = one_each();
    let calls = ["clone", "clone3", "fork", "vfork", "waitid", "setpgid", "fchdir", "dup2", "dup3"];
    noted.config["linux"]["seccomp"] = rules(&[rule(&calls, "KILL_PROCESS")]);
    noted.whole_life();
    assert_eq!(noted.note("startContainer").report.seccomp, Some(Seccomp::Filter));
}

/// It is the hook's calls that the supervisor decides on; without one, the hook does not run.
fn o05_a_supervisor_hears_of_a_start_container_hook() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let socket = folder.path().join("supervisor").display().to_string();
    let mut noted = Noted::new();
    noted.config["linux"]["seccomp"] = rules(&[rule(&["kcmp"], "NOTIFY")]);
    noted.config["linux"]["seccomp"]["listenerPath"] = json!(socket);
    let number = libc::SYS_kcmp.to_string();
    let asking = json!({ "path": "/probe", "args": ["probe", "syscall", number, "99", "99", "0", "0", "0"] });
    let after = noted.noting("startContainer", "after");
    let noted = noted.hooks("startContainer", [asking, after]);
    let supervisor = Supervisor::at(&noted.bundle, &socket, &libc::ENOMEDIUM.to_string());
    noted.write().create(noted.id());
    noted.bundle.must(&["start", noted.id()]);
    assert_eq!(supervisor.calls(), [libc::SYS_kcmp]);
    noted.bundle.wait_for(noted.id(), "stopped");
    noted.bundle.must(&["delete", noted.id()]);
    assert_eq!(noted.names(), ["after", "program"]);
    let mut create = noted.create(&[]);
    let leaks = Leaks::watch(&mut create, noted.id());
    assert!(create.stderr(Stdio::null()).finish().status.success());
    drop(supervisor);
    noted.bundle.must_fail(&["start", noted.id()], 1);
    let _ = noted.bundle.call(&["delete", "--force", noted.id()]);
    leaks.assert_none(&noted.bundle, "no supervisor");
    assert_eq!(noted.names(), ["after", "program"], "nothing ran");
}

/// "The poststop hooks MUST be called after the container is deleted but before the delete operation returns."
fn o05_poststop_hooks_run_once_when_the_container_is_gone() {
    type End<'a> = (&'a str, fn(&Noted));
    let ends: [End<'_>; 5] = [
        ("delete of a created one", |noted| {
            noted.write().create(noted.id());
            noted.bundle.must(&["delete", noted.id()]);
        }),
        ("delete of a stopped one", Noted::whole_life),
        ("delete --force of a running one", |noted| {
            noted.write().create(noted.id());
            noted.bundle.must(&["start", noted.id()]);
            noted.bundle.must(&["delete", "--force", noted.id()]);
            // There is none: nothing is to be done.
            noted.bundle.must(&["delete", "--force", noted.id()]);
        }),
        ("the end of run", |noted| {
            let status = noted.write().command(&[], noted.id()).stdout(Stdio::null()).status();
            assert!(status.expect("the runtime starts").success());
        }),
        ("delete after run --keep", |noted| {
            let status = noted.write().command(&[], noted.id()).arg("--keep").stdout(Stdio::null()).status();
            assert!(status.expect("the runtime starts").success());
            assert!(noted.names().iter().all(|name| name == "program"), "it is kept: {:?}", noted.names());
            noted.bundle.must(&["delete", noted.id()]);
        }),
    ];
    for (row, end) in ends {
        let noted = Noted::new();
        let folder = noted.bundle.state().join(noted.id());
        let gone = noted.script(&format!("test ! -e {}", folder.display()));
        let seen = noted.bundle.path().join("rootfs/tmp/gone");
        let gone_and_told =
            noted.script(&format!("test ! -e {} && echo gone >> {}", folder.display(), seen.display()));
        let hooks = [noted.noting("poststop", "poststop"), gone, gone_and_told];
        let noted = noted.hooks("poststop", hooks);
        end(&noted);
        let names = noted.names();
        assert_eq!(names.iter().filter(|name| *name == "poststop").count(), 1, "{row}: {names:?}");
        assert_eq!(std::fs::read_to_string(&seen).unwrap_or_default(), "gone\n", "{row}");
    }
}

/// "The poststart hooks MUST be called after the user-specified process is executed but before the start operation returns."
fn o06_poststart_hooks_run_before_start_returns() {
    let mut noted = Noted::new();
    noted.config["process"]["args"] = json!(["/probe", "wait-signal", "TERM"]);
    let program = noted.script(&format!(
        "read -r state; echo \"$state\" > {0}/state; pid=${{state#*'\"pid\":'}}; pid=${{pid%%[!0-9]*}}; tr '\\0' ' ' < /proc/$pid/cmdline > {0}/cmdline",
        noted.bundle.path().join("rootfs/tmp").display()
    ));
    let hooks = [program, noted.noting("poststart", "poststart")];
    let noted = noted.hooks("poststart", hooks);
    noted.write().create(noted.id());
    assert!(noted.names().is_empty(), "not before start");
    noted.bundle.must(&["start", noted.id()]);
    assert_eq!(noted.names(), ["poststart"]);
    let state: Value = serde_json::from_str(&noted.note("poststart").input).expect("JSON");
    let now = noted.bundle.state_of(noted.id());
    assert_eq!((&state["status"], &state["pid"]), (&json!("running"), &now["pid"]));
    let cmdline =
        std::fs::read_to_string(noted.bundle.path().join("rootfs/tmp/cmdline")).expect("its arguments");
    assert_eq!(cmdline, "/probe wait-signal TERM ", "the program runs");
}
