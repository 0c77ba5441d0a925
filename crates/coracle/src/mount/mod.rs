//! The container's file systems, mounted on descriptors.

mod attributes;
mod bind;
mod cgroup;
mod copy_up;
mod filesystem;
mod flag;
mod idmap;
mod options;
mod remount;
mod target;

use std::ffi::{CStr, CString};
use std::fmt::Display;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use crate::cgroup::Cgroup;
use crate::config;
use crate::error::{Error, Result};
use crate::path;

pub use attributes::{Attributes, make_read_only};
pub use bind::open_sources;
pub use idmap::IdMap;
pub use options::{Datum, Options, known as known_options};
pub use remount::finish;

/// A file system that the container gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Where, below the root filesystem; absolute, without `..`.
    pub destination: PathBuf,
    /// What is mounted.
    pub what: What,
    /// How.
    pub options: Options,
    /// Whose the files are that are seen through it; `None`: whose they are.
    pub idmap: Option<IdMap>,
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A new file system.
    New {
        /// Its kind, such as `tmpfs`.
        kind: CString,
        /// The device it is on, or any name to be seen in the list of mounts; empty: none.
        source: CString,
    },
    /// A file or directory of the host, seen at a second place.
    Bind {
        /// Its path on the host.
        source: PathBuf,
        /// With the mounts below it.
        recursive: bool,
    },
    /// The container's control group.
    Cgroup,
    /// What is there already, with other options.
    Remount,
}

/// What an entry of `/mounts` says wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// JSON pointer below the entry, such as `/options/2`.
    pub pointer: String,
    /// What is wrong.
    pub problem: String,
}

impl Wrong {
    fn at(pointer: impl Into<String>, problem: impl Into<String>) -> Wrong {
        Wrong { pointer: pointer.into(), problem: problem.into() }
    }
}

/// What some mounts need to know of the container.
#[derive(Debug, Clone, Copy)]
pub struct World<'a> {
    /// Its control group, for a mount of type `cgroup`.
    pub cgroup: Option<&'a Cgroup>,
    /// Whether it has a cgroup namespace, new or joined.
    pub cgroup_namespace: bool,
    /// Whether it has a user namespace.
    pub user_namespace: bool,
}

impl Mount {
    /// Reads an entry of `/mounts` (runtime-spec, config.md, "Mounts"), but for its mappings, which need the container's.
    ///
    /// # Errors
    /// What can be found wrong without looking at the machine.
    pub fn from_spec(spec: &config::Mount) -> Result<Mount, Wrong> {
        let destination = path::clean(Path::new(&spec.destination));
        if destination == Path::new("/") {
            return Err(Wrong::at("/destination", "must be below the root filesystem, not the whole of it"));
        }
        if spec.destination.contains('\0') {
            return Err(Wrong::at("/destination", "has a NUL byte in it"));
        }
        let options = Options::parse(&spec.options)?;
        let what = what(spec, &options)?;
        let mount = Mount { destination, what, options, idmap: None };
        target::check(&mount)?;
        Ok(mount)
    }

    /// Reads the path of a bind mount's source, where it is relative, as below the bundle (runtime-spec, config.md,
    /// "Mounts").
    pub fn begin_at(&mut self, bundle: &Path) {
        if let What::Bind { source, .. } = &mut self.what {
            *source = bundle.join(&source);
        }
    }

    /// Whether it is a new file system of this kind.
    pub fn is_new(&self, of_kind: &CStr) -> bool {
        matches!(&self.what, What::New { kind, .. } if kind.as_c_str() == of_kind)
    }

    /// Whether the `error` to the opening of its source is none: mount(8), "nofail".
    fn may_be_missing(&self, error: &Error) -> bool {
        self.options.no_fail && error.errno() == Some(Errno::ENOENT)
    }

    /// The kernel's errno to a call for this mount, for use with `map_err`.
    fn refused(&self, call: impl Display) -> impl FnOnce(Errno) -> Error {
        move |errno| Error::refused(format!("mount {}: {call}", self.destination.display()))(errno)
    }
}

fn what(spec: &config::Mount, options: &Options) -> Result<What, Wrong> {
    let kind = spec.kind.as_deref().unwrap_or_default();
    let source = spec.source.as_deref().unwrap_or_default();
    if source.contains('\0') {
        return Err(Wrong::at("/source", "has a NUL byte in it"));
    }
    if options.remount {
        return Ok(What::Remount);
    }
    if kind == "bind" || options.bind.is_some() {
        if source.is_empty() {
            return Err(Wrong::at("/source", "is missing: nothing to bind"));
        }
        return Ok(What::Bind { source: source.into(), recursive: options.bind.unwrap_or(false) });
    }
    match kind {
        "" | "none" => Err(Wrong::at("/type", "is missing: a file system's name, or \"bind\"")),
        "cgroup" => Ok(What::Cgroup),
        _ => Ok(What::New {
            kind: CString::new(kind).map_err(|_| Wrong::at("/type", "has a NUL byte in it"))?,
            source: CString::new(source).unwrap_or_default(),
        }),
    }
}

/// Makes the file system and puts it on its place in `root`. Made first and attached last: at no time does
/// anybody see half of it. What is missing of the place is made.
///
/// A tmpfs, and /dev, stay writable until [`finish`]: later mounts need their places in it.
///
/// # Errors
/// Those of the mount calls.
pub fn attach(root: BorrowedFd<'_>, mount: &Mount, world: World<'_>) -> Result<()> {
    match &mount.what {
        What::New { kind, source } => filesystem::attach(root, mount, kind, source),
        What::Bind { source, recursive } => match bind::open(mount, source, *recursive) {
            Err(error) if mount.may_be_missing(&error) => Ok(()),
            opened => bind::attach(root, mount, opened?),
        },
        What::Cgroup => cgroup::attach(root, mount, world),
        What::Remount => remount::change(root, mount),
    }
}

/// Makes the places of `mounts` in `root` that are missing, and mounts nothing: for somebody else who does. What lies inside of
/// another mount comes with that.
///
/// # Errors
/// Those of making a directory or a file.
pub fn make_places(root: BorrowedFd<'_>, mounts: &[Mount]) -> Result<()> {
    let is_inside = |mount: &Mount| {
        let above = |other: &Mount| {
            other.destination != mount.destination && mount.destination.starts_with(&other.destination)
        };
        mounts.iter().any(above)
    };
    for mount in mounts.iter().filter(|mount| !is_inside(mount)) {
        let kind = || match &mount.what {
            What::Bind { source, .. } if !source.is_dir() => Ok(path::Last::File),
            _ => Ok(path::Last::Directory),
        };
        target::find(root, mount, kind)?;
    }
    Ok(())
}

/// As [`attach`], of a bind mount whose source [`open_sources`] has opened.
///
/// In a user namespace what we can open ourselves goes first: such a copy keeps the host's attributes locked, so that no
/// root of a user namespace can take off a read-only or nosuid of the host.
///
/// # Errors
/// Those of the mount calls.
pub fn attach_opened(root: BorrowedFd<'_>, mount: &Mount, opened: OwnedFd, world: World<'_>) -> Result<()> {
    let copy = match &mount.what {
        // What has been given another mapping, no root of a user namespace could have opened.
        What::Bind { source, recursive } if world.user_namespace && mount.idmap.is_none() => {
            match bind::open(mount, source, *recursive) {
                Err(error) if error.errno() == Some(Errno::EACCES) => opened,
                own => own?,
            }
        }
        _ => opened,
    };
    bind::attach(root, mount, copy)
}
