//! CRIU, the program that writes a tree of processes to files and makes it again from them (criu(8), criu.org), and the
//! conversation with it.
//!
//! It is not ours: where it is missing, so are checkpoint and restore. `criu swrk FD` serves whoever holds the other end of the
//! socket FD: one request is one packet, one answer is one packet, and in between it tells of the stages it has come to.

pub(crate) mod external;
pub(crate) mod message;

use std::convert::Infallible;
use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sched::CloneFlags;
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{AccessFlags, access, dup2_stderr, dup2_stdin, dup2_stdout};
use prost::Message as _;

use crate::birth::Born;
use crate::channel::{self, Channel, Message};
use crate::error::{Error, Result};
use crate::sys::{self, Cloned};
use crate::{path, rootfs, signal};

use message::{NOTIFY, Notice, Options, Request, Response};

/// What CRIU logs: its errors and warnings, and what it does.
const LOG_LEVEL: i32 = 4;

/// How many of its errors are told; the last ones say where it gave up.
const MOST_ERRORS: usize = 5;

/// Its worker, which serves one request.
#[derive(Debug)]
pub struct Criu {
    worker: Born,
    channel: Channel,
}

/// What the worker is, beyond CRIU.
#[derive(Debug)]
pub struct Place<'a> {
    /// The new namespaces it is born in.
    pub flags: CloneFlags,
    /// The folder of the control group it is born in.
    pub cgroup: Option<BorrowedFd<'a>>,
    /// The signals that it holds back: those of our caller.
    pub mask: Option<&'a SigSet>,
    /// Descriptors that it keeps, under their numbers.
    pub keep: Vec<BorrowedFd<'a>>,
    /// Whether it keeps standard input, output and error, for those it makes again.
    pub stdio: bool,
}

/// Where CRIU is: a path, or a name that is looked for in PATH.
///
/// # Errors
/// `ENOENT`, with what to install.
pub fn find(name: &Path) -> Result<PathBuf> {
    let failed = || {
        Error::refused(format!("find the program {}", name.display()))(Errno::ENOENT).with_cure(
            Errno::ENOENT,
            "checkpoint and restore are CRIU's work: install the package criu, or give its path: --criu FILE before the verb",
        )
    };
    let is_program = |file: &PathBuf| file.is_file() && access(file, AccessFlags::X_OK).is_ok();
    if name.components().count() > 1 {
        return Some(name.to_owned()).filter(is_program).ok_or_else(failed);
    }
    let search = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&search).map(|folder| folder.join(name)).find(is_program).ok_or_else(failed)
}

impl Criu {
    /// Starts the worker of the program `file` at `place`; it has done `first` when this returns.
    ///
    /// # Errors
    /// Those of clone3(2) and of `first`.
    pub fn start(file: &Path, place: &Place<'_>, first: impl FnOnce() -> Result<()>) -> Result<Criu> {
        let file = path::c_string(file)?;
        let (ours, theirs) = channel::pair()?;
        let worker =
            match sys::clone3(place.flags, place.cgroup).map_err(Error::refused("clone3 for criu"))? {
                Cloned::Child => {
                    // Where nobody listens any more, there is nobody to tell.
                    let _ = match first() {
                        Ok(()) => theirs.send(&Message::Ready).and_then(|()| {
                            let Err(error) = become_criu(&file, place, theirs.as_fd());
                            let said = Response { error: Some(error.to_string()), ..Response::default() };
                            theirs.send_packet(&said.encode_to_vec(), None)
                        }),
                        Err(error) => theirs.send(&Message::Failed(error.into())),
                    };
                    sys::exit_now(127)
                }
                Cloned::Parent { pid, pidfd } => Born { pid, pidfd },
            };
        drop(theirs);
        let word = ours.receive();
        if let Ok(Some(Message::Ready)) = word {
            return Ok(Criu { worker, channel: ours });
        }
        worker.reap()?;
        match word? {
            Some(Message::Failed(failure)) => Err(Error::Init(failure)),
            _ => Err(Error::InitDied),
        }
    }

    /// Its number.
    pub fn pid(&self) -> nix::unistd::Pid {
        self.worker.pid
    }

    /// The folder `path` as it is in the worker's mount namespace: CRIU mounts below its folders, and in nobody else's
    /// namespace it may.
    ///
    /// # Errors
    /// Those of open(2).
    pub fn folder(&self, path: &Path) -> Result<OwnedFd> {
        // A symlink on the way would lead back to our own.
        let real = path.canonicalize().map_err(Error::io(format!("find {}", path.display())))?;
        let inside = real.strip_prefix("/").unwrap_or(&real);
        rootfs::open_directory(&Path::new(&format!("/proc/{}/root", self.worker.pid)).join(inside))
    }

    /// Lets it do what `kind` says, with `options`, and waits for its end. At each stage `on` is called with the stage and the
    /// descriptor that came with it; an error of that ends the work. `work` is the folder where it logs to `log`.
    ///
    /// # Errors
    /// [`Error::Criu`] with what it says; those of `on`.
    pub(crate) fn ask(
        self,
        verb: Verb,
        options: Options,
        work: &Path,
        mut on: impl FnMut(&Notice, Option<OwnedFd>) -> Result<()>,
    ) -> Result<()> {
        let log = work.join(verb.log());
        let options = Options {
            log_level: Some(LOG_LEVEL),
            log_file: Some(verb.log().to_owned()),
            notify: Some(true),
            orphan_terminal: Some(true),
            ..options
        };
        let asked = self.say(&Request { kind: verb.kind(), options: Some(options), go_on: None });
        let answer = asked.and_then(|()| self.hear(&mut on));
        // Its end closes the log, which then is whole.
        self.channel.hang_up();
        self.worker.reap()?;
        match answer? {
            Some(Response { success: true, .. }) => Ok(()),
            other => {
                let word = other.and_then(|response| response.error).unwrap_or_default();
                Err(Error::Criu { verb: verb.name(), said: said(&log, &word), log })
            }
        }
    }

    fn say(&self, request: &Request) -> Result<()> {
        match self.channel.send_packet(&request.encode_to_vec(), None) {
            // It has ended: why is still to be heard.
            Err(error) if error.errno() == Some(Errno::EPIPE) => Ok(()),
            other => other,
        }
    }

    /// Waits for its answer; `None`: it has ended without one.
    fn hear(&self, on: &mut impl FnMut(&Notice, Option<OwnedFd>) -> Result<()>) -> Result<Option<Response>> {
        let mut first = Ok(());
        loop {
            let Some((packet, descriptor)) = self.channel.receive_packet()? else {
                return first.map(|()| None);
            };
            let response = Response::decode(packet.as_slice())
                .map_err(|_| Error::refused("understand criu")(Errno::EPROTO))?;
            if response.kind != NOTIFY {
                return first.map(|()| Some(response));
            }
            let done = on(&response.notice.unwrap_or_default(), descriptor);
            self.say(&Request { kind: NOTIFY, go_on: Some(done.is_ok()), options: None })?;
            first = first.and(done);
        }
    }
}

/// What CRIU is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// To write processes to files.
    Dump,
    /// To write their memory, before a dump.
    PreDump,
    /// To make them again.
    Restore,
}

impl Verb {
    fn kind(self) -> i32 {
        match self {
            Verb::Dump => message::DUMP,
            Verb::PreDump => message::PRE_DUMP,
            Verb::Restore => message::RESTORE,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Verb::Dump | Verb::PreDump => "checkpoint",
            Verb::Restore => "restore",
        }
    }

    /// Engines look for these files.
    fn log(self) -> &'static str {
        match self {
            Verb::Dump | Verb::PreDump => "dump.log",
            Verb::Restore => "restore.log",
        }
    }
}

fn become_criu(file: &CString, place: &Place<'_>, socket: BorrowedFd<'_>) -> Result<Infallible> {
    if !place.stdio {
        let null = std::fs::File::options().read(true).write(true).open("/dev/null");
        let null = null.map_err(Error::io("open /dev/null"))?;
        dup2_stdin(&null)
            .and_then(|()| dup2_stdout(&null))
            .and_then(|()| dup2_stderr(&null))
            .map_err(Error::refused("dup2 of /dev/null"))?;
    }
    let keep: Vec<_> = place.keep.iter().copied().chain([socket]).collect();
    sys::close_all_but(&keep, 0).map_err(Error::refused("close_range"))?;
    for descriptor in keep {
        fcntl(descriptor, FcntlArg::F_SETFD(FdFlag::empty())).map_err(Error::refused("fcntl"))?;
    }
    sys::default_action(Signal::SIGPIPE).map_err(Error::refused("sigaction SIGPIPE"))?;
    place.mask.map_or(Ok(()), signal::release)?;
    let number = CString::new(socket.as_raw_fd().to_string()).expect("digits");
    nix::unistd::execv(file, &[c"criu".into(), c"swrk".into(), number])
        .map_err(Error::refused(format!("execve {}", file.to_string_lossy())))
}

/// What CRIU says went wrong: its last errors in the log, or else its `word`. That a helper of it ended with an error is said
/// with each of them, and tells nothing.
fn said(log: &Path, word: &str) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let mut errors: Vec<&str> = Vec::new();
    for line in text.lines() {
        let told = line.split_once("Error (").and_then(|(_, rest)| rest.split_once("): "));
        if let Some((_, what)) = told
            && !what.starts_with("exited, status")
            && !errors.contains(&what)
        {
            errors.push(what);
        }
    }
    match &errors[errors.len().saturating_sub(MOST_ERRORS)..] {
        [] if word.is_empty() => "it ended without a word".to_owned(),
        [] => word.trim().to_owned(),
        last => last.join("; "),
    }
}

/// Makes a folder for CRIU, where it is missing.
///
/// # Errors
/// Those of mkdir(2).
pub fn make_folder(path: &Path) -> Result<()> {
    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(Error::io(format!("mkdir {}", path.display()))(error))
        }
        _ => Ok(()),
    }
}

/// The name of a text file beside the images: what standard input, output and error were (runc has the same).
pub const DESCRIPTORS: &str = "descriptors.json";

/// The option `--empty-ns`: namespaces that are made anew and not filled.
///
/// # Errors
/// [`Error::Usage`] for one that CRIU can't leave empty.
pub fn empty_namespaces(names: &[String]) -> Result<Option<u32>> {
    let mut flags = CloneFlags::empty();
    for name in names {
        match name.as_str() {
            "network" => flags |= CloneFlags::CLONE_NEWNET,
            _ => {
                return Err(Error::Usage {
                    problem: format!("--empty-ns {name}: only network can be left empty"),
                });
            }
        }
    }
    Ok((!flags.is_empty()).then_some(flags.bits() as u32))
}

/// How CRIU treats control groups: the proto's `criu_cg_mode`, by runc's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum CgroupsMode {
    /// Leaves them alone.
    Ignore,
    /// Makes those that are missing, with their limits.
    Soft,
    /// Makes them, and sets their limits.
    Full,
    /// As full, and none may be there before.
    Strict,
}

impl CgroupsMode {
    /// CRIU's number of it.
    pub fn number(self) -> i32 {
        match self {
            CgroupsMode::Ignore => 0,
            CgroupsMode::Soft => 3,
            CgroupsMode::Full => 4,
            CgroupsMode::Strict => 5,
        }
    }
}

/// For paths in CRIU's words, which are text.
pub fn text(path: &(impl AsRef<OsStr> + ?Sized)) -> String {
    path.as_ref().to_string_lossy().into_owned()
}
