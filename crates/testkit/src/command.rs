//! A command on a [`crate::harbour::Harbour`]: while it lives, and what it said.

use std::fs::File;
use std::io::{Read, Seek};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use probe::Report;

use crate::failure::{Class, OrHarness, fail, saw_stderr};
use crate::harness;
use crate::lines::Lines;
use crate::session::{Program, SOON, first_child, first_child_now, outer_deadline, parse, report};
use crate::vm::patient;

/// A command that lives.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Lines,
    err: File,
    end: Instant,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Running {
        let err = scratch();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(again(&err));
        let mut child = command.spawn().or_harness("start the runtime");
        let (stdin, lines) = (child.stdin.take(), Lines::of(child.stdout.take()));
        Running { child, stdin, lines, err, end: outer_deadline() }
    }

    /// The next line that it prints, if it comes within `time`.
    pub fn line_within(&mut self, time: Duration) -> Option<String> {
        self.lines.within(patient(time))
    }

    /// The probe's report: the next line.
    pub fn report(&mut self) -> Report {
        match self.line_within(SOON) {
            Some(line) => parse(&line),
            None => {
                let stderr = read(&mut self.err);
                saw_stderr(&stderr);
                fail(Class::NoEvidence, format!("the program gave no report; stderr: {stderr}"))
            }
        }
    }

    /// Sends a signal to the runtime's process.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).or_harness("signal the runtime");
    }

    /// The number of the runtime's process on the host.
    pub fn pid(&self) -> i32 {
        first_child(self.child.id() as i32)
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().or_harness("wait for a command").is_some()
    }

    /// Kills the runtime as soon as `moment` has come, unless it ends by itself before.
    pub fn kill_at(mut self, mut moment: impl FnMut() -> bool) {
        while !self.has_ended() {
            if moment()
                && let Some(runtime) = first_child_now(self.child.id() as i32)
            {
                let _ = kill(Pid::from_raw(runtime), Signal::SIGKILL);
                break;
            }
            if Instant::now() > self.end {
                fail(Class::Deadline, "the outer deadline is over: the moment never came");
            }
        }
        self.finish();
    }

    /// The first process of the container that it runs, seen from the real host.
    pub fn program(&self) -> Program {
        Program { pid: first_child(self.pid()) }
    }

    /// Closes its standard input: the probe's `hold` then ends.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Closes its standard input, and waits for its end.
    pub fn finish(mut self) -> Done {
        self.close_stdin();
        let status = await_end(&mut self.child, self.end);
        // A container that it made may hold the pipe longer than it lives.
        self.lines.read_to_end(Instant::now() + Duration::from_millis(100));
        Done::new(status, self.lines.take(), read(&mut self.err))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a command ended, and what it said.
#[derive(Debug)]
pub struct Done {
    /// Its exit status, where it exited.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Done {
    pub(crate) fn new(status: ExitStatus, stdout: String, stderr: String) -> Done {
        saw_stderr(&stderr);
        Done { code: status.code(), stdout, stderr }
    }

    /// The probe's report.
    pub fn report(&self) -> Report {
        report(&self.stdout, &self.stderr)
    }
}

/// Waits for the end of a command; past `end` it is killed, and the test has a defect.
pub(crate) fn await_end(child: &mut Child, end: Instant) -> ExitStatus {
    loop {
        if let Some(status) = child.try_wait().or_harness("wait for a command") {
            return status;
        }
        if Instant::now() > end {
            let _ = child.kill();
            let _ = child.wait();
            fail(Class::Deadline, "the outer deadline is over: the runtime does not return");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

pub(crate) fn scratch() -> File {
    tempfile::tempfile_in(harness::directory()).or_harness("make a temporary file")
}

pub(crate) fn again(file: &File) -> File {
    file.try_clone().or_harness("dup")
}

pub(crate) fn read(file: &mut File) -> String {
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).or_harness("read what it said");
    String::from_utf8_lossy(&bytes).into_owned()
}
