//! A small world in which only what a test puts there can serve.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};
use tempfile::{TempDir, tempdir};

use crate::common;

pub(crate) fn find(tool: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(tool)).find(|file| file.is_file())
}

/// A repository with nothing but the script, a home, and a PATH with only the tools that the script is made of.
pub(crate) struct World {
    pub(crate) directory: TempDir,
}

/// What a run said.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    /// The last line of stdout.
    pub(crate) path: PathBuf,
    pub(crate) stderr: String,
}

impl World {
    pub(crate) fn new() -> World {
        let world = World { directory: tempdir().unwrap() };
        for directory in ["scripts", "home", "tools"] {
            fs::create_dir(world.at(directory)).unwrap();
        }
        fs::copy(common::SCRIPT, world.at("scripts/fetch-busybox")).unwrap();
        for tool in [
            "sh",
            "uname",
            "dirname",
            "mktemp",
            "mkdir",
            "rm",
            "mv",
            "cp",
            "chmod",
            "od",
            "tr",
            "grep",
            "head",
            "tail",
            "cut",
            "sha256sum",
            "tar",
            "gzip",
            "ar",
            "cat",
        ] {
            if let Some(file) = find(tool) {
                symlink(file, world.at("tools").join(tool)).unwrap();
            }
        }
        world
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    /// Puts a program of the tests' own among the tools, such as a package manager that needs no network.
    pub(crate) fn tool(&self, name: &str, text: &str) {
        let file = self.at("tools").join(name);
        fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(file, Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn command(&self, from: &str) -> Command {
        let mut command = Command::new(self.at("scripts/fetch-busybox"));
        command.env_clear().env("PATH", self.at("tools")).env("HOME", self.at("home"));
        command.arg(format!("--from={from}"));
        command
    }

    /// The command with the file `busybox` as its URL.
    pub(crate) fn with_url(&self, from: &str, busybox: &Path) -> Command {
        let mut command = self.command(from);
        command.env("CORACLE_BUSYBOX_URL", format!("file://{}", busybox.display()));
        command.env("CORACLE_BUSYBOX_SHA256", sha256(busybox));
        command
    }

    /// Where it is stored if nothing else is said.
    pub(crate) fn cached(&self) -> PathBuf {
        self.at("home/.cache/coracle").join(name())
    }
}

pub(crate) fn run(command: &mut Command) -> Said {
    let output = command.output().expect("the script starts");
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    Said { code: output.status.code(), path: stdout.lines().last().unwrap_or_default().into(), stderr }
}

impl Said {
    /// The run served `path` and said from where.
    pub(crate) fn served(&self, source: &str, path: &Path) {
        assert_eq!((self.code, self.path.as_path()), (Some(0), path), "{}", self.stderr);
        assert!(self.stderr.contains(&format!("served by {source}")), "{}", self.stderr);
        assert_eq!(fs::metadata(path).unwrap().mode() & 0o111, 0o111, "it can be run");
        let left = fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name());
        assert!(
            left.into_iter().all(|name| !name.to_string_lossy().starts_with(".fetch")),
            "work is left behind"
        );
    }

    /// The run failed, said `words`, and sent the user to the probe.
    pub(crate) fn gave_up(&self, words: &[&str]) {
        assert_eq!((self.code, self.path.as_path()), (Some(1), Path::new("")), "{}", self.stderr);
        for word in words.iter().chain(&["the probe will be the root filesystem"]) {
            assert!(self.stderr.contains(word), "{word:?} is missing in: {}", self.stderr);
        }
    }
}

pub(crate) fn name() -> String {
    format!("busybox-{}", std::env::consts::ARCH)
}

pub(crate) fn sha256(file: &Path) -> String {
    Sha256::digest(fs::read(file).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn empty(directory: &Path) -> bool {
    fs::read_dir(directory).map_or(true, |mut entries| entries.next().is_none())
}
