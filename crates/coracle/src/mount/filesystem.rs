//! A new file system: opened, configured, made, attached (fsopen(2), fsconfig(2), fsmount(2), move_mount(2)).

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::stat::fstat;
use nix::unistd::read;

use super::target::{self, Target};
use super::{Datum, Mount, Options, attributes, copy_up};
use crate::error::{Error, Result};
use crate::path::{self, Last};
use crate::sys;

/// The longest value that fsconfig(2) takes. The layers of an overlay can be longer.
const LONGEST: usize = 255;

const NOT_OURS: &str = "root of a user namespace may mount few kinds, and a proc only in its own pid namespace, a sysfs in its \
                        own network namespace, an mqueue in its own ipc namespace: add that namespace, or bind the host's";

/// Before a new proc or sysfs may be mounted in a user namespace, one must be there that can be seen whole
/// (mount_namespaces(7)).
const COVERED: &str = "a user namespace may have a new proc or sysfs only where no other mount hides a part of the one that \
                       is here, and in most containers one does: bind that one (source /proc, option rbind)";

/// Makes a file system of the kind `kind` with the options of `mount`, and puts it on its place in `root`.
///
/// # Errors
/// Those of the mount calls, with what the file system says about them.
pub(super) fn attach(root: BorrowedFd<'_>, mount: &Mount, kind: &CStr, source: &CStr) -> Result<()> {
    let target = target::find(root, mount, || Ok(Last::Directory))?;
    let too_long = |(_, value): &Datum| value.as_ref().is_some_and(|value| value.count_bytes() > LONGEST);
    if mount.options.data.iter().any(too_long) {
        return by_path(root, mount, kind, source, target.fd.as_fd());
    }
    let fs = sys::fsopen(kind).map_err(|errno| {
        mount.refused(format_args!("fsopen {kind:?}"))(errno)
            .with_cure(Errno::ENODEV, "this kernel knows no such file system")
            .with_cure(Errno::EPERM, NOT_OURS)
    })?;
    configure(fs.as_fd(), mount, source, &options(mount, kind, source, &target)?)?;
    let made = make(fs.as_fd(), mount)?;
    if mount.options.copy_up && kind == c"tmpfs" {
        copy_up::copy(target.fd.as_fd(), made.as_fd()).map_err(mount.refused("tmpcopyup"))?;
    }
    attributes::attach(made.as_fd(), &of_propagation(mount), target.fd.as_fd())
        .map_err(mount.refused("move_mount"))?;
    sys::leave_open([fs, made, target.fd]);
    Ok(())
}

/// What the file system is to be told: the options of `mount`, and before them what follows from the rest of it.
fn options(mount: &Mount, kind: &CStr, source: &CStr, target: &Target) -> Result<Vec<Datum>> {
    let mut options = Vec::new();
    // A file system that is made by the container is its own: only the mount is read-only. One on a device would
    // be written to by being mounted (the journal).
    let on_a_device = source.to_bytes().starts_with(b"/") && kind != c"tmpfs";
    if on_a_device && mount.options.attributes.set & libc::MOUNT_ATTR_RDONLY != 0 {
        options.push((c"ro".to_owned(), None));
    }
    // The directory that it covers says who may do what in it, where the options do not.
    if kind == c"tmpfs" && target.existed && !mount.options.has(b"mode") {
        let mode = fstat(&target.fd).map_err(mount.refused("fstat"))?.st_mode & 0o7777;
        options.push((c"mode".to_owned(), CString::new(format!("{mode:o}")).ok()));
    }
    options.extend_from_slice(&mount.options.data);
    Ok(options)
}

/// Gives the file system `fs` its source, under the key `source`, and then each of `options`, in their order. Nothing is
/// said of a source that is empty.
///
/// # Errors
/// What the file system says to one of them ([`not_taken`]).
fn configure(fs: BorrowedFd<'_>, mount: &Mount, source: &CStr, options: &[Datum]) -> Result<()> {
    let set = |key: &CStr, value: Option<&CStr>| {
        sys::fsconfig(fs, key, value).map_err(not_taken(fs, mount, key, value))
    };
    if !source.is_empty() {
        set(c"source", Some(source))?;
    }
    options.iter().try_for_each(|(key, value)| set(key, value.as_deref()))
}

/// Makes the file system of `fs`, and a mount of it with the attributes of `mount`. It hangs nowhere yet, and is the
/// caller's. A mount that [`finish`](super::finish) makes read-only is not read-only before.
///
/// # Errors
/// What the file system says ([`explained`]).
fn make(fs: BorrowedFd<'_>, mount: &Mount) -> Result<OwnedFd> {
    sys::fsconfig_create(fs)
        .map_err(|errno| explained(fs, mount, "fsconfig create")(errno).with_cure(Errno::EPERM, NOT_OURS))?;
    let late = if mount.is_finished_later() { libc::MOUNT_ATTR_RDONLY } else { 0 };
    sys::fsmount(fs, mount.options.of_a_new_mount().set & !late)
        .map_err(|errno| explained(fs, mount, "fsmount")(errno).with_cure(Errno::EPERM, COVERED))
}

/// The same by mount(2), which takes all options as one text. Its path is a link of /proc to our descriptor, so that
/// nobody can swap what is on the way. Read-only at once: what is so long is no tmpfs.
fn by_path(
    root: BorrowedFd<'_>,
    mount: &Mount,
    kind: &CStr,
    source: &CStr,
    target: BorrowedFd<'_>,
) -> Result<()> {
    let mut data = Vec::new();
    for (key, value) in &mount.options.data {
        data.extend_from_slice(if data.is_empty() { b"" } else { b"," });
        data.extend_from_slice(key.as_bytes());
        if let Some(value) = value {
            // The commas of a label end no option.
            let quote = if key.as_bytes().ends_with(b"context") { b"\"".as_slice() } else { b"" };
            data.extend([b"=", quote, value.as_bytes(), quote].concat());
        }
    }
    let place = format!("/proc/self/fd/{}", target.as_raw_fd());
    let flags = attributes::mount_flags(mount.options.of_a_new_mount().set);
    nix::mount::mount(Some(source), place.as_str(), Some(kind), flags, Some(data.as_slice()))
        .map_err(mount.refused("mount"))?;
    if mount.options.propagation.is_empty() {
        return Ok(());
    }
    let made = path::resolve(root, &mount.destination)?;
    attributes::change_attached(made.as_fd(), &of_propagation(mount)).map_err(mount.refused("propagation"))
}

fn of_propagation(mount: &Mount) -> Options {
    Options { propagation: mount.options.propagation.clone(), ..Options::default() }
}

/// The errno to an option that the file system does not take, with the option and the file system's own words.
fn not_taken(
    fs: BorrowedFd<'_>,
    mount: &Mount,
    key: &CStr,
    value: Option<&CStr>,
) -> impl FnOnce(Errno) -> Error {
    let value = value.map(|value| format!("={}", value.to_string_lossy())).unwrap_or_default();
    let call = format!("option {}{value}", key.to_string_lossy());
    let is_owner = key == c"uid" || key == c"gid";
    move |errno| {
        let cure = "leave it out, or map that id in /linux/uidMappings or /linux/gidMappings";
        match explained(fs, mount, &call)(errno) {
            error if is_owner => error.with_cure(Errno::EINVAL, cure),
            error => error,
        }
    }
}

/// As [`Mount::refused`], with the file system's own words, which it leaves to be read from its descriptor: such as
/// `tmpfs: Unknown parameter 'x'`.
fn explained(fs: BorrowedFd<'_>, mount: &Mount, call: &str) -> impl FnOnce(Errno) -> Error {
    move |errno| {
        let mut words = String::new();
        let mut line = [0; 256];
        // One message a read; ENODATA after the last.
        while let Ok(length @ 1..) = read(fs, &mut line) {
            let text = String::from_utf8_lossy(&line[..length]);
            // A letter for how bad it is comes first.
            let text = text.trim_end().get(2..).unwrap_or_default();
            if words.ends_with(text) {
                continue;
            }
            words = if words.is_empty() { text.to_owned() } else { format!("{words}; {text}") };
        }
        match words.as_str() {
            "" => mount.refused(call)(errno),
            _ => mount.refused(format_args!("{call} ({words})"))(errno),
        }
    }
}
