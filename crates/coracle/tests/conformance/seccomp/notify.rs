//! SCMP_ACT_NOTIFY: "The Container Process State".

use std::fs::{self, File};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use probe::Heard;
use serde_json::{Value, json};
use testkit::within;

use super::exec::config_of;
use super::{Bundle, number, rule, rules, text, under};
use crate::common::{Finish, Leaks, says};

/// A supervisor: the probe, outside.
pub(crate) struct Supervisor {
    process: Child,
    stdin: Option<ChildStdin>,
    said: PathBuf,
}

impl Supervisor {
    /// Listens at `socket` and answers all calls so.
    pub(crate) fn at(bundle: &Bundle, socket: &str, answer: &str) -> Supervisor {
        let said = bundle.path().join("supervised");
        let mut command = Command::new(testkit::probe());
        command.args(["supervise", socket, answer]).stdin(Stdio::piped()).stderr(Stdio::null());
        command.stdout(File::create(&said).expect("a file"));
        let mut process = command.spawn().expect("the probe starts");
        let stdin = process.stdin.take();
        within(Duration::from_secs(5), "the supervisor listens", || {
            let sockets = fs::read_to_string("/proc/net/unix").expect("the sockets");
            sockets.lines().any(|line| line.ends_with(socket))
        });
        Supervisor { process, stdin, said }
    }

    fn heard(&self) -> Vec<Heard> {
        let said = fs::read_to_string(&self.said).expect("what it said");
        said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The messages so far, with their descriptors.
    fn messages(&self) -> Vec<(Value, usize)> {
        let message = |heard| match heard {
            Heard::Message { message, fds } => Some((message, fds)),
            _ => None,
        };
        self.heard().into_iter().filter_map(message).collect()
    }

    pub(crate) fn calls(&self) -> Vec<i64> {
        let call = |heard| match heard {
            Heard::Call { number, .. } => Some(number),
            _ => None,
        };
        self.heard().into_iter().filter_map(call).collect()
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.process.wait();
    }
}

/// A bundle whose program asks the supervisor at `socket` about kcmp.
fn supervised(socket: &str, args: &[&str]) -> Bundle {
    let mut seccomp = rules(&[rule(&["kcmp"], "NOTIFY")]);
    seccomp["listenerPath"] = json!(socket);
    seccomp["listenerMetadata"] = json!("a word for it");
    under(seccomp, args)
}

/// A socket's path that no other test has.
fn socket() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("supervisor").display().to_string();
    (folder, path)
}

/// Makes a socket that is bound, and nobody listens any more.
fn leave(socket: &str) {
    drop(UnixListener::bind(socket).expect("a socket"));
}

/// What every message says (config-linux.md, "The Container Process State").
#[track_caller]
fn check(bundle: &Bundle, (message, fds): &(Value, usize)) -> i64 {
    assert_eq!((&message["fds"], *fds), (&json!(["seccompFd"]), 1), "{message}");
    assert_eq!(message["metadata"], "a word for it");
    let state = &message["state"];
    assert_eq!((&state["id"], state["bundle"].as_str()), (&json!(bundle.id()), bundle.path().to_str()));
    for version in [&message["ociVersion"], &state["ociVersion"]] {
        assert!(version.as_str().is_some_and(|version| version.starts_with("1.")), "{message}");
    }
    let status = state["status"].as_str().unwrap_or_default();
    assert!(["creating", "created", "running"].contains(&status), "{message}");
    assert_eq!(state["annotations"]["org.example.boat"], "round", "{message}");
    message["pid"].as_i64().expect("a number")
}

fn with_annotation(bundle: &Bundle) {
    let mut config = config_of(bundle);
    config["annotations"] = json!({ "org.example.boat": "round" });
    bundle.write(&config);
}

fn kcmp() -> [String; 4] {
    ["syscall".into(), number!(SYS_kcmp), "99".into(), "99".into()]
}

pub(super) fn o26_a_supervisor_gets_one_state_and_the_listener() {
    for no_new_privileges in [false, true] {
        let (_folder, socket) = socket();
        let bundle = supervised(&socket, &kcmp().each_ref().map(String::as_str));
        with_annotation(&bundle);
        let mut config = config_of(&bundle);
        config["process"]["noNewPrivileges"] = json!(no_new_privileges);
        bundle.write(&config);
        let supervisor = Supervisor::at(&bundle, &socket, &libc::ENOMEDIUM.to_string());
        let report = bundle.report();
        assert_eq!(
            report.did.expect("it did").errno.as_deref(),
            Some("ENOMEDIUM"),
            "the supervisor's answer"
        );
        // The program has no descriptor of it.
        assert_eq!(report.fds.len(), 3, "{:?}", report.fds);
        let messages = supervisor.messages();
        assert_eq!(messages.len(), 1, "{messages:?}");
        assert!(check(&bundle, &messages[0]) > 1);
        let closed = || supervisor.heard().iter().filter(|heard| **heard == Heard::Closed).count();
        within(Duration::from_secs(5), "the connection is closed", || closed() == 1);
        assert_eq!(messages[0].0["state"]["pid"], messages[0].0["pid"]);
        assert_eq!(supervisor.calls(), [libc::SYS_kcmp]);
    }
}

pub(super) fn o26_a_supervisor_gets_it_for_create_and_start() {
    let (_folder, socket) = socket();
    let bundle = supervised(&socket, &["wait-signal", "TERM"]);
    with_annotation(&bundle);
    let supervisor = Supervisor::at(&bundle, &socket, "continue");
    bundle.create(bundle.id());
    // A later change of the bundle's config is none of the container's.
    bundle.args(&["/probe"]);
    bundle.must(&["start", bundle.id()]);
    within(Duration::from_secs(5), "the supervisor has heard of it", || supervisor.messages().len() == 1);
    assert_eq!(bundle.state_of(bundle.id())["pid"], check(&bundle, &supervisor.messages()[0]));
    bundle.must(&["delete", "--force", bundle.id()]);
}

pub(super) fn o26_a_supervisor_gets_one_for_each_exec() {
    let (_folder, socket) = socket();
    let bundle = supervised(&socket, &["wait-signal", "TERM"]);
    with_annotation(&bundle);
    let supervisor = Supervisor::at(&bundle, &socket, &libc::ENOMEDIUM.to_string());
    bundle.create(bundle.id());
    bundle.must(&["start", bundle.id()]);
    let id = bundle.id();
    for count in 2..4 {
        let kcmp = kcmp();
        let said = bundle.must(&["exec", id, "/probe", &kcmp[0], &kcmp[1], &kcmp[2], &kcmp[3]]);
        let report: probe::Report = serde_json::from_str(said.trim()).expect("a report");
        assert_eq!(report.did.expect("it did").errno.as_deref(), Some("ENOMEDIUM"));
        let messages = supervisor.messages();
        assert_eq!(messages.len(), count, "{messages:?}");
        let last = &messages[count - 1];
        let pid = check(&bundle, last);
        assert_ne!(Some(pid), messages[0].0["pid"].as_i64(), "the process is another one");
        assert_eq!(last.0["state"]["pid"], messages[0].0["pid"], "and the container the same");
        assert_eq!(last.0["state"]["status"], "running");
    }
    bundle.must(&["delete", "--force", id]);
}

/// By the time of execve(2) the supervisor is there.
pub(super) fn o26_a_supervisor_may_decide_on_the_first_calls() {
    for no_new_privileges in [false, true] {
        let (_folder, socket) = socket();
        let mut seccomp = rules(&[rule(&["execve", "openat", "open", "read", "close"], "NOTIFY")]);
        seccomp["listenerPath"] = json!(socket);
        let bundle = under(seccomp, &[]);
        let mut config = config_of(&bundle);
        config["process"]["noNewPrivileges"] = json!(no_new_privileges);
        bundle.write(&config);
        let supervisor = Supervisor::at(&bundle, &socket, "continue");
        assert_eq!(bundle.report().pid, 1);
        assert!(supervisor.calls().contains(&libc::SYS_execve), "{:?}", supervisor.calls());
        assert!(supervisor.messages()[0].0.get("metadata").is_none());
    }
}

pub(super) fn o26_a_supervisor_on_an_abstract_socket() {
    let (_folder, path) = socket();
    // The probe binds to no such name: one that is bound by another way.
    let name = path.trim_start_matches('/').replace('/', "-");
    let address = SocketAddr::from_abstract_name(&name);
    let listener = address.and_then(|address| UnixListener::bind_addr(&address));
    let listener = listener.expect("a socket");
    let bundle = supervised(&format!("@{name}"), &[]);
    bundle.report();
    listener.set_nonblocking(true).expect("a socket");
    let (mut connection, _) = listener.accept().expect("a connection");
    let mut message = String::new();
    std::io::Read::read_to_string(&mut connection, &mut message).expect("a message, and its end");
    assert!(message.contains("\"seccompFd\""), "{message}");
}

/// "If the SCMP_ACT_NOTIFY action is not used this value is ignored."
pub(super) fn o26_without_a_rule_for_it_the_supervisor_is_ignored() {
    let mut seccomp = rules(&[rule(&["kcmp"], "ERRNO")]);
    seccomp["listenerPath"] = json!("/not/there");
    seccomp["listenerMetadata"] = json!("x");
    assert_eq!(super::kcmp(&seccomp, [0, 0, 0]), Err("EPERM".into()));
}

/// "If sending to this socket fails, the runtime MUST generate an error."
pub(super) fn o26_a_supervisor_that_does_not_listen_is_an_error() {
    let (_folder, socket) = socket();
    for left in [false, true] {
        if left {
            leave(&socket);
        }
        let bundle = supervised(&socket, &[]);
        let mut run = bundle.command(&[], bundle.id());
        let leaks = Leaks::watch(&mut run, bundle.id());
        let output = run.finish();
        let said = text(&output.stderr);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), String::new()), "{said}");
        assert!(said.contains("failed to connect with seccomp agent"), "{said}");
        leaks.assert_none(&bundle, "no supervisor");
    }
}

/// The program must not run without whom it shall ask.
pub(super) fn o26_start_fails_where_the_supervisor_has_gone() {
    let (_folder, socket) = socket();
    let bundle = supervised(&socket, &[]);
    let supervisor = Supervisor::at(&bundle, &socket, "continue");
    bundle.create(bundle.id());
    drop(supervisor);
    leave(&socket);
    let said = bundle.must_fail(&["start", bundle.id()], 1);
    assert!(said.contains("failed to connect with seccomp agent"), "{said}");
    bundle.wait_for(bundle.id(), "stopped");
    assert_eq!(fs::read_to_string(bundle.output(bundle.id())).expect("its output"), "", "it ran");
    bundle.must(&["delete", bundle.id()]);
}

pub(super) fn o26_exec_fails_where_the_supervisor_has_gone() {
    let (_folder, socket) = socket();
    let bundle = supervised(&socket, &["wait-signal", "TERM"]);
    let supervisor = Supervisor::at(&bundle, &socket, "continue");
    bundle.create(bundle.id());
    bundle.must(&["start", bundle.id()]);
    drop(supervisor);
    leave(&socket);
    says(&bundle.must_fail(&["exec", bundle.id(), "/probe"], 255), "failed to connect with seccomp agent");
    // The container goes on.
    assert_eq!(bundle.state_of(bundle.id())["status"], "running");
    bundle.must(&["delete", "--force", bundle.id()]);
}
