//! Names: of a container's unit, of the slice that it is in, and of their folders.

use std::path::PathBuf;

use super::super::limits::wrong;
use crate::error::{Error, Result};

const POINTER: &str = "/linux/cgroupsPath";

/// The longest name of a unit (systemd.unit(5)).
const LONGEST: usize = 255;

/// The scope that a container asks for: a unit of systemd's for processes that somebody else made (systemd.scope(5)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The slice to be in, such as `machine.slice`; `None`: the one for everything else.
    pub slice: Option<String>,
    /// The unit's name, such as `libpod-1.scope`.
    pub unit: String,
}

impl Scope {
    /// The scope of `/linux/cgroupsPath`, which has the form `slice:prefix:name` here; where it is missing, one that is called
    /// `group`. An empty slice is none, and `-` the root of all.
    ///
    /// # Errors
    /// At `/linux/cgroupsPath` for another form, and for names that systemd does not take.
    pub fn parse(asked: Option<&str>, group: &str) -> Result<Scope> {
        let Some(asked) = asked else { return Scope::named(None, format!("{group}.scope"), group) };
        let parts: Vec<&str> = asked.split(':').collect();
        let [slice, prefix, name] = parts[..] else {
            let problem = format!("{asked:?} must have the form slice:prefix:name with --systemd-cgroup");
            return Err(wrong(POINTER, problem));
        };
        if name.is_empty() || name.ends_with(".slice") {
            return Err(wrong(POINTER, format!("{asked:?} must end in the name of a scope")));
        }
        let slice = match slice {
            "" => None,
            "-" => Some("-.slice".to_owned()),
            slice => Some(slice.to_owned()),
        };
        Scope::named(slice, format!("{prefix}-{name}.scope"), asked)
    }

    fn named(slice: Option<String>, unit: String, asked: &str) -> Result<Scope> {
        if !is_name(&unit) {
            let problem = format!("{asked:?} makes {unit:?}, which is no name of a unit (systemd.unit(5))");
            return Err(wrong(POINTER, problem));
        }
        slice.as_deref().map_or(Ok(()), |slice| folders(slice).map(drop))?;
        Ok(Scope { slice, unit })
    }
}

fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    name.len() <= LONGEST && name.chars().all(allowed)
}

/// The folders of a slice, one in another: a dash says what it is a part of, so that `a-b.slice` is `a.slice/a-b.slice`.
///
/// # Errors
/// At `/linux/cgroupsPath` for what is no slice.
pub(super) fn folders(slice: &str) -> Result<PathBuf> {
    let fail = || -> Error {
        wrong(POINTER, format!("{slice:?} is no name of a slice, such as machine.slice (systemd.slice(5))"))
    };
    let name = slice.strip_suffix(".slice").filter(|_| is_name(slice)).ok_or_else(fail)?;
    let mut path = PathBuf::new();
    if name == "-" {
        return Ok(path);
    }
    for (end, _) in name.match_indices('-').chain([(name.len(), "")]) {
        let above = &name[..end];
        if above.is_empty() || above.ends_with('-') {
            return Err(fail());
        }
        path.push(format!("{above}.slice"));
    }
    Ok(path)
}
