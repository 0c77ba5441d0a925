//! A course in miniature, below the target folder.
#![allow(dead_code, reason = "each test target uses its own part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A fresh copy of `tests/fixtures/course`.
pub(crate) struct Boat {
    root: PathBuf,
}

/// What `cargo lesson prove` said.
pub(crate) struct Proof {
    pub(crate) success: bool,
    pub(crate) output: String,
    pub(crate) errors: String,
}

impl Boat {
    pub(crate) fn new(name: &str) -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("prover").join(name);
        if root.exists() {
            fs::remove_dir_all(&root).unwrap();
        }
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/course"), &root);
        Self { root }
    }

    pub(crate) fn read(&self, file: &str) -> String {
        fs::read_to_string(self.root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    /// Replaces the only occurrence of `old`.
    pub(crate) fn edit(&self, file: &str, old: &str, new: &str) {
        let text = self.read(file);
        assert_eq!(text.matches(old).count(), 1, "{file} does not hold `{old}` once");
        fs::write(self.root.join(file), text.replacen(old, new, 1)).unwrap();
    }

    /// Adds a lesson in the making, 03, with the item `hull::sails` whose body is `true`. Without sails the boat stays
    /// where it is, and the program fails.
    pub(crate) fn draft(&self, neutral: &str) {
        let sails = "/// Whether there are sails.\npub fn sails() -> bool {\n    true\n}\n";
        let hull = self.read("crates/coracle/src/hull.rs");
        fs::write(self.root.join("crates/coracle/src/hull.rs"), format!("{hull}\n{sails}")).unwrap();
        self.edit("crates/coracle/src/main.rs", "print();", "print();\n    assert!(coracle::hull::sails());");
        let manifest = format!(
            "title = \"Sail\"\nminutes = 5\nstars = 1\nneeds = []\n\n[items]\n\"hull::sails\" = '''{neutral}'''\n"
        );
        fs::create_dir(self.root.join("lessons/03-sail")).unwrap();
        fs::write(self.root.join("lessons/03-sail/lesson.toml"), manifest).unwrap();
    }

    /// Gives lesson 01 the real testkit, resolved with the real Cargo.lock, so that nothing has to be fetched.
    pub(crate) fn take_testkit(&self) {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let testkit =
            format!("[dependencies]\ntestkit = {{ path = {:?} }}\n\n[[bin]]", crates.join("testkit"));
        let manifest = "lessons/Cargo.toml";
        self.edit(manifest, "[[bin]]", &testkit);
        let runtime =
            "[[bin]]\nname = \"coracle-under-test\"\npath = \"probe.rs\"\n\n[[test]]\nname = \"lesson-01\"";
        self.edit(manifest, "[[test]]\nname = \"lesson-01\"", runtime);
        fs::rename(
            self.root.join("lessons/01-float/with-testkit.rs"),
            self.root.join("lessons/01-float/tests.rs"),
        )
        .unwrap();
        fs::copy(crates.join("../Cargo.lock"), self.root.join("Cargo.lock")).unwrap();
    }

    pub(crate) fn prove(&self, lessons: &[&str]) -> Proof {
        self.prove_with(lessons, &[])
    }

    /// Runs `cargo lesson prove` here.
    pub(crate) fn prove_with(&self, lessons: &[&str], env: &[(&str, &str)]) -> Proof {
        self.lesson(&[&["prove"], lessons].concat(), env)
    }

    /// `cargo lesson ARGUMENTS`, with the fixture's own runc first in PATH.
    pub(crate) fn lesson(&self, arguments: &[&str], env: &[(&str, &str)]) -> Proof {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path =
            std::env::join_paths([self.root.join("bin")].into_iter().chain(std::env::split_paths(&path)));
        let mut command = Command::new(env!("CARGO_BIN_EXE_lesson"));
        command.args(arguments).current_dir(&self.root).env("PATH", path.unwrap());
        command.env("CARGO_NET_OFFLINE", "true").env_remove("CARGO_TARGET_DIR").env_remove("CORACLE_STRICT");
        command.envs(env.iter().copied());
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Proof { success: output.status.success(), output: text(output.stdout), errors: text(output.stderr) }
    }
}

impl Drop for Boat {
    fn drop(&mut self) {
        // A failed test leaves its course for a look; the next run makes it anew.
        if !std::thread::panicking() {
            fs::remove_dir_all(&self.root).unwrap();
        }
    }
}

impl Proof {
    pub(crate) fn defects(&self) -> Vec<String> {
        let defects = self.output.lines().filter_map(|line| line.strip_prefix("defect: "));
        defects.map(str::to_owned).collect()
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}
