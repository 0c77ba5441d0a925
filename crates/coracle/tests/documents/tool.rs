//! `my-bundle`: what steps 2 to 6 of the document make by hand, made by `oci-tool` (the document's own exercise).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::common::{fresh_id, text};

/// The binary of `oci-tool`.
pub(crate) fn oci_tool() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| testkit::program("oci-tool"))
}

/// The document's bundle with BusyBox in it, a state directory, and an id of its own. With it goes what was left running.
pub(crate) struct MyBundle {
    folder: TempDir,
    pub(crate) id: String,
}

impl MyBundle {
    /// `oci-tool init` with these options, and `oci-tool prepare`.
    pub(crate) fn new(options: &[&str]) -> MyBundle {
        let folder = tempfile::tempdir().expect("a temporary directory");
        // The root of a user namespace must get in.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("its mode");
        let bundle = MyBundle { folder, id: fresh_id() };
        let path = bundle.path().display().to_string();
        tool(&[&["init"], options, &[&path]].concat());
        tool(&["prepare", &path]);
        // Suites run side by side.
        let group = format!("/coracle-{}", bundle.id);
        bundle.change(|config| config["linux"]["cgroupsPath"] = json!(group));
        bundle
    }

    /// One that joins: a folder for a config beside it.
    pub(crate) fn beside(&self, config: &Value) -> PathBuf {
        let path = self.folder.path().join(fresh_id());
        fs::create_dir(&path).expect("a folder");
        fs::write(path.join("config.json"), config.to_string()).expect("a config");
        path
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("my-bundle")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn config(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path().join("config.json")).expect("a config")).expect("JSON")
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Value)) {
        let mut config = self.config();
        change(&mut config);
        fs::write(self.path().join("config.json"), config.to_string()).expect("a config");
    }

    /// `cd my-bundle; coracle WORDS`, with a state directory of the test's.
    pub(crate) fn coracle(&self, words: &[&str]) -> Command {
        let mut command = Command::new(testkit::runtime());
        command.arg("--root").arg(self.file("state")).args(words).current_dir(self.path());
        command.stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    pub(crate) fn call(&self, words: &[&str]) -> Output {
        self.coracle(words).output().expect("the runtime starts")
    }

    /// It succeeds. Returns what it said.
    #[track_caller]
    pub(crate) fn must(&self, words: &[&str]) -> String {
        let output = self.call(words);
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()), "{words:?}");
        text(&output.stdout)
    }

    /// It fails with 1, in one line with all of `parts`.
    #[track_caller]
    pub(crate) fn fails(&self, words: &[&str], parts: &[&str]) {
        says(&self.call(words), parts);
    }

    /// Creates it, outliving the call, and starts it.
    #[track_caller]
    pub(crate) fn start(&self) {
        self.create(&self.path(), &self.id);
        self.must(&["start", &self.id]);
    }

    /// `create`, of any bundle here. Its output goes nowhere: it outlives the call.
    #[track_caller]
    pub(crate) fn create(&self, bundle: &Path, id: &str) {
        let errors = self.file("errors");
        let mut create = self.coracle(&["create", "--bundle", &bundle.to_string_lossy(), id]);
        let status = create.stdout(Stdio::null()).stderr(fs::File::create(&errors).expect("a file")).status();
        let said = fs::read_to_string(&errors).expect("what it said");
        assert!(status.expect("the runtime starts").success(), "create: {said}");
    }

    #[track_caller]
    pub(crate) fn state(&self, id: &str) -> Value {
        serde_json::from_str(&self.must(&["state", id])).expect("JSON")
    }

    /// The words of the line of `list` that is about `id`: id, pid, status, bundle, created, owner.
    #[track_caller]
    pub(crate) fn listed(&self, id: &str) -> Option<Vec<String>> {
        let list = self.must(&["list"]);
        assert!(list.starts_with("ID "), "{list}");
        let line = list.lines().find(|line| line.split_whitespace().next() == Some(id))?;
        Some(line.split_whitespace().map(str::to_owned).collect())
    }
}

impl Drop for MyBundle {
    fn drop(&mut self) {
        for id in fs::read_dir(self.file("state")).into_iter().flatten().flatten() {
            let _ = self.call(&["delete", "--force", &id.file_name().to_string_lossy()]);
        }
    }
}

/// `oci-tool WORDS`, which must succeed. Returns what it said.
#[track_caller]
pub(crate) fn tool(words: &[&str]) -> String {
    let output = Command::new(oci_tool()).args(words).stdin(Stdio::null()).output().expect("it starts");
    assert!(output.status.success(), "{words:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// It ended with 1, in one line with all of `parts`.
#[track_caller]
pub(crate) fn says(output: &Output, parts: &[&str]) {
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    for part in parts {
        assert!(stderr.contains(part), "no {part:?} in {stderr}");
    }
}
