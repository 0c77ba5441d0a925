//! Events: what a container uses, and when it is out of memory, a line of JSON each, in the words of runc's `events`.

use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::Serialize;

use crate::cgroup::{self, OomWatch};
use crate::error::{Error, Result};
use crate::intel_rdt;
use crate::lifecycle::{self, Status};
use crate::state::{Dir, State};

/// A line.
#[derive(Debug, Serialize)]
struct Event<'a> {
    r#type: &'a str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Data>,
}

#[derive(Debug, Serialize)]
struct Data {
    #[serde(flatten)]
    cgroup: cgroup::Stats,
    intel_rdt: intel_rdt::Stats,
    /// runc tells only of devices that it made itself, and it makes none any more.
    network_interfaces: (),
}

/// The verb: tells on `out` what the container `id` below `root` uses; without an `interval` once, and at once. Else again
/// whenever it has passed, and at once each time that its group is out of memory, until the container has ended.
///
/// # Errors
/// [`Error::NoContainer`], [`Error::NotRunning`]; those of reading its groups, and of writing.
pub fn events(root: &Path, id: &str, interval: Option<Duration>, out: &mut impl Write) -> Result<()> {
    let (state, status) = lifecycle::of(&Dir::find(root, id)?)?;
    let init = lifecycle::pidfd(&state)?.filter(|_| status != Status::Stopped);
    let init = init.ok_or_else(|| Error::NotRunning { id: id.to_owned() })?;
    match interval {
        None => tell(out, "stats", &state, Some(data(&state)?)),
        Some(interval) => follow(&state, init.as_fd(), interval, out),
    }
}

fn follow(state: &State, init: BorrowedFd<'_>, interval: Duration, out: &mut impl Write) -> Result<()> {
    let mut oom = state.cgroup.watch_oom()?;
    let mut next = Instant::now() + interval;
    loop {
        let ended = sleep(init, oom.as_ref(), next)?;
        // Asked before its end counts: the last process may have gone for want of memory.
        if let Some(oom) = &mut oom
            && oom.news()?
        {
            tell(out, "oom", state, None)?;
        }
        if ended {
            return Ok(());
        }
        if Instant::now() >= next {
            let data = data(state)?;
            // The numbers of a group that went meanwhile are none.
            if lifecycle::status(state)? != Status::Stopped {
                tell(out, "stats", state, Some(data))?;
            }
            next = Instant::now() + interval;
        }
    }
}

/// Sleeps until then, or until there is news. Returns whether the container has ended.
fn sleep(init: BorrowedFd<'_>, oom: Option<&OomWatch>, until: Instant) -> Result<bool> {
    // Not before: the kernel counts whole milliseconds.
    let left = until.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
    let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
    let all = std::iter::once(init).chain(oom.map(AsFd::as_fd));
    let mut news: Vec<_> = all.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
    match poll(&mut news, timeout) {
        Ok(_) => Ok(news[0].any().unwrap_or(false)),
        Err(Errno::EINTR) => Ok(false),
        Err(errno) => Err(Error::refused("poll")(errno)),
    }
}

fn data(state: &State) -> Result<Data> {
    Ok(Data {
        cgroup: state.cgroup.stats()?,
        intel_rdt: state.intel_rdt.as_ref().map(intel_rdt::Group::stats).unwrap_or_default(),
        network_interfaces: (),
    })
}

fn tell(out: &mut impl Write, r#type: &str, state: &State, data: Option<Data>) -> Result<()> {
    let event = Event { r#type, id: &state.id, data };
    let line = serde_json::to_string(&event).expect("an event is plain data") + "\n";
    out.write_all(line.as_bytes()).map_err(Error::io("write to standard output"))
}
