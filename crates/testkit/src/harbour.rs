//! A host inside the net, on which a runtime's commands are run one after another, or side by side.
//!
//! ```no_run
//! use testkit::prelude::*;
//!
//! fn a_created_container_waits() {
//!     let harbour = Harbour::new();
//!     let bundle = harbour.bundle(&["hold"]);
//!     harbour.create(&bundle, "boat");
//!     assert_eq!(harbour.state("boat")["status"], "created", "the program runs already");
//!     harbour.finish();
//! }
//! ```

use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};

use serde_json::Value;

use crate::bundle::Bundle;
use crate::cgroup::Cgroups;
use crate::command::{Done, Running, again, await_end, read, scratch};
use crate::failure::OrHarness;
use crate::net::{self, Outside};
use crate::rootfs::temporary;
use crate::session::{Output, Program, SOON, Session, outer_deadline};
use crate::{harness, within};

/// A host inside the net. What a test leaves on it ends with it.
#[derive(Debug)]
pub struct Harbour {
    session: Session,
    init: i32,
}

impl Harbour {
    /// A fresh one.
    pub fn new() -> Harbour {
        let keeper = vec![harness::probe().display().to_string(), "hold".to_owned()];
        let mut session = Session::start(temporary(), keeper, Cgroups::new(net::PROCESSES), None);
        session.report();
        let init = session.net_init();
        Harbour { session, init }
    }

    /// A bundle whose program is the probe with these arguments.
    pub fn bundle(&self, args: &[&str]) -> Bundle {
        Bundle::new(args, self.session.cgroup_name())
    }

    /// Runs the runtime with these words to its end: `RUNTIME --root STATE WORDS`.
    pub fn run(&self, words: &[&str]) -> Done {
        let (mut out, mut err) = (scratch(), scratch());
        let status = self.call(words, again(&out), again(&err));
        Done::new(status, read(&mut out), read(&mut err))
    }

    /// As [`Harbour::run`], and it must succeed. Returns what it says.
    ///
    /// # Panics
    /// Where it fails: an assertion with its words and its error.
    #[track_caller]
    pub fn must(&self, words: &[&str]) -> String {
        let done = self.run(words);
        assert_eq!(done.code, Some(0), "`{}` fails: {}", words.join(" "), done.stderr.trim_end());
        done.stdout
    }

    /// Creates the container `id`, which [`Harbour::init`] then knows. Its output goes to [`Bundle::output`]: it outlives
    /// the call.
    ///
    /// # Panics
    /// As [`Harbour::must`].
    #[track_caller]
    pub fn create(&self, bundle: &Bundle, id: &str) {
        let (out, mut err) = (File::create(bundle.output_file()).or_harness("make a file"), scratch());
        let (path, pid_file) = (bundle.text(), bundle.pid_file().display().to_string());
        let words = ["create", "--bundle", &path, "--pid-file", &pid_file, id];
        let status = self.call(&words, out, again(&err));
        let done = Done::new(status, String::new(), read(&mut err));
        assert_eq!(done.code, Some(0), "`create {id}` fails: {}", done.stderr.trim_end());
    }

    /// Starts the runtime with these words, with pipes to it.
    pub fn start(&self, words: &[&str]) -> Running {
        Running::start(self.command(words))
    }

    /// What `state ID` says.
    ///
    /// # Panics
    /// Where it fails, or says no JSON: an assertion.
    #[track_caller]
    pub fn state(&self, id: &str) -> Value {
        let text = self.must(&["state", id]);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("`state` says no JSON: {error}: {text}"))
    }

    /// Waits until `state ID` says this status.
    ///
    /// # Panics
    /// Where it does not soon: an assertion.
    #[track_caller]
    pub fn wait_for(&self, id: &str, status: &str) {
        within(SOON, &format!("the container is {status}"), || self.state(id)["status"] == status);
    }

    /// The container's init, seen from the host.
    #[track_caller]
    pub fn program(&self, id: &str) -> Program {
        let pid = self.state(id)["pid"].as_i64();
        let pid = pid.unwrap_or_else(|| panic!("`state {id}` does not tell the number of its init"));
        self.process(pid as i32)
            .unwrap_or_else(|| panic!("`state {id}` says that init is {pid}: there is no such process"))
    }

    /// The init of the container that [`Harbour::create`] made of this bundle, by its pid file and not by what `state` says.
    #[track_caller]
    pub fn init(&self, bundle: &Bundle) -> Program {
        let text = std::fs::read_to_string(bundle.pid_file()).unwrap_or_default();
        let process = text.trim().parse().ok().and_then(|pid| self.process(pid));
        process.unwrap_or_else(|| panic!("the pid file says {text:?}, which is no process of this host"))
    }

    /// The process that has this number on this host, seen from the real one.
    pub fn process(&self, pid: i32) -> Option<Program> {
        self.processes().into_iter().find(|one| one.nspid_now().get(1) == Some(&pid))
    }

    /// All processes on this host, the net's own first ones among them.
    pub fn processes(&self) -> Vec<Program> {
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let inside = numbers.map(|pid| Program { pid }).filter(|one| one.nspid_now().len() > 1);
        inside.filter(|one| self.is_below(one.pid)).collect()
    }

    /// The folder of the container `id` in the runtime's state directory.
    pub fn state_dir(&self, id: &str) -> PathBuf {
        self.state_root().join(id)
    }

    /// The runtime's state directory.
    pub fn state_root(&self) -> PathBuf {
        self.session.dir().join("state")
    }

    /// The world in which the runtime is started.
    pub fn outside(&self) -> Outside {
        self.session.outside()
    }

    /// The run's own cgroups, one in each hierarchy; none for an ordinary user.
    pub fn cgroups(&self) -> &[PathBuf] {
        self.session.cgroups()
    }

    /// Runs a command on this host to its end, as [`Harbour::run`] does with the runtime.
    pub fn on_it(&self, words: &[&str]) -> Done {
        let (mut out, mut err) = (scratch(), scratch());
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let mut command = net::enter(self.session.dir(), self.init, &words);
        let status = command.stdin(Stdio::null()).stdout(again(&out)).stderr(again(&err)).status();
        Done::new(status.or_harness("start a command"), read(&mut out), read(&mut err))
    }

    /// Ends all that lives on it, and looks whether the real host is as before.
    pub fn finish(self) -> Output {
        self.session.finish()
    }

    fn command(&self, words: &[&str]) -> Command {
        let state = self.state_root().display().to_string();
        let runtime = harness::runtime().display().to_string();
        let words = [&runtime, "--root", &state].into_iter().chain(words.iter().copied());
        net::enter(self.session.dir(), self.init, &words.map(str::to_owned).collect::<Vec<_>>())
    }

    fn call(&self, words: &[&str], out: File, err: File) -> ExitStatus {
        let mut child = self.command(words);
        let child = child.stdin(Stdio::null()).stdout(out).stderr(err).spawn();
        await_end(&mut child.or_harness("start the runtime"), outer_deadline())
    }

    /// Whether a process descends from the net's PID 1, which adopts the orphans.
    fn is_below(&self, mut pid: i32) -> bool {
        while pid > 1 && pid != self.init {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
            pid = parent.and_then(|pid| pid.trim().parse().ok()).unwrap_or_default();
        }
        pid == self.init
    }
}

impl Default for Harbour {
    fn default() -> Harbour {
        Harbour::new()
    }
}
