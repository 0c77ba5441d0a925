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
    /// A new terminal of 24 rows of 80 columns, and the end of it that is a program's.
    ///
    /// # Errors
    /// Those of openpty(3).
    pub fn open() -> nix::Result<(Terminal, OwnedFd)> {
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        let both = openpty(Some(&size), None)?;
        Ok((Terminal::of(both.master), both.slave))
    }

    /// Starts `command` at a terminal.
    pub fn start(command: &mut Command) -> Terminal {
        let (mut terminal, slave) = Terminal::open().expect("a terminal");
        let copy = || slave.try_clone().expect("a descriptor");
        let program = command.stdin(copy()).stdout(copy()).stderr(copy()).spawn().expect("it starts");
        // The command keeps its copies; without this, the terminal never ends.
        command.stdin(std::process::Stdio::null());
        command.stdout(std::process::Stdio::null());
        command.stderr(std::process::Stdio::null());
        terminal.program = Some(program);
        terminal
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
        self.listen_for(words)
            .unwrap_or_else(|heard| panic!("no {words:?} at the terminal: {heard:?} of {:?}", self.all()))
    }

    /// As [`Terminal::wait_for`], for whoever goes on without them.
    ///
    /// # Errors
    /// With what came instead, until the terminal or our patience was at its end.
    pub fn listen_for(&mut self, words: &str) -> Result<String, String> {
        let before = self.listen_up_to(words)?;
        self.read += self.position(words).unwrap_or_default() + words.len();
        Ok(before)
    }

    /// As [`Terminal::listen_for`], and the words are still to come for the next reader.
    ///
    /// # Errors
    /// As there.
    pub fn listen_up_to(&mut self, words: &str) -> Result<String, String> {
        let end = Instant::now() + patient(PATIENCE);
        loop {
            if let Some(at) = self.position(words) {
                return Ok(shown(&self.heard[self.read..self.read + at]));
            }
            if !self.hear(end) {
                return Err(self.rest());
            }
        }
    }

    #[track_caller]
    fn peek(&mut self, words: &str) -> String {
        self.listen_up_to(words)
            .unwrap_or_else(|heard| panic!("no {words:?} at the terminal: {heard:?} of {:?}", self.all()))
    }

    /// Reads to the end; returns how the program ended and what was left to read.
    #[track_caller]
    pub fn finish(mut self) -> (Option<ExitStatus>, String) {
        let rest = self.listen().unwrap_or_else(|_| panic!("it does not end: {:?}", self.all()));
        let status = self.program.take().map(|mut program| program.wait().expect("our child"));
        (status, rest)
    }

    /// Reads to the terminal's end, when no program has it open any more.
    ///
    /// # Errors
    /// With what came, if our patience ended first.
    pub fn listen(&mut self) -> Result<String, String> {
        let end = Instant::now() + patient(PATIENCE);
        while self.hear(end) {}
        if Instant::now() < end { Ok(self.rest()) } else { Err(self.rest()) }
    }

    /// What was heard, and nobody has read yet.
    fn rest(&mut self) -> String {
        let rest = shown(&self.heard[self.read..]);
        self.read = self.heard.len();
        rest
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

/// What a terminal shows of these bytes: its lines.
fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace('\r', "")
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(program) = &mut self.program {
            let _ = program.kill();
            let _ = program.wait();
        }
    }
}
