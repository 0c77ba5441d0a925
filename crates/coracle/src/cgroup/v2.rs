//! Version 2: one hierarchy, in which each group says which controllers its children have.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use super::limits::Need;
use super::settings::List;
use super::{Folder, folder};
use crate::error::{Error, Result};

/// What a container's group has a use for, limits or not: counting, and limits that come later.
const USEFUL: [&str; 8] = ["cpuset", "cpu", "io", "memory", "hugetlb", "pids", "rdma", "misc"];

const NO_FILE: &str =
    "the controller has no such file in this kernel: take it out of /linux/resources/unified";

const INTERNAL: &str = "a group that has processes of its own cannot give controllers to those below it; \
                        move them into a group of their own";

/// Makes the folder in version 2, with its parents, and gives it its controllers: those that `needed` lists, and if
/// `all` is so, whatever else is there. `made` takes what was not there before.
///
/// # Errors
/// Those of mkdir(2); a controller that is missing, or cannot be given; `EBUSY` where the folder was there and is not
/// empty, or is frozen.
pub(super) fn make(folder: &Folder, needed: &[&Need], all: bool, made: &mut Vec<PathBuf>) -> Result<()> {
    folder::make_path(folder, made, |group| {
        if all || !needed.is_empty() { enable(group, needed, all) } else { Ok(()) }
    })
}

/// Gives the controllers that `needed` lists to a folder that somebody else made, where it has not got them yet.
///
/// # Errors
/// As [`make`] for controllers.
pub(super) fn enable_above(folder: &Folder, needed: &[&Need]) -> Result<()> {
    let here = folder.read("cgroup.controllers")?;
    let missing: Vec<&Need> = needed
        .iter()
        .copied()
        .filter(|need| !here.split_whitespace().any(|name| name == need.controller))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut above: Vec<&Path> =
        folder.path.ancestors().skip(1).take_while(|path| path.starts_with(&folder.mount)).collect();
    above.reverse();
    above.into_iter().try_for_each(|group| enable(group, &missing, false))
}

/// Lets the children of `group` have controllers (cgroups(7), "Cgroups v2 subtree control").
fn enable(group: &Path, needed: &[&Need], all: bool) -> Result<()> {
    let available = folder::read_file(&group.join("cgroup.controllers"))?;
    let available: Vec<&str> = available.split_whitespace().collect();
    if let Some(need) = needed.iter().find(|need| !available.contains(&need.controller.as_str())) {
        return Err(need.missing(&format!("not in {}", group.join("cgroup.controllers").display())));
    }
    let file = group.join("cgroup.subtree_control");
    let enabled = folder::read_file(&file)?;
    let is_needed = |name: &str| needed.iter().any(|need| need.controller == name);
    let mut wanted: Vec<&str> = available
        .into_iter()
        .filter(|name| is_needed(name) || (all && USEFUL.contains(name)))
        .filter(|name| !enabled.split_whitespace().any(|other| other == *name))
        .collect();
    let plus = |name: &str| format!("+{name}");
    if wanted.is_empty()
        || folder::write_file(&file, &wanted.iter().copied().map(plus).collect::<Vec<_>>().join(" ")).is_ok()
    {
        return Ok(());
    }
    // One that cannot be had spoils the whole line. What nobody asked for may be missing; it comes last, for in a group
    // with processes some of it would work, and make a domain of threads of it (cgroups(7), "Thread mode").
    wanted.sort_by_key(|name| !is_needed(name));
    for name in wanted {
        match folder::write_file(&file, &plus(name)) {
            Err(error) if is_needed(name) => {
                return Err(error.with_cure(Errno::EBUSY, INTERNAL).with_cure(Errno::EOPNOTSUPP, INTERNAL));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether `/linux/resources/unified` may name this file.
///
/// # Errors
/// Why not: a slash would lead to another group's files, and some files are no limits but doors.
pub(super) fn check_unified(file: &str) -> std::result::Result<(), &'static str> {
    let of_group = file.starts_with("cgroup.") && !file.starts_with("cgroup.max.");
    if file.contains(['/', '\0']) || !file.contains('.') || of_group {
        return Err("is not the name of a controller's file, such as memory.high");
    }
    Ok(())
}

/// The controller of a file that `/linux/resources/unified` names; `None` for those that every group has.
pub(super) fn controller(file: &str) -> Option<&str> {
    // "memory.pressure" tells, and needs no controller; nobody writes a limit there.
    file.split_once('.').map(|(controller, _)| controller).filter(|controller| *controller != "cgroup")
}

/// What `/linux/resources/unified` asks for. Of a value with several lines each is written by itself: a file such as `io.max`
/// takes one entry at a time.
pub(super) fn unified(folder: &Folder, files: &[(&str, &str)]) -> List {
    let mut list = List::of(folder);
    for (file, value) in files {
        for line in value.lines() {
            list.write(*file, line).cure(Errno::ENOENT, NO_FILE);
        }
    }
    list
}

/// Opens the folder, to be born in (clone3(2)) or to attach a program to (bpf(2)).
///
/// # Errors
/// Those of open(2).
pub(super) fn open_folder(folder: &Folder) -> Result<OwnedFd> {
    open(&folder.path, OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(Error::refused(format!("open {}", folder.path.display())))
}
