//! The other end of a container's terminal, while we wait for its program in the foreground: keys go in, output comes out.
//!
//! Two flows, each with a buffer of its own, so that neither waits for the other: we read only where there is room, and
//! write only where the kernel takes it.

use std::io::{Stdin, Stdout};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{LocalFlags, SpecialCharacterIndices, tcgetattr};
use nix::unistd::{read, write};

use super::Size;
use super::raw::Raw;
use crate::error::{Error, Result};
use crate::sys;

/// A pipe that poll(2) calls writable takes this much at once (PIPE_BUF): a write of no more never blocks.
const ROOM: usize = 4096;

/// How much a terminal can hold back that its program has written: what we read at most after its end, for what it has
/// left behind may go on writing for ever.
const LEFT: usize = 128 * 1024;

/// Our side of a container's terminal.
#[derive(Debug)]
pub struct Proxy {
    /// The container's terminal. Its descriptor does not block.
    master: OwnedFd,
    stdin: Stdin,
    stdout: Stdout,
    /// From our standard input on the way to the container.
    keys: Flow,
    /// From the container on the way to our standard output.
    output: Flow,
    /// Our input has ended, and the program was told while it read lines; where it reads keys, it is to be told again.
    ended_unheard: bool,
    /// Nobody reads our standard output any more: what comes is thrown away, for the program must not wait.
    unheard: bool,
    /// Puts our terminal back when it is dropped.
    raw: Option<Raw>,
}

/// What has been read and not been written yet.
#[derive(Debug, Default)]
struct Flow {
    waiting: Vec<u8>,
    /// Nothing more will come.
    ended: bool,
}

impl Flow {
    fn has_room(&self) -> bool {
        !self.ended && self.waiting.len() < ROOM
    }

    /// Reads what fits. Returns how much came: 0 also at the end of all, and where nothing is there right now.
    fn fill(&mut self, from: impl AsFd) -> Result<usize> {
        let mut buffer = [0; ROOM];
        match read(from, &mut buffer[self.waiting.len()..]) {
            // EIO is how a terminal says that its other end is closed.
            Ok(0) | Err(Errno::EIO) => self.ended = true,
            Ok(count) => {
                let first = self.waiting.len();
                self.waiting.extend_from_slice(&buffer[first..first + count]);
                return Ok(count);
            }
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(errno) => return Err(Error::refused("read from the terminal")(errno)),
        }
        Ok(0)
    }

    /// Writes what the kernel takes. Returns whether there is still somebody to write to.
    fn empty(&mut self, to: impl AsFd) -> bool {
        match write(to, &self.waiting) {
            Ok(count) => drop(self.waiting.drain(..count)),
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(_) => {
                self.waiting.clear();
                return false;
            }
        }
        true
    }
}

impl Proxy {
    /// Takes `master`. Our own terminal, if there is one on our standard input, is in raw mode from now on, until the proxy
    /// is dropped; the container's gets the size of ours, if that is another one by now.
    ///
    /// # Errors
    /// Those of fcntl(2), tcgetattr(3) and tcsetattr(3).
    pub fn new(master: OwnedFd) -> Result<Proxy> {
        let flags = fcntl(&master, FcntlArg::F_GETFL).map_err(Error::refused("fcntl F_GETFL"))?;
        let flags = OFlag::from_bits_retain(flags) | OFlag::O_NONBLOCK;
        fcntl(&master, FcntlArg::F_SETFL(flags)).map_err(Error::refused("fcntl F_SETFL"))?;
        let (stdin, stdout) = (std::io::stdin(), std::io::stdout());
        let (keys, output) = (Flow::default(), Flow::default());
        let (ended_unheard, unheard) = (false, false);
        let raw = Raw::enter()?;
        let proxy = Proxy { master, stdin, stdout, keys, output, ended_unheard, unheard, raw };
        proxy.resize();
        Ok(proxy)
    }

    /// Gives the container's terminal the size of ours, at each SIGWINCH.
    pub fn resize(&self) {
        fit(self.master.as_fd());
    }

    /// What to wait for with poll(2); when any of it has news, call [`Proxy::turn`]. What we want nothing from is not in
    /// it, since poll tells of a hang-up even where nothing was asked.
    pub fn wishes(&self) -> impl Iterator<Item = PollFd<'_>> {
        let some = |whether, flag| if whether { flag } else { PollFlags::empty() };
        let master = some(self.output.has_room(), PollFlags::POLLIN)
            | some(!self.keys.waiting.is_empty(), PollFlags::POLLOUT);
        let stdin = some(self.keys.has_room(), PollFlags::POLLIN);
        let stdout = some(!self.output.waiting.is_empty(), PollFlags::POLLOUT);
        [(self.master.as_fd(), master), (self.stdin.as_fd(), stdin), (self.stdout.as_fd(), stdout)]
            .into_iter()
            .filter(|(_, wish)| !wish.is_empty())
            .map(|(fd, wish)| PollFd::new(fd, wish))
    }

    /// Moves in both directions what can be moved without waiting.
    ///
    /// # Errors
    /// Those of read(2) and poll(2).
    pub fn turn(&mut self) -> Result<()> {
        if self.keys.has_room() && has_news(self.stdin.as_fd(), PollFlags::POLLIN, PollTimeout::ZERO)? {
            // What cannot be read (a directory, say) has nothing for us either.
            self.keys.ended |= self.keys.fill(&self.stdin).is_err();
            if self.keys.ended {
                self.end_input();
            }
        }
        if !self.keys.waiting.is_empty() && !self.keys.empty(&self.master) {
            self.keys.ended = true;
        }
        if self.listen()? > 0 && self.ended_unheard && !self.makes_lines() {
            self.end_input();
        }
        if has_news(self.stdout.as_fd(), PollFlags::POLLOUT, PollTimeout::ZERO)? {
            self.speak();
        }
        Ok(())
    }

    /// Passes on what the program, which has ended, has left in its terminal. Waits for our reader, not for the
    /// container.
    ///
    /// # Errors
    /// Those of read(2) and poll(2).
    pub fn finish(&mut self) -> Result<()> {
        let mut read = 0;
        loop {
            while !self.output.waiting.is_empty() {
                has_news(self.stdout.as_fd(), PollFlags::POLLOUT, PollTimeout::NONE)?;
                self.speak();
            }
            match self.listen()? {
                0 => return Ok(()),
                count => read += count,
            }
            if read > LEFT {
                return Ok(());
            }
        }
    }

    /// Our input has ended, which a program on a terminal learns by a key, ^D: so a shell at the end of a pipe ends as it would
    /// without a terminal. Where its terminal makes lines, the kernel makes an end of the key. A shell that edits its lines
    /// itself reads keys, and what the kernel made of this one before is none any more: it gets it once more then.
    fn end_input(&mut self) {
        if let Ok(mode) = tcgetattr(&self.master) {
            self.keys.waiting.push(mode.control_chars[SpecialCharacterIndices::VEOF as usize]);
            self.ended_unheard = mode.local_flags.contains(LocalFlags::ICANON);
        }
    }

    fn makes_lines(&self) -> bool {
        tcgetattr(&self.master).is_ok_and(|mode| mode.local_flags.contains(LocalFlags::ICANON))
    }

    /// Reads what the container says. Returns how much that was.
    fn listen(&mut self) -> Result<usize> {
        if !self.output.has_room() {
            return Ok(0);
        }
        let count = self.output.fill(&self.master)?;
        if self.unheard {
            self.output.waiting.clear();
        }
        if self.output.ended {
            // Nobody in there has the terminal any more. Our own may have its keys back: ^C is a signal again.
            self.keys = Flow { waiting: Vec::new(), ended: true };
            self.ended_unheard = false;
            self.raw = None;
        }
        Ok(count)
    }

    /// Writes what is waiting for our standard output.
    fn speak(&mut self) {
        if !self.output.waiting.is_empty() && !self.output.empty(&self.stdout) {
            self.unheard = true;
        }
    }
}

/// The size of our terminal: of the first of standard input, output and error that is one. `None`: there is none, or nobody
/// gave it a size.
pub fn ours() -> Option<Size> {
    let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    let ours = [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()];
    let (rows, columns) = ours.into_iter().find_map(|fd| sys::window_size(fd).ok())?;
    ((rows, columns) != (0, 0)).then_some(Size { rows, columns })
}

/// Gives the container's terminal, whose other end is `master`, the size of [`ours`]. Where it is gone, the size stays.
pub fn fit(master: BorrowedFd<'_>) {
    if let Some(Size { rows, columns }) = ours() {
        let _ = sys::set_window_size(master, rows, columns);
    }
}

/// Whether poll(2) has anything to tell about `fd`, an error or a hang-up too: a read or write tells which.
fn has_news(fd: BorrowedFd<'_>, wish: PollFlags, timeout: PollTimeout) -> Result<bool> {
    match poll(&mut [PollFd::new(fd, wish)], timeout) {
        Ok(count) => Ok(count > 0),
        Err(Errno::EINTR) => Ok(false),
        Err(errno) => Err(Error::refused("poll")(errno)),
    }
}
