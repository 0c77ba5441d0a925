//! `/linux/namespaces`: new ones, and those that are there already.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use super::wrong;
use crate::clock::{CLOCKS, Clock, Offset};
use crate::config::{Namespace, TimeOffset};
use crate::error::{Error, Result};
use crate::namespace::{Joined, KINDS, Kind, Namespaces, is_ours};
use crate::sys;

/// The namespaces that `listed` asks for: without a path a new one, with a path the one that is there. One that we are
/// in already is none of the container's own: joining one's own user namespace is an error (setns(2)), and the others
/// would change nothing.
///
/// # Errors
/// At `/linux/namespaces/N/type` for a kind that is unknown, or in the list a second time; at
/// `/linux/namespaces/N/path` those of [`existing`]: a path that is relative, gone, no namespace, or one of another kind.
pub fn namespaces(listed: &[Namespace]) -> Result<Namespaces> {
    let (mut new, mut joined, mut seen) = (Vec::new(), Vec::new(), Vec::new());
    for (n, namespace) in listed.iter().enumerate() {
        let kind = kind(&namespace.kind, &format!("/linux/namespaces/{n}/type"))?;
        if seen.contains(&kind) {
            let problem = format!("a {} namespace is in the list twice; take one of them out", kind.name());
            return Err(wrong(format!("/linux/namespaces/{n}/type"), problem));
        }
        seen.push(kind);
        match namespace.path.as_deref().filter(|path| !path.is_empty()) {
            None => new.push(kind),
            Some(path) => {
                let fd = existing(kind, Path::new(path), &format!("/linux/namespaces/{n}/path"))?;
                if !is_ours(kind, fd.as_fd()) {
                    joined.push(Joined { kind, fd });
                }
            }
        }
    }
    Ok(Namespaces::new(new).joining(joined))
}

/// Opens the namespace at `path`, for setns(2), and asks the kernel whether it is of the kind `kind`
/// (ioctl_ns(2)). A path says nothing: `/proc/PID/ns/net` may be bound anywhere, under any name.
///
/// # Errors
/// At `pointer`, with the path.
pub fn existing(kind: Kind, path: &Path, pointer: &str) -> Result<OwnedFd> {
    let shown = path.display();
    if !path.is_absolute() {
        return Err(wrong(pointer, format!("{shown} must be an absolute path")));
    }
    // O_NONBLOCK: the opening of a fifo would wait for a writer.
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let fd = open(path, flags, Mode::empty()).map_err(|errno| match errno {
        Errno::ENOENT => wrong(
            pointer,
            format!("{shown}: no such file or directory; does the process whose namespace it is still run?"),
        ),
        errno => Error::refused(format!("open {shown} of {pointer}"))(errno)
            .with_cure(Errno::EACCES, "only who may trace a process may join its namespaces"),
    })?;
    let found =
        sys::namespace_type(fd.as_fd()).map_err(|_| wrong(pointer, format!("{shown} is no namespace")))?;
    if found == kind.flag() {
        return Ok(fd);
    }
    let found = KINDS.iter().find(|kind| kind.flag() == found).map_or("unknown", |kind| kind.name());
    Err(wrong(pointer, format!("{shown} is a {found} namespace, and no {} namespace", kind.name())))
}

/// The clocks of a new time namespace that `asked` sets apart from the host's (config-linux.md, "Offset for Time
/// Namespace").
///
/// # Errors
/// At `/linux/timeOffsets` without a new time namespace: the clocks of any other are not ours to set; at the clock's name
/// where the kernel has no offset for it, and at `nanosecs` for a whole second and more.
pub(super) fn offsets(
    asked: &BTreeMap<String, Option<TimeOffset>>,
    namespaces: &Namespaces,
) -> Result<Vec<Offset>> {
    const POINTER: &str = "/linux/timeOffsets";
    if !asked.is_empty() && !namespaces.has(Kind::Time) {
        return Err(wrong(POINTER, "needs a new time namespace in /linux/namespaces"));
    }
    let offset = |(name, asked): (&String, &Option<TimeOffset>)| {
        let at = format!("{POINTER}/{name}");
        let clock = CLOCKS.into_iter().find(|clock| clock.name() == name).ok_or_else(|| {
            let known = CLOCKS.map(Clock::name).join(" and ");
            wrong(&at, format!("the kernel has no offset for this clock, only for {known}"))
        })?;
        let TimeOffset { secs: seconds, nanosecs: nanoseconds } = asked.unwrap_or_default();
        if nanoseconds >= 1_000_000_000 {
            return Err(wrong(format!("{at}/nanosecs"), "must be below 1000000000, a second"));
        }
        Ok(Offset { clock, seconds, nanoseconds })
    };
    asked.iter().map(offset).collect()
}

fn kind(name: &str, pointer: &str) -> Result<Kind> {
    KINDS.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
        let known = KINDS.map(Kind::name).join(", ");
        wrong(pointer, format!("unknown value `{name}`; must be one of {known}"))
    })
}
