//! A person at a terminal: waits for a prompt, types a line, reads the answer.

use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{Winsize, openpty};

use crate::vm::patient;

/// Nobody waits longer for a word.
const PATIENCE: Duration = Duration::from_secs(10);

/// BusyBox's prompt for root in `/`.
pub const PROMPT: &str = "/ # ";

/// The person's side of a terminal that a program runs at.
pub struct Terminal {
    master: OwnedFd,
    program: Option<Child>,
    heard: Vec<u8>,
    read: usize,
}

impl Terminal {
    /// Starts `command` at a terminal of 24 rows of 80 columns.
    pub fn start(command: &mut Command) -> Terminal {
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        let both = openpty(Some(&size), None).expect("a terminal");
        let copy = || both.slave.try_clone().expect("a descriptor");
        let program = command.stdin(copy()).stdout(copy()).stderr(copy()).spawn().expect("it starts");
        // The command keeps its copies; without this, the terminal never ends.
        command.stdin(std::process::Stdio::null());
        command.stdout(std::process::Stdio::null());
        command.stderr(std::process::Stdio::null());
        Terminal { master: both.master, program: Some(program), heard: Vec::new(), read: 0 }
    }

    /// The terminal whose `master` somebody has sent.
    pub fn of(master: OwnedFd) -> Terminal {
        Terminal { master, program: None, heard: Vec::new(), read: 0 }
    }

    /// Types `line` at the prompt and returns the answer, as lines.
    #[track_caller]
    pub fn ask(&mut self, line: &str) -> String {
        self.wait_for(PROMPT);
        self.say(line);
        // What is typed comes back first.
        self.wait_for(line);
        self.wait_for("\n");
        self.peek(PROMPT)
    }

    /// Types `line`.
    pub fn say(&mut self, line: &str) {
        nix::unistd::write(&self.master, format!("{line}\n").as_bytes()).expect("the terminal is there");
    }

    /// Reads on until `words` were there; returns what came before them.
    #[track_caller]
    pub fn wait_for(&mut self, words: &str) -> String {
        let before = self.peek(words);
        self.read += self.position(words).expect("it was there") + words.len();
        before
    }

    /// As [`Terminal::wait_for`], and the words are still to come for the next reader.
    #[track_caller]
    fn peek(&mut self, words: &str) -> String {
        let end = Instant::now() + patient(PATIENCE);
        while self.position(words).is_none() {
            assert!(self.hear(end), "no {words:?} at the terminal: {:?}", self.all());
        }
        let at = self.position(words).unwrap_or_default();
        String::from_utf8_lossy(&self.heard[self.read..self.read + at]).replace('\r', "")
    }

    /// Reads to the end; returns how the program ended and what was left to read.
    #[track_caller]
    pub fn finish(mut self) -> (Option<ExitStatus>, String) {
        let end = Instant::now() + patient(PATIENCE);
        while self.hear(end) {}
        assert!(Instant::now() < end, "it does not end: {:?}", self.all());
        let status = self.program.take().map(|mut program| program.wait().expect("our child"));
        (status, String::from_utf8_lossy(&self.heard[self.read..]).replace('\r', ""))
    }

    fn position(&self, words: &str) -> Option<usize> {
        self.heard[self.read..].windows(words.len()).position(|part| part == words.as_bytes())
    }

    fn all(&self) -> String {
        String::from_utf8_lossy(&self.heard).into_owned()
    }

    /// Reads once; `false` at the end of the terminal or of our patience.
    fn hear(&mut self, end: Instant) -> bool {
        let left = PollTimeout::try_from(end.saturating_duration_since(Instant::now()));
        let mut news = [PollFd::new(self.master.as_fd(), PollFlags::POLLIN)];
        if poll(&mut news, left.unwrap_or(PollTimeout::ZERO)) != Ok(1) {
            return false;
        }
        let mut part = [0; 4096];
        match nix::unistd::read(&self.master, &mut part) {
            Ok(0) | Err(Errno::EIO) => false,
            Ok(count) => {
                self.heard.extend(&part[..count]);
                true
            }
            Err(errno) => panic!("read the terminal: {errno}"),
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(program) = &mut self.program {
            let _ = program.kill();
            let _ = program.wait();
        }
    }
}
