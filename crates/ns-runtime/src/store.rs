//! A container's directory, `ROOT/ID/`:
//!
//! | name | what it is |
//! |---|---|
//! | `config.json` | a copy of the bundle's config from when the container was created |
//! | `state.json` | the [`Record`] |
//! | `ID/` | the library's own directory of it ([`coracle::state`]), once it was started |
//!
//! The record follows the kernel: what it says of a process is checked against the process at every look.

use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use coracle::explain::Explain;
use coracle::lifecycle::{self, Status};
use coracle::state::{Dir, Locked};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, check};
use crate::machine::{Command, State};

const RECORD: &str = "state.json";

/// What `state.json` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The container's id.
    pub id: String,
    /// Its state.
    pub status: State,
    /// Its PID 1, as the host counts; 0 where none runs.
    pub pid: i32,
    /// Its bundle's folder, absolute.
    pub bundle: PathBuf,
    /// When it was created: RFC 3339.
    pub created: String,
    /// How its program ended, where somebody waited for that: its status, or 128 and the number of a signal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_status: Option<u8>,
}

/// A container as it was found.
#[derive(Debug)]
pub struct Found {
    /// What `state.json` says.
    pub record: Record,
    /// What is true.
    pub state: State,
    /// What the library knows of it, where it was started.
    pub started: Option<coracle::state::State>,
}

/// Where the containers' directories are when nobody says: `/run/ns-runtime` for root, the user's data directory for
/// others (`$XDG_DATA_HOME/ns-runtime`, or else `~/.local/share/ns-runtime`).
pub fn default_root() -> PathBuf {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if nix::unistd::geteuid().is_root() {
        return "/run/ns-runtime".into();
    }
    let data = set("XDG_DATA_HOME").or_else(|| set("HOME").map(|home| home.join(".local/share")));
    data.unwrap_or_else(|| format!("/tmp/ns-runtime-{}", nix::unistd::geteuid()).into()).join("ns-runtime")
}

/// The directory of the container `id`, if there is one.
///
/// # Errors
/// Where `root` belongs to somebody else, or cannot be looked into.
pub fn find(root: &Path, id: &str) -> Result<Option<Dir>> {
    match Dir::find(root, id) {
        Ok(dir) => Ok(Some(dir)),
        Err(coracle::Error::NoContainer { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The directory of the container `id`, for a `command` that needs one.
///
/// # Errors
/// [`Error::Logical`] where there is none; as [`find`].
pub fn existing(command: Command, root: &Path, id: &str) -> Result<Dir> {
    match find(root, id)? {
        Some(dir) => Ok(dir),
        None => Err(check(command, id, State::Unknown).expect_err("the table asks for a container")),
    }
}

/// Waits until nobody else changes the container of `dir`.
///
/// # Errors
/// [`Error::Logical`] where it was removed meanwhile.
pub fn lock(command: Command, dir: Dir) -> Result<Locked> {
    let id = dir.id();
    dir.lock().map_err(|error| match (error, check(command, &id, State::Unknown)) {
        (coracle::Error::NoContainer { .. }, Err(logical)) => logical,
        (error, _) => error.into(),
    })
}

/// The container of `dir`, if `command` is allowed in its state.
///
/// # Errors
/// [`Error::Logical`] where it is not; as [`look`].
pub fn allowed(command: Command, dir: &Dir) -> Result<Found> {
    let found = look(dir)?;
    check(command, &dir.id(), found.as_ref().map_or(State::Unknown, |found| found.state))?;
    Ok(found.expect("the table allows nothing without a container"))
}

/// The container of `dir`; `None` where its creation was cut off, or it is being removed.
///
/// # Errors
/// [`Error::Damaged`]; where there is no /proc to ask whether it runs.
pub fn look(dir: &Dir) -> Result<Option<Found>> {
    let path = dir.path().join(RECORD);
    let text = match std::fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        read => read.map_err(coracle::Error::io(format!("read {}", path.display())))?,
    };
    let record: Record = serde_json::from_slice(&text).map_err(|error| Error::Damaged {
        problem: format!(
            "{}: {error}: it is not ours, or damaged; ns-runtime delete clears it",
            path.display()
        ),
    })?;
    let Some(own) = find(dir.path(), &dir.id())? else {
        // What the library knows nothing of does not run.
        let state = if record.status == State::Created { State::Created } else { State::Stopped };
        return Ok(Some(Found { record, state, started: None }));
    };
    let (started, status) = match lifecycle::of(&own) {
        Ok((started, status)) => (Some(started), status),
        // A start that was killed before it noted anything, or one in its first moments.
        Err(coracle::Error::NoContainer { .. }) => (None, Status::Creating),
        Err(error) => return Err(error.into()),
    };
    let state = match status {
        Status::Creating | Status::Created => State::Created,
        // A start that has not noted it yet.
        Status::Running | Status::Paused if record.status == State::Created && dir.is_locked() => {
            State::Created
        }
        Status::Running | Status::Paused => State::Running,
        Status::Stopped => State::Stopped,
    };
    Ok(Some(Found { record, state, started }))
}

/// Writes `record` into `dir`. A reader sees the old one or the new one.
///
/// # Errors
/// Those of writing a file.
pub fn save(dir: &Dir, record: &Record) -> Result<()> {
    let (new, path) = (dir.path().join(format!("{RECORD}.new")), dir.path().join(RECORD));
    let failed = |error| coracle::Error::io(format!("write {}", path.display()))(error);
    let mut text = serde_json::to_vec_pretty(record).expect("a record is plain data");
    text.push(b'\n');
    let file = std::fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(&new);
    file.and_then(|mut file| file.write_all(&text)).map_err(failed)?;
    Ok(std::fs::rename(&new, &path).map_err(failed)?)
}

/// Ends and removes what the library made of the container of `dir`, if it made anything.
///
/// # Errors
/// Those of [`coracle::delete::delete`].
pub fn clear(dir: &Dir, explain: &Explain) -> Result<()> {
    match find(dir.path(), &dir.id())? {
        Some(_) => Ok(coracle::delete::delete(dir.path(), &dir.id(), true, explain)?),
        None => Ok(()),
    }
}

/// Notes that the container of `dir` has stopped, unless somebody else is changing it: they note what becomes of it.
///
/// # Errors
/// Those of writing a file.
pub fn note_stopped(dir: Dir) -> Result<()> {
    if dir.is_locked() {
        return Ok(());
    }
    let Ok(locked) = dir.lock() else { return Ok(()) };
    match look(&locked.dir)? {
        Some(Found { record, state: State::Stopped, .. }) if record.status != State::Stopped => {
            save(&locked.dir, &Record { status: State::Stopped, pid: 0, ..record })
        }
        _ => Ok(()),
    }
}
