//! What a process is beyond its number; what becomes of the number when it has ended.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::failure::{Class, fail};
use crate::harbour::Harbour;
use crate::session::Program;
use crate::within;

/// One line of /proc/PID/stat (proc_pid_stat(5)), as far as tests need it.
struct Stat {
    name: String,
    state: char,
    start_time: u64,
}

impl Program {
    /// The name that execve(2) gave it, or its parent; empty where it is gone.
    pub fn name(&self) -> String {
        self.stat().map(|stat| stat.name).unwrap_or_default()
    }

    /// Whether it waits for something.
    pub fn sleeps(&self) -> bool {
        self.stat().is_some_and(|stat| stat.state == 'S')
    }

    /// Whether it has not ended.
    pub fn lives(&self) -> bool {
        self.stat().is_some_and(|stat| !"ZX".contains(stat.state))
    }

    /// When it was born, in clock ticks since the machine's boot; `None` where it is gone.
    pub(crate) fn start_time(&self) -> Option<u64> {
        self.stat().map(|stat| stat.start_time)
    }

    fn stat(&self) -> Option<Stat> {
        let line = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).ok()?;
        let (begin, rest) = line.rsplit_once(") ")?;
        let (_, name) = begin.split_once('(')?;
        let field = |number: usize| rest.split_whitespace().nth(number - 3);
        Some(Stat {
            name: name.to_owned(),
            state: field(3)?.chars().next()?,
            start_time: field(22)?.parse().ok()?,
        })
    }
}

impl Harbour {
    /// Does something while orphans that end stay zombies: this host's PID 1, their parent, is stopped meanwhile.
    pub fn while_nobody_is_buried(&self, what: impl FnOnce()) {
        let parent = self.process(1).unwrap_or_else(|| fail(Class::Harness, "the net has no PID 1"));
        parent.signal(Signal::SIGSTOP);
        let stopped = || parent.stat().is_some_and(|stat| stat.state == 'T');
        within(Duration::from_secs(5), "the net's PID 1 is stopped", stopped);
        what();
        // Where that panics, the net is killed, stopped or not.
        parent.signal(Signal::SIGCONT);
    }

    /// Kills `process` and lets a new one get its number on this host. It sleeps.
    pub fn replace(&self, process: &Program) -> Program {
        let number = process.nspid()[1];
        let born = process.start_time();
        process.signal(Signal::SIGKILL);
        loop {
            within(Duration::from_secs(5), "the number is free", || self.process(number).is_none());
            // The kernel gives the next process the number after the last one (pid_namespaces(7), ns_last_pid). The shell
            // makes no other in between.
            let script = format!("echo {} >/proc/sys/kernel/ns_last_pid; exec sleep 1000 &", number - 1);
            let done = self.on_it(&["sh", "-c", &script]);
            let Some(stranger) = self.process(number) else {
                fail(Class::Harness, format!("no new process with the number {number}: {}", done.stderr))
            };
            within(Duration::from_secs(5), "the stranger sleeps", || stranger.name() == "sleep");
            // The kernel counts the time of birth in hundredths of a second.
            if stranger.start_time() != born {
                return stranger;
            }
            stranger.signal(Signal::SIGKILL);
        }
    }
}
