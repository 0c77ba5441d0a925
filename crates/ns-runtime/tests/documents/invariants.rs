//! exec's invariants (document 002), each under attack, by either way into the container.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command};
use std::time::Duration;

use testkit::within;

use super::boat::{Boat, Said};

/// The options of both ways.
const WAYS: [&[&str]; 2] = [&[], &["--via-nsenter"]];

fn exec(boat: &Boat, way: &[&str], line: &str) -> Said {
    boat.call(&[&["exec"], way, &["--exec", line, &boat.id]].concat())
}

/// It could not be done here, and the container is what it was.
#[track_caller]
fn is_the_hosts_fault(boat: &Boat, said: &Said, part: &str) {
    said.is_error(&["host precondition: ", part]);
    assert_eq!(boat.record()["status"], "running", "the record");
    assert_eq!(boat.state(), "running");
}

/// Which of the two depends on `--exec` alone, and not on what the shell is at.
pub(crate) fn s11_exec_is_a_shell_and_with_a_line_a_login_shell() {
    let boat = Boat::new(&["sleep", "1000"]);
    std::fs::write(boat.file("bundle/rootfs/etc/profile"), "PROFILE=read\n").expect("a profile");
    boat.start();
    for way in WAYS {
        assert_eq!(exec(&boat, way, "echo ${PROFILE-not} $((2 + 3))").out, "read 5\n");
        let mut session = boat.session(way);
        session.stdin.take().expect("a pipe").write_all(b"echo ${PROFILE-not}; exit 6\n").expect("it reads");
        let output = session.wait_with_output().expect("our child");
        assert_eq!(
            (output.status.code(), output.stdout.as_slice()),
            (Some(6), b"not\n".as_slice()),
            "{way:?}"
        );
    }
}

pub(crate) fn s12_only_a_running_container_is_entered() {
    let boat = Boat::new(&["sleep", "1000"]);
    for way in WAYS {
        exec(&boat, way, "true").is_error(&["logical state: ", "unknown"]);
    }
    boat.create();
    for way in WAYS {
        exec(&boat, way, "true").is_error(&["logical state: ", "created"]);
        assert_eq!(boat.record()["status"], "created");
    }
    boat.must(&["start", &boat.id]);
    for way in WAYS {
        assert_eq!(exec(&boat, way, "cat /proc/1/comm").out, "sleep\n");
    }
}

pub(crate) fn s12_a_dead_init_makes_the_state_stopped_and_exec_says_so() {
    for way in WAYS {
        let boat = Boat::new(&["sleep", "1000"]);
        boat.start();
        let pid = boat.pid().to_string();
        boat.kill_init();
        assert_eq!(boat.record()["status"], "running", "nobody has looked yet");
        exec(&boat, way, "true").is_error(&["stale pid: ", &pid]);
        let record = boat.record();
        assert_eq!((&record["status"], &record["pid"]), (&"stopped".into(), &0.into()));
        // From now on it is known.
        exec(&boat, way, "true").is_error(&["logical state: ", "stopped"]);
    }
}

/// A number proves nothing: another process has init's.
pub(crate) fn s12_another_process_with_the_number_of_init_is_not_entered_nor_killed() {
    // In a PID namespace of its own, where the next number may be chosen (pid_namespaces(7)). A start time counts in
    // hundredths of a second: two of them must pass.
    const SCRIPT: &str = r#"
        ns="$1 --root $2/state" id=$3
        $ns run --detach --bundle="$2/bundle" $id >$2/log 2>&1 || { cat $2/log; exit 1; }
        pid=$(sed -n 's/.*"pid": \([0-9]*\).*/\1/p' $2/state/$id/state.json)
        kill -9 $pid
        while [ -e /proc/$pid ]; do sleep 0.01; done
        sleep 0.02
        echo $((pid - 1)) >/proc/sys/kernel/ns_last_pid; sleep 1000 & stranger=$!
        echo $((stranger - pid))
        $ns exec --exec true $id; echo $?
        $ns exec --via-nsenter --exec true $id; echo $?
        $ns state $id
        $ns --quiet delete $id; echo $?
        kill -0 $stranger && echo it lives"#;
    let boat = Boat::new(&["sleep", "1000"]);
    let mut unshare = Command::new("unshare");
    unshare.args(["--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", SCRIPT, "sh"]);
    unshare.arg(testkit::runtime()).arg(boat.file("")).arg(&boat.id);
    let said = boat.ended(&mut unshare);
    assert_eq!(said.out, "0\n1\n1\nstopped\n0\nit lives\n", "{}", said.err);
    let errors: Vec<_> = said.err.lines().filter(|line| line.starts_with("Error: ")).collect();
    assert!(errors[0].contains("stale pid"), "{errors:?}");
    assert!(errors[1].contains("logical state"), "{errors:?}");
    boat.assert_gone();
}

pub(crate) fn s12_without_proc_exec_fails_and_the_container_runs_on() {
    let boat = Boat::new(&["sleep", "1000"]);
    boat.start();
    for way in WAYS {
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "sh", "-c", "umount -l /proc && exec \"$0\" \"$@\""]);
        let command = boat.command(&[&["exec"], way, &["--exec", "true", &boat.id]].concat());
        unshare.arg(command.get_program()).args(command.get_args());
        is_the_hosts_fault(&boat, &boat.ended(&mut unshare), "/proc is not mounted");
    }
}

/// There, another process may have init's number, or none: nobody is to believe that.
pub(crate) fn s12_with_the_proc_of_other_processes_nothing_is_concluded() {
    let boat = Boat::new(&["sleep", "1000"]);
    boat.start();
    let exec: [&[&str]; 2] = WAYS.map(|way| {
        if way.is_empty() {
            &["exec", "--exec", "true"][..]
        } else {
            &["exec", "--via-nsenter", "--exec", "true"]
        }
    });
    for words in [exec[0], exec[1], &["state"], &["delete"]] {
        let command = boat.command(&[words, &[&boat.id]].concat());
        let mut unshare = Command::new("unshare");
        // A namespace of its own, and /proc as it was.
        unshare.args(["--pid", "--fork", "--kill-child", "sh", "-c", "\"$0\" \"$@\"; exit $?"]);
        unshare.arg(command.get_program()).args(command.get_args());
        is_the_hosts_fault(&boat, &boat.ended(&mut unshare), "/proc is that of another PID namespace");
    }
}

pub(crate) fn s12_without_nsenter_one_way_fails_and_the_other_needs_none() {
    let boat = Boat::new(&["sleep", "1000"]);
    boat.start();
    let [native, nsenter] = WAYS.map(|way| {
        let mut command = boat.command(&[&["exec"], way, &["--exec", "exit 3", &boat.id]].concat());
        boat.ended(command.env("PATH", "/nowhere"))
    });
    is_the_hosts_fault(&boat, &nsenter, "nsenter is not in PATH");
    assert_eq!(native.code, Some(3), "{}", native.err);
}

/// Root without a single capability.
pub(crate) fn s12_without_privilege_exec_fails_and_the_container_runs_on() {
    let boat = Boat::new(&["sleep", "1000"]);
    boat.start();
    for way in WAYS {
        let command = boat.command(&[&["exec"], way, &["--exec", "true", &boat.id]].concat());
        let mut setpriv = Command::new("setpriv");
        setpriv.args(["--bounding-set=-all", "--inh-caps=-all", "--"]);
        setpriv.arg(command.get_program()).args(command.get_args());
        is_the_hosts_fault(&boat, &boat.ended(&mut setpriv), "as root");
    }
}

/// Waits until the session says that it is there.
#[track_caller]
fn is_there(session: &mut Child) {
    let mut line = String::new();
    BufReader::new(session.stdout.as_mut().expect("a pipe")).read_line(&mut line).expect("a line");
    assert_eq!(line, "here\n");
}

/// The numbers below `count` in an order that nobody has chosen.
fn shuffled(count: usize) -> Vec<usize> {
    let mut bytes = vec![0; count];
    std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)).expect("some noise");
    let mut order: Vec<_> = (0..count).collect();
    order.sort_by_key(|n| bytes[*n]);
    order
}

pub(crate) fn s12_twenty_sessions_that_end_in_any_order_change_nothing() {
    let boat = Boat::new(&["sleep", "1000"]);
    boat.start();
    let record = boat.record();
    // A word ends it with its own status; the end of the input, by a signal.
    let line = |n: usize| format!("echo here; if read word; then exit {n}; else kill -KILL $$; fi");
    let mut sessions: Vec<_> =
        (0..20).map(|n| boat.session(&[WAYS[n % 2], &["--exec", &line(n)]].concat())).collect();
    sessions.iter_mut().for_each(is_there);
    let order = shuffled(sessions.len());
    for n in &order {
        let mut input = sessions[*n].stdin.take().expect("a pipe");
        let expected = if n % 3 == 0 { 137 } else { *n as i32 };
        if n % 3 != 0 {
            input.write_all(b"go\n").expect("it reads");
        }
        drop(input);
        let status = sessions[*n].wait().expect("our child");
        assert_eq!(status.code(), Some(expected), "session {n} of {order:?}");
        assert_eq!(boat.state(), "running", "after session {n} of {order:?}");
    }
    assert_eq!(boat.record(), record);
}

pub(crate) fn s12_a_session_ends_with_pid_1_and_the_state_is_stopped() {
    for way in WAYS {
        let boat = Boat::new(&["sleep", "1000"]);
        boat.start();
        let mut session = boat.session(&[way, &["--exec", "echo here; sleep 1000"]].concat());
        is_there(&mut session);
        boat.kill_init();
        assert_eq!(session.wait().expect("our child").code(), Some(137));
        assert_eq!(boat.state(), "stopped");
    }
}

/// At any moment of an exec: it says what it came to, it does not hang, and the state is the truth.
pub(crate) fn s12_init_killed_while_exec_begins() {
    for round in shuffled(24) {
        let way = WAYS[round % 2];
        let boat = Boat::new(&["sleep", "1000"]);
        boat.start();
        let mut command = boat.command(&[&["exec"], way, &["--exec", "sleep 1000", &boat.id]].concat());
        let errors = boat.file("errors");
        command.stderr(std::fs::File::create(&errors).expect("a file"));
        let mut session = command.spawn().expect("it starts");
        // Moments of our own making: a busy loop of growing length, and no event to wait for is what is tried.
        (0..round * 20_000).map(std::hint::black_box).for_each(|_| ());
        boat.kill_init();
        let mut code = None;
        within(Duration::from_secs(5), "exec comes to its end", || {
            code = session.try_wait().expect("our child").and_then(|status| status.code());
            code.is_some()
        });
        let said = std::fs::read_to_string(&errors).expect("a file");
        let told = said.contains("Error: stale pid: ") || said.contains("nsenter: ");
        assert!(code == Some(137) || (code == Some(1) && told), "round {round}: {code:?}: {said}");
        assert_eq!(boat.state(), "stopped", "round {round}");
        assert_eq!(boat.record()["status"], "stopped", "round {round}");
    }
}

/// The four classes, by their message and their exit status.
pub(crate) fn s13_the_classes_of_failure_are_told_apart() {
    let boat = Boat::new(&["sleep", "1000"]);
    exec(&boat, &[], "true").is_error(&["logical state: "]);
    boat.start();
    let mut elsewhere = boat.command(&["exec", "--via-nsenter", &boat.id]);
    boat.ended(elsewhere.env("PATH", "/nowhere")).is_error(&["host precondition: "]);
    for way in WAYS {
        for code in [0, 1, 42, 255] {
            let said = exec(&boat, way, &format!("exit {code}"));
            // No failure of ours, whatever it is.
            assert_eq!((said.code, said.err.as_str()), (Some(code), ""));
        }
        assert_eq!(exec(&boat, way, "kill -TERM $$").code, Some(143));
        assert_eq!(exec(&boat, way, "no-such-program 2>/dev/null").code, Some(127));
    }
    boat.kill_init();
    exec(&boat, &[], "true").is_error(&["stale pid: "]);
}

/// The document's own five options of nsenter, typed by hand, and both of our ways see the same namespaces: the container's.
pub(crate) fn s14_exec_and_nsenter_see_the_same_namespaces() {
    const LOOK: &str = "for kind in mnt uts ipc net pid; do readlink /proc/self/ns/$kind; done";
    let boat = Boat::new(&["sleep", "1000"]);
    boat.start();
    let own = |pid: &str| -> Vec<String> {
        let link = |kind| {
            std::fs::read_link(format!("/proc/{pid}/ns/{kind}")).expect("a namespace").display().to_string()
        };
        ["mnt", "uts", "ipc", "net", "pid"].map(link).to_vec()
    };
    let containers = own(&boat.pid().to_string());
    assert!(own("self").iter().zip(&containers).all(|(host, inside)| host != inside), "{containers:?}");
    let mut nsenter = Command::new("nsenter");
    nsenter.args(["--target", &boat.pid().to_string(), "--mount", "--uts", "--ipc", "--net", "--pid"]);
    let by_hand = boat.ended(nsenter.args(["--", "/bin/sh", "-lc", LOOK]));
    for said in [by_hand, exec(&boat, WAYS[0], LOOK), exec(&boat, WAYS[1], LOOK)] {
        assert_eq!(said.out.lines().collect::<Vec<_>>(), containers, "{}", said.err);
    }
}

/// What nsenter leaves out: the session is in the container's control group, and has no more than its program.
pub(crate) fn s14_exec_is_more_than_nsenter() {
    let boat = Boat::new(&["sleep", "1000"]);
    boat.change(|config| {
        config["process"]["env"] = serde_json::json!(["PATH=/bin", "BOAT=coracle"]);
        config["linux"]["namespaces"].as_array_mut().expect("a list").retain(|one| one["type"] != "cgroup");
    });
    boat.start();
    let sees = |way: &[&str]| {
        exec(&boat, way, "cat /proc/self/cgroup; echo $BOAT; grep CapBnd /proc/self/status").out
    };
    let of_init = std::fs::read_to_string(format!("/proc/{}/cgroup", boat.pid())).expect("its groups");
    let caps = std::fs::read_to_string(format!("/proc/{}/status", boat.pid())).expect("its status");
    let caps = caps.lines().find(|line| line.starts_with("CapBnd")).expect("a line");
    assert_eq!(sees(WAYS[0]), format!("{of_init}coracle\n{caps}\n"));
    assert_ne!(sees(WAYS[1]), format!("{of_init}coracle\n{caps}\n"));
}
