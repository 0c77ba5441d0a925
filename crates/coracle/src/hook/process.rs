//! One hook's process: from its birth to its end, whatever it does with its input and its output.

use std::convert::Infallible;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc::{CLD_EXITED, SIGKILL};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::CloneFlags;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, killpg};
use nix::sys::stat::umask;
use nix::unistd::{
    Pid, chdir, dup2_stderr, dup2_stdin, dup2_stdout, execve, fchdir, pipe2, read, setpgid, write,
};

use super::{Folder, Hook, Place, Until};
use crate::error::{Error, Result};
use crate::seccomp::load;
use crate::signal;
use crate::sys::{self, ChildEnd, Cloned, Whose};

/// How much of the end of what a hook says its failure tells, in bytes of each stream.
const MOST: usize = 1024;

/// How often what is left in a pipe is read after the end: one that its children still fill has no end.
const LAST_READS: usize = 32;

/// Runs `hook` to its end. The inner error is what is wrong with it, in words.
///
/// # Errors
/// [`Error::Interrupted`]; [`Error::InitDied`] where the runtime is gone; those of making a process and waiting.
pub(super) fn run(hook: &Hook, state: &[u8], place: &Place<'_>) -> Result<Result<(), String>> {
    // Where our caller ignores it, which execve keeps, the kernel buries our children before we can ask.
    sys::default_action(Signal::SIGCHLD).map_err(Error::refused("sigaction SIGCHLD"))?;
    let mut child = Child::of(hook, place)?;
    let outcome = child.accompany(hook, state, place.until);
    if !matches!(outcome, Ok(Outcome::Ended)) {
        child.kill();
    }
    let end = child.bury()?;
    let failed = |words: String| Ok(Err(format!("{words}{}", child.last_words())));
    match outcome? {
        Outcome::Interrupted(signal) => Err(Error::interrupted(signal)),
        Outcome::Alone => Err(Error::InitDied),
        Outcome::TimedOut => {
            let seconds = hook.timeout.unwrap_or_default().as_secs();
            failed(format!("ran past its timeout of {seconds} s, and was killed"))
        }
        Outcome::Ended => match (child.not_executed(), end) {
            (Some(errno), _) => Ok(Err(format!("execve: {} ({errno:?})", errno.desc().to_lowercase()))),
            (None, ChildEnd { code: CLD_EXITED, status: 0, .. }) => Ok(Ok(())),
            (None, ChildEnd { code: CLD_EXITED, status, .. }) => failed(format!("exit status {status}")),
            (None, ChildEnd { status, .. }) => failed(format!("killed by signal {status}")),
        },
    }
}

/// What became of the waiting.
enum Outcome {
    Ended,
    TimedOut,
    /// We were told to end by this signal.
    Interrupted(i32),
    /// The runtime is gone.
    Alone,
}

/// A hook that runs.
struct Child {
    pid: Pid,
    pidfd: OwnedFd,
    /// Until all is written.
    input: Option<OwnedFd>,
    output: Stream,
    errors: Stream,
    /// By this it tells why it could not be executed; its end is close-on-exec.
    report: OwnedFd,
}

impl Child {
    fn of(hook: &Hook, place: &Place<'_>) -> Result<Child> {
        let (stdin, input) = pipe()?;
        let (output, stdout) = pipe()?;
        let (errors, stderr) = pipe()?;
        let (report, tell) = pipe()?;
        // Nothing may fail between its birth and our looking after it.
        for ours in [&input, &output, &errors, &report] {
            fcntl(ours, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(Error::refused("fcntl"))?;
        }
        match sys::clone3(CloneFlags::empty(), None).map_err(Error::refused("clone3 for a hook"))? {
            Cloned::Child => {
                let Err(errno) = become_hook(hook, place, [&stdin, &stdout, &stderr], &tell);
                let _ = write(&tell, &(errno as i32).to_ne_bytes());
                sys::exit_now(127)
            }
            Cloned::Parent { pid, pidfd } => {
                // From both sides, so that it is done whoever comes first.
                let _ = setpgid(pid, pid);
                Ok(Child {
                    pid,
                    pidfd,
                    input: Some(input),
                    output: Stream::of(output),
                    errors: Stream::of(errors),
                    report,
                })
            }
        }
    }

    /// Gives it the state and takes what it says, until it has ended, or something else has come: a hook that never reads,
    /// and one that says more than a pipe holds, are not waited for at the pipe.
    fn accompany(&mut self, hook: &Hook, state: &[u8], until: Until<'_>) -> Result<Outcome> {
        let end = hook.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut left = state;
        loop {
            let patience = match end.map(|end| end.saturating_duration_since(Instant::now())) {
                None => PollTimeout::NONE,
                Some(left) if left.is_zero() => return Ok(Outcome::TimedOut),
                // Rounded up, or the last millisecond would be spent in a loop; the longest is 24 days, and then again.
                Some(left) => PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX),
            };
            if self.sleep(until, patience)? {
                return Ok(Outcome::Ended);
            }
            if let Some(outcome) = told_to_end(until)? {
                return Ok(outcome);
            }
            self.feed(&mut left);
            self.output.take();
            self.errors.take();
        }
    }

    /// Sleeps until there is news. Returns whether it has ended.
    fn sleep(&self, until: Until<'_>, patience: PollTimeout) -> Result<bool> {
        let mut news = vec![PollFd::new(self.pidfd.as_fd(), PollFlags::POLLIN)];
        match until {
            Until::End => {}
            Until::Signal(held) => news.push(PollFd::new(held.as_fd(), PollFlags::POLLIN)),
            // That the other side is gone is told unasked.
            Until::Silence(socket) => news.push(PollFd::new(socket, PollFlags::empty())),
        }
        let input = self.input.iter().map(|input| PollFd::new(input.as_fd(), PollFlags::POLLOUT));
        let outputs = [&self.output, &self.errors].into_iter().filter_map(|stream| stream.from.as_ref());
        news.extend(input.chain(outputs.map(|from| PollFd::new(from.as_fd(), PollFlags::POLLIN))));
        match poll(&mut news, patience) {
            Ok(_) => Ok(news[0].any().unwrap_or(false)),
            Err(Errno::EINTR) => Ok(false),
            Err(errno) => Err(Error::refused("poll")(errno)),
        }
    }

    fn feed(&mut self, left: &mut &[u8]) {
        let Some(input) = &self.input else { return };
        match write(input, left) {
            Ok(written) => *left = &left[written..],
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            // It does not want to know: that is its own business.
            Err(_) => *left = &[],
        }
        if left.is_empty() {
            self.input = None;
        }
    }

    /// Ends it, and those that it has started and not sent away.
    fn kill(&self) {
        // Not buried yet: nobody else has its number. It may have ended by itself.
        let _ = killpg(self.pid, Signal::SIGKILL);
        let _ = sys::pidfd_send_signal(self.pidfd.as_fd(), SIGKILL);
    }

    /// Takes its end, and what it said last.
    fn bury(&mut self) -> Result<ChildEnd> {
        sys::wait_until_ended(self.pidfd.as_fd()).map_err(Error::refused("poll"))?;
        for _ in 0..LAST_READS {
            self.output.take();
            self.errors.take();
        }
        let end = sys::wait(Whose::Pidfd(self.pidfd.as_fd())).map_err(Error::refused("waitid"))?;
        end.ok_or_else(|| Error::refused("waitid: somebody else took the end of a hook")(Errno::ECHILD))
    }

    /// Why it could not be executed, if it could not.
    fn not_executed(&self) -> Option<Errno> {
        let mut errno = [0; 4];
        matches!(read(&self.report, &mut errno), Ok(4)).then(|| Errno::from_raw(i32::from_ne_bytes(errno)))
    }

    fn last_words(&self) -> String {
        format!("{}{}", self.output.words("stdout"), self.errors.words("stderr"))
    }
}

/// What one of its outputs says.
struct Stream {
    from: Option<OwnedFd>,
    /// Its end.
    said: Vec<u8>,
}

impl Stream {
    fn of(from: OwnedFd) -> Stream {
        Stream { from: Some(from), said: Vec::new() }
    }

    /// Takes what is there, and never waits.
    fn take(&mut self) {
        let Some(from) = &self.from else { return };
        let mut part = [0; 8192];
        match read(from, &mut part) {
            Ok(0) => self.from = None,
            Ok(length) => {
                self.said.extend_from_slice(&part[..length]);
                let too_many = self.said.len().saturating_sub(MOST);
                self.said.drain(..too_many);
            }
            Err(_) => {}
        }
    }

    /// For an error, which is one line.
    fn words(&self, name: &str) -> String {
        let text = String::from_utf8_lossy(&self.said);
        let text = text.trim().replace('\n', "\\n").replace('\r', "");
        if text.is_empty() { text } else { format!(", {name}: {text}") }
    }
}

/// Whether somebody wants us to end.
fn told_to_end(until: Until<'_>) -> Result<Option<Outcome>> {
    match until {
        Until::End => Ok(None),
        Until::Signal(held) => Ok(held.end()?.map(Outcome::Interrupted)),
        Until::Silence(socket) => {
            let mut news = [PollFd::new(socket, PollFlags::empty())];
            poll(&mut news, PollTimeout::ZERO).map_err(Error::refused("poll"))?;
            Ok(news[0].any().unwrap_or(false).then_some(Outcome::Alone))
        }
    }
}

/// Both ends of a pipe: the one to read from, the one to write to. Both are close-on-exec.
fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    pipe2(OFlag::O_CLOEXEC).map_err(Error::refused("pipe2 for a hook"))
}

/// What the new process does: it keeps nothing of ours, and becomes the hook. It dies with us, for it works on a container
/// that then is no more.
fn become_hook(
    hook: &Hook,
    place: &Place<'_>,
    [stdin, stdout, stderr]: [&OwnedFd; 3],
    tell: &OwnedFd,
) -> nix::Result<Infallible> {
    let _ = setpgid(Pid::from_raw(0), Pid::from_raw(0));
    set_pdeathsig(Signal::SIGKILL)?;
    dup2_stdin(stdin)?;
    dup2_stdout(stdout)?;
    dup2_stderr(stderr)?;
    match place.folder {
        Folder::Here => {}
        Folder::Path(path) => drop(chdir(path)),
        Folder::Open(folder) => fchdir(folder)?,
    }
    if let Some(mask) = place.umask {
        umask(mask);
    }
    let supervised = place.filter.map(|(_, to)| to.as_fd());
    let keep: Vec<BorrowedFd<'_>> = supervised.into_iter().chain([tell.as_fd()]).collect();
    sys::close_all_but(&keep, 0)?;
    sys::default_action(Signal::SIGPIPE)?;
    if let Some(mask) = place.mask {
        // Only its errno counts here.
        signal::release(mask).map_err(|error| error.errno().unwrap_or(Errno::EINVAL))?;
    }
    if let Some((filter, to)) = place.filter {
        // Last of all: only the hook's own calls are the filter's business.
        load::enter(filter, to).map_err(|error| error.errno().unwrap_or(Errno::EIO))?;
    }
    execve(&hook.path, &hook.args, &hook.env)
}
