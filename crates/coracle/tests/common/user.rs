//! An ordinary user with a bundle.

use std::os::unix::fs::{PermissionsExt, lchown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::unistd::{getegid, geteuid};
use serde_json::{Value, json};

use super::{Bundle, Finish, text};

const NOBODY: u32 = 65534;

/// An ordinary user, us or `nobody`, who owns a bundle and a copy of the runtime.
pub(crate) struct User(pub(crate) Bundle);

/// What `command` must be called by to be an ordinary user's.
fn become_one() -> &'static [&'static str] {
    let become_nobody = &["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];
    if geteuid().is_root() { become_nobody } else { &[] }
}

impl User {
    pub(crate) fn new() -> User {
        let user = User(Bundle::new());
        let copied = Command::new("cp").arg(testkit::runtime()).arg(user.program()).status();
        assert!(copied.expect("cp starts").success(), "a copy that the user may execute");
        for folder in [user.state(), user.path().join("run")] {
            std::fs::create_dir(folder).expect("a folder");
        }
        if geteuid().is_root() {
            std::fs::set_permissions(user.path(), PermissionsExt::from_mode(0o755)).expect("it is ours");
            user.own(user.path());
        }
        user
    }

    fn own(&self, path: &Path) {
        lchown(path, Some(NOBODY), Some(NOBODY)).expect("we are root");
        if std::fs::symlink_metadata(path).is_ok_and(|found| found.is_dir()) {
            let all = std::fs::read_dir(path).expect("a folder").flatten();
            all.for_each(|entry| self.own(&entry.path()));
        }
    }

    /// The user's number and the group's.
    pub(crate) fn ids() -> (u32, u32) {
        if geteuid().is_root() { (NOBODY, NOBODY) } else { (geteuid().as_raw(), getegid().as_raw()) }
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.0.state()
    }

    pub(crate) fn id(&self) -> &str {
        self.0.id()
    }

    pub(crate) fn program(&self) -> PathBuf {
        self.path().join("coracle")
    }

    /// `words`, to be called by the user in the bundle; `before` it are words for whoever we are.
    pub(crate) fn command(&self, before: &[&str], words: &[&str]) -> Command {
        let mut all = [before, become_one(), words].concat().into_iter();
        let mut command = Command::new(all.next().expect("a word"));
        command.args(all).current_dir(self.path()).stdin(Stdio::null());
        command.env_remove("XDG_RUNTIME_DIR").env("HOME", self.path()).env("TMPDIR", self.path());
        command
    }

    /// `coracle --root STATE WORDS`, after `before`, to be called by the user.
    pub(crate) fn after(&self, before: &[&str], words: &[&str]) -> Command {
        let (program, state) = (self.program().display().to_string(), self.state().display().to_string());
        self.command(before, &[&[program.as_str(), "--root", state.as_str()], words].concat())
    }

    /// `coracle --root STATE WORDS`, to be called by the user.
    pub(crate) fn coracle(&self, words: &[&str]) -> Command {
        self.after(&[], words)
    }

    /// What `coracle spec --rootless` writes, without a terminal.
    pub(crate) fn spec(&self) -> Value {
        let file = self.path().join("config.json");
        // The one before.
        let _ = std::fs::remove_file(&file);
        must(self.coracle(&["spec", "--rootless"]));
        let text = std::fs::read_to_string(&file).expect("spec writes a config");
        let mut config: Value = serde_json::from_str(&text).expect("JSON");
        config["process"]["terminal"] = json!(false);
        config
    }

    /// The same, in which the probe does this.
    pub(crate) fn config(&self, action: &[&str]) -> Value {
        let mut config = self.spec();
        config["process"]["args"] = json!([&["/probe"], action].concat());
        config
    }

    /// Runs that by `command`, and it must succeed. Returns the probe's report.
    #[track_caller]
    pub(crate) fn report(&self, config: &Value) -> probe::Report {
        self.0.write(config);
        read(&must(self.coracle(&["run", self.id()])))
    }

    /// Runs that, and it must fail with `words`, and leave nothing.
    #[track_caller]
    pub(crate) fn refused(&self, config: &Value, words: &[&str]) {
        self.0.write(config);
        must_fail(self.coracle(&["run", self.id()]), words);
        assert_eq!(self.0.left(), Vec::<PathBuf>::new());
    }

    /// Creates, with `options` before the verb, and starts a container that waits for SIGTERM; each call after `before`. Returns
    /// its init.
    #[track_caller]
    pub(crate) fn start(&self, before: &[&str], options: &[&str]) -> i32 {
        self.0.write(&self.config(&["wait-signal", "TERM"]));
        let mut create = self.after(before, &[options, &["create", self.id()]].concat());
        let output = std::fs::File::create(self.0.output(self.id())).expect("a file");
        let errors = std::fs::File::create(self.path().join("errors")).expect("a file");
        let status = create.stdout(output).stderr(errors).finish().status;
        let said = std::fs::read_to_string(self.path().join("errors")).unwrap_or_default();
        assert!(status.success(), "create: {said}");
        must(self.after(before, &["start", self.id()]));
        self.0.ready();
        self.told()["pid"].as_i64().expect("a number") as i32
    }

    /// The container's state.
    #[track_caller]
    pub(crate) fn told(&self) -> Value {
        serde_json::from_str(&must(self.coracle(&["state", self.id()]))).expect("JSON")
    }

    /// Waits until the container has stopped.
    #[track_caller]
    pub(crate) fn stopped(&self) {
        testkit::within(std::time::Duration::from_secs(5), "it has stopped", || {
            self.told()["status"] == "stopped"
        });
    }
}

/// The probe's report.
#[track_caller]
pub(crate) fn read(said: &str) -> probe::Report {
    let line = said.lines().next().unwrap_or_default();
    serde_json::from_str(line).unwrap_or_else(|error| panic!("no report: {error}: {said:?}"))
}

/// What the probe read, in words.
pub(crate) fn words(report: &probe::Report) -> Vec<String> {
    let did = report.did.as_ref().expect("an action");
    let told = did.errno.as_ref().or(did.detail.as_ref());
    told.map(|told| told.split_whitespace().map(str::to_owned).collect()).unwrap_or_default()
}

/// The call must succeed without a word on standard error. Returns what it says.
#[track_caller]
pub(crate) fn must(mut command: Command) -> String {
    let output = command.finish();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()), "{command:?}");
    text(&output.stdout)
}

/// The call must fail with all of `words`.
#[track_caller]
pub(crate) fn must_fail(mut command: Command, words: &[&str]) {
    let output = command.finish();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{command:?}: {said}");
    for words in words {
        assert!(said.contains(words), "{words:?} is not in: {said}");
    }
}
