//! Going from one commit to another. Git's own checkout takes a file away before it writes the new one: killed there,
//! it leaves half a file. Here every file is its old self or its new self at any time, HEAD moves last, and a journey
//! that was interrupted goes on where it was.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::{Entry, Git, read};

/// The journeys that began and did not end, each named for its verb, with the commit it goes to.
const UNFINISHED: &str = "refs/coracle/unfinished";

impl Git {
    /// Fails where a journey was interrupted half way: what else would be done now would be done to a mixture.
    pub(in crate::verbs) fn arrived(&self) -> Result<()> {
        let list = self.read(&["for-each-ref", "--format=%(refname:lstrip=3) %(objectname)", UNFINISHED])?;
        for (verb, to) in list.lines().filter_map(|line| line.split_once(' ')) {
            if !self.contains("HEAD", to)? && !self.uncommitted()?.is_empty() {
                bail!(
                    "`cargo lesson {verb}` was interrupted. To finish it, the same again: cargo lesson {verb}"
                );
            }
            self.read(&["update-ref", "-d", &format!("{UNFINISHED}/{verb}")])?;
        }
        Ok(())
    }

    /// The commit to which an interrupted `verb` was on its way.
    pub(in crate::verbs) fn interrupted(&self, verb: &str) -> Option<String> {
        self.commit(&format!("{UNFINISHED}/{verb}"))
    }

    /// The paths that would be lost on the way: what is there is neither what `from` has nor what `to` has.
    pub(in crate::verbs) fn at_stake(&self, from: &str, to: &str) -> Result<BTreeSet<String>> {
        let (old, new) = (self.files(from)?, self.files(to)?);
        let changed = |commit, cached: &[&str]| -> Result<BTreeSet<String>> {
            let list = self
                .read(&[&["diff-index", "--name-only", "--no-renames", "-z"], cached, &[commit]].concat())?;
            Ok(list.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect())
        };
        let staged = &changed(from, &["--cached"])? & &changed(to, &["--cached"])?;
        // A file that git does not track yet is in the way where `to` brings one.
        let brought = new.keys().filter(|path| !old.contains_key(*path)).cloned();
        let mut lost = staged;
        for path in changed(from, &[])?.into_iter().chain(brought) {
            let here = self.here(&path)?;
            let is = |files: &BTreeMap<String, Entry>| {
                files.get(&path).map(|entry| &entry.object) == here.as_ref()
            };
            if !is(&old) && !is(&new) {
                lost.insert(path);
            }
        }
        Ok(lost)
    }

    /// The blob that a path of the work tree would be.
    fn here(&self, path: &str) -> Result<Option<String>> {
        let file = self.root.join(path);
        match file.symlink_metadata() {
            Err(_) => Ok(None),
            Ok(meta) if meta.is_symlink() => {
                let target = fs::read_link(&file)?;
                let object = Self::feed(
                    self.command().args(["hash-object", "--stdin"]),
                    target.as_os_str().as_encoded_bytes(),
                )?;
                Ok(Some(String::from_utf8(object)?.trim().to_owned()))
            }
            Ok(meta) if meta.is_dir() => Ok(Some("a folder".to_owned())),
            Ok(_) => self.read(&["hash-object", "--", path]).map(Some),
        }
    }

    /// Makes work tree and index those of `to`, on behalf of `verb`; then `arrive` moves HEAD. Nothing may be at stake.
    pub(in crate::verbs) fn travel(
        &self,
        verb: &str,
        [from, to]: [&str; 2],
        arrive: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        let mark = format!("{UNFINISHED}/{verb}");
        self.read(&["update-ref", &mark, to])?;
        let (old, new) = (self.files(from)?, self.files(to)?);
        let coming: Vec<&String> =
            new.iter().filter(|(path, entry)| old.get(*path) != Some(entry)).map(|(path, _)| path).collect();
        let going = old.keys().filter(|path| !new.contains_key(*path));

        let waiting = self.unpack(to, &coming)?;
        for path in going {
            self.take_away(Path::new(path))?;
        }
        for path in coming {
            let place = self.root.join(path);
            let folder = place.parent().context("a file without a folder")?;
            fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
            fs::rename(waiting.join(path), &place).with_context(|| format!("writing {}", place.display()))?;
        }
        fs::remove_dir_all(&waiting).with_context(|| format!("removing {}", waiting.display()))?;
        self.read(&["read-tree", "--reset", to])?;
        // The index knows no times yet; without them each file would be read again by whatever asks next.
        self.output(&["update-index", "-q", "--refresh"])?;
        arrive()?;
        self.read(&["update-ref", "-d", &mark])?;
        Ok(())
    }

    /// Has git write these files of a commit into a folder beside its own: on the same disk, and nobody's work tree.
    fn unpack(&self, commit: &str, paths: &[&String]) -> Result<PathBuf> {
        let folder = self.root.join(self.read(&["rev-parse", "--git-path", "coracle-incoming"])?);
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
        }
        fs::create_dir(&folder).with_context(|| format!("making {}", folder.display()))?;
        let index = folder.join("index-of-incoming");
        read(self.command().env("GIT_INDEX_FILE", &index).args(["read-tree", commit]))?;
        let names: String = paths.iter().map(|path| format!("{path}\0")).collect();
        let mut checkout = self.command();
        checkout.env("GIT_INDEX_FILE", &index).args(["checkout-index", "-z", "--stdin"]);
        checkout.arg(format!("--prefix={}/", folder.display()));
        Self::feed(&mut checkout, names.as_bytes())?;
        Ok(folder)
    }

    /// Removes a file, and the folders that are empty without it.
    fn take_away(&self, path: &Path) -> Result<()> {
        let file = self.root.join(path);
        match fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("removing {}", file.display()));
            }
            _ => {}
        }
        for folder in path.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty()) {
            if fs::remove_dir(self.root.join(folder)).is_err() {
                break;
            }
        }
        Ok(())
    }
}
