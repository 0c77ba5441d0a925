//! The one thing the probe can be asked to do, and how its outcome is told.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::mount::MsFlags;
use nix::sys::signal::kill;
use nix::sys::stat::{Mode, mkdirat};
use nix::sys::wait::waitpid;
use nix::unistd::{self, Pid, UnlinkatFlags};

use crate::report::{Did, Note};
use crate::{sys, world};

/// How much of a file is told.
const EXCERPT: u64 = 4096;

/// How long PID 1 has to reap an orphan.
const REAPED_WITHIN: Duration = Duration::from_secs(2);

/// A step that the kernel refused.
struct Refused {
    errno: Errno,
    step: &'static str,
}

/// Names the step that an error belongs to.
trait Step<T> {
    fn step(self, step: &'static str) -> Result<T, Refused>;
}

impl<T> Step<T> for nix::Result<T> {
    fn step(self, step: &'static str) -> Result<T, Refused> {
        self.map_err(|errno| Refused { errno, step })
    }
}

impl<T> Step<T> for std::io::Result<T> {
    fn step(self, step: &'static str) -> Result<T, Refused> {
        // An error without a number comes from the library's own check of the argument.
        self.map_err(|error| Refused {
            errno: error.raw_os_error().map_or(Errno::EINVAL, Errno::from_raw),
            step,
        })
    }
}

/// An action that is asked for and can't fail.
pub(crate) fn done(action: &str) -> Did {
    Did { action: action.into(), ok: true, ..Did::default() }
}

fn told(action: &str, outcome: Result<Did, Refused>) -> Did {
    outcome.map(|did| Did { action: action.into(), ok: true, ..did }).unwrap_or_else(|refused| Did {
        action: action.into(),
        errno: Some(format!("{:?}", refused.errno)),
        detail: Some(refused.step.into()),
        ..Did::default()
    })
}

/// Makes or overwrites a file.
pub(crate) fn write(path: &Path, text: &[u8]) -> Did {
    told("write", fs::write(path, text).step("write").map(|()| Did::default()))
}

/// Adds a line to a file: what was on standard input, and the world.
pub(crate) fn note(path: &Path, name: String) -> Did {
    let note = || -> Result<Did, Refused> {
        // Looked at first: a file of our own is none of the world's.
        let mut note = Note { name, input: String::new(), report: world::look(None) };
        std::io::stdin().read_to_string(&mut note.input).step("read standard input")?;
        let line = serde_json::to_string(&note).expect("a note is plain data with string keys") + "\n";
        let mut file = fs::File::options().append(true).create(true).open(path).step("open")?;
        // One call: lines of several writers stay whole.
        file.write_all(line.as_bytes()).step("write")?;
        Ok(Did::default())
    };
    told("note", note())
}

/// Opens a file for reading and tells how it begins.
pub(crate) fn read(path: &Path) -> Did {
    told("open", excerpt(path).map(|text| Did { detail: Some(text), ..Did::default() }))
}

fn excerpt(path: &Path) -> Result<String, Refused> {
    // A pipe without a writer must not hold the probe up, a terminal must not become its own.
    let flags = nix::libc::O_NONBLOCK | nix::libc::O_NOCTTY;
    let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(path).step("open")?;
    let mut bytes = Vec::new();
    match file.take(EXCERPT).read_to_end(&mut bytes).step("read") {
        // Opened, and there is nothing to read: a directory, a silent terminal.
        Err(refused) if ![Errno::EISDIR, Errno::EAGAIN].contains(&refused.errno) => Err(refused),
        _ => Ok(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

/// Makes a directory.
pub(crate) fn mkdir(path: &Path) -> Did {
    told("mkdir", fs::create_dir(path).step("mkdir").map(|()| Did::default()))
}

/// Tells the names in a directory, one a line, sorted.
pub(crate) fn list(path: &Path) -> Did {
    let names = fs::read_dir(path).step("opendir").and_then(|all| {
        let name = |entry: std::io::Result<fs::DirEntry>| {
            entry.map(|entry| entry.file_name().to_string_lossy().into_owned())
        };
        all.map(name).collect::<std::io::Result<Vec<_>>>().step("readdir")
    });
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names.join("\n")
    };
    told("list", names.map(|names| Did { detail: Some(sorted(names)), ..Did::default() }))
}

/// Mounts a file or directory, with all mounts below it, at a second place.
pub(crate) fn bind(source: &Path, target: &Path) -> Did {
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    let mounted = nix::mount::mount(Some(source), target, None::<&str>, flags, None::<&str>);
    told("bind", mounted.step("mount").map(|()| Did::default()))
}

/// Mounts a file system that needs no device; its source bears its type's name.
pub(crate) fn mount(fstype: &str, target: &Path) -> Did {
    let mounted = nix::mount::mount(Some(fstype), target, Some(fstype), MsFlags::empty(), None::<&str>);
    told("mount", mounted.step("mount").map(|()| Did::default()))
}

/// Makes a raw system call.
pub(crate) fn syscall(number: i64, args: [i64; 6]) -> Did {
    told(
        "syscall",
        sys::syscall(number, args).step("syscall").map(|value| Did { value: Some(value), ..Did::default() }),
    )
}

/// Makes a raw system call of i386.
pub(crate) fn syscall32(number: i64, args: [i64; 6]) -> Did {
    let made = sys::syscall32(number, args).step("syscall32");
    told("syscall32", made.map(|value| Did { value: Some(value), ..Did::default() }))
}

/// Sleeps.
pub(crate) fn sleep(time: Duration) -> Did {
    std::thread::sleep(time);
    done("sleep")
}

/// Counts ten times a second, in memory alone, and writes each number over the one before. Ends where it can't.
pub(crate) fn count(path: &Path) {
    for number in 1_u64.. {
        // Not emptied: who reads it sees the one number or the other.
        let file = fs::File::options().write(true).create(true).truncate(false).open(path);
        if file.and_then(|mut file| file.write_all(number.to_string().as_bytes())).is_err() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Takes that many megabytes of memory and writes to every page.
pub(crate) fn alloc(megabytes: usize) -> Did {
    let outcome = fill(megabytes).ok_or(Errno::ENOMEM).step("alloc");
    told("alloc", outcome.map(|()| Did { value: i64::try_from(megabytes).ok(), ..Did::default() }))
}

/// `None` where it was not to be had.
pub(crate) fn fill(megabytes: usize) -> Option<()> {
    static CHUNK: [u8; 1 << 16] = [1; 1 << 16];
    let bytes = megabytes.checked_mul(1 << 20)?;
    let mut memory = Vec::new();
    memory.try_reserve_exact(bytes).ok()?;
    while memory.len() < bytes {
        memory.extend_from_slice(&CHUNK);
    }
    // Else an optimised build may leave the memory out.
    std::hint::black_box(&memory);
    Some(())
}

/// Makes that many children that live at once, then ends them. `value` is their number even where it fell short.
pub(crate) fn fork(wanted: u64) -> Did {
    let mut children = Vec::new();
    let outcome = fork_all(wanted, &mut children);
    for child in &children {
        // Nothing to reap where SIGCHLD is ignored.
        let _ = waitpid(*child, None);
    }
    Did { value: i64::try_from(children.len()).ok(), ..told("fork", outcome.map(|()| Did::default())) }
}

fn fork_all(wanted: u64, children: &mut Vec<Pid>) -> Result<(), Refused> {
    // The children live until nobody holds the writing end: not even a probe that is killed leaves them behind.
    let (reader, writer) = unistd::pipe2(OFlag::O_CLOEXEC).step("pipe")?;
    for _ in 0..wanted {
        let child = sys::fork(|| {
            let _ = unistd::close(writer.as_raw_fd());
            let _ = unistd::read(&reader, &mut [0]);
            0
        });
        children.push(child.step("fork")?);
    }
    Ok(())
}

/// Leaves so many orphans behind that end together, and looks whether PID 1 reaps them all.
pub(crate) fn orphan(count: u32) -> Did {
    told("orphan", reaped(count).map(|reaped| Did { reaped: Some(reaped), ..Did::default() }))
}

fn reaped(count: u32) -> Result<bool, Refused> {
    let (news, announce) = unistd::pipe2(OFlag::O_CLOEXEC).step("pipe")?;
    let (released, hold) = unistd::pipe2(OFlag::O_CLOEXEC).step("pipe")?;
    let parent = sys::fork(|| {
        let _ = unistd::close(hold.as_raw_fd());
        // Only once its parent is gone: a child that ends before it was an orphan would prove less.
        for _ in 0..count {
            let orphan = sys::fork(|| {
                let _ = unistd::read(&released, &mut [0]);
                0
            });
            let news = orphan.map_or_else(|errno| -(errno as i32), Pid::as_raw);
            let _ = unistd::write(&announce, &news.to_ne_bytes());
        }
        0
    })
    .step("fork")?;
    drop(announce);
    let mut orphans = Vec::new();
    for _ in 0..count {
        let mut pid = [0; size_of::<i32>()];
        let announced = unistd::read(&news, &mut pid);
        orphans.push(match i32::from_ne_bytes(pid) {
            _ if announced != Ok(pid.len()) => return Err(Refused { errno: Errno::ECHILD, step: "fork" }),
            errno if errno < 0 => return Err(Refused { errno: Errno::from_raw(-errno), step: "fork twice" }),
            pid => Pid::from_raw(pid),
        });
    }
    let _ = waitpid(parent, None);
    drop(hold);

    // No event tells that somebody else's child was reaped; a process that ended but was not can still be signalled.
    let deadline = Instant::now() + REAPED_WITHIN;
    while orphans.iter().any(|orphan| kill(*orphan, None) != Err(Errno::ESRCH)) {
        if Instant::now() > deadline {
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(true)
}

/// The classic escape from a chroot: a process whose working directory lies outside its root climbs as high as it likes.
/// It works where only chroot(2) shuts the process in, and not where pivot_root(2) took the old root away.
pub(crate) fn escape(canary: &Path) -> Did {
    told("escape", climb(canary).map(|text| Did { detail: Some(text), ..Did::default() }))
}

fn climb(canary: &Path) -> Result<String, Refused> {
    let outside = open(".", OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty()).step("open .")?;
    let made = format!(".escape-{}", unistd::getpid());
    // Any folder below will do as the smaller root; where nothing can be written, one that is there.
    let name = match mkdirat(&outside, made.as_str(), Mode::S_IRWXU) {
        Err(Errno::EROFS | Errno::EACCES) => folder_here().ok_or(Errno::ENOENT).step("find a folder")?,
        result => result.map(|()| made.clone()).step("mkdir")?,
    };
    let read = (|| {
        unistd::chroot(name.as_str()).step("chroot")?;
        unistd::fchdir(&outside).step("fchdir")?;
        // Above the uppermost directory there is only itself, so too many do no harm.
        for _ in 0..64 {
            unistd::chdir("..").step("chdir ..")?;
        }
        unistd::chroot(".").step("chroot .")?;
        excerpt(canary)
    })();
    let _ = unistd::unlinkat(&outside, made.as_str(), UnlinkatFlags::RemoveDir);
    read
}

/// The name of a folder in the working directory.
fn folder_here() -> Option<String> {
    let entries = std::fs::read_dir(".").ok()?.flatten();
    let mut folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.find_map(|entry| entry.file_name().into_string().ok())
}
