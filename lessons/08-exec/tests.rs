//! Lesson 08: one more process in a running container.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use testkit::prelude::*;

testkit::lesson! { 8,
    red it_is_in_every_namespace_of_init,
    red it_has_a_number_in_the_container,
    red(nsenter) it_sees_what_nsenter_shows,
    red ten_at_once_come_and_go_and_init_stays_as_it_is,
    red(root) it_is_in_the_control_group_of_the_container,
    red nothing_runs_in_it_before_its_start_or_after_its_end,
    red(root) nothing_runs_in_it_while_it_is_paused,
    red exec_tells_why_its_program_cannot_run,
    red a_detached_exec_ends_when_its_program_runs,
    guard the_status_of_its_program_is_that_of_exec,
    guard nobody_is_left_of_the_way_in,
    red(root) it_is_the_user_that_was_asked_for,
    red a_user_that_is_half_understood_is_nobody,
    red a_user_is_digits_and_nothing_else,
    red it_has_a_capability_more_where_one_was_added,
    red a_capability_that_does_not_exist_is_refused,
    guard a_capability_that_is_added_is_not_handed_on,
}

/// A bundle whose container's init waits for SIGTERM.
fn waiting(harbour: &Harbour) -> Bundle {
    harbour.bundle(&["wait-signal", "TERM"])
}

/// The same, with a user and a cgroup namespace as well. (An ordinary user's harbour is in a user namespace already, so that
/// its containers need none.)
fn with_all_namespaces(harbour: &Harbour) -> Bundle {
    let bundle = waiting(harbour);
    bundle.edit(|config| {
        let linux = &mut config["linux"];
        let namespaces = linux["namespaces"].as_array_mut().expect("a list");
        namespaces.extend([json!({ "type": "user" }), json!({ "type": "cgroup" })]);
        for mappings in ["uidMappings", "gidMappings"] {
            linux[mappings] = json!([{ "containerID": 0, "hostID": 0, "size": 1 }]);
        }
    });
    bundle
}

/// Its container, running; and its init.
#[track_caller]
fn running(harbour: &Harbour, bundle: &Bundle) -> Program {
    harbour.create(bundle, "boat");
    harbour.must(&["start", "boat"]);
    bundle.report();
    harbour.program("boat")
}

/// The words of an exec in it.
fn exec<'a>(options: &[&'a str], program: &[&'a str]) -> Vec<&'a str> {
    [&["exec"], options, &["boat"], program].concat()
}

/// Runs an exec to its end.
fn run(harbour: &Harbour, options: &[&str], program: &[&str]) -> Done {
    harbour.run(&exec(options, program))
}

/// An exec whose program stays until its input ends; it has reported.
fn staying(harbour: &Harbour) -> Running {
    let mut staying = harbour.start(&exec(&[], &["/probe", "hold"]));
    staying.report();
    staying
}

fn it_is_in_every_namespace_of_init() {
    let harbour = Harbour::new();
    let bundle = with_all_namespaces(&harbour);
    let init = running(&harbour, &bundle);
    let exec = staying(&harbour);
    let (session, outside) = (exec.session(), harbour.outside().ns);
    let all = ["user", "mnt", "pid", "uts", "ipc", "net", "cgroup", "time"];
    let own = all.into_iter().filter(|kind| init.ns(kind) != outside[*kind]).count();
    assert_eq!(own, 7, "all but the time namespace were to be the container's own");
    let missed: Vec<_> = all.into_iter().filter(|kind| session.ns(kind) != init.ns(kind)).collect();
    assert!(
        missed.is_empty(),
        "these namespaces of the session are not init's, but still its caller's: {missed:?}"
    );
    exec.finish();
    harbour.finish();
}

/// The number that it has in the innermost PID namespace is one of the container's only where it is as deep as init.
fn number_inside(session: &Program, init: &Program) -> Option<i32> {
    let (numbers, of_init) = (session.nspid(), init.nspid());
    (session.ns("pid") == init.ns("pid") && numbers.len() == of_init.len())
        .then(|| numbers.last().copied())?
}

fn it_has_a_number_in_the_container() {
    let harbour = Harbour::new();
    let bundle = waiting(&harbour);
    let init = running(&harbour, &bundle);
    let exec = staying(&harbour);
    let number = number_inside(&exec.session(), &init);
    let Some(number) = number else {
        panic!("the session has no number in the container: its PID namespace is still its caller's");
    };
    assert_ne!(number, 1, "PID 1 of the container is its init, and nobody else");
    let seen = run(&harbour, &[], &["/probe", "open", &format!("/proc/{number}/comm")]).report().did;
    let name = seen.and_then(|did| did.detail).unwrap_or_default();
    assert_eq!(
        name.trim(),
        "probe",
        "another process of the container does not see the session in its /proc"
    );
    exec.finish();
    harbour.finish();
}

fn it_sees_what_nsenter_shows() {
    let harbour = Harbour::new();
    let bundle = with_all_namespaces(&harbour);
    running(&harbour, &bundle);
    let init = harbour.state("boat")["pid"].to_string();
    let kinds =
        ["--user", "--preserve-credentials", "--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup"];
    let nsenter = [&["nsenter", "--target", &init], &kinds[..], &["--", "/probe"]].concat();
    let nsenter = harbour.on_it(&nsenter).report();
    let exec = run(&harbour, &[], &["/probe"]).report();
    assert_eq!(exec.hostname, nsenter.hostname, "the hostname that the session sees is its caller's");
    assert_eq!(exec.root_entries, nsenter.root_entries, "its root directory is another one");
    assert_eq!(
        exec.ns, nsenter.ns,
        "in the /proc that it sees, it is in other namespaces, or not there at all"
    );
    assert_eq!(exec.mounts, nsenter.mounts, "it sees other mounts");
    let open: Vec<_> = exec.fds.keys().collect();
    assert_eq!(open, [&0, &1, &2], "a descriptor of the runtime has come in: {:?}", exec.fds);
    harbour.finish();
}

fn ten_at_once_come_and_go_and_init_stays_as_it_is() {
    let harbour = Harbour::new();
    let bundle = waiting(&harbour);
    let init = running(&harbour, &bundle);
    let before = init.look();
    let mut all: Vec<_> = (0..10).map(|_| harbour.start(&exec(&[], &["/probe", "hold"]))).collect();
    all.iter_mut().for_each(|exec| drop(exec.report()));
    let numbers = all.iter().filter_map(|exec| number_inside(&exec.session(), &init));
    let numbers: std::collections::BTreeSet<_> = numbers.collect();
    assert_eq!(numbers.len(), 10, "not each of ten sessions has a number of its own in the container");
    for exec in all {
        let done = exec.finish();
        assert_eq!(done.code, Some(0), "a session did not end well: {}", done.stderr);
    }
    assert_eq!(init.look(), before, "the sessions have left something with init");
    assert_eq!(harbour.state("boat")["status"], "running", "the sessions have taken init with them");
    harbour.finish();
}

fn it_is_in_the_control_group_of_the_container() {
    let harbour = Harbour::new();
    let bundle = waiting(&harbour);
    let init = running(&harbour, &bundle);
    let exec = staying(&harbour);
    let groups = |process: &Program| {
        std::fs::read_to_string(format!("/proc/{}/cgroup", process.pid)).expect("its control groups")
    };
    let (session, of_init) = (groups(&exec.session()), groups(&init));
    let missed: Vec<_> =
        of_init.lines().filter(|line| !session.lines().any(|other| other == *line)).collect();
    assert!(
        missed.is_empty(),
        "the session is not in these control groups of init: their limits miss it: {missed:#?}"
    );
    exec.finish();
    harbour.finish();
}

#[track_caller]
fn refused(done: &Done, word: &str, because: &str) {
    assert_ne!(done.code, Some(0), "a program ran in a container {because}");
    assert!(
        done.stderr.contains(word),
        "the error does not say that the container is {word}: {}",
        done.stderr
    );
}

fn nothing_runs_in_it_before_its_start_or_after_its_end() {
    let harbour = Harbour::new();
    let bundle = waiting(&harbour);
    harbour.create(&bundle, "boat");
    let done = run(&harbour, &[], &["/probe", "write", "/tmp/note", "hello"]);
    refused(&done, "created", "whose own program nobody has started");
    assert!(!bundle.rootfs().path().join("tmp/note").exists(), "it has written to the container's files");
    harbour.must(&["start", "boat"]);
    bundle.report();
    harbour.program("boat").signal(Signal::SIGKILL);
    harbour.wait_for("boat", "stopped");
    refused(&run(&harbour, &[], &["/probe"]), "stopped", "that has stopped");
    harbour.finish();
}

fn nothing_runs_in_it_while_it_is_paused() {
    let harbour = Harbour::new();
    let bundle = waiting(&harbour);
    running(&harbour, &bundle);
    harbour.must(&["pause", "boat"]);
    let mut exec = harbour.start(&exec(&[], &["/probe"]));
    // Refused, it is at its end at once. Else it stands still with the container until that goes on.
    exec.line_within(Duration::from_secs(1));
    harbour.must(&["resume", "boat"]);
    refused(&exec.finish(), "paused", "that was paused, as soon as it went on");
    harbour.finish();
}

fn exec_tells_why_its_program_cannot_run() {
    let harbour = Harbour::new();
    let bundle = waiting(&harbour);
    text(&bundle);
    running(&harbour, &bundle);
    let reasons = [
        ("/nowhere", "no such file or directory"),
        ("/text", "exec format error"),
        ("nowhere", "executable file not found"),
    ];
    for (program, reason) in reasons {
        let done = run(&harbour, &[], &[program]);
        assert_ne!(done.code, Some(0), "{program} did not run, and exec says that all went well");
        assert!(
            done.stderr.contains(reason),
            "{program} did not run, and exec does not say why: {:?}",
            done.stderr
        );
    }
    harbour.finish();
}

/// A text without `#!` passes every check before execve.
fn text(bundle: &Bundle) {
    bundle.rootfs().write("text", "no program");
    let path = bundle.rootfs().path().join("text");
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).expect("chmod");
}

fn a_detached_exec_ends_when_its_program_runs() {
    let harbour = Harbour::new();
    let bundle = waiting(&harbour);
    text(&bundle);
    running(&harbour, &bundle);
    let file = bundle.path().join("pid-of-session").display().to_string();
    let detach = ["--detach", "--pid-file", &file];
    let done = run(&harbour, &detach, &["/text"]);
    assert_ne!(done.code, Some(0), "exec says that its program runs: execve has refused it");
    assert!(!Path::new(&file).exists(), "a pid file names a process that is no program");
    let done = run(&harbour, &detach, &["/probe", "wait-signal", "TERM"]);
    assert_eq!(done.code, Some(0), "exec does not let its program go: {}", done.stderr);
    let number = std::fs::read_to_string(&file).ok().and_then(|text| text.trim().parse().ok());
    let session = number.and_then(|number| harbour.process(number)).expect("the pid file names the session");
    let name = std::fs::read_to_string(format!("/proc/{}/comm", session.pid)).unwrap_or_default();
    assert_eq!(name.trim(), "probe", "exec has ended before the session was its program");
    harbour.finish();
}

fn the_status_of_its_program_is_that_of_exec() {
    let harbour = Harbour::new();
    let bundle = waiting(&harbour);
    running(&harbour, &bundle);
    for (end, code) in [(["exit", "7"], 7), (["die", "TERM"], 143), (["die", "KILL"], 137)] {
        let done = run(&harbour, &[], &[&["/probe"], &end[..]].concat());
        assert_eq!(
            done.code,
            Some(code),
            "the program's end was `{}`, exec tells another: {}",
            end.join(" "),
            done.stderr
        );
    }
    harbour.finish();
}

fn nobody_is_left_of_the_way_in() {
    let harbour = Harbour::new();
    let bundle = waiting(&harbour);
    running(&harbour, &bundle);
    let exec = staying(&harbour);
    let children = exec.children();
    assert_eq!(
        children.len(),
        1,
        "exec has another child than the session, one that nobody buries: {children:?}"
    );
    exec.finish();
    harbour.finish();
}

fn it_is_the_user_that_was_asked_for() {
    let harbour = Harbour::new();
    let bundle = waiting(&harbour);
    running(&harbour, &bundle);
    let options = ["--user", "1000:1001", "--additional-gids", "7"];
    let session = run(&harbour, &options, &["/probe"]).report();
    assert_eq!([session.uid, session.euid, session.suid], [1000; 3], "its user ids are not those of --user");
    assert_eq!([session.gid, session.egid, session.sgid], [1001; 3], "its group ids are not those of --user");
    assert!(session.groups.contains(&7), "it is not in the group that was added: {:?}", session.groups);
    let session = run(&harbour, &["--user", "1000"], &["/probe"]).report();
    assert_eq!((session.uid, session.gid), (1000, 0), "the group that --user leaves out is the container's");
    harbour.finish();
}

#[track_caller]
fn refused_user(harbour: &Harbour, user: &str) {
    let done = run(harbour, &["--user", user], &["/probe"]);
    let got = done.stdout.lines().next().map(|_| done.report().uid);
    assert_eq!(got, None, "--user {user:?} is no number, and a session runs as this user id");
}

/// What crun's CVE-2026-30892 was: a text that was half understood became root.
fn a_user_that_is_half_understood_is_nobody() {
    let harbour = Harbour::new();
    let bundle = waiting(&harbour);
    running(&harbour, &bundle);
    for user in ["root", "0:", "0:x", "0x0", " 0", "0:0:0"] {
        refused_user(&harbour, user);
    }
    let session = run(&harbour, &["--user", "0:0"], &["/probe"]).report();
    assert_eq!((session.uid, session.gid), (0, 0), "--user 0:0 is somebody else");
    harbour.finish();
}

/// Rust's parse() takes a sign.
fn a_user_is_digits_and_nothing_else() {
    let harbour = Harbour::new();
    let bundle = waiting(&harbour);
    running(&harbour, &bundle);
    ["+0", "0:+0"].iter().for_each(|user| refused_user(&harbour, user));
    harbour.finish();
}

const ADDED: &str = "CAP_NET_BIND_SERVICE";

fn it_has_a_capability_more_where_one_was_added() {
    let harbour = Harbour::new();
    let bundle = waiting(&harbour);
    running(&harbour, &bundle);
    let plain = run(&harbour, &[], &["/probe"]).report().caps;
    assert_eq!(
        plain,
        bundle.report().caps,
        "a session to which nothing was added has other capabilities than init"
    );
    let more = run(&harbour, &["--cap", ADDED], &["/probe"]).report().caps;
    for (set, had, has) in [
        ("bounding", plain.bounding, more.bounding),
        ("effective", plain.effective, more.effective),
        ("permitted", plain.permitted, more.permitted),
    ] {
        let mut wanted = had;
        wanted.push(ADDED.to_owned());
        wanted.sort();
        assert_eq!(has, wanted, "the {set} set is not that of init with {ADDED}");
    }
    harbour.finish();
}

fn a_capability_that_does_not_exist_is_refused() {
    let harbour = Harbour::new();
    let bundle = waiting(&harbour);
    running(&harbour, &bundle);
    let done = run(&harbour, &["--cap", "CAP_MADE_UP"], &["/probe"]);
    assert_ne!(done.code, Some(0), "there is no capability CAP_MADE_UP, and a session runs without it");
    harbour.finish();
}

/// What CVE-2022-29162 of runc was.
fn a_capability_that_is_added_is_not_handed_on() {
    let harbour = Harbour::new();
    let bundle = waiting(&harbour);
    running(&harbour, &bundle);
    let caps = run(&harbour, &["--cap", ADDED], &["/probe"]).report().caps;
    for (set, has) in [("inheritable", caps.inheritable), ("ambient", caps.ambient)] {
        assert!(has.is_empty(), "what the session starts would keep this of the {set} set: {has:?}");
    }
    harbour.finish();
}
