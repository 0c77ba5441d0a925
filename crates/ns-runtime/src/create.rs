//! create: checks a bundle and keeps its config. No process is made.

use std::path::Path;

use coracle::bundle::Source;
use coracle::explain::Explain;
use coracle::plan;
use coracle::state::{Dir, Locked};
use coracle::time;

use crate::error::{Error, Result, check};
use crate::log::Log;
use crate::machine::{Command, State};
use crate::store::{self, Record};

/// The command. What is wrong with the bundle is found here, and nothing is left then.
///
/// # Errors
/// [`Error::Logical`] where the id is taken; what is wrong with the id, the bundle or the state directory.
pub fn create(root: &Path, id: &str, bundle: &Path, log: &Log, explain: &Explain) -> Result<()> {
    let made = make(Command::Create, root, id, bundle, log, explain)?;
    log.tell(&format!("Bundle: {}", made.record.bundle.display()));
    log.tell(&format!("Root: {}", made.rootfs));
    log.tell(&format!("Status: {}", made.record.status));
    Ok(())
}

/// A container that was just made.
#[derive(Debug)]
pub struct Made {
    /// Its directory; nobody else changes it.
    pub locked: Locked,
    /// What `state.json` says.
    pub record: Record,
    /// Its root directory, as its config calls it.
    pub rootfs: String,
}

/// Makes the container, for `command`. It is locked.
///
/// # Errors
/// As [`create`].
pub fn make(
    command: Command,
    root: &Path,
    id: &str,
    bundle: &Path,
    log: &Log,
    explain: &Explain,
) -> Result<Made> {
    log.begin(&format!("Creating container '{id}'"));
    plan::check_id(id)?;
    // The id is taken by a directory, even where nothing could be read in it.
    if let Some(dir) = store::find(root, id)? {
        let state = store::look(&dir)?.map_or(State::Created, |found| found.state);
        return Err(taken(command, id, state));
    }
    log.step("Loading OCI spec from bundle");
    let source = Source::open(bundle)?;
    log.step("Validating OCI spec");
    let plan = source.plan(id, &group(id), explain)?;
    plan.require_process()?;
    log.step("Creating container metadata");
    let config: serde_json::Value = serde_json::from_slice(&plan.config).unwrap_or_default();
    let rootfs = config["root"]["path"].as_str().unwrap_or("none of its own").to_owned();
    let locked = Dir::claim(root, id).map_err(|error| match error {
        // Somebody was faster.
        coracle::Error::Exists { .. } => taken(command, id, State::Created),
        error => error.into(),
    })?;
    let record = Record {
        id: id.to_owned(),
        status: State::Created,
        pid: 0,
        bundle: plan.bundle,
        created: time::now(),
        exit_status: None,
    };
    log.step("Saving container state to disk");
    let kept = locked.dir.keep_config(&plan.config).map_err(Error::from);
    kept.and_then(|()| store::save(&locked.dir, &record)).inspect_err(|_| locked.dir.forget())?;
    Ok(Made { locked, record, rootfs })
}

/// The control group of a container whose config names none.
pub fn group(id: &str) -> String {
    format!("ns-runtime-{id}")
}

fn taken(command: Command, id: &str, state: State) -> Error {
    check(command, id, state).expect_err("the table refuses every id that is taken")
}
