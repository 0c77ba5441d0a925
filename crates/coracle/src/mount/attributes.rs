//! Attributes of a mount: read-only, no devices and the like (mount_setattr(2)).

use std::os::fd::{AsRawFd, BorrowedFd};

use libc::{
    MOUNT_ATTR__ATIME as ATIME, MOUNT_ATTR_NOATIME as NOATIME, MOUNT_ATTR_NODIRATIME as NODIRATIME,
    MOUNT_ATTR_NOSYMFOLLOW as NOSYMFOLLOW, MOUNT_ATTR_RDONLY as RDONLY,
    MOUNT_ATTR_STRICTATIME as STRICTATIME,
};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sys::statvfs::{FsFlags, fstatvfs};

use super::options::Options;
use crate::sys;

/// Read-only, no set-user-id programs, no devices, no programs: the same bits in mount(2), statvfs(3) and here.
const LOW: u64 = 0xf;

/// The flag of statfs(2), which no crate has.
const ST_NOSYMFOLLOW: u64 = 0x2000;

/// `MOUNT_ATTR_*` bits to set and to clear. What is in neither stays as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Bits to set.
    pub set: u64,
    /// Bits to clear before.
    pub clear: u64,
}

impl Attributes {
    /// Read-only.
    pub const READ_ONLY: Attributes = Attributes { set: RDONLY, clear: 0 };

    /// Adds a later change, which counts before the earlier ones: what it sets is not cleared any more, what it
    /// clears is not set any more.
    pub fn add(&mut self, later: Attributes) {
        self.set = (self.set & !later.clear) | later.set;
        self.clear = (self.clear & !later.set) | later.clear;
    }

    /// Whether nothing changes.
    pub fn is_empty(self) -> bool {
        self == Attributes::default()
    }

    /// The same without `bits`.
    #[must_use]
    pub fn without(self, bits: u64) -> Attributes {
        Attributes { set: self.set & !bits, clear: self.clear & !bits }
    }

    /// The same for the copy of a mount that has attributes: where one is asked for, those that nobody names are taken off,
    /// as by a mount(2) that binds and one that remounts, which is how the other runtimes bind. The ways of keeping access
    /// times stay with that call too, unless one is named.
    #[must_use]
    pub(super) fn alone(self) -> Attributes {
        let others = if self.is_empty() { 0 } else { (LOW | NOSYMFOLLOW) & !self.set };
        Attributes { set: self.set, clear: self.clear | others }
    }

    /// Changes the mount whose root is `mount`, attached or not; with `recursive` all below it as well.
    ///
    /// In a user namespace, attributes of mounts that came from outside are locked. What the host said of access times
    /// stays then, without an error; who asks to take off another one must hear that it cannot be had.
    ///
    /// # Errors
    /// `EPERM` for a locked attribute that is to be cleared, `ENOSYS` before Linux 5.12, `EINVAL` where `mount` is not the
    /// root of a mount.
    pub(super) fn apply(self, mount: BorrowedFd<'_>, recursive: bool) -> nix::Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        match self.set_on(mount, recursive) {
            Err(Errno::EPERM) => self.without_locked(mount)?.set_on(mount, recursive),
            other => other,
        }
    }

    /// Clears and sets the bits on the mount whose root is `mount`, attached or not, in one call (mount_setattr(2));
    /// with `recursive` on all mounts below it as well.
    ///
    /// The ways of keeping access times are not bits but the values of one field, whose mask is `ATIME`. So who sets
    /// or clears something in it must clear all of it.
    ///
    /// # Errors
    /// `EINVAL` where that rule is broken or `mount` is not the root of a mount, `EPERM` where one of the bits is
    /// locked, `ENOSYS` before Linux 5.12.
    fn set_on(self, mount: BorrowedFd<'_>, recursive: bool) -> nix::Result<()> {
        let times = if (self.set | self.clear) & ATIME != 0 { ATIME } else { 0 };
        sys::mount_setattr(mount, recursive, self.set, self.clear | times, 0)
    }

    /// What is left where everything that the mount has now must stay.
    ///
    /// # Errors
    /// `EPERM` where something else than the ways of keeping access times would be left out.
    fn without_locked(self, mount: BorrowedFd<'_>) -> nix::Result<Attributes> {
        let now = now(mount)?;
        if self.clear & now & LOW != 0 {
            return Err(Errno::EPERM);
        }
        let kept = Attributes { set: self.set, clear: self.clear & !now };
        Ok(if (self.set | self.clear) & ATIME != 0 { kept.without(ATIME) } else { kept })
    }

    /// The same by mount(2), for kernels before 5.12: only for a mount that is attached, and not for those below it.
    /// Needs a /proc.
    ///
    /// # Errors
    /// Those of mount(2).
    pub(super) fn remount(self, attached: BorrowedFd<'_>) -> nix::Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        let mut all = Attributes { set: now(attached)?, clear: 0 };
        all.add(self);
        by_path(attached, MsFlags::MS_REMOUNT | MsFlags::MS_BIND | mount_flags(all.set))
    }
}

/// Gives `mount`, which hangs nowhere yet, its attributes and its propagation, and then puts it on `target`.
///
/// # Errors
/// As [`Attributes::apply`]; those of move_mount(2).
pub(super) fn attach(mount: BorrowedFd<'_>, options: &Options, target: BorrowedFd<'_>) -> nix::Result<()> {
    match change(mount, options) {
        // An old kernel can only change what is attached. Nobody is in the container yet to see the moment between.
        Err(Errno::ENOSYS) => {
            sys::move_mount(mount, target)?;
            change_by_path(mount, options)
        }
        Err(errno) => Err(errno),
        Ok(()) => sys::move_mount(mount, target),
    }
}

/// Changes the attributes and the propagation of an attached mount.
///
/// # Errors
/// As [`Attributes::apply`].
pub(super) fn change_attached(mount: BorrowedFd<'_>, options: &Options) -> nix::Result<()> {
    match change(mount, options) {
        Err(Errno::ENOSYS) => change_by_path(mount, options),
        other => other,
    }
}

/// Makes an attached mount read-only; where the kernel can, those below it as well.
///
/// # Errors
/// Those of mount_setattr(2).
pub fn make_read_only(mount: BorrowedFd<'_>, recursive: bool) -> nix::Result<()> {
    match Attributes::READ_ONLY.apply(mount, recursive) {
        Err(Errno::ENOSYS) => Attributes::READ_ONLY.remount(mount),
        other => other,
    }
}

fn change(mount: BorrowedFd<'_>, options: &Options) -> nix::Result<()> {
    options.attributes.apply(mount, false)?;
    options.recursive.apply(mount, true)?;
    options.propagation.iter().try_for_each(|flags| {
        let kind = *flags - MsFlags::MS_REC;
        sys::mount_setattr(mount, flags.contains(MsFlags::MS_REC), 0, 0, kind.bits())
    })
}

/// As [`change`], for an attached mount before Linux 5.12.
fn change_by_path(attached: BorrowedFd<'_>, options: &Options) -> nix::Result<()> {
    if !options.recursive.is_empty() {
        return Err(Errno::ENOSYS);
    }
    options.attributes.remount(attached)?;
    options.propagation.iter().try_for_each(|flags| by_path(attached, *flags))
}

fn by_path(attached: BorrowedFd<'_>, flags: MsFlags) -> nix::Result<()> {
    let path = format!("/proc/self/fd/{}", attached.as_raw_fd());
    mount(None::<&str>, path.as_str(), None::<&str>, flags, None::<&str>)
}

/// The attributes that a mount has.
fn now(mount: BorrowedFd<'_>) -> nix::Result<u64> {
    let flags = fstatvfs(mount)?.flags();
    let has = |flag: u64, attribute| if flags.bits() & flag != 0 { attribute } else { 0 };
    let strict = !flags.intersects(FsFlags::ST_NOATIME | FsFlags::ST_RELATIME);
    Ok((flags.bits() & LOW)
        | has(FsFlags::ST_NOATIME.bits(), NOATIME)
        | has(FsFlags::ST_NODIRATIME.bits(), NODIRATIME)
        | has(ST_NOSYMFOLLOW, NOSYMFOLLOW)
        | if strict { STRICTATIME } else { 0 })
}

/// `MOUNT_ATTR_*` as the `MS_*` of mount(2).
pub(super) fn mount_flags(attributes: u64) -> MsFlags {
    let has = |attribute, flag: MsFlags| if attributes & attribute != 0 { flag } else { MsFlags::empty() };
    let relative = if attributes & ATIME == 0 { MsFlags::MS_RELATIME } else { MsFlags::empty() };
    MsFlags::from_bits_retain(attributes & LOW)
        | has(NOATIME, MsFlags::MS_NOATIME)
        | has(STRICTATIME, MsFlags::MS_STRICTATIME)
        | has(NODIRATIME, MsFlags::MS_NODIRATIME)
        | has(NOSYMFOLLOW, MsFlags::from_bits_retain(libc::MS_NOSYMFOLLOW))
        | relative
}
