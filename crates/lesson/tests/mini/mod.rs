//! A miniature course in a throwaway git repository.
#![allow(dead_code, reason = "each test target uses its own part")]

mod files;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use files::FILES;

/// The repository, and a home folder without any configuration.
pub(crate) struct Mini {
    folder: TempDir,
}

/// What a command printed, and whether it succeeded.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) ok: bool,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            ok: output.status.success(),
            out: String::from_utf8(output.stdout).expect("text"),
            err: String::from_utf8(output.stderr).expect("text"),
        }
    }
}

impl Mini {
    /// The files alone, as a zip download has them.
    pub(crate) fn unpacked() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mini = Self { folder };
        for (name, text) in FILES {
            mini.write(name, text);
        }
        // As after a first `cargo lesson`.
        fs::create_dir_all(mini.root().join("target/coracle/rootfs")).expect("a folder");
        mini
    }

    /// A clone: the files, committed.
    pub(crate) fn cloned() -> Self {
        let mini = Self::unpacked();
        mini.git(&["init", "--quiet", "--initial-branch=main"]);
        mini.commit("The reference");
        mini
    }

    /// A clone of one branch of another clone, as a server hands it out.
    pub(crate) fn clone_of(other: &Mini, branch: &str) -> Self {
        let mini = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        let (from, to) = (other.root(), mini.root());
        let arguments = ["clone", "--quiet", "--single-branch", "--branch", branch];
        let mut command = mini.command("git");
        command.current_dir(mini.folder.path()).args(arguments).args([from, to]);
        let said = Said::from(command.output().expect("git runs"));
        assert!(said.ok, "git clone: {said:?}");
        mini
    }

    /// A clone on which the course was started.
    pub(crate) fn started() -> Self {
        let mini = Self::cloned();
        mini.does(&["start"]);
        mini
    }

    /// The same once more, history and all.
    pub(crate) fn copy(&self) -> Self {
        let mini = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        let copied = Command::new("cp").arg("-a").args([self.root(), mini.root()]).status().expect("cp runs");
        assert!(copied.success(), "cp: {copied}");
        mini
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("clone")
    }

    /// What lies about in the folder for temporary files.
    pub(crate) fn litter(&self) -> Vec<PathBuf> {
        let entries =
            fs::read_dir(self.folder.path()).expect("a folder").map(|entry| entry.expect("an entry").path());
        entries.filter(|path| *path != self.root()).collect()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.root().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.root().join(name)).expect("a file")
    }

    /// Replaces text in a file, as somebody at an editor does.
    pub(crate) fn edit(&self, name: &str, old: &str, new: &str) {
        let text = self.text(name);
        assert!(text.contains(old), "{name} has no {old:?}: {text}");
        self.write(name, &text.replace(old, new));
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.root()).env("HOME", self.folder.path()).env("NO_COLOR", "1");
        // No identity from anywhere: neither a configuration nor the host's name.
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env_remove("EMAIL");
        command.env("GIT_CONFIG_COUNT", "2").env("GIT_CONFIG_KEY_0", "user.useConfigOnly");
        command.env("GIT_CONFIG_VALUE_0", "true").env("GIT_CEILING_DIRECTORIES", std::env::temp_dir());
        // Whoever is killed leaves its scratch folders: they go with this one.
        command.env("TMPDIR", self.folder.path());
        // Thousands of objects, none of which has to outlive the machine.
        command.env("GIT_CONFIG_KEY_1", "core.fsync").env("GIT_CONFIG_VALUE_1", "none");
        for name in ["GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "CORACLE_UNLOCK", "CARGO_TARGET_DIR"] {
            command.env_remove(name);
        }
        command
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let said = Said::from(self.command("git").args(arguments).output().expect("git runs"));
        assert!(said.ok, "git {arguments:?}: {said:?}");
        said.out
    }

    /// The name that git gives to a text.
    pub(crate) fn object_of(&self, text: &str) -> String {
        let scratch = tempfile::NamedTempFile::new().expect("a file");
        fs::write(&scratch, text).expect("a file");
        let path = scratch.path().to_str().expect("a path");
        self.git(&["hash-object", "--no-filters", path]).trim().to_owned()
    }

    pub(crate) fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        let who = ["-c", "user.name=Test", "-c", "user.email=test@localhost"];
        self.git(&[&who[..], &["commit", "--quiet", "-m", message]].concat());
    }

    /// `cargo lesson ARGUMENTS`, from a folder below the root.
    pub(crate) fn lesson(&self, arguments: &[&str]) -> Said {
        Said::from(self.started_by(arguments).output().expect("cargo lesson runs"))
    }

    /// The command of [`Mini::lesson`].
    pub(crate) fn started_by(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_lesson"));
        command.args(arguments).current_dir(self.root().join("lessons"));
        // The toolchain's own folder may lie in the home that is hidden above.
        if let Some(home) = std::env::var_os("HOME") {
            let default = |name: &str| Path::new(&home).join(name);
            command.env(
                "RUSTUP_HOME",
                std::env::var_os("RUSTUP_HOME").unwrap_or_else(|| default(".rustup").into()),
            );
            command.env(
                "CARGO_HOME",
                std::env::var_os("CARGO_HOME").unwrap_or_else(|| default(".cargo").into()),
            );
        }
        command
    }

    /// As [`Mini::lesson`], for what must succeed.
    pub(crate) fn does(&self, arguments: &[&str]) -> String {
        let said = self.lesson(arguments);
        assert!(said.ok, "{arguments:?}: {said:?}");
        said.out
    }

    /// As [`Mini::lesson`], for what must be refused.
    pub(crate) fn refuses(&self, arguments: &[&str]) -> String {
        let said = self.lesson(arguments);
        assert!(!said.ok, "{arguments:?}: {said:?}");
        said.err
    }

    /// Every file of the runtime.
    pub(crate) fn sources(&self) -> BTreeMap<PathBuf, String> {
        course::Tree::read(&self.root().join("crates/coracle/src")).expect("sources").files
    }
}
