//! Where a session is: in which control group, and at whose terminal.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use testkit::prelude::*;

use crate::common::{Bundle, text};
use crate::{report, running};

/// The control groups of the process, by their controllers.
fn groups(pid: &str) -> BTreeMap<String, PathBuf> {
    let told = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("control groups");
    let of_line = |line: &str| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        Some((controllers.to_owned(), path.into()))
    };
    told.lines().filter_map(of_line).collect()
}

/// Where the group `path` of these controllers is on this machine.
fn folder(controllers: &str, path: &Path) -> PathBuf {
    let below = path.strip_prefix("/").expect("an absolute path");
    let name = controllers.trim_start_matches("name=");
    let unified = Path::new("/sys/fs/cgroup/unified");
    match name {
        "" if unified.exists() => unified.join(below),
        "" => Path::new("/sys/fs/cgroup").join(below),
        name => Path::new("/sys/fs/cgroup").join(name).join(below),
    }
}

/// The number of a session with these options that waits to be told to end.
fn session(bundle: &Bundle, options: &[&str]) -> String {
    let file = bundle.path().join("session");
    let name = file.display().to_string();
    let words = [
        &["exec", "--detach", "--pid-file", &name],
        options,
        &[bundle.id(), "/probe", "wait-signal", "TERM"],
    ];
    let errors = bundle.path().join("errors");
    let mut exec = bundle.coracle(&words.concat());
    // It outlives the call, and would hold a pipe open.
    exec.stdout(Stdio::null()).stderr(File::create(&errors).expect("a file"));
    let status = exec.status().expect("the runtime starts");
    assert!(status.success(), "{options:?}: {}", std::fs::read_to_string(&errors).unwrap_or_default());
    std::fs::read_to_string(&file).expect("a pid file")
}

/// A container whose own groups, all of them, have a group `inner` in them.
struct Delegated(Bundle, Vec<PathBuf>);

impl Drop for Delegated {
    fn drop(&mut self) {
        let _ = self.0.call(&["delete", "--force", self.0.id()]);
        for folder in &self.1 {
            let _ = std::fs::remove_dir(folder);
        }
    }
}

fn delegated() -> (Delegated, BTreeMap<String, PathBuf>) {
    let bundle = running();
    let all = groups(&bundle.state_of(bundle.id())["pid"].to_string());
    let own: BTreeMap<_, _> =
        all.into_iter().filter(|(_, path)| path.to_string_lossy().contains(bundle.id())).collect();
    assert!(!own.is_empty(), "it has groups of its own");
    let inner: Vec<_> = own.iter().map(|(name, path)| folder(name, path).join("inner")).collect();
    for folder in &inner {
        std::fs::create_dir(folder).expect("a group below the container's");
        // A new group of cpusets has none (cpuset(7)).
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if let Ok(list) = std::fs::read_to_string(folder.with_file_name(file)) {
                let _ = std::fs::write(folder.join(file), list);
            }
        }
    }
    (Delegated(bundle, inner), own)
}

pub(crate) fn a_session_goes_to_a_group_below_the_containers() {
    let (delegated, own) = delegated();
    let bundle = &delegated.0;
    for wish in ["inner", "/inner"] {
        let groups = groups(&session(bundle, &["--cgroup", wish]));
        for (name, path) in &own {
            assert_eq!(groups[name], path.join("inner"), "{wish} {name}");
        }
    }
    for (wish, words) in [
        ("nowhere", "no such file or directory"),
        ("../..", "below the container's"),
        ("inner/../..", "below the container's"),
        ("nonsense:inner", "no control group nonsense"),
    ] {
        let error = bundle.must_fail(&["exec", "--cgroup", wish, bundle.id(), "/probe"], 255);
        assert!(error.contains(&format!("--cgroup {wish}: ")) && error.contains(words), "{error}");
    }
    let two = ["exec", "--cgroup", "inner", "--cgroup", "/inner", bundle.id(), "/probe"];
    let error = bundle.must_fail(&two, 255);
    assert!(error.contains("CONTROLLER:PATH"), "{error}");
}

pub(crate) fn a_session_goes_to_groups_by_their_controllers() {
    let (delegated, own) = delegated();
    let bundle = &delegated.0;
    // Only version 1 has them.
    let mut v1 = own.keys().filter(|name| !name.is_empty() && !name.starts_with("name="));
    let (Some(one), Some(two)) = (v1.next(), v1.next()) else { return };
    let wish = format!("{one}:inner");
    let groups = groups(&session(bundle, &["--cgroup", &wish]));
    assert_eq!(groups[one], own[one].join("inner"), "{wish}");
    assert_eq!(groups[two], own[two], "{wish}");
}

/// A group of version 2 that gives controllers to those below it may hold no process itself: systemd in a container makes its
/// own such a one, and goes below.
pub(crate) fn a_session_follows_init_where_the_containers_group_may_hold_no_process() {
    let root = folder("", Path::new("/"));
    let given = std::fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default();
    let limits = [("memory", "memory.max", "max"), ("hugetlb", "hugetlb.2MB.max", "0")];
    // Beside version 1, which has taken what it has, there may be none.
    let mut usable = limits.iter().filter(|(name, ..)| given.split_whitespace().any(|one| one == *name));
    let Some((controller, limit, value)) = usable.next() else { return };
    let (bundle, mut config) = (Bundle::new(), Bundle::config());
    config["process"]["args"] = json!(["/probe", "wait-signal", "TERM"]);
    config["linux"]["resources"]["unified"][limit] = json!(value);
    bundle.write(&config);
    bundle.create(bundle.id());
    bundle.must(&["start", bundle.id()]);
    let init = bundle.state_of(bundle.id())["pid"].to_string();
    let own = folder("", &groups(&init)[""]);
    std::fs::create_dir(own.join("inner")).expect("a group below the container's");
    std::fs::write(own.join("inner/cgroup.procs"), &init).expect("init goes there");
    std::fs::write(own.join("cgroup.subtree_control"), format!("+{controller}")).expect("it has it to give");
    let session = session(&bundle, &[]);
    assert_eq!(groups(&session)[""], groups(&init)[""]);
    assert!(groups(&session)[""].ends_with("inner"));
}

/// Whoever moved it has the session go on where its limits are: in the container's own group.
pub(crate) fn a_session_does_not_follow_an_init_that_was_moved_out() {
    let bundle = running();
    let init = bundle.state_of(bundle.id())["pid"].to_string();
    let own: BTreeMap<_, _> =
        groups(&init).into_iter().filter(|(_, path)| path.to_string_lossy().contains(bundle.id())).collect();
    assert!(!own.is_empty(), "it has groups of its own");
    for name in own.keys() {
        std::fs::write(folder(name, Path::new("/")).join("cgroup.procs"), &init).expect("init goes there");
    }
    let session = groups(&session(&bundle, &[]));
    for (name, path) in &own {
        assert_eq!(session[name], *path, "{name}");
    }
}

/// Its end would be closed with us, and the program be told that the line is down (SIGHUP).
pub(crate) fn a_terminal_that_nobody_would_hold_is_refused() {
    let bundle = running();
    let file = bundle.path().join("process.json");
    let with_terminal = json!({ "args": ["/probe"], "cwd": "/", "terminal": true });
    std::fs::write(&file, with_terminal.to_string()).expect("a file");
    let (file, id) = (file.display().to_string(), bundle.id());
    for (words, problem) in [
        (vec!["--tty", "--detach", id, "/probe"], "give --console-socket"),
        (vec!["--process", &file, "--detach", id], "give --console-socket"),
        (vec!["--tty", "--console-socket", "/nowhere", id, "/probe"], "add --detach"),
        (vec!["--detach", "--console-socket", "/nowhere", id, "/probe"], "add --tty"),
        (vec!["--console-socket", "/nowhere", id, "/probe"], "add --tty"),
    ] {
        let error = bundle.must_fail(&[&["exec"], &words[..]].concat(), 255);
        assert!(error.contains(problem), "{words:?}: {error}");
    }
}

pub(crate) fn a_signal_to_exec_goes_to_the_session() {
    let bundle = running();
    let file = bundle.path().join("said");
    let says = |words: &str| {
        let said = || std::fs::read_to_string(&file).is_ok_and(|said| said.contains(words));
        within(Duration::from_secs(5), &format!("the session says {words}"), said);
    };
    for signal in [Signal::SIGUSR1, Signal::SIGTERM, Signal::SIGWINCH] {
        let mut exec = bundle.coracle(&["exec", bundle.id(), "/probe", "wait-signal", signal.as_str()]);
        let mut exec = exec.stdout(File::create(&file).expect("a file")).spawn().expect("the runtime starts");
        says("\"pid\"");
        kill(Pid::from_raw(exec.id() as i32), signal).expect("it runs");
        says(&format!("{{\"got\":\"{signal}\"}}"));
        assert_eq!(exec.wait().expect("it ends").code(), Some(0), "{signal}");
    }
}

/// As the command line has it, and not the container's config.
pub(crate) fn a_sessions_environment_is_the_last_that_was_said() {
    let bundle = running();
    let session =
        report(&bundle, &["-e", "HOME=/h", "-e", "A=1", "-e", "A=2", "-e", "B=", bundle.id(), "/probe"]);
    assert_eq!(session["env"], json!({ "PATH": "/", "HOME": "/h", "A": "2", "B": "" }));
    // A program is looked for where its own PATH says.
    let found = bundle.call(&["exec", bundle.id(), "probe"]);
    assert_eq!(found.status.code(), Some(0), "{}", text(&found.stderr));
    let error = bundle.must_fail(&["exec", "-e", "PATH=/tmp", bundle.id(), "probe"], 255);
    assert!(error.contains("executable file not found in $PATH"), "{error}");
}

pub(crate) fn a_sessions_groups_are_those_asked_for() {
    let bundle = running();
    let session =
        report(&bundle, &["-u", "1000:1001", "-g", "5", "--additional-gids=7", bundle.id(), "/probe"]);
    assert_eq!(
        (&session["uid"], &session["gid"], &session["groups"]),
        (&json!(1000), &json!(1001), &json!([5, 7]))
    );
}
