//! A miniature course in a throwaway git repository.
#![allow(dead_code, reason = "each test target uses its own part")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

const LIB: &str = r"//! A runtime in miniature.

pub mod boat;

/// Steers.
pub fn steer(course: u32) -> u32 {
    course % 360
}
";

const BOAT: &str = r"//! Boats.

/// Rows: strokes times oars.
pub fn row(strokes: u32) -> u32 {
    strokes * oars()
}

// Both sides.
fn oars() -> u32 {
    one_side() + one_side()
}

fn one_side() -> u32 {
    1
}

/// Sinks.
pub fn sink() -> bool {
    false
}

/// Bails.
pub fn bail(water: u32) -> u32 {
    water - water.min(5)
}
";

const ROWING: &str = r#"title = "Rowing"
minutes = 10
stars = 1
private = ["boat::oars", "boat::one_side"]
[items]
"boat::row" = "0"
"boat::sink" = "true"
"#;

const HINTS: &str = "# Hints\n\n## boat::row\n\n### 1\nHow many?\n\n### 2\nMultiply.\n\n### 3\nStrokes by oars.\n\n\
                     ## boat::sink\n\n### 1\nDoes it?\n\n### 2\nA bool.\n\n### 3\nSay false.\n";

/// The test targets compile the learner's file into themselves: no build of a runtime is needed.
const ROWING_TESTS: &str = r#"#[path = "../harness.rs"]
mod harness;
#[path = "../../crates/coracle/src/boat.rs"]
#[allow(dead_code)]
mod boat;

fn a_boat_moves() {
    assert_eq!(boat::row(3), 6, "the boat does not move");
}

fn a_boat_floats() {
    assert!(!boat::sink(), "the boat is under water");
}

fn main() -> std::process::ExitCode {
    harness::main("lesson-01", &[("red", "a_boat_moves", a_boat_moves), ("red", "a_boat_floats", a_boat_floats)])
}
"#;

const BAILING_TESTS: &str = r#"#[path = "../harness.rs"]
mod harness;

fn it_is_dry() {}

fn main() -> std::process::ExitCode {
    harness::main("lesson-02", &[("guard", "it_is_dry", it_is_dry)])
}
"#;

const CARGO: &str = r#"[package]
name = "lessons"
version = "0.0.0"
edition = "2024"
[[test]]
name = "lesson-01"
path = "01-rowing/tests.rs"
harness = false
[[test]]
name = "lesson-02"
path = "02-bailing/tests.rs"
harness = false
"#;

/// Says what the real one says; a page that holds a hole stops it.
const BOOK: &str = r#"fn main() {
    if std::path::Path::new("book/hole.md").exists() {
        eprintln!("book: a hole in the pages");
        std::process::exit(1);
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => println!("Built: {}", std::env::current_dir().unwrap().join("target/book/index.html").display()),
        [serve, port, number] if serve == "serve" && port == "--port" => {
            println!("The book: http://127.0.0.1:{number}/   (Ctrl-C ends)");
        }
        other => panic!("{other:?}"),
    }
}
"#;

const FILES: &[(&str, &str)] = &[
    (".gitignore", "/target\n"),
    ("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"book\", \"crates/coracle\", \"lessons\"]\n"),
    ("crates/coracle/Cargo.toml", "[package]\nname = \"coracle\"\nversion = \"0.0.0\"\nedition = \"2024\"\n"),
    ("book/Cargo.toml", "[package]\nname = \"book\"\nversion = \"0.0.0\"\nedition = \"2024\"\n"),
    ("book/src/main.rs", BOOK),
    ("lessons/Cargo.toml", CARGO),
    ("lessons/src/lib.rs", ""),
    ("lessons/00-setup/lesson.toml", "title = \"Set-up\"\nminutes = 5\nstars = 1\n"),
    ("lessons/01-rowing/lesson.toml", ROWING),
    ("lessons/01-rowing/hints.md", HINTS),
    ("lessons/01-rowing/tests.rs", ROWING_TESTS),
    (
        "lessons/02-bailing/lesson.toml",
        "title = \"Bailing\"\nminutes = 10\nstars = 2\n[items]\n\"boat::bail\" = \"water\"\n\"steer\" = \"course\"\n",
    ),
    ("lessons/02-bailing/tests.rs", BAILING_TESTS),
    ("lessons/harness.rs", include_str!("../fixtures/course/lessons/harness.rs")),
    ("crates/coracle/src/lib.rs", LIB),
    ("crates/coracle/src/boat.rs", BOAT),
];

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
        command.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_KEY_0", "user.useConfigOnly");
        command.env("GIT_CONFIG_VALUE_0", "true").env("GIT_CEILING_DIRECTORIES", std::env::temp_dir());
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
