//! What is written to a group's files: a list for each folder, made before anything else is.

use nix::errno::Errno;

use super::devices::{self, Rule};
use super::limits::Need;
use super::{Cgroup, Folder};
use crate::error::{Error, Result};

const NO_FILE: &str = "this kernel has no such limit: take it out of /linux/resources";

/// All that is asked of a control group, in the words of the layout that it is in.
#[derive(Debug, Default)]
pub struct Settings {
    /// The controllers that this takes.
    pub(super) needs: Vec<Need>,
    /// Which devices may be used, where that is to be said.
    pub(super) devices: Option<Vec<Rule>>,
    /// What is written, folder by folder.
    pub(super) lists: Vec<(Folder, List)>,
}

/// What is written to the files of one folder, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct List {
    v2: bool,
    settings: Vec<Setting>,
}

/// One value for a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    /// File and value. Where there are several, kernels differ in what they have, and the first file that is there counts.
    ways: Vec<(String, String)>,
    /// Whether none of the files need be there.
    optional: bool,
    /// For a file that holds a line for each of several things, of which this is about one: what takes that back. The line
    /// begins with the same word.
    undo: Option<String>,
    /// What to do about the kernel's errors.
    cures: Vec<(Errno, &'static str)>,
}

impl Settings {
    /// Writes it all. The limits on devices come first: from then on nothing may be forgotten.
    ///
    /// # Errors
    /// What the kernel refuses, with file and value. What was written before that stays: see [`Settings::present`].
    pub(super) fn apply(&self, cgroup: &Cgroup) -> Result<()> {
        if let Some(rules) = &self.devices {
            devices::limit(cgroup, rules)?;
        }
        self.lists.iter().try_for_each(|(folder, list)| list.apply(folder))
    }

    /// The files of version 2, each with its value, in the order in which they are written. Where kernels differ in what they
    /// call a file, with all its names.
    pub(super) fn of_v2(&self) -> impl Iterator<Item = (&str, &str)> {
        let lists = self.lists.iter().map(|(_, list)| list).filter(|list| list.is_v2());
        let ways = lists.flat_map(|list| &list.settings).flat_map(|setting| &setting.ways);
        ways.map(|(file, value)| (file.as_str(), value.as_str()))
    }

    /// What is in the files now that [`Settings::apply`] would write to: to be written back. The rules about devices
    /// cannot be read.
    pub(super) fn present(&self) -> Settings {
        let lists = self.lists.iter().map(|(folder, list)| (folder.clone(), list.present(folder)));
        Settings { needs: Vec::new(), devices: None, lists: lists.collect() }
    }
}

impl List {
    /// An empty one, for this folder.
    pub(super) fn of(folder: &Folder) -> List {
        List { v2: folder.is_v2(), settings: Vec::new() }
    }

    /// Whether it is for a folder of version 2.
    pub(super) fn is_v2(&self) -> bool {
        self.v2
    }

    /// Adds a value for a file.
    pub(super) fn write(&mut self, file: impl Into<String>, value: impl ToString) -> &mut Setting {
        let ways = vec![(file.into(), value.to_string())];
        self.settings.push(Setting { ways, optional: false, undo: None, cures: Vec::new() });
        self.settings.last_mut().expect("it was just added")
    }

    /// Writes the values. The kernel checks some of them against each other (memory and memory with swap, a quota and its
    /// burst), and in which order they fit depends on what was there before. So what it calls invalid is tried again after
    /// the others, as long as one of them fits.
    fn apply(&self, folder: &Folder) -> Result<()> {
        let mut left: Vec<&Setting> = self.settings.iter().collect();
        loop {
            let mut refused = Vec::new();
            let mut first = None;
            for setting in &left {
                match setting.write(folder) {
                    Err(error) if error.errno() == Some(Errno::EINVAL) => {
                        refused.push(*setting);
                        first.get_or_insert(error);
                    }
                    other => other?,
                }
            }
            match first {
                None => return Ok(()),
                Some(error) if refused.len() == left.len() => return Err(error),
                Some(_) => left = refused,
            }
        }
    }

    fn present(&self, folder: &Folder) -> List {
        let settings = self.settings.iter().filter_map(|setting| setting.present(folder)).collect();
        List { v2: self.v2, settings }
    }
}

impl Setting {
    /// What to write where the files so far are not there.
    pub(super) fn or(&mut self, file: impl Into<String>, value: impl ToString) -> &mut Setting {
        self.ways.push((file.into(), value.to_string()));
        self
    }

    /// It is no loss where the file is not there.
    pub(super) fn optional(&mut self) -> &mut Setting {
        self.optional = true;
        self
    }

    /// It is a line of its file, and this takes it back.
    pub(super) fn undone_by(&mut self, line: impl Into<String>) -> &mut Setting {
        self.undo = Some(line.into());
        self
    }

    /// What to do about an error of the kernel's.
    pub(super) fn cure(&mut self, errno: Errno, text: &'static str) -> &mut Setting {
        self.cures.push((errno, text));
        self
    }

    fn write(&self, folder: &Folder) -> Result<()> {
        let mut missing = None;
        for (file, value) in &self.ways {
            match folder.write(file, value) {
                Err(error) if error.errno() == Some(Errno::ENOENT) => missing = missing.or(Some(error)),
                other => return other.map_err(|error| self.cured(error)),
            }
        }
        match missing {
            Some(error) if !self.optional => Err(self.cured(error)),
            _ => Ok(()),
        }
    }

    fn cured(&self, error: Error) -> Error {
        let error = self.cures.iter().fold(error, |error, (errno, text)| error.with_cure(*errno, text));
        error.with_cure(Errno::ENOENT, NO_FILE)
    }

    /// The value that its file has now, to be written in its place; `None` where it has none that could be.
    fn present(&self, folder: &Folder) -> Option<Setting> {
        let (file, value, text) =
            self.ways.iter().find_map(|(file, value)| Some((file, value, folder.read(file).ok()?)))?;
        let lines = text.trim_end().lines();
        // A file with a line for each of several things takes one at a time.
        let now = if self.undo.is_some() || lines.clone().count() > 1 {
            let name = value.split_whitespace().next();
            let line = lines.clone().find(|line| line.split_whitespace().next() == name);
            line.or(self.undo.as_deref())?.to_owned()
        } else {
            text.trim_end().to_owned()
        };
        // Nothing at all, such as no CPU of its own: a write of no byte is none. Where there are processes, the kernel takes no empty
        // list of CPUs or memory nodes any more (ENOSPC), but those of the group above, which are what counted.
        let now = if now.is_empty() {
            let effective = folder.read(&format!("{file}.effective"));
            effective.map_or("\n".to_owned(), |list| list.trim_end().to_owned())
        } else {
            now
        };
        Some(Setting { ways: vec![(file.clone(), now)], optional: true, undo: None, cures: Vec::new() })
    }
}

/// Whether it is one word: a name that stands in a line of a file before other words.
pub(super) fn is_word(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control())
}
