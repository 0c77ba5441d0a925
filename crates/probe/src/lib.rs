//! The probe: a small static program that runs as a container's PID 1, or as any other program in it, and reports the
//! world it sees as one line of JSON. Tests judge a container runtime by that [`Report`].
//!
//! It has one thread, needs no file beside itself, and is content without `/proc`, with ids that no user namespace
//! maps, and with closed standard descriptors.

mod actions;
mod command;
mod hog;
mod kernel;
mod mountinfo;
mod report;
mod supervise;
mod sys;
mod world;

use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, Signal, raise};
use serde::Serialize;

use crate::command::{Command, USAGE};
pub use crate::kernel::{IoPriority, Kernel, MemoryPolicy, Scheduling};
pub use crate::mountinfo::Mount;
pub use crate::report::{
    Caps, Cgroup, Device, Did, Got, Heard, Kind, Note, Report, Rlimit, Seccomp, Survived, Tty,
};

/// The status of a probe that its own signal did not kill.
const SURVIVED: u8 = 99;

/// Does what the command line asks for and reports. The status is 0 whatever the world looks like and whether or not the
/// action succeeded; 2 for a command line it does not know; or the one that `exit` or `die` gives.
pub fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let Some(command) = Command::parse(&args) else {
        // Without the panic of eprint! where stderr is closed.
        let _ = std::io::stderr().write_all(USAGE.as_bytes());
        return ExitCode::from(2);
    };
    match command {
        Command::Report => say(&world::look(None)),
        Command::Help => print(USAGE.as_bytes()),
        Command::Exit(status) => {
            report(actions::done("exit"));
            return ExitCode::from(status);
        }
        Command::Die(signal) => return die(signal),
        Command::Hold => {
            report(actions::done("hold"));
            wait_for_end_of_input();
        }
        Command::WaitSignal(signals) => wait_for(&signals),
        Command::Orphan(count) => report(actions::orphan(count)),
        Command::Write(path, text) => report(actions::write(&path, text.as_bytes())),
        Command::Note(path, name) => report(actions::note(&path, name)),
        Command::Open(path) => report(actions::read(&path)),
        Command::Mkdir(path) => report(actions::mkdir(&path)),
        Command::List(path) => report(actions::list(&path)),
        Command::Stat(paths) => report(world::stat(&paths)),
        Command::Bind(source, target) => report(actions::bind(&source, &target)),
        Command::Mount(fstype, target) => report(actions::mount(&fstype, &target)),
        Command::Fork(count) => report(actions::fork(count)),
        Command::Alloc(megabytes) => report(actions::alloc(megabytes)),
        Command::Hog(megabytes) => {
            report(hog::hog(megabytes));
            wait_for_end_of_input();
        }
        Command::Syscall(number, args) => report(actions::syscall(number, args)),
        Command::Syscall32(number, args) => report(actions::syscall32(number, args)),
        Command::Supervise(socket, answer) => supervise::supervise(&socket, answer, say),
        Command::Escape(canary) => report(actions::escape(&canary)),
        Command::Sleep(time) => report(actions::sleep(time)),
        Command::Count(path) => {
            report(actions::done("count"));
            actions::count(&path);
        }
        Command::Spin(time) => {
            report(actions::done("spin"));
            let end = std::time::Instant::now() + time;
            while std::time::Instant::now() < end {
                std::hint::spin_loop();
            }
        }
    }
    ExitCode::SUCCESS
}

fn report(did: Did) {
    say(&world::look(Some(did)));
}

fn say(line: &impl Serialize) {
    let mut line = serde_json::to_vec(line).expect("a report is plain data with string keys");
    line.push(b'\n');
    print(&line);
}

/// Nobody may be reading, and a world whose report is lost must still get its exit status: errors are let go.
fn print(text: &[u8]) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text).and_then(|()| stdout.flush());
}

fn wait_for_end_of_input() {
    let mut stdin = std::io::stdin().lock();
    while stdin.read(&mut [0; 64]).is_ok_and(|count| count > 0) {}
}

/// Blocked signals are queued even for PID 1, which otherwise never gets one that it has no handler for.
fn wait_for(signals: &SigSet) {
    let did = match signals.thread_block() {
        Ok(()) => actions::done("wait-signal"),
        Err(errno) => Did { ok: false, errno: Some(format!("{errno:?}")), ..actions::done("wait-signal") },
    };
    report(did);
    if let Ok(signal) = signals.wait() {
        say(&Got { got: signal.as_str().into() });
    }
}

fn die(signal: Signal) -> ExitCode {
    report(actions::done("die"));
    // The status of a process that left a core file is the same, so the file would be litter.
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_CORE) {
        let _ = setrlimit(Resource::RLIMIT_CORE, 0, hard);
    }
    sys::reset(signal);
    let _ = SigSet::from(signal).thread_unblock();
    let outcome = raise(signal);
    // The kernel lets a PID namespace's first process have no signal from within that it did not ask for.
    let why = match std::process::id() {
        1 => "PID 1 has no handler for it, so the kernel dropped it",
        _ => "it did not kill",
    };
    say(&Survived {
        did: Did {
            ok: false,
            errno: outcome.err().map(|errno| format!("{errno:?}")),
            detail: Some(format!("{signal}: {why}")),
            ..actions::done("die")
        },
    });
    ExitCode::from(SURVIVED)
}
