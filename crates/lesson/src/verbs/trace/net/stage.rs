//! PID 1 of the machine within: runs the commands, buries everybody, says how it went.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command as Process, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, wait};
use nix::unistd::Pid;

use super::{ID, ORDER, Order, REPORT, Report, trace_file};
use crate::verbs::trace::guide::Command;

/// How long all of it may take. It takes less than a second, where nothing hangs.
const PATIENCE: Duration = Duration::from_secs(30);
/// Where a hybrid machine has its second hierarchy.
const UNIFIED: &str = "/sys/fs/cgroup/unified";

/// Does what the order in `folder` says.
///
/// # Errors
/// Fails where not even the report can be made. What a runtime does wrong is in the report.
pub fn stage(folder: &Path) -> Result<()> {
    let order: Order = serde_json::from_slice(&fs::read(folder.join(ORDER))?)?;
    if order.hide_unified && Path::new(UNIFIED).is_dir() {
        mount(Some("none"), UNIFIED, Some("tmpfs"), MsFlags::empty(), None::<&str>)?;
    }
    let late = Arc::new(AtomicBool::new(false));
    watch(Arc::clone(&late));
    let mut stage = Stage { order: &order, buried: BTreeSet::new(), inputs: Vec::new(), program: None };
    let played = stage.play();
    stage.clear()?;
    let (failed, error) = match played {
        Ok(failed) => (failed, None),
        Err(error) => (None, Some(format!("{error:#}"))),
    };
    let report = Report { failed, error, late: late.load(Ordering::Relaxed) };
    Ok(fs::write(folder.join(REPORT), serde_json::to_vec(&report)?)?)
}

/// Ends everything but us when the time is over. From inside, -1 means all that are in our PID namespace.
fn watch(late: Arc<AtomicBool>) {
    std::thread::spawn(move || {
        std::thread::sleep(PATIENCE);
        late.store(true, Ordering::Relaxed);
        let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
    });
}

struct Stage<'a> {
    order: &'a Order,
    /// Who has ended.
    buried: BTreeSet<Pid>,
    /// The programs in containers wait at these.
    inputs: Vec<ChildStdin>,
    /// What the program in the container says. A report and a line more: that finds room, whoever reads it.
    program: Option<BufReader<ChildStdout>>,
}

impl Stage<'_> {
    /// Runs the commands, up to the first that fails.
    fn play(&mut self) -> Result<Option<(Command, String, String)>> {
        for command in &self.order.before {
            if let Some(failed) = self.call(*command, None)? {
                return Ok(Some(failed));
            }
        }
        for (n, command) in self.order.traced.iter().enumerate() {
            if let Some(failed) = self.call(*command, Some(n))? {
                return Ok(Some(failed));
            }
        }
        Ok(None)
    }

    /// Runs one command to its end, the `traced`th under strace.
    fn call(&mut self, command: Command, traced: Option<usize>) -> Result<Option<(Command, String, String)>> {
        let errors = self.order.folder.join("errors");
        let mut process = self.process(command, traced);
        process.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(File::create(&errors)?);
        let mut child = process.spawn().with_context(|| format!("starting {command}"))?;
        self.inputs.extend(child.stdin.take());
        if matches!(command, Command::Create | Command::Run) {
            self.program = child.stdout.take().map(BufReader::new);
        }
        let pid = Pid::from_raw(child.id().cast_signed());
        if let Some(signal) = self.order.signal.as_deref().filter(|_| command == Command::Run) {
            self.until_it_speaks()?;
            kill(pid, format!("SIG{signal}").parse::<Signal>()?)?;
        }
        let ended = self.bury(pid)?;
        if !matches!(ended, Some(WaitStatus::Exited(_, 0))) {
            return Ok(Some((command, how(ended), fs::read_to_string(errors)?)));
        }
        match command {
            // A runtime may say that it has started a program that does not run yet.
            Command::Start => self.until_it_speaks()?,
            Command::Kill => drop(self.bury(self.init()?)?),
            _ => {}
        }
        Ok(None)
    }

    /// Waits for the first line of the program in the container.
    fn until_it_speaks(&mut self) -> Result<()> {
        let program = self.program.as_mut().context("nothing of the program can be heard")?;
        program.read_line(&mut String::new())?;
        Ok(())
    }

    fn process(&self, command: Command, traced: Option<usize>) -> Process {
        let (order, folder) = (self.order, &self.order.folder);
        let mut process = match traced {
            None => Process::new(&order.runtime),
            Some(n) => {
                // As a grandchild: strace goes on with the container when the command has ended, and we see how it ended.
                let mut strace = Process::new("strace");
                strace.args(["-D", "-f", "-y", "-qq", "-s", "512", "-o"]).arg(trace_file(folder, n));
                strace.arg("--").arg(&order.runtime);
                strace
            }
        };
        process.current_dir(folder).arg("--root").arg(folder.join("state")).arg(command.to_string());
        match command {
            Command::Run => process.args(["--bundle", "bundle", ID]),
            // An absolute path, for crun has gone into the bundle when it writes the file.
            Command::Create => {
                process.args(["--bundle", "bundle", "--pid-file"]).arg(self.pid_file()).arg(ID)
            }
            Command::Exec => process.arg(ID).arg(&order.probe),
            Command::Kill => process.args([ID, "KILL"]),
            Command::Start | Command::Delete => process.arg(ID),
        };
        process
    }

    /// The container's first process.
    fn init(&self) -> Result<Pid> {
        let text = fs::read_to_string(self.pid_file()).context("create wrote no pid file")?;
        Ok(Pid::from_raw(text.trim().parse().context("the pid file holds no number")?))
    }

    fn pid_file(&self) -> PathBuf {
        self.order.folder.join("pid")
    }

    /// Waits until `pid` has ended: its status, unless it was buried before.
    fn bury(&mut self, pid: Pid) -> Result<Option<WaitStatus>> {
        while !self.buried.contains(&pid) {
            match wait() {
                Ok(status) => {
                    self.buried.extend(status.pid());
                    if status.pid() == Some(pid) {
                        return Ok(Some(status));
                    }
                }
                Err(Errno::ECHILD) => return Ok(None),
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(None)
    }

    /// Removes the container, and waits for the end of everybody: strace's, too, so that its files are whole.
    fn clear(&mut self) -> Result<()> {
        let mut delete = self.process(Command::Delete, None);
        delete.arg("--force").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Ok(child) = delete.spawn() {
            self.bury(Pid::from_raw(child.id().cast_signed()))?;
        }
        self.inputs.clear();
        if let Ok(init) = self.init()
            && !self.buried.contains(&init)
        {
            let _ = kill(init, Signal::SIGKILL);
        }
        while let Ok(status) = wait() {
            self.buried.extend(status.pid());
        }
        Ok(())
    }
}

fn how(ended: Option<WaitStatus>) -> String {
    match ended {
        Some(WaitStatus::Exited(_, code)) => format!("exit status {code}"),
        Some(WaitStatus::Signaled(_, signal, _)) => format!("killed by {signal}"),
        _ => "nobody knows how".to_owned(),
    }
}
