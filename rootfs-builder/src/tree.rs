//! The description of the root filesystem, before anything is written.

use std::collections::BTreeMap;

use crate::source::applets;
use crate::{Result, Source};

/// One directory, file or link. Its owner is root, its modification time 0.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// Permission bits, sticky bit included.
    pub mode: u32,
    /// What it is.
    pub kind: Kind,
}

/// What an [`Entry`] is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file with these bytes.
    File(Vec<u8>),
    /// A symbolic link. The target is relative, so it also leads to the right place when seen from outside the tree.
    Link(String),
}

/// A root filesystem: entries by their path, with no leading slash, sorted, each directory before what is in it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tree {
    entries: BTreeMap<String, Entry>,
    command: String,
}

/// Directories and their modes. `/dev`, `/proc` and `/sys` are mount points, and a mount point must exist before the
/// root filesystem is made read-only.
const DIRECTORIES: [(&str, u32); 11] = [
    ("bin", 0o755),
    ("dev", 0o755),
    ("dev/mqueue", 0o755),
    ("dev/pts", 0o755),
    ("dev/shm", 0o1777),
    ("etc", 0o755),
    ("proc", 0o755),
    ("root", 0o700),
    ("run", 0o755),
    ("sys", 0o755),
    ("tmp", 0o1777),
];

// Group 5 is the one that devpts is mounted with (gid=5) in the specification's example and in every engine.
const GROUP: &str = "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n";
const HOSTS: &str = "127.0.0.1\tlocalhost\n::1\tlocalhost\n";
const RESOLV_CONF: &str =
    "# No name server: whoever gives the container a network mounts a file of their own here.\n";

impl Tree {
    /// Describes the tree of `source`.
    ///
    /// # Errors
    /// The program cannot be read, is not static, not of this architecture, or not BusyBox.
    pub fn of(source: &Source) -> Result<Tree> {
        let program = source.program()?;
        match source {
            Source::Busybox(path) => {
                let mut tree = Tree::with("bin/busybox", program, "bin/sh");
                for name in applets(path)? {
                    tree.add(format!("bin/{name}"), 0o777, Kind::Link("busybox".into()));
                }
                Ok(tree)
            }
            Source::Probe(_) => {
                let mut tree = Tree::with("bin/probe", program, "bin/probe");
                tree.add("probe", 0o777, Kind::Link("bin/probe".into()));
                Ok(tree)
            }
        }
    }

    /// What every tree has, and the program.
    fn with(path: &str, program: Vec<u8>, command: &str) -> Tree {
        let mut tree = Tree { entries: BTreeMap::new(), command: format!("/{command}") };
        for (path, mode) in DIRECTORIES {
            tree.add(path, mode, Kind::Directory);
        }
        let passwd =
            format!("root:x:0:0:root:/root:{}\nnobody:x:65534:65534:nobody:/:/bin/false\n", tree.command);
        for (path, text) in [
            ("etc/passwd", passwd.as_str()),
            ("etc/group", GROUP),
            ("etc/hosts", HOSTS),
            ("etc/resolv.conf", RESOLV_CONF),
        ] {
            tree.add(path, 0o644, Kind::File(text.into()));
        }
        tree.add(path, 0o755, Kind::File(program));
        tree
    }

    fn add(&mut self, path: impl Into<String>, mode: u32, kind: Kind) {
        self.entries.insert(path.into(), Entry { mode, kind });
    }

    /// The entries in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &Entry)> {
        self.entries.iter().map(|(path, entry)| (path.as_str(), entry))
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none. A tree made by [`Tree::of`] is never empty.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What to run in this tree if nothing else is asked for: the shell or the probe, by its absolute path.
    pub fn command(&self) -> &str {
        &self.command
    }

    /// The names that an output can have at its top.
    pub(crate) const TOP: [&'static str; 9] =
        ["bin", "dev", "etc", "probe", "proc", "root", "run", "sys", "tmp"];
}
