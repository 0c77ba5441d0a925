//! State and list: what there is, as JSON for engines and as a table for people.

use std::fmt::Write;
use std::path::Path;

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::explain::Explain;
use crate::lifecycle::{self, Status};
use crate::state::{self, Dir, State};

/// How a list looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Columns.
    #[default]
    Table,
    /// JSON.
    Json,
}

/// The verb `state`: the state of the container `id` below `root`, as JSON (runtime-spec, runtime.md, "State"), with
/// what runc adds.
///
/// # Errors
/// [`Error::NoContainer`].
pub fn state(root: &Path, id: &str) -> Result<String> {
    let dir = Dir::find(root, id)?;
    let (state, status) = lifecycle::of(&dir)?;
    Ok(pretty(&object(&dir, &state, status)?))
}

/// The verb `list`: the containers below `root`; with `ids_only`, one id a line.
///
/// # Errors
/// Where the directory cannot be read.
pub fn list(root: &Path, format: Format, ids_only: bool, explain: &Explain) -> Result<String> {
    let dirs = state::all(root)?;
    if ids_only {
        return Ok(dirs.iter().map(|dir| dir.id() + "\n").collect());
    }
    let mut found = Vec::new();
    for dir in dirs {
        match lifecycle::of(&dir) {
            Ok((state, status)) => found.push(object(&dir, &state, status)?),
            // It went while we looked, or a killed runtime left no more than its name.
            Err(Error::NoContainer { .. }) => {}
            // One that is damaged must not hide the others.
            Err(error @ Error::Bundle { .. }) => explain.warn(&error.to_string()),
            Err(error) => return Err(error),
        }
    }
    Ok(match format {
        Format::Json => format!("{}\n", Value::Array(found)),
        Format::Table => table(&found),
    })
}

/// The state of the container of `dir` as a JSON object (runtime-spec, runtime.md, "State"): `ociVersion`
/// ([`crate::OCI_VERSION`]), `id`, `status`, `pid` (0 for one that is stopped), `bundle`, and `annotations` where there are
/// any; and what runc adds: `rootfs`, `created`, and `owner`, the name of the directory's owner ([`crate::user::name`]).
///
/// # Errors
/// As [`Dir::owner`].
fn object(dir: &Dir, state: &State, status: Status) -> Result<Value> {
    let pid = if status == Status::Stopped { 0 } else { state.pid };
    let mut object = state.of_specification(status, Some(pid));
    object["rootfs"] = json!(state.rootfs);
    object["created"] = json!(state.created);
    object["owner"] = json!(crate::user::name(dir.owner()?));
    Ok(object)
}

fn table(found: &[Value]) -> String {
    const HEAD: [&str; 6] = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"];
    let cell = |one: &Value, key: &str| one[key].as_str().map_or_else(|| one[key].to_string(), str::to_owned);
    let rows: Vec<_> = found.iter().map(|one| HEAD.map(|head| cell(one, &head.to_lowercase()))).collect();
    let width = |column: usize| {
        rows.iter().map(|row| row[column].len()).chain([HEAD[column].len()]).max().unwrap_or(0)
    };
    let mut text = String::new();
    for row in std::iter::once(HEAD.map(str::to_owned)).chain(rows.iter().cloned()) {
        let cells = row.iter().enumerate().map(|(column, cell)| format!("{cell:0$}", width(column)));
        let line = cells.collect::<Vec<_>>().join("   ");
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}
