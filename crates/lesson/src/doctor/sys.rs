//! The one attempt that counts: a child process really asks the kernel for all a container needs.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::Mode;
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, chdir, fork, pipe2, pivot_root, sethostname};

use super::facts::{Refusal, Step, Trial};

/// Tries a container's first steps in a child that ends at once and leaves nothing.
///
/// With `user_namespace`, they begin in one that maps the caller to root, as an ordinary user's container does.
///
/// # Errors
/// Fails where the attempt itself could not be made; a refusal by the kernel is a result.
pub(super) fn attempt(user_namespace: bool) -> io::Result<Trial> {
    // All that allocates comes before the fork: the child of a process with threads must not.
    let map = |id: u32| format!("0 {id} 1");
    let ids =
        user_namespace.then(|| [map(nix::unistd::geteuid().as_raw()), map(nix::unistd::getegid().as_raw())]);
    let (read, write) = pipe2(OFlag::O_CLOEXEC)?;
    // SAFETY: the child makes system calls on data made above, allocates nothing and ends by _exit.
    match unsafe { fork() }? {
        ForkResult::Child => {
            drop(read);
            report(&write, namespaces(ids.as_ref(), &write));
            quit()
        }
        ForkResult::Parent { child } => {
            drop(write);
            let mut answer = Vec::new();
            File::from(read).read_to_end(&mut answer)?;
            waitpid(child, None)?;
            decode(&answer)
        }
    }
}

/// Enters the namespaces; the rest belongs to the first process inside them, which reports for itself.
fn namespaces(ids: Option<&[String; 2]>, out: &OwnedFd) -> Trial {
    if let Some([uid, gid]) = ids {
        unshare(CloneFlags::CLONE_NEWUSER).map_err(at(Step::UserNamespace))?;
        let files =
            [("/proc/self/setgroups", "deny"), ("/proc/self/uid_map", uid), ("/proc/self/gid_map", gid)];
        for (path, text) in files {
            write(path, text).map_err(at(Step::IdMap))?;
        }
    }
    let flags = CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWNS;
    unshare(flags).map_err(at(Step::Namespaces))?;
    // SAFETY: this process has one thread, and the child is as modest as its parent.
    match unsafe { fork() }.map_err(at(Step::Fork))? {
        ForkResult::Child => {
            report(out, inside());
            quit()
        }
        ForkResult::Parent { child } => {
            let _ = waitpid(child, None);
            quit()
        }
    }
}

/// What PID 1 of a container does before its program runs. The mounts end with its mount namespace.
fn inside() -> Trial {
    const NONE: Option<&str> = None;
    sethostname("coracle").map_err(at(Step::Hostname))?;
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_SLAVE, NONE).map_err(at(Step::Propagation))?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), flags, NONE).map_err(at(Step::Proc))?;
    // Any directory would do as the new root; /proc is the one that must be there.
    mount(Some("tmpfs"), "/proc", Some("tmpfs"), flags, NONE).map_err(at(Step::Mount))?;
    chdir("/proc").and_then(|()| pivot_root(".", ".")).map_err(at(Step::PivotRoot))
}

fn at(step: Step) -> impl Fn(Errno) -> Refusal {
    move |errno| Refusal { step, errno }
}

/// One open, one write: the kernel takes an id map in a single call.
fn write(path: &str, text: &str) -> Result<(), Errno> {
    let flags = OFlag::O_WRONLY | OFlag::O_CLOEXEC;
    let fd = nix::fcntl::open(path, flags, Mode::empty())?;
    nix::unistd::write(&fd, text.as_bytes()).map(drop)
}

/// Five bytes: the step, and the errno; step 255 is success.
fn report(out: &OwnedFd, trial: Trial) {
    let (step, errno) = match trial {
        Ok(()) => (u8::MAX, 0),
        Err(refusal) => (refusal.step as u8, refusal.errno as i32),
    };
    let mut message = [step; 5];
    message[1..].copy_from_slice(&errno.to_le_bytes());
    let _ = nix::unistd::write(out, &message);
}

fn decode(answer: &[u8]) -> io::Result<Trial> {
    let [step, errno @ ..] = answer else {
        return Err(io::Error::other("the attempt at a container ended without a word"));
    };
    let errno = errno.try_into().map(i32::from_le_bytes).map_err(io::Error::other)?;
    Ok(match Step::ALL.get(usize::from(*step)) {
        None => Ok(()),
        Some(&step) => Err(Refusal { step, errno: Errno::from_raw(errno) }),
    })
}

/// Ends the child with none of the parent's exit handlers and unwritten buffers.
fn quit() -> ! {
    // SAFETY: _exit takes a plain integer and does not return.
    unsafe { nix::libc::_exit(0) }
}
