//! Copying the workspace. What did not change keeps its time, so that cargo need not build it again.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use course::Tree;

/// Makes `to` the same as the workspace at `from`, but for the Rust files of the runtime, which the variants bring.
/// Returns the workspace's other files.
pub(super) fn workspace(from: &Path, to: &Path, source: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut files = match tracked(from) {
        Some(files) => files,
        None => walk(from, &|path| path.starts_with("target") || path.starts_with(".git"))?,
    };
    // Listed but deleted, or a repository inside this one: nothing to copy.
    files.retain(|file| {
        let path = from.join(file);
        !is_source(&to.join(file), source) && (path.is_file() || path.is_symlink())
    });
    for file in walk(to, &|_| false)? {
        let path = to.join(&file);
        if !files.contains(&file) && !is_source(&path, source) {
            fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
        }
    }
    for file in &files {
        copy(&from.join(file), &to.join(file)).with_context(|| format!("copying {}", file.display()))?;
    }
    Ok(files)
}

/// Removes the Rust files of the runtime that a variant does not have.
pub(super) fn remove_other_sources(source: &Path, tree: &Tree) -> Result<()> {
    if !source.is_dir() {
        return Ok(());
    }
    for file in Tree::read(source)?.files.keys().filter(|file| !tree.files.contains_key(*file)) {
        fs::remove_file(source.join(file)).with_context(|| format!("removing {}", file.display()))?;
    }
    Ok(())
}

fn is_source(path: &Path, source: &Path) -> bool {
    path.starts_with(source) && path.extension().is_some_and(|extension| extension == "rs")
}

/// What git would take into a commit, where the folder is a git work tree of its own.
fn tracked(root: &Path) -> Option<BTreeSet<PathBuf>> {
    let git = |args: &[&str]| {
        let output = Command::new("git").arg("-C").arg(root).args(args).output().ok()?;
        output.status.success().then_some(output.stdout)
    };
    let top = git(&["rev-parse", "--show-toplevel"])?;
    let top = Path::new(OsStr::from_bytes(top.trim_ascii_end()));
    if top.canonicalize().ok()? != root.canonicalize().ok()? {
        return None;
    }
    let list = git(&["ls-files", "-z", "--cached", "--others", "--exclude-standard"])?;
    let names = list.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    Some(names.map(|name| PathBuf::from(OsStr::from_bytes(name))).collect())
}

/// Every file and link below a folder, relative to it.
fn walk(root: &Path, skip: &dyn Fn(&Path) -> bool) -> Result<BTreeSet<PathBuf>> {
    let mut files = BTreeSet::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let path = root.join(&folder);
        for entry in fs::read_dir(&path).with_context(|| format!("reading {}", path.display()))? {
            let entry = entry?;
            let name = folder.join(entry.file_name());
            if skip(&name) {
                continue;
            }
            if entry.file_type()?.is_dir() {
                folders.push(name);
            } else {
                files.insert(name);
            }
        }
    }
    Ok(files)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    if from.is_symlink() {
        let wanted = fs::read_link(from)?;
        if fs::read_link(to).ok().as_ref() != Some(&wanted) {
            if to.symlink_metadata().is_ok() {
                fs::remove_file(to)?;
            }
            std::os::unix::fs::symlink(wanted, to)?;
        }
        return Ok(());
    }
    let old = if to.is_symlink() { None } else { fs::read(to).ok() };
    if old.is_none_or(|old| fs::read(from).ok().as_ref() != Some(&old)) {
        if to.symlink_metadata().is_ok() {
            fs::remove_file(to)?;
        }
        fs::copy(from, to)?;
    }
    Ok(())
}
