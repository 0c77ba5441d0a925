//! What the options of a mount mean (runtime-spec, config.md, "Linux mount options"; mount(8)).

use std::ffi::CString;

use libc::{
    MOUNT_ATTR__ATIME as ATIME, MOUNT_ATTR_NOATIME as NOATIME, MOUNT_ATTR_NODEV as NODEV,
    MOUNT_ATTR_NODIRATIME as NODIRATIME, MOUNT_ATTR_NOEXEC as NOEXEC, MOUNT_ATTR_NOSUID as NOSUID,
    MOUNT_ATTR_NOSYMFOLLOW as NOSYMFOLLOW, MOUNT_ATTR_RDONLY as RDONLY,
    MOUNT_ATTR_STRICTATIME as STRICTATIME,
};
use nix::mount::MsFlags;

use super::Wrong;
use super::attributes::Attributes;

/// Options of the mount itself: its name, what it sets, what it clears. With an `r` before its name, an option means
/// all mounts below as well. The three ways of keeping access times exclude each other, so each clears all; relatime
/// is what is left where none is set.
const ATTRIBUTES: [(&str, u64, u64); 18] = [
    ("ro", RDONLY, 0),
    ("rw", 0, RDONLY),
    ("nosuid", NOSUID, 0),
    ("suid", 0, NOSUID),
    ("nodev", NODEV, 0),
    ("dev", 0, NODEV),
    ("noexec", NOEXEC, 0),
    ("exec", 0, NOEXEC),
    ("nosymfollow", NOSYMFOLLOW, 0),
    ("symfollow", 0, NOSYMFOLLOW),
    ("nodiratime", NODIRATIME, 0),
    ("diratime", 0, NODIRATIME),
    ("noatime", NOATIME, ATIME),
    ("atime", 0, NOATIME),
    ("strictatime", STRICTATIME, ATIME),
    ("nostrictatime", 0, STRICTATIME),
    ("relatime", 0, ATIME),
    ("norelatime", 0, 0),
];

/// How mounts spread (mount_namespaces(7), "Shared subtrees"). With an `r` before: those below as well.
const PROPAGATION: [(&str, MsFlags); 4] = [
    ("private", MsFlags::MS_PRIVATE),
    ("shared", MsFlags::MS_SHARED),
    ("slave", MsFlags::MS_SLAVE),
    ("unbindable", MsFlags::MS_UNBINDABLE),
];

/// Options that ask for what is so anyhow: `iversion` each kind decides for itself since the mount calls on
/// descriptors; `silent` and `loud` are about the kernel's log; the rest is for who reads fstab(5), as whatever begins with
/// `x-` (mount(8)).
const NOTHING: [&str; 9] =
    ["defaults", "", "_netdev", "auto", "iversion", "noauto", "noiversion", "silent", "loud"];

/// Options of every new file system, which the kernel carries out for each kind: fsconfig(2) takes them.
const OF_EVERY_FILE_SYSTEM: [&str; 7] =
    ["async", "dirsync", "lazytime", "mand", "nolazytime", "nomand", "sync"];

/// Options that say what kind of mount it is, or that are done by the runtime.
const WORDS: [&str; 7] = ["bind", "idmap", "nofail", "rbind", "remount", "ridmap", "tmpcopyup"];

/// The names of all options that do not depend on the kind of file system, sorted.
pub fn known() -> Vec<String> {
    let below = |name: &str| [name.to_owned(), format!("r{name}")];
    let with_r = ATTRIBUTES.iter().map(|(name, ..)| *name).chain(PROPAGATION.iter().map(|(name, _)| *name));
    let alone = NOTHING.iter().chain(&OF_EVERY_FILE_SYSTEM).chain(&WORDS);
    let mut all: Vec<_> = with_r.flat_map(below).chain(alone.map(|name| (*name).to_owned())).collect();
    all.retain(|name| !name.is_empty());
    all.sort_unstable();
    all
}

/// An option for the file system: `key=value`, or `key`.
pub type Datum = (CString, Option<CString>);

/// The options of a mount.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Those of the mount.
    pub attributes: Attributes,
    /// Those of the mount and all mounts below it.
    pub recursive: Attributes,
    /// How it spreads, in this order, with `MS_REC` for all mounts below as well.
    pub propagation: Vec<MsFlags>,
    /// Those that the file system is to know.
    pub data: Vec<Datum>,
    /// Whether it is a bind mount; `Some(true)`: with all mounts below.
    pub bind: Option<bool>,
    /// Whether what is mounted there already is to be changed.
    pub remount: bool,
    /// Whether owners of files are mapped (`idmap`); `Some(true)`: in all mounts below as well (`ridmap`). Whose they are,
    /// [`Mount::idmap`](super::Mount::idmap) says.
    pub idmap: Option<bool>,
    /// Whether a tmpfs begins with what is in the directory that it covers.
    pub copy_up: bool,
    /// Whether it is no error that there is nothing at its source: then there is no such mount.
    pub no_fail: bool,
}

impl Options {
    /// Reads a list of options, a later one before an earlier one.
    ///
    /// # Errors
    /// An option with a NUL byte in it, by its place in the list.
    pub fn parse(list: &[String]) -> Result<Options, Wrong> {
        let mut options = Options::default();
        for (n, option) in list.iter().enumerate() {
            options.add(option).map_err(|problem| Wrong::at(format!("/options/{n}"), problem))?;
        }
        Ok(options)
    }

    fn add(&mut self, option: &str) -> Result<(), String> {
        let below = option.strip_prefix('r');
        if let Some(change) = attribute(option) {
            self.attributes.add(change);
        } else if let Some(change) = below.and_then(attribute) {
            self.recursive.add(change);
        } else if let Some(flag) = propagation(option) {
            self.propagation.push(flag);
        } else if let Some(flag) = below.and_then(propagation) {
            self.propagation.push(flag | MsFlags::MS_REC);
        } else {
            match option {
                "bind" => self.bind = Some(false),
                "rbind" => self.bind = Some(true),
                "remount" => self.remount = true,
                "tmpcopyup" => self.copy_up = true,
                "nofail" => self.no_fail = true,
                "idmap" => self.idmap = Some(false),
                "ridmap" => self.idmap = Some(true),
                _ if NOTHING.contains(&option) || option.starts_with("x-") || option.starts_with("X-") => {}
                _ => self.data.push(datum(option)?),
            }
        }
        Ok(())
    }

    /// The attributes of a mount that has none below it.
    pub fn of_a_new_mount(&self) -> Attributes {
        let mut all = self.attributes;
        all.add(self.recursive);
        all
    }

    /// Whether the file system gets a value for `key`.
    pub fn has(&self, key: &[u8]) -> bool {
        self.data.iter().any(|(known, _)| known.as_bytes() == key)
    }
}

/// What an option sets and clears, where it is one of the mount itself.
fn attribute(option: &str) -> Option<Attributes> {
    let (_, set, clear) = ATTRIBUTES.iter().find(|(name, ..)| *name == option)?;
    Some(Attributes { set: *set, clear: *clear })
}

fn propagation(option: &str) -> Option<MsFlags> {
    PROPAGATION.iter().find(|(name, _)| *name == option).map(|(_, flag)| *flag)
}

fn datum(option: &str) -> Result<Datum, String> {
    let c_string = |text: &str| CString::new(text).map_err(|_| "has a NUL byte in it".to_owned());
    match option.split_once('=') {
        // A label of SELinux has commas in it, and stands in quotes where mount(8) takes options apart: nobody does here.
        Some((key, value)) if key.ends_with("context") => {
            Ok((c_string(key)?, Some(c_string(value.trim_matches('"'))?)))
        }
        Some((key, value)) => Ok((c_string(key)?, Some(c_string(value)?))),
        None => Ok((c_string(option)?, None)),
    }
}
