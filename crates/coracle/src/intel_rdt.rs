//! Shares of the processor's cache and of its way to memory: the kernel's file system `resctrl`
//! (Documentation/filesystems/resctrl.rst; runtime-spec, config-linux.md, "IntelRdt").
//!
//! A folder of it is a group of tasks with a file `schemata` that says what they get; a folder in its `mon_groups`
//! measures some of them.

mod stats;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

pub use stats::Stats;

/// The name of the class that everybody is in who is put into no other: its folder is the root of `resctrl`.
pub const DEFAULT: &str = "/";

/// What a config asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// Where `resctrl` is mounted.
    pub root: PathBuf,
    /// The class of service, which is a folder's name, or [`DEFAULT`]; `None`: one of the container's own, with its id.
    pub class: Option<String>,
    /// What is written to `schemata`, in this order, each by a write of its own: lines.
    pub schemata: Vec<String>,
    /// Whether the container is measured by itself.
    pub monitor: bool,
}

/// The group of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The class's folder.
    folder: PathBuf,
    /// Whether the class is the container's own, and goes with it.
    own: bool,
    /// The folder that measures it.
    monitor: Option<PathBuf>,
}

/// Where a `resctrl` is mounted in our mount namespace.
pub fn mount_point() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    // proc_pid_mountinfo(5): the fifth field is the place; the type follows the lone hyphen.
    mounts.lines().find_map(|line| {
        let (fields, rest) = line.split_once(" - ")?;
        if rest.starts_with("resctrl ") { fields.split(' ').nth(4).map(PathBuf::from) } else { None }
    })
}

impl Group {
    /// The group that `wish` means for the container `id`. Nothing is made yet.
    pub fn locate(wish: &Wish, id: &str) -> Group {
        let folder = match wish.class.as_deref() {
            Some(DEFAULT) => wish.root.clone(),
            class => wish.root.join(class.unwrap_or(id)),
        };
        let monitor = wish.monitor.then(|| folder.join("mon_groups").join(id));
        Group { folder, own: wish.class.is_none(), monitor }
    }

    /// Makes what is missing of it. A class that somebody has set up stays as it is, and must be what `wish` says; one that
    /// is not there is made only where `wish` says what it gets.
    ///
    /// # Errors
    /// Names the folder: `EEXIST` for a class of the container's id that is there already, `ENOENT` for one that is not,
    /// `EINVAL` for one that is different; `ENOSPC` where the processor has no more classes.
    pub fn make(&self, wish: &Wish) -> Result<()> {
        if !self.own && wish.schemata.is_empty() {
            self.find()?;
        } else {
            match fs::create_dir(&self.folder) {
                Ok(()) => self.fill(wish)?,
                Err(error) if error.kind() == ErrorKind::AlreadyExists && !self.own => self.compare(wish)?,
                Err(error) => return Err(self.not_made(&self.folder, error)),
            }
        }
        let Some(monitor) = &self.monitor else { return Ok(()) };
        fs::create_dir(monitor).map_err(|error| self.not_made(monitor, error))
    }

    fn find(&self) -> Result<()> {
        if self.folder.is_dir() {
            return Ok(());
        }
        let call = format!("find the class of service {}", self.folder.display());
        Err(Error::refused(call)(Errno::ENOENT)
            .with_cure(Errno::ENOENT, "make it first, or say what it gets: /linux/intelRdt/schemata"))
    }

    /// Says what the new class gets. Where that is not possible, it goes again.
    fn fill(&self, wish: &Wish) -> Result<()> {
        wish.schemata.iter().try_for_each(|lines| self.write("schemata", lines)).inspect_err(|_| {
            let _ = fs::remove_dir(&self.folder);
        })
    }

    /// Gives the class, which is there, what `wish` says.
    ///
    /// # Errors
    /// Those of the writes: `EINVAL` for what the processor has not.
    pub fn set(&self, wish: &Wish) -> Result<()> {
        wish.schemata.iter().try_for_each(|lines| self.write("schemata", lines))
    }

    /// Puts the process `pid` into it, and so all that it makes.
    ///
    /// # Errors
    /// Those of the writes.
    pub fn enter(&self, pid: Pid) -> Result<()> {
        self.write("tasks", &pid.to_string())?;
        let Some(monitor) = &self.monitor else { return Ok(()) };
        let tasks = monitor.join("tasks");
        fs::write(&tasks, pid.to_string()).map_err(Error::io(format!("write {pid} to {}", tasks.display())))
    }

    /// Removes what was made of it for the container alone: the kernel puts whoever is left in it back among all others.
    /// What is gone already is no error.
    ///
    /// # Errors
    /// Those of rmdir(2).
    pub fn remove(&self) -> Result<()> {
        let own = self.own.then_some(&self.folder);
        for folder in self.monitor.iter().chain(own) {
            match fs::remove_dir(folder) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(Error::io(format!("rmdir {}", folder.display()))(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn write(&self, file: &str, text: &str) -> Result<()> {
        let path = self.folder.join(file);
        fs::write(&path, format!("{text}\n")).map_err(|error| {
            Error::io(format!("write {text:?} to {}{}", path.display(), self.last_status()))(error)
        })
    }

    fn not_made(&self, folder: &Path, error: std::io::Error) -> Error {
        Error::io(format!("mkdir {}{}", folder.display(), self.last_status()))(error)
            .with_cure(Errno::EEXIST, "somebody has a group of this name: remove it, or choose another id")
            .with_cure(Errno::ENOSPC, "the processor has no more classes: remove some from resctrl")
    }

    /// What the kernel has to say about the last call, in words.
    fn last_status(&self) -> String {
        // Of the default class, the folder is the root.
        let mut roots = self.folder.ancestors().take(2);
        let said = roots.find_map(|root| fs::read_to_string(root.join("info/last_cmd_status")).ok());
        let said = said.unwrap_or_default();
        if said.is_empty() { said } else { format!(" ({})", said.trim()) }
    }

    /// Whether the class gets already what `wish` says.
    fn compare(&self, wish: &Wish) -> Result<()> {
        let path = self.folder.join("schemata");
        let has = fs::read_to_string(&path).map_err(Error::io(format!("read {}", path.display())))?;
        let differs = wish.schemata.iter().flat_map(|lines| lines.lines()).find(|line| !says(&has, line));
        differs.map_or(Ok(()), |line| {
            Err(Error::refused(format!(
                "use the class of service {}, which is not {line}",
                self.folder.display()
            ))(Errno::EINVAL)
            .with_cure(Errno::EINVAL, "choose another /linux/intelRdt/closID, or leave out the schemata"))
        })
    }
}

/// Whether the text of a file `schemata` says what `line` says, such as `L3:0=7f0;1=1f`: the file tells all domains, and
/// pads numbers with zeros.
pub fn says(text: &str, line: &str) -> bool {
    let Some((resource, wanted)) = parts(line) else { return false };
    let found = text.lines().filter_map(parts).find(|(name, _)| *name == resource);
    found.is_some_and(|(_, found)| wanted.iter().all(|domain| found.contains(domain)))
}

/// A line's resource and its domains with their values.
fn parts(line: &str) -> Option<(&str, Vec<(&str, String)>)> {
    let (resource, domains) = line.trim().split_once(':')?;
    let domains = domains.split(';').filter(|text| !text.trim().is_empty());
    Some((resource.trim(), domains.map(domain).collect::<Option<_>>()?))
}

fn domain(text: &str) -> Option<(&str, String)> {
    let (id, value) = text.split_once('=')?;
    Some((id.trim(), value.trim().trim_start_matches('0').to_ascii_lowercase()))
}
