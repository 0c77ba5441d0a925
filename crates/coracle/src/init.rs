//! What PID 1 does, from its birth to the program: one list, in the order in which things happen.

use std::ffi::CString;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;

use nix::errno::Errno;
use nix::sched::unshare;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;

use crate::channel::{Channel, Message};
use crate::error::{Error, Result};
use crate::explain::{self, Explain};
use crate::namespace::{self, Kind};
use crate::plan::Plan;
use crate::signal::Held;
use crate::{mount, program, reaper, rootfs, sys, user};

/// Carries out `plan` in the process that was just cloned for it. Never returns: it becomes the program, or ends.
///
/// `channel` is the conversation with the runtime until all is ready, `start` the listening start socket.
pub fn main(plan: &Plan, channel: Channel, start: UnixListener, held: &Held, explain: &Explain) -> ! {
    // Before anything that the container's config or files have a say in: an open directory of the host, ours or our
    // caller's, is a way out (CVE-2024-21626), and not only for the program: cwd may lead through it.
    let keep = [channel.as_fd(), start.as_fd(), held.as_fd()].into_iter().chain(explain.as_fd());
    if let Err(errno) = sys::close_all_but(&keep.collect::<Vec<_>>()) {
        give_up(
            &channel,
            Error::refused("close_range")(errno).with_cure(Errno::ENOSYS, "use Linux 5.10 or later"),
        );
    }
    let ready = set_up(plan, &channel, explain)
        .and_then(|file| Ok((file, wait_for_start(&channel, &start, explain)?)));
    let (file, started) = match ready {
        Ok(ready) => ready,
        Err(error) => give_up(&channel, error),
    };
    drop((channel, start));
    let started = if plan.reaper { stay_as_reaper(started, held, explain) } else { started };
    let Err(error) = program::execute(&plan.process, &file, &held.before, explain);
    give_up(&started, error)
}

/// Everything that is done before the container is called created. Returns the program's path.
fn set_up(plan: &Plan, channel: &Channel, explain: &Explain) -> Result<CString> {
    let new = &plan.namespaces;

    // 1. What only the runtime can do, from outside. Its death is the end of the conversation, and of us.
    if channel.receive()? != Some(Message::Go) {
        sys::exit_now(1);
    }

    // 2. The user namespace has a root now: be it. (The change of ids would undo 3.)
    if new.has(Kind::User) {
        explain.step(&explain::BECOME_ROOT, user::become_root)?;
    }

    // The caller's groups are not the container's.
    explain.step(&explain::GROUPS, user::drop_groups)?;

    // 3. A runtime in the foreground takes its container with it.
    explain.step(&explain::DIE_TOGETHER, || {
        set_pdeathsig(Signal::SIGKILL).map_err(Error::refused("prctl PR_SET_PDEATHSIG"))
    })?;

    // 4. The namespaces that waited for the mapping.
    let rest = namespace::after_mapping(new);
    if !rest.is_empty() {
        explain.step(&explain::UNSHARE, || unshare(rest).map_err(Error::refused("unshare")))?;
    }

    // 5. A name of its own.
    if let Some(hostname) = &plan.hostname {
        explain.step(&explain::HOSTNAME, || namespace::set_hostname(hostname))?;
    }

    // 6. Mounts: nothing of ours to the host; then the root filesystem, what is mounted in it, and into it.
    if new.has(Kind::Mount) {
        explain.step(&explain::PROPAGATION, rootfs::stop_propagation)?;
    }
    if let Some(path) = &plan.rootfs {
        let directory = rootfs::open_directory(path)?;
        let root = explain.step(&explain::BIND, || rootfs::bind(directory.as_fd()))?;
        drop(directory);
        if !plan.mounts.is_empty() {
            explain.step(&explain::MOUNTS, || {
                plan.mounts.iter().try_for_each(|one| mount::attach(root.as_fd(), one))
            })?;
        }
        explain.step(&explain::PIVOT, || rootfs::pivot_root(root.as_fd()))?;
    }

    // 7. Where the program starts, and which it is: seen from inside.
    explain.step(&explain::CWD, || program::enter(&plan.process.cwd))?;
    explain.step(&explain::FIND, || program::find(&plan.process.args[0], plan.process.search_path()))
}

/// Says that all is ready, and waits until somebody connects to the start socket. Returns that connection: it
/// closes by itself when execve works, and carries the error when it does not.
fn wait_for_start(channel: &Channel, start: &UnixListener, explain: &Explain) -> Result<Channel> {
    explain.step(&explain::WAIT_FOR_START, || {
        channel.send(&Message::Ready)?;
        let (connection, _) = start.accept().map_err(Error::io("accept on the start socket"))?;
        Ok(Channel::from_socket(connection.into()))
    })
}

/// With `--init`: stays as PID 1 to the end of the program. Returns only in the program's own process.
fn stay_as_reaper(started: Channel, held: &Held, explain: &Explain) -> Channel {
    match explain.step(&explain::REAPER, reaper::give_birth) {
        Ok(None) => started,
        Ok(Some(program)) => {
            // The program's copy is the one whose closing tells that execve worked.
            drop(started);
            sys::exit_now(reaper::look_after(&program, held).unwrap_or_else(|error| {
                // The runtime hears of nothing any more: this goes where the program's words go.
                eprintln!("coracle: error: {error}");
                1
            }))
        }
        Err(error) => give_up(&started, error),
    }
}

/// The end of an init that could not do its work.
fn give_up(to: &Channel, error: Error) -> ! {
    // Where nobody listens any more, there is nobody to tell.
    let _ = to.send(&Message::Failed(error.into()));
    sys::exit_now(1)
}
