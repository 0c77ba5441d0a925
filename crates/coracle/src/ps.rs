//! Ps: the processes of a container.

use std::path::Path;
use std::process::Command;

use crate::error::{Error, Result};
use crate::lifecycle::{self, Status};
use crate::list::Format;
use crate::state::{Dir, State};

/// The verb: the processes of the container `id` below `root`: their numbers as a JSON list, or those lines of ps(1) that
/// are theirs. `options` are ps's own; none means `-ef`.
///
/// # Errors
/// [`Error::NoContainer`], [`Error::NotRunning`]; where ps(1) is missing; [`Error::Usage`] where it does not take the
/// options, or its table has no column PID.
pub fn ps(root: &Path, id: &str, format: Format, options: &[String]) -> Result<String> {
    let (state, status) = lifecycle::of(&Dir::find(root, id)?)?;
    if status == Status::Stopped {
        return Err(Error::NotRunning { id: id.to_owned() });
    }
    let mut pids: Vec<i32> = state.cgroup.processes()?.into_iter().map(|pid| pid.as_raw()).collect();
    if state.cgroup.folders.is_empty() {
        pids.extend(without_group(&state)?);
    }
    if format == Format::Json {
        return Ok(serde_json::json!(pids).to_string() + "\n");
    }
    table(&pids, options)
}

/// The processes of a container that has no control group: those in its PID namespace, or its init alone where that is not its
/// own.
fn without_group(state: &State) -> Result<Vec<i32>> {
    if !state.is_whole() {
        return Ok(vec![state.pid]);
    }
    let namespace = |pid: i32| std::fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let Some(own) = namespace(state.pid) else { return Ok(Vec::new()) };
    let all = std::fs::read_dir("/proc").map_err(Error::io("list /proc"))?.flatten();
    let numbers = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut pids: Vec<i32> = numbers.filter(|pid| namespace(*pid).as_ref() == Some(&own)).collect();
    pids.sort_unstable();
    Ok(pids)
}

/// Those lines of ps(1) that are of `pids`.
fn table(pids: &[i32], options: &[String]) -> Result<String> {
    let options = if options.is_empty() { &["-ef".to_owned()] } else { options };
    let output = Command::new("ps").args(options).output().map_err(Error::io("run ps"))?;
    let wrong = |problem: &str| Error::Usage { problem: format!("ps {}: {problem}", options.join(" ")) };
    // One that only finds nothing fails in silence.
    if !output.status.success() && !output.stderr.is_empty() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(wrong(&said.split_whitespace().collect::<Vec<_>>().join(" ")));
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let head = text.lines().next().unwrap_or_default();
    let column = head.split_whitespace().position(|name| name == "PID");
    let column =
        column.ok_or_else(|| wrong("its table has no column PID: ask for it, as with -o pid,comm"))?;
    let ours = |line: &&str| {
        let pid = line.split_whitespace().nth(column).and_then(|pid| pid.parse().ok());
        pid.is_some_and(|pid: i32| pids.contains(&pid))
    };
    Ok(std::iter::once(head)
        .chain(text.lines().skip(1).filter(ours))
        .map(|line| line.to_owned() + "\n")
        .collect())
}
