//! A bundle with BusyBox in it, a state directory and an id of its own; and `ns-runtime` on it.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::within;

/// A program that lives until somebody ends it, and ends at once when it is told to.
pub(crate) const OBEDIENT: &str = "trap 'exit 0' TERM; echo ready; sleep 1000 & wait";

/// The longest that a command of ours takes is the 7 s of a deletion.
const LONGEST: Duration = Duration::from_secs(20);

/// How a command ended, and what it said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// What a test left running goes with it.
pub(crate) struct Boat {
    folder: TempDir,
    pub(crate) id: String,
}

impl Boat {
    /// With `args` as its program; for whoever we are.
    pub(crate) fn new(args: &[&str]) -> Boat {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let folder = tempfile::tempdir().expect("a temporary directory");
        // The root of a user namespace must get in.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("its mode");
        let id = format!("ns-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let boat = Boat { folder, id };
        let rootless: &[&str] = if nix::unistd::geteuid().is_root() { &[] } else { &["--rootless"] };
        let bundle = boat.bundle();
        boat.tool(&[&["init", "--no-terminal", "--hostname", "boat"], rootless, &[&bundle]].concat());
        boat.tool(&["prepare", &bundle]);
        boat.program(args);
        boat
    }

    /// One whose program is a shell that runs `line`.
    pub(crate) fn sh(line: &str) -> Boat {
        Boat::new(&["sh", "-c", line])
    }

    fn tool(&self, words: &[&str]) {
        let output = Command::new(testkit::program("oci-tool")).args(words).output().expect("it starts");
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    pub(crate) fn program(&self, args: &[&str]) {
        self.change(|config| config["process"]["args"] = json!(args));
    }

    pub(crate) fn bundle(&self) -> String {
        self.file("bundle").display().to_string()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Value)) {
        let file = self.file("bundle/config.json");
        let mut config = serde_json::from_slice(&fs::read(&file).expect("a config")).expect("JSON");
        change(&mut config);
        fs::write(file, config.to_string()).expect("a config");
    }

    /// What `state.json` says.
    pub(crate) fn record(&self) -> Value {
        let file = self.file("state").join(&self.id).join("state.json");
        serde_json::from_slice(&fs::read(file).expect("a record")).expect("JSON")
    }

    pub(crate) fn pid(&self) -> i32 {
        self.record()["pid"].as_i64().expect("a number") as i32
    }

    /// `ns-runtime --root STATE WORDS`.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(testkit::runtime());
        command.arg("--root").arg(self.file("state")).args(words).stdin(Stdio::null());
        command
    }

    /// Runs `command` to its end. What it says goes to files: a container that outlives it keeps them open.
    pub(crate) fn ended(&self, command: &mut Command) -> Said {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let (out, err) = (self.file(&format!("out-{number}")), self.file(&format!("err-{number}")));
        command.stdout(File::create(&out).expect("a file")).stderr(File::create(&err).expect("a file"));
        let mut running = command.spawn().expect("it starts");
        let mut status = None;
        // Else one that waits for a container that never ends would wait with it.
        let end = Instant::now() + LONGEST;
        while status.is_none() && Instant::now() < end {
            status = running.try_wait().expect("our child");
            std::thread::sleep(Duration::from_millis(2));
        }
        let Some(status) = status else {
            let _ = running.kill().and_then(|()| running.wait());
            panic!("not within {LONGEST:?}: {command:?} comes to its end")
        };
        let code = status.code();
        let read = |path| fs::read_to_string(path).expect("a file");
        Said { code, out: read(out), err: read(err) }
    }

    /// Runs `ns-runtime WORDS` to its end.
    pub(crate) fn call(&self, words: &[&str]) -> Said {
        self.ended(&mut self.command(words))
    }

    /// It succeeds.
    #[track_caller]
    pub(crate) fn must(&self, words: &[&str]) -> Said {
        let said = self.call(words);
        assert_eq!(said.code, Some(0), "{words:?}: {}", said.err);
        said
    }

    /// It fails with 1, and tells the user in one line with all of `parts`.
    #[track_caller]
    pub(crate) fn fails(&self, words: &[&str], parts: &[&str]) -> Said {
        let said = self.call(words);
        said.is_error(parts);
        said
    }

    #[track_caller]
    pub(crate) fn create(&self) {
        self.must(&["create", &format!("--bundle={}", self.bundle()), &self.id]);
    }

    /// Created and started; nobody waits for it.
    #[track_caller]
    pub(crate) fn start(&self) {
        self.must(&["run", "--detach", &format!("--bundle={}", self.bundle()), &self.id]);
    }

    /// A session that goes on; its standard input and output are pipes.
    pub(crate) fn session(&self, words: &[&str]) -> Child {
        let mut command = self.command(&[&["exec"], words, &[&self.id]].concat());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.spawn().expect("it starts")
    }

    /// The word of `state`.
    pub(crate) fn state(&self) -> String {
        self.call(&["state", &self.id]).out.trim_end().to_owned()
    }

    /// Kills the container's PID 1 behind the runtime's back.
    pub(crate) fn kill_init(&self) {
        let pid = self.pid();
        // 0 would be our own process group.
        assert!(pid > 1, "no PID 1 is known: {}", self.record());
        let pid = nix::unistd::Pid::from_raw(pid);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).expect("it is there");
        let stat = format!("/proc/{pid}/stat");
        let dead = || fs::read_to_string(&stat).is_ok_and(|line| line.contains(") Z "));
        within(Duration::from_secs(5), "PID 1 is dead", || dead() || !std::path::Path::new(&stat).exists());
    }

    /// The control groups that are named after it.
    pub(crate) fn groups(&self) -> Vec<String> {
        let mut find = Command::new("find");
        find.args(["/sys/fs/cgroup", "-type", "d", "-name", &format!("*{}", self.id)]);
        let found = find.output().expect("find starts");
        String::from_utf8_lossy(&found.stdout).lines().map(str::to_owned).collect()
    }

    /// Nothing is left of the container.
    #[track_caller]
    pub(crate) fn assert_gone(&self) {
        let left: Vec<_> = fs::read_dir(self.file("state")).into_iter().flatten().flatten().collect();
        assert!(left.is_empty(), "a container's directory is left: {left:?}");
        assert_eq!(self.groups(), Vec::<String>::new(), "a control group is left");
        let mounts = fs::read_to_string("/proc/self/mountinfo").expect("our mounts");
        assert!(!mounts.contains(&self.bundle()), "a mount is left: {mounts}");
    }
}

impl Drop for Boat {
    fn drop(&mut self) {
        for left in fs::read_dir(self.file("state")).into_iter().flatten().flatten() {
            let id = left.file_name().to_string_lossy().into_owned();
            // Who is not patient with it.
            if let Ok(text) = fs::read(left.path().join("state.json"))
                && let Ok(record) = serde_json::from_slice::<Value>(&text)
                && let Some(pid @ 1..) = record["pid"].as_i64()
                && self.call(&["state", &id]).out == "running\n"
            {
                let _ = nix::sys::signal::kill(
                    nix::unistd::Pid::from_raw(pid as i32),
                    nix::sys::signal::Signal::SIGKILL,
                );
            }
            self.call(&["delete", &id]);
        }
    }
}

impl Said {
    /// It failed with 1, in one line for the user with all of `parts`, and the same words in the log.
    #[track_caller]
    pub(crate) fn is_error(&self, parts: &[&str]) {
        assert_eq!(self.code, Some(1), "{self:?}");
        let lines: Vec<_> = self.err.lines().filter_map(|line| line.strip_prefix("Error: ")).collect();
        assert_eq!(lines.len(), 1, "one line for the user: {}", self.err);
        for part in parts {
            assert!(lines[0].contains(part), "no {part:?} in {:?}", lines[0]);
        }
        let logged = |line: &str| line.contains("[ERROR]") && line.ends_with(lines[0]);
        assert!(self.err.lines().any(logged), "not in the log: {}", self.err);
    }
}
