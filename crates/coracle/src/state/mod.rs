//! The container's directory, `<root>/<id>/`: its existence is the id's claim, and it holds what the verbs of later
//! must know.
//!
//! | file | what it is |
//! |---|---|
//! | `start.sock` | connecting to it starts the program |
//! | `creating.json` | the state while create is at work: what a killed runtime leaves |
//! | `state.json` | the state from then on |
//! | `config.json` | a copy of the bundle's config, for later changes there change no container |

mod socket;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::{Pid, geteuid};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cgroup::Cgroup;
use crate::error::{Error, Result};
use crate::namespace::Kind;
use crate::{hook, intel_rdt, mapping, plan, sys};

const SOCKET: &str = "start.sock";
const CREATING: &str = "creating.json";
const STATE: &str = "state.json";
const CONFIG: &str = "config.json";

const NOT_YOURS: &str = "choose a directory that you may write to: --root DIR before the verb";
const NO_ROOM: &str = "make room there, or choose another directory: --root DIR before the verb";

/// What is known of a container beyond its directory's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The container's id.
    pub id: String,
    /// Its init in the runtime's PID namespace; 0 before it is born.
    pub pid: i32,
    /// When init was born, in clock ticks after the system's start (proc_pid_stat(5), field 22): no other process of
    /// the same number has the same.
    pub start_time: u64,
    /// When the container was created: RFC 3339, with nanoseconds.
    pub created: String,
    /// Its bundle's folder; empty where it has none.
    pub bundle: PathBuf,
    /// Its root directory on the host; empty where it has none of its own.
    pub rootfs: PathBuf,
    /// Its annotations.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// The kinds of namespaces in which it differs from the runtime.
    pub namespaces: Vec<Kind>,
    /// Those of them that it joined.
    #[serde(default)]
    pub joined: Vec<Kind>,
    /// Its control group.
    #[serde(default)]
    pub cgroup: Cgroup,
    /// Whether a reaper of ours is its PID 1.
    #[serde(default)]
    pub reaper: bool,
    /// Whether it was made again from a checkpoint: nobody executes anything then.
    #[serde(default)]
    pub restored: bool,
    /// Whether it has a session keyring of its own.
    #[serde(default)]
    pub keyring: bool,
    /// Its share of the processor's cache, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intel_rdt: Option<intel_rdt::Group>,
    /// Whether the copy of its config has hooks for start or later.
    #[serde(default)]
    pub hooks: bool,
}

/// A container's directory.
#[derive(Debug)]
pub struct Dir {
    path: PathBuf,
}

/// A container's directory that nobody else changes while this lives (flock(2)).
#[derive(Debug)]
pub struct Locked {
    /// The directory.
    pub dir: Dir,
    folder: File,
}

/// Where containers' directories are when nobody says: `/run/coracle` for root, the user's runtime directory for
/// others (`$XDG_RUNTIME_DIR/coracle`), or a folder of their own in /tmp where the system made none. Root of a user namespace
/// is one of the others where their directory is known, for /run is the host's: so engines call that began as a user.
pub fn default_root() -> PathBuf {
    // A relative one is to be ignored (XDG Base Directory Specification).
    let theirs = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| dir.is_absolute());
    match theirs {
        Some(dir) if !mapping::is_host_root() => dir.join("coracle"),
        _ if mapping::is_root() => "/run/coracle".into(),
        _ => format!("/tmp/coracle-{}", geteuid()).into(),
    }
}

impl Dir {
    /// Claims `id` below `root`, which is made where it is missing. Of two callers, one gets it.
    ///
    /// # Errors
    /// [`Error::Exists`] where it is taken, [`Error::Id`] where it is not allowed.
    pub fn claim(root: &Path, id: &str) -> Result<Locked> {
        plan::check_id(id)?;
        let failed = |call: String| {
            move |error| {
                Error::io(call)(error)
                    .with_cure(Errno::EACCES, NOT_YOURS)
                    .with_cure(Errno::EROFS, NOT_YOURS)
                    .with_cure(Errno::ENOENT, NOT_YOURS)
                    .with_cure(Errno::ENOTDIR, NOT_YOURS)
                    .with_cure(Errno::ENOSPC, NO_ROOM)
            }
        };
        let mut private = std::fs::DirBuilder::new();
        private.mode(0o700);
        let path = root.join(id);
        match private.create(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                // In $XDG_RUNTIME_DIR the sticky bit keeps old files from being cleared away (basedir-spec).
                let mode = if mapping::is_root() { 0o700 } else { 0o1700 };
                let made = private.mode(mode).recursive(true).create(root);
                made.map_err(failed(format!("mkdir {}", root.display())))?;
                private
                    .mode(0o700)
                    .recursive(false)
                    .create(&path)
                    .map_err(failed(format!("mkdir {}", path.display())))?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                return Err(Error::Exists { id: id.to_owned(), path });
            }
            made => made.map_err(failed(format!("mkdir {}", path.display())))?,
        }
        let dir = Dir { path };
        refuse_strangers_root(root).and_then(|()| dir.lock_at(false)).inspect_err(|_| {
            // It was empty, and ours.
            let _ = std::fs::remove_dir(root.join(id));
        })
    }

    /// The directory of the container `id`, which must be there.
    ///
    /// # Errors
    /// [`Error::NoContainer`].
    pub fn find(root: &Path, id: &str) -> Result<Dir> {
        let path = root.join(id);
        // A name that nobody can have taken is not there either; and it must not lead out of `root`.
        if plan::check_id(id).is_err() || !path.is_dir() {
            return Err(Error::NoContainer { id: id.to_owned(), root: root.to_owned() });
        }
        refuse_strangers_root(root)?;
        Ok(Dir { path })
    }

    /// Waits until nobody else changes this container.
    ///
    /// # Errors
    /// [`Error::NoContainer`] where it was removed meanwhile.
    pub fn lock(self) -> Result<Locked> {
        self.lock_at(true)
    }

    fn lock_at(self, was_there: bool) -> Result<Locked> {
        let failed = || Error::io(format!("open {}", self.path.display()));
        let folder = File::open(&self.path).map_err(failed())?;
        folder.lock().map_err(Error::io(format!("lock {}", self.path.display())))?;
        // Whoever had the lock before us may have removed it.
        if was_there && folder.metadata().map_err(failed())?.nlink() == 0 {
            return Err(Error::NoContainer { id: self.id(), root: self.root() });
        }
        Ok(Locked { dir: self, folder })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its name, the container's id.
    pub fn id(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    fn root(&self) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("/")).to_owned()
    }

    /// Who owns it: the user who created the container.
    ///
    /// # Errors
    /// Those of stat(2).
    pub fn owner(&self) -> Result<u32> {
        let failed = Error::io(format!("stat {}", self.path.display()));
        std::fs::metadata(&self.path).map(|found| found.uid()).map_err(failed)
    }

    /// Notes what a container is going to be, or is by now: should we be killed, `delete` knows what to clear.
    ///
    /// # Errors
    /// Those of writing a file.
    pub fn note(&self, state: &State) -> Result<()> {
        // The first one: nobody reads half of it who would not find nothing a moment before.
        if state.pid == 0 {
            return self.write(CREATING, &serde_json::to_vec(state).expect("a state is plain data"));
        }
        self.replace(CREATING, &serde_json::to_vec(state).expect("a state is plain data"))
    }

    /// Says that the container is created: `creating.json`, with all that was noted, becomes `state.json`, by one rename(2).
    /// At every moment there is one of them, and it is whole: for whoever looks meanwhile, and for whoever comes after a
    /// create that was killed.
    ///
    /// # Errors
    /// Those of rename(2).
    pub fn publish(&self) -> Result<()> {
        let failed = Error::io(format!("rename {CREATING} in {}", self.path.display()));
        std::fs::rename(self.path.join(CREATING), self.path.join(STATE)).map_err(failed)
    }

    /// The container's state; and whether create has come to its end.
    ///
    /// # Errors
    /// [`Error::NoContainer`] where nothing was noted yet, or nothing is there any more.
    pub fn read(&self) -> Result<(State, bool)> {
        for (name, created) in [(STATE, true), (CREATING, false), (STATE, true)] {
            let path = self.path.join(name);
            let text = match std::fs::read(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                read => read.map_err(Error::io(format!("read {}", path.display())))?,
            };
            return serde_json::from_slice(&text).map(|state| (state, created)).map_err(|error| {
                let cure = "it is not ours, or damaged: delete --force clears the directory";
                Error::Bundle { path, problem: format!("{error}; {cure}") }
            });
        }
        Err(Error::NoContainer { id: self.id(), root: self.root() })
    }

    /// Whether somebody changes it now.
    pub fn is_locked(&self) -> bool {
        File::open(&self.path).is_ok_and(|folder| folder.try_lock_shared().is_err())
    }

    /// Keeps a copy of the bundle's config.
    ///
    /// # Errors
    /// Those of writing a file.
    pub fn keep_config(&self, text: &[u8]) -> Result<()> {
        self.write(CONFIG, text)
    }

    /// Keeps another config in its place. A reader sees the old one or the new one.
    ///
    /// # Errors
    /// Those of writing a file.
    pub fn replace_config(&self, text: &[u8]) -> Result<()> {
        self.replace(CONFIG, text)
    }

    /// Keeps another state of a container that was created. A reader sees the old one or the new one.
    ///
    /// # Errors
    /// Those of writing a file.
    pub fn save(&self, state: &State) -> Result<()> {
        self.replace(STATE, &serde_json::to_vec(state).expect("a state is plain data"))
    }

    /// A reader sees the old one or the new one, never a half. Nothing is flushed to a disk: no container outlives its machine.
    fn replace(&self, name: &str, text: &[u8]) -> Result<()> {
        let (new, path) = (format!("{name}.new"), self.path.join(name));
        self.write(&new, text)?;
        std::fs::rename(self.path.join(new), &path)
            .map_err(Error::io(format!("rename to {}", path.display())))
    }

    /// Where the copy of the bundle's config is; a container without a bundle has none.
    pub fn config_path(&self) -> PathBuf {
        self.path.join(CONFIG)
    }

    fn write(&self, name: &str, text: &[u8]) -> Result<()> {
        let path = self.path.join(name);
        let mut new = File::options();
        let file = new.write(true).create(true).truncate(true).mode(0o600).open(&path);
        let written = file.and_then(|mut file| file.write_all(text).map(|()| file));
        // Our end closes them.
        written.map(|file| sys::leave_open([file.into()])).map_err(|error| {
            Error::io(format!("write {}", path.display()))(error).with_cure(Errno::ENOSPC, NO_ROOM)
        })
    }

    /// Gives the id back.
    ///
    /// # Errors
    /// Those of unlink(2) and rmdir(2).
    pub fn remove(&self) -> Result<()> {
        // What is in it is known, so nobody needs to list it; what a killed runtime may have left is looked for.
        for name in [SOCKET, STATE, CONFIG] {
            let _ = std::fs::remove_file(self.path.join(name));
        }
        let removed = match std::fs::remove_dir(&self.path) {
            Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty => {
                std::fs::remove_dir_all(&self.path)
            }
            other => other,
        };
        match removed {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io(format!("remove {}", self.path.display()))(error))
            }
            _ => Ok(()),
        }
    }

    /// As [`Dir::remove`], on the way out with an error that matters more.
    pub fn forget(&self) {
        let _ = self.remove();
    }
}

/// Somebody else could have made `root` first, as anybody can in /tmp, and would own what we put there.
fn refuse_strangers_root(root: &Path) -> Result<()> {
    if mapping::is_root() {
        return Ok(());
    }
    let owner = std::fs::symlink_metadata(root).map_err(Error::io(format!("stat {}", root.display())))?;
    if owner.uid() == geteuid().as_raw() {
        return Ok(());
    }
    Err(Error::refused(format!("use {}, which belongs to somebody else", root.display()))(Errno::EACCES)
        .with_cure(Errno::EACCES, "choose a directory of your own: --root DIR before the verb"))
}

impl Locked {
    /// Lets others change it, until [`Locked::again`].
    ///
    /// # Errors
    /// Those of flock(2).
    pub fn release(&self) -> Result<()> {
        self.folder.unlock().map_err(Error::io(format!("unlock {}", self.dir.path.display())))
    }

    /// Waits until nobody else changes it. `false`: it was removed meanwhile, and what has its name now is another one.
    ///
    /// # Errors
    /// Those of flock(2) and stat(2).
    pub fn again(&self) -> Result<bool> {
        let failed = || Error::io(format!("lock {}", self.dir.path.display()));
        self.folder.lock().map_err(failed())?;
        Ok(self.folder.metadata().map_err(failed())?.nlink() > 0)
    }
}

/// The containers below `root`, by id, in alphabetical order. None where there is no such directory.
///
/// # Errors
/// Those of readdir(3).
pub fn all(root: &Path) -> Result<Vec<Dir>> {
    let failed =
        || |error| Error::io(format!("list {}", root.display()))(error).with_cure(Errno::EACCES, NOT_YOURS);
    let mut found = Vec::new();
    match std::fs::read_dir(root) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        entries => {
            refuse_strangers_root(root)?;
            for entry in entries.map_err(failed())? {
                found.push(Dir { path: entry.map_err(failed())?.path() });
            }
        }
    }
    found.retain(|dir| dir.path.is_dir());
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

impl State {
    /// Whether its init shows by an execve(2) that the program runs. A reaper of ours stays what it was born as, and CRIU makes
    /// a process that is what it was.
    pub fn executes(&self) -> bool {
        !self.reaper && !self.restored
    }

    /// Whether all its processes end with its init: the kernel sees to that in a PID namespace, but only for the one whose
    /// PID 1 it is.
    pub fn is_whole(&self) -> bool {
        self.namespaces.contains(&Kind::Pid) && !self.joined.contains(&Kind::Pid)
    }

    /// What hooks are told of it: [`hook::told`].
    pub fn told(&self, status: impl Display, pid: Option<i32>) -> Vec<u8> {
        hook::told(&self.id, &self.bundle, &self.annotations, status, pid)
    }

    /// As the specification has it: [`hook::state`].
    pub fn of_specification(&self, status: impl Display, pid: Option<i32>) -> Value {
        hook::state(&self.id, &self.bundle, &self.annotations, status, pid)
    }

    /// Init's number, as a [`Pid`].
    pub fn init(&self) -> Pid {
        Pid::from_raw(self.pid)
    }
}
