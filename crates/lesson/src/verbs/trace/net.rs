//! A machine within this one, where a runtime is traced: namespaces of its own, whose end is the end of everything in
//! them.
//!
//! A runtime that is half built may mount and rename where it should not. And an ordinary user is root in there, so
//! that the same bundle runs for both.

mod stage;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::guide::{Command, Guide};
use super::runtime::Runtime;
use super::strace::{self, Call};
use super::wording::Places;
use super::{bundle, shown};

pub use stage::stage;

/// The container's name.
const ID: &str = "one";
/// The files of a run, in its folder.
const ORDER: &str = "order.json";
const REPORT: &str = "report.json";

/// One runtime's run of a guide.
pub(super) struct Net<'a> {
    pub(super) runtime: &'a Runtime,
    /// The program in the container.
    pub(super) probe: &'a Path,
    pub(super) guide: &'a Guide,
    /// Whether to hide the second hierarchy of control groups of a hybrid machine: crun 1.8 refuses to run beside it.
    pub(super) hide_unified: bool,
}

/// What is to be done in there.
#[derive(Debug, Serialize, Deserialize)]
struct Order {
    runtime: PathBuf,
    folder: PathBuf,
    probe: PathBuf,
    before: Vec<Command>,
    traced: Vec<Command>,
    signal: Option<String>,
    hide_unified: bool,
}

/// How it went.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Report {
    /// The command that failed, how, and what it said.
    failed: Option<(Command, String, String)>,
    /// What went wrong beside the commands.
    error: Option<String>,
    /// Whether it had to be ended.
    late: bool,
}

/// What strace saw of a runtime.
#[derive(Debug)]
pub(super) struct Seen {
    /// The calls during each traced command, in the order of the guide.
    pub(super) commands: Vec<(Command, Vec<Call>)>,
    /// The paths that mean something to the reader.
    pub(super) places: Places,
}

impl Net<'_> {
    /// Runs the guide's commands.
    ///
    /// # Errors
    /// Fails where one of them does, with what the runtime said.
    pub(super) fn run(&self) -> Result<Seen> {
        let prefix = format!("coracle-trace-{}-", std::process::id());
        let folder = tempfile::Builder::new().prefix(&prefix).tempdir();
        let folder = folder.context("no temporary folder: set TMPDIR to one that you may write to")?;
        let cgroup = self.cgroup(&folder)?;
        let probe = folder.path().join("probe");
        fs::copy(self.probe, &probe).with_context(|| format!("copying {}", self.probe.display()))?;
        bundle::write(&folder.path().join("bundle"), &probe, self.guide, cgroup.as_deref())?;
        let order = Order {
            runtime: self.runtime.path.clone(),
            folder: folder.path().to_owned(),
            probe: probe.clone(),
            before: self.guide.before.clone(),
            traced: self.guide.traced.clone(),
            signal: self.guide.signal.clone(),
            hide_unified: self.hide_unified,
        };
        fs::write(folder.path().join(ORDER), serde_json::to_vec(&order)?)?;
        let staged = enter(folder.path());
        let swept = cgroup.as_deref().map_or(Ok(()), sweep);
        self.judge(staged?)?;
        swept?;
        let read = |(n, command): (usize, &Command)| {
            let file = trace_file(folder.path(), n);
            let text =
                fs::read_to_string(&file).with_context(|| format!("no trace in {}", file.display()))?;
            Ok((*command, strace::parse(&text)))
        };
        let commands = self.guide.traced.iter().enumerate().map(read).collect::<Result<_>>()?;
        let places = Places::new(folder.path(), &self.runtime.path, cgroup.as_deref());
        Ok(Seen { commands, places })
    }

    /// The name of a control group for the container. An ordinary user has none to make others in.
    fn cgroup(&self, folder: &TempDir) -> Result<Option<String>> {
        let root = geteuid().is_root();
        ensure!(
            root || !self.guide.cgroup,
            "this lesson is about control groups, and an ordinary user may make none: run as root, in a machine you can \
             throw away"
        );
        Ok(root.then(|| shown(folder.path())))
    }

    fn judge(&self, report: Report) -> Result<()> {
        let name = &self.runtime.name;
        if let Some((command, how, said)) = report.failed {
            let late = if report.late { " It was ended, for it took too long." } else { "" };
            bail!(
                "`{name} {command}` failed ({how}).{late} It says:\n{}\nWhat this machine can do, and what to do about the \
                 rest: cargo lesson doctor",
                if said.trim().is_empty() { "(nothing)" } else { said.trim() }
            );
        }
        if let Some(error) = report.error {
            bail!("{name}: {error}");
        }
        ensure!(!report.late, "{name} left something running, which had to be ended");
        Ok(())
    }
}

fn trace_file(folder: &Path, n: usize) -> PathBuf {
    folder.join(format!("trace.{n}"))
}

/// Runs the stage in namespaces of its own, to its end.
fn enter(folder: &Path) -> Result<Report> {
    let mut unshare = Process::new("unshare");
    if !geteuid().is_root() {
        unshare.args(["--user", "--map-root-user"]);
    }
    unshare.args(["--mount", "--propagation", "slave", "--uts", "--ipc", "--net"]);
    unshare.args(["--pid", "--fork", "--kill-child", "--mount-proc"]);
    unshare.arg(std::env::current_exe()?).arg("trace-stage").arg(folder).stdin(Stdio::null());
    let output = unshare.output().context("unshare can't be started: install the package util-linux")?;
    let Ok(report) = fs::read(folder.join(REPORT)) else {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("no namespaces to trace in: {}\nThe reason and the cure: cargo lesson doctor", said.trim());
    };
    Ok(serde_json::from_slice(&report)?)
}

/// Removes the control group, should a runtime have left it.
fn sweep(name: &str) -> Result<()> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    for line in mounts.lines().filter(|line| line.contains(" - cgroup")) {
        let Some(mountpoint) = line.split(' ').nth(4) else { continue };
        let group = Path::new(mountpoint).join(name);
        // The kernel lets go of a control group a moment after its last process.
        let end = Instant::now() + Duration::from_secs(2);
        while group.exists() && !removed(&group) {
            ensure!(Instant::now() < end, "{} cannot be removed", group.display());
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    Ok(())
}

fn removed(group: &Path) -> bool {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            removed(&entry.path());
        }
    }
    fs::remove_dir(group).is_ok()
}
