//! What is mounted in a container, and directories of the host to be mounted or to be kept out.

use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::container::Container;
use crate::failure::OrHarness;
use crate::rootfs::{Rootfs, temporary};

/// What a container is furnished with, beside its /proc.
#[derive(Debug, Default)]
pub(crate) struct Furniture {
    mounts: Vec<Mount>,
    dev: bool,
    /// The words that the runtime is started with.
    pub(crate) under: Vec<String>,
}

/// A mount in the words of config.json.
#[derive(Debug)]
struct Mount {
    destination: String,
    kind: String,
    source: String,
    options: Vec<String>,
}

impl Mount {
    fn new(destination: &str, kind: &str, source: &str, options: &[&str]) -> Mount {
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        Mount { destination: destination.into(), kind: kind.into(), source: source.into(), options }
    }

    fn flag(&self) -> String {
        let mut flag = format!("type={},source={},destination={}", self.kind, self.source, self.destination);
        self.options.iter().for_each(|option| flag += &format!(",{option}"));
        flag
    }

    fn json(&self) -> Value {
        json!({
            "destination": self.destination, "type": self.kind, "source": self.source, "options": self.options,
        })
    }
}

impl Furniture {
    /// For our own runtime.
    pub(crate) fn flags(&self) -> Vec<String> {
        let mounts = self.mounts.iter().flat_map(|mount| ["--mount".to_owned(), mount.flag()]);
        self.dev.then(|| "--dev".to_owned()).into_iter().chain(mounts).collect()
    }

    /// For the others: adds it to the config.json in `folder`. Devices they make unasked.
    pub(crate) fn add_to(&self, folder: &Path) {
        let dev = [
            Mount::new("/dev", "tmpfs", "tmpfs", &["nosuid", "mode=755"]),
            Mount::new("/dev/pts", "devpts", "devpts", &["nosuid", "noexec", "newinstance", "ptmxmode=0666"]),
        ];
        let all = dev.iter().filter(|_| self.dev).chain(&self.mounts).map(Mount::json);
        let path = folder.join("config.json");
        let text = std::fs::read(&path).or_harness("read config.json");
        let mut config: Value = serde_json::from_slice(&text).or_harness("read config.json");
        if let Some(mounts) = config["mounts"].as_array_mut() {
            mounts.extend(all);
        }
        std::fs::write(path, config.to_string()).or_harness("write config.json");
    }
}

impl Container {
    /// With a /dev of its own.
    #[must_use]
    pub fn dev(mut self) -> Container {
        self.furniture.dev = true;
        self
    }

    /// With a tmpfs, whose source is called `tmpfs`. Mounts are made in the order of these calls.
    #[must_use]
    pub fn tmpfs(mut self, destination: &str, options: &[&str]) -> Container {
        self.furniture.mounts.push(Mount::new(destination, "tmpfs", "tmpfs", options));
        self
    }

    /// With a file or directory of the host, and the mounts below it.
    #[must_use]
    pub fn bind(mut self, source: &Path, destination: &str, options: &[&str]) -> Container {
        let options = [&["rbind"], options].concat();
        let source = source.display().to_string();
        self.furniture.mounts.push(Mount::new(destination, "bind", &source, &options));
        self
    }

    /// With the runtime started by these words, as in `unshare -Ur RUNTIME ...`.
    #[must_use]
    pub fn under(mut self, words: &[&str]) -> Container {
        self.furniture.under = words.iter().map(|word| (*word).to_owned()).collect();
        self
    }
}

impl Rootfs {
    /// Makes a symlink in it.
    pub fn link(&self, name: &str, to: &Path) {
        symlink(to, self.path().join(name)).or_harness("make a symlink in the rootfs");
    }
}

/// A directory of the host.
#[derive(Debug)]
pub struct Folder(TempDir);

impl Folder {
    /// A fresh one, empty.
    pub fn new() -> Folder {
        Folder(temporary())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Makes a file in it, and the directories on the way.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(self.path())).or_harness("make a directory");
        std::fs::write(path, text).or_harness("write a file");
    }

    /// Makes a symlink in it.
    pub fn link(&self, name: &str, to: &Path) {
        symlink(to, self.path().join(name)).or_harness("make a symlink");
    }

    /// The names of what is in it, sorted.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path()).into_iter().flatten().flatten();
        let mut names: Vec<_> = entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

impl Default for Folder {
    fn default() -> Folder {
        Folder::new()
    }
}
