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

use super::Tools;

/// How long one command may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// Runs the text of `$1` in this very shell with its output in `$2`, and says so on the descriptor the page's commands
/// do not have. `(exit ...)` gives the command the `$?` of the one before.
const RUN: &str = r#"__text=$(cat "$__c"); (exit $__status); eval "$__text" </dev/null >"$__out" 2>&1; __status=$?; echo done"#;

/// Why a command did not come back; with what it had printed.
pub(super) enum Ended {
    Late(String),
    Shell(String),
}

/// A shell, and the folder it began in.
pub(super) struct Session {
    shell: Child,
    stdin: ChildStdin,
    done: Receiver<()>,
    scratch: TempDir,
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
        Self::start_with(tools, cage, scratch, &cwd)
    }

    /// Starts a shell in the clone at `root`, with the reader's own PATH.
    pub(super) fn start_in(tools: &Tools, root: &Path) -> Result<Self> {
        Self::start_with(tools, false, tempfile::tempdir()?, root)
    }

    fn start_with(tools: &Tools, cage: bool, scratch: TempDir, cwd: &Path) -> Result<Self> {
        let mut shell = if cage && geteuid().is_root() {
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
        };
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
            for _line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(()).is_err() {
                    break;
                }
            }
        });
        writeln!(stdin, "__status=0 __path=$PATH")?;
        Ok(Self { shell, stdin, done, scratch, count: 0, over: false, preferred: String::new() })
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

    /// Runs one command and returns what it printed.
    pub(super) fn run(&mut self, command: &str, patience: Duration) -> Result<Result<String, Ended>> {
        self.count += 1;
        let text = self.scratch.path().join(format!("{}.sh", self.count));
        let out = self.scratch.path().join(format!("{}.out", self.count));
        fs::write(&text, command)?;
        // A shell that is gone is told apart below: its end closes the channel.
        let _ = writeln!(self.stdin, "__c='{}' __out='{}'; {RUN}", text.display(), out.display());
        let waited = self.done.recv_timeout(patience);
        let printed =
            fs::read(&out).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        self.over = waited.is_err();
        Ok(match waited {
            Ok(()) => Ok(printed),
            Err(RecvTimeoutError::Timeout) => Err(Ended::Late(printed)),
            Err(RecvTimeoutError::Disconnected) => Err(Ended::Shell(printed)),
        })
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
