//! start: makes the container's process, and waits for its end where somebody looks on.

use std::io::IsTerminal;
use std::path::Path;

use coracle::bundle::Source;
use coracle::explain::Explain;
use coracle::namespace;
use coracle::plan::{Manner, Plan};
use coracle::run;
use coracle::state::Locked;

use crate::error::{Error, Result};
use crate::log::{Level, Log, Role};
use crate::machine::{Command, State};
use crate::store::{self, Record};
use crate::{create, host};

/// Whether somebody waits for the program's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// We wait, and our exit code is the program's. Where we are killed, the container dies with us.
    Attach,
    /// We end as soon as the program runs.
    Detach,
}

/// The command. Returns the exit code to end with.
///
/// # Errors
/// [`Error::Logical`] unless it is created; whatever kept the program from running, and it stays created then.
pub fn start(root: &Path, id: &str, mode: Mode, log: &Log, explain: &Explain) -> Result<u8> {
    host::require_proc(Command::Start)?;
    let locked = store::lock(Command::Start, store::existing(Command::Start, root, id)?)?;
    let found = store::allowed(Command::Start, &locked.dir)?;
    let running = begin(Command::Start, locked, found.record, mode, log, explain)?;
    match mode {
        Mode::Detach => Ok(0),
        Mode::Attach => Ok(running.until_ended(log, explain)?.0),
    }
}

/// A container whose program runs, as our child.
#[derive(Debug)]
pub struct Running {
    locked: Locked,
    record: Record,
    running: run::Running,
}

/// Starts the program of the created container of `record`, for `command`.
///
/// # Errors
/// Whatever kept it from running; the container is what it was then.
pub fn begin(
    command: Command,
    locked: Locked,
    record: Record,
    mode: Mode,
    log: &Log,
    explain: &Explain,
) -> Result<Running> {
    log.speak_as(Role::Parent);
    log.begin(&format!("Starting container '{}'", record.id));
    log.step("Loading container state");
    // What a killed start has left.
    store::clear(&locked.dir, explain)?;
    log.step("Loading OCI spec");
    let source = Source::with_config(&locked.dir.config_path(), &record.bundle)?;
    let plan = source.plan(&record.id, &create::group(&record.id), explain)?;
    look_on(command, &plan, mode)?;
    log.step("Setting up namespaces");
    tell_of_flags(&plan, log);
    log.step("Spawning container process");
    let detach = mode == Mode::Detach;
    let running = run::begin(&plan, locked.dir.path(), &Manner::default(), detach, explain)?;
    let pid = running.state().pid;
    let record = Record { status: State::Running, pid, ..record };
    store::save(&locked.dir, &record).inspect_err(|_| {
        // The first error is the one to tell.
        let _ = store::clear(&locked.dir, explain);
    })?;
    log.info(&format!("Container started with PID {pid}"));
    Ok(Running { locked, record, running })
}

/// A terminal must have somebody at its other end; and a program that nobody looks on must not take the words that a person
/// types to others.
fn look_on(command: Command, plan: &Plan, mode: Mode) -> Result<()> {
    if mode == Mode::Attach {
        return Ok(());
    }
    if plan.process.terminal.is_some() {
        let problem = "config.json: /process/terminal is true, and detached nobody would hold the terminal's other end: \
                       add --attach, or set it to false in the bundle and create the container anew"
            .to_owned();
        return Err(Error::Host { command, problem });
    }
    if std::io::stdin().is_terminal() {
        let failed = coracle::Error::io("open /dev/null");
        let null = std::fs::File::open("/dev/null").map_err(failed)?;
        nix::unistd::dup2_stdin(null).map_err(coracle::Error::refused("dup2 /dev/null"))?;
    }
    Ok(())
}

fn tell_of_flags(plan: &Plan, log: &Log) {
    let flags = (namespace::at_birth(&plan.namespaces) | namespace::after_mapping(&plan.namespaces)).bits();
    let names: Vec<_> = plan.namespaces.own().map(|kind| kind.name()).collect();
    log.say(Level::Debug, &format!("Clone flags: {flags:#x} ({})", names.join(",")));
}

impl Running {
    /// Waits for the program's end, and notes it. Others may remove the container meanwhile. Returns the exit code to end
    /// with; and the container, if it is still there.
    ///
    /// # Errors
    /// Those of waiting, and of writing a file.
    pub fn until_ended(self, log: &Log, explain: &Explain) -> Result<(u8, Option<Locked>)> {
        let Running { locked, record, running } = self;
        locked.release()?;
        let code = running.until_ended(true, explain)?;
        log.info(&format!("Container stopped: exit status {code}"));
        if !locked.again()? {
            return Ok((code, None));
        }
        store::save(
            &locked.dir,
            &Record { status: State::Stopped, pid: 0, exit_status: Some(code), ..record },
        )?;
        Ok((code, Some(locked)))
    }
}
