//! One shell that runs the transcripts of a page, as a reader's would: directory, variables and `$?` carry over.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, geteuid};
use tempfile::TempDir;
use testkit::Cgroups;

use super::Tools;

/// How long one command may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// How many processes a world of its own may have.
const PROCESSES: u64 = 1024;

/// Runs the text of the file `$__c` in this very shell, and says how it ended on the descriptor the page's commands do not
/// have. `(exit ...)` gives the command the `$?` of the one before.
const RUN: &str = r#"__text=$(cat "$__c"); (exit $__status); eval "$__text" <"$__in" >"$__out" 2>&1; __status=$?; echo $__status"#;

/// A world that ends with its shell: control groups (the arguments) that are the root of all to it, a /run with nothing in
/// it, and processes that nobody else has. Who forks stays behind as a parent, and on version 2 of control groups a group
/// with others below it holds no process: so the last step is made from a leaf.
const APART: &str = r#"
for group; do echo $$ >"$group/cgroup.procs"; done
exec unshare --mount --cgroup --propagation private bash -euc '
    mount -t tmpfs -o mode=755 tmpfs /run
    mkdir /run/group
    for group; do
        mount --bind "$group" /run/group
        umount "${group%/*}"
        mount --move /run/group "${group%/*}"
        if [[ -e ${group%/*}/net ]]; then echo $$ >"${group%/*}/net/cgroup.procs"; fi
    done
    rmdir /run/group
    exec unshare --uts --ipc --pid --fork --kill-child --mount-proc bash --noprofile --norc
' - "$@""#;

/// What a command printed, and its exit status.
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) status: i32,
}

/// Why a command did not come back; with what it had printed.
pub(super) enum Ended {
    Late(String),
    Shell(String),
}

impl Ended {
    /// What it means for whoever shows the command.
    pub(super) fn words(&self, patience: Duration) -> String {
        let words = match self {
            Ended::Late(actual) => format!("did not end in {patience:?}; it printed:\n{actual}"),
            Ended::Shell(actual) => format!("ended the shell; it printed:\n{actual}"),
        };
        words.trim_end().to_string()
    }
}

/// A shell, and the folder it began in.
pub(super) struct Session {
    shell: Child,
    stdin: ChildStdin,
    done: Receiver<i32>,
    scratch: TempDir,
    /// Dropped when the shell is gone.
    _groups: Option<Cgroups>,
    count: usize,
    over: bool,
    /// The folders in front of its PATH.
    preferred: String,
}

impl Session {
    /// Starts a shell in an empty folder, to be given the built programs by [`Session::prefer`]. In a `cage` root can do
    /// no harm with a half-finished runtime: its mounts, its hostname and its processes are not the machine's.
    pub(super) fn start(tools: &Tools, cage: bool) -> Result<Self> {
        let scratch = tempfile::tempdir()?;
        let cwd = scratch.path().join("page");
        fs::create_dir(&cwd)?;
        Self::start_with(tools, scratch, &cwd, Self::shell(cage), None)
    }

    /// Starts a shell in the clone at `root`, with the reader's own PATH.
    pub(super) fn start_in(tools: &Tools, root: &Path) -> Result<Self> {
        Self::start_with(tools, tempfile::tempdir()?, root, Self::shell(false), None)
    }

    /// Starts root's bash in an empty folder, in a world of its own ([`APART`]): what containers leave behind ends with
    /// the session, and nobody else's are met.
    pub(super) fn start_apart(tools: &Tools) -> Result<Self> {
        let scratch = tempfile::tempdir()?;
        let cwd = scratch.path().join("page");
        fs::create_dir(&cwd)?;
        let groups = Cgroups::new(PROCESSES);
        let mut shell = Command::new("bash");
        shell.args(["--noprofile", "--norc", "-euc", APART, "-"]).args(&groups.folders);
        Self::start_with(tools, scratch, &cwd, shell, Some(groups))
    }

    fn shell(cage: bool) -> Command {
        if cage && geteuid().is_root() {
            let mut unshare = Command::new("unshare");
            unshare.args([
                "--mount",
                "--uts",
                "--ipc",
                "--net",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
                "sh",
            ]);
            unshare
        } else {
            // The kernel keeps an ordinary user's runtime from the machine.
            Command::new("sh")
        }
    }

    fn start_with(
        tools: &Tools,
        scratch: TempDir,
        cwd: &Path,
        mut shell: Command,
        groups: Option<Cgroups>,
    ) -> Result<Self> {
        shell.current_dir(cwd).process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        shell.envs([("COLUMNS", "80"), ("LC_ALL", "C"), ("TERM", "dumb"), ("NO_COLOR", "1")]);
        // What cargo sets for this program is nothing a reader has; where its packages and its target folder are is.
        for (name, _) in std::env::vars_os() {
            let cargos = name.to_string_lossy().starts_with("CARGO");
            let readers = ["CARGO_HOME", "CARGO_TARGET_DIR"].iter().any(|kept| name == *kept);
            if (cargos && !readers) || name == "RUST_BACKTRACE" || name == "OLDPWD" {
                shell.env_remove(name);
            }
        }
        match tools.rootfs() {
            Ok(rootfs) => shell.env("ROOTFS", rootfs),
            Err(_) => shell.env_remove("ROOTFS"),
        };
        let mut shell = shell.spawn().context("sh")?;
        let mut stdin = shell.stdin.take().context("the shell's input")?;
        let stdout = shell.stdout.take().context("the shell's output")?;
        let (sender, done) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if line.parse().is_ok_and(|status| sender.send(status).is_err()) {
                    break;
                }
            }
        });
        writeln!(stdin, "__status=0 __path=$PATH")?;
        Ok(Self {
            shell,
            stdin,
            done,
            scratch,
            _groups: groups,
            count: 0,
            over: false,
            preferred: String::new(),
        })
    }

    /// Puts `bin` in front of the programs for the commands to come.
    pub(super) fn prefer(&mut self, bins: &[&Path]) {
        let bins = bins.iter().map(|bin| bin.display().to_string()).collect::<Vec<_>>().join(":");
        if self.preferred != bins {
            // Else what the page has made of PATH stays. A shell that is gone is noticed by the next command.
            let _ = writeln!(self.stdin, "PATH='{bins}':\"$__path\"; export PATH");
            self.preferred = bins;
        }
    }

    /// Sets a variable of the shell's environment.
    pub(super) fn set(&mut self, name: &str, value: &Path) {
        let _ = writeln!(self.stdin, "{name}='{}'; export {name}", value.display());
    }

    /// Runs one command and returns what it printed.
    pub(super) fn run(&mut self, command: &str, patience: Duration) -> Result<Result<Answer, Ended>> {
        // One of its own: what an earlier command has left in the background still writes into that command's.
        let out = self.scratch.path().join(format!("{}.out", self.count));
        self.begin(command, Path::new("/dev/null"), &out)?;
        let waited = self.end(patience);
        let text =
            fs::read(&out).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        Ok(match waited {
            Ok(status) => Ok(Answer { text, status }),
            Err(RecvTimeoutError::Timeout) => Err(Ended::Late(text)),
            Err(RecvTimeoutError::Disconnected) => Err(Ended::Shell(text)),
        })
    }

    /// Starts one command with `input` and `output`, which may be a terminal. Then its end is to be waited for.
    pub(super) fn begin(&mut self, command: &str, input: &Path, output: &Path) -> Result<()> {
        self.count += 1;
        let text = self.scratch.path().join(format!("{}.sh", self.count));
        fs::write(&text, command)?;
        let [text, input, output] = [&text, input, output].map(Path::display);
        // A shell that is gone is told apart by the end of its channel.
        let _ = writeln!(self.stdin, "__c='{text}' __in='{input}' __out='{output}'; {RUN}");
        Ok(())
    }

    /// Waits for the end of the command that was started, and returns its exit status.
    pub(super) fn end(&mut self, patience: Duration) -> Result<i32, RecvTimeoutError> {
        let waited = self.done.recv_timeout(patience);
        self.over = waited.is_err();
        waited
    }

    /// Whether no further command can run.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }
}

impl Drop for Session {
    /// Ends the shell and everything it left in the background. The shell is waited for last: until then nobody else
    /// can have its process group's number.
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.shell.id()) {
            let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
        }
        let _ = self.shell.wait();
    }
}
