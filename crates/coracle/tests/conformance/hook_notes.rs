//! Hooks that note what they see.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::unistd::Pid;
use probe::Note;
use serde_json::{Value, json};

use super::common::{Bundle, Finish, Leaks};

pub(crate) const ALL: [&str; 6] =
    ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];

pub(crate) const SOON: Duration = Duration::from_secs(5);

/// A bundle whose hooks and whose program note what they see, in a file that both sides reach.
pub(crate) struct Noted {
    pub(crate) bundle: Bundle,
    pub(crate) config: Value,
}

impl Noted {
    pub(crate) fn new() -> Noted {
        let (bundle, mut config) = (Bundle::new(), Bundle::config());
        config["process"]["args"] = json!(["/probe", "note", "/tmp/notes", "program"]);
        config["annotations"] = json!({ "org.example.boat": "round" });
        Noted { bundle, config }
    }

    pub(crate) fn id(&self) -> &str {
        self.bundle.id()
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.bundle.path().join("rootfs/tmp/notes")
    }

    /// A hook of `moment` that notes what it sees as `name`.
    pub(crate) fn noting(&self, moment: &str, name: &str) -> Value {
        let (probe, file) = match moment {
            "startContainer" => (PathBuf::from("/probe"), PathBuf::from("/tmp/notes")),
            _ => (testkit::probe(), self.file()),
        };
        json!({ "path": probe, "args": ["hook", "note", file, name], "env": [self.mark()] })
    }

    /// By this a hook is known that outlives its runtime.
    pub(crate) fn mark(&self) -> String {
        format!("{}={}", Leaks::VARIABLE, self.id())
    }

    /// A hook of the host's: a shell's script.
    pub(crate) fn script(&self, script: &str) -> Value {
        json!({ "path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/usr/bin:/bin", self.mark()] })
    }

    /// A hook of `moment` that ends with status 7.
    pub(crate) fn failing(&self, moment: &str) -> Value {
        match moment {
            "startContainer" => json!({ "path": "/probe", "args": ["probe", "exit", "7"] }),
            _ => self.script("echo the wind; echo and the sea >&2; exit 7"),
        }
    }

    /// A hook of `moment` that notes what it sees, and then takes its time.
    pub(crate) fn slow(&self, moment: &str) -> [Value; 2] {
        let slow = match moment {
            "startContainer" => {
                json!({ "path": "/probe", "args": ["probe", "sleep", "100"], "env": [self.mark()] })
            }
            _ => self.script("exec sleep 100"),
        };
        [self.noting(moment, "slow"), slow]
    }

    pub(crate) fn hooks(mut self, moment: &str, hooks: impl IntoIterator<Item = Value>) -> Noted {
        self.config["hooks"][moment] = hooks.into_iter().collect();
        self
    }

    pub(crate) fn write(&self) -> &Bundle {
        self.bundle.write(&self.config)
    }

    /// `create`, to be run.
    pub(crate) fn create(&self, options: &[&str]) -> Command {
        let bundle = self.write().path().display().to_string();
        let mut create = self.bundle.coracle(options);
        create.args(["create", "--bundle", &bundle, self.id()]).stdout(Stdio::null());
        create
    }

    /// Runs a create to its end: its exit code, and its standard error, which goes to a file, for a container that is made
    /// against all expectations keeps it open.
    pub(crate) fn outcome(&self, mut create: Command) -> (Option<i32>, String) {
        let path = self.bundle.path().join("errors");
        create.stderr(std::fs::File::create(&path).expect("a file"));
        let status = create.finish().status;
        (status.code(), std::fs::read_to_string(&path).expect("what it said"))
    }

    pub(crate) fn notes(&self) -> Vec<Note> {
        let text = std::fs::read_to_string(self.file()).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("a note")).collect()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.notes().into_iter().map(|note| note.name).collect()
    }

    pub(crate) fn note(&self, name: &str) -> Note {
        let note = self.notes().into_iter().find(|note| note.name == name);
        note.unwrap_or_else(|| panic!("no note of {name:?}, but of {:?}", self.names()))
    }

    /// From create to delete, with a program that ends by itself.
    pub(crate) fn whole_life(&self) {
        self.write().create(self.id());
        self.bundle.must(&["start", self.id()]);
        self.bundle.wait_for(self.id(), "stopped");
        self.bundle.must(&["delete", self.id()]);
    }
}

/// With one hook at each moment, called after it.
pub(crate) fn one_each() -> Noted {
    ALL.iter().fold(Noted::new(), |noted, moment| {
        let hook = noted.noting(moment, moment);
        noted.hooks(moment, [hook])
    })
}

/// The processes with the mark of a hook.
pub(crate) fn marked(id: &str) -> Vec<Pid> {
    let mark = format!("{}={id}\0", Leaks::VARIABLE).into_bytes();
    let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_ours = |pid: &i32| {
        let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environ.windows(mark.len()).any(|part| part == mark)
    };
    pids.filter(is_ours).map(Pid::from_raw).collect()
}
