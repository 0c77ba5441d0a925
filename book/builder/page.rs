//! One page: its text after the directives, and the way back to the lines its author wrote.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use course::Lesson;

use crate::Defect;

/// A page whose directives are expanded.
#[derive(Clone, Debug)]
pub struct Page {
    /// Below `src/`: `03-pivot-root.md`.
    pub name: PathBuf,
    /// As people name it: `book/src/03-pivot-root.md`.
    pub file: PathBuf,
    /// The number of its lesson.
    pub lesson: Option<u32>,
    /// The title in the table of contents.
    pub title: String,
    /// The expanded text.
    pub text: String,
    /// For each line of `text` the line of the file it comes from.
    pub(crate) origin: Vec<usize>,
}

impl Page {
    /// An empty page.
    pub(crate) fn new(name: PathBuf, file: PathBuf, lesson: Option<&Lesson>) -> Self {
        let lesson = lesson.map(|lesson| lesson.number);
        Self { name, file, lesson, title: String::new(), text: String::new(), origin: Vec::new() }
    }

    /// The line of the file behind byte `offset` of the expanded text, and `below` more lines of it.
    pub(crate) fn line(&self, offset: usize, below: usize) -> usize {
        let nth = self.text[..offset.min(self.text.len())].matches('\n').count();
        self.origin.get(nth + below).copied().unwrap_or(0)
    }

    /// A defect at byte `offset` of the expanded text.
    pub(crate) fn defect(&self, offset: usize, what: impl Into<String>) -> Defect {
        Defect { file: self.file.clone(), line: self.line(offset, 0), what: what.into() }
    }

    /// Appends `text`, which stands for line `line` of the file.
    pub(crate) fn push(&mut self, line: usize, text: &str) {
        for part in text.split_terminator('\n') {
            self.text.push_str(part);
            self.text.push('\n');
            self.origin.push(line);
        }
        if text.is_empty() {
            self.text.push('\n');
            self.origin.push(line);
        }
    }
}

/// The Markdown files below `src`, relative to it, by name.
pub(crate) fn names(src: &Path) -> Result<Vec<PathBuf>> {
    let mut names: Vec<_> =
        files(src)?.into_iter().filter(|name| name.extension().is_some_and(|ext| ext == "md")).collect();
    names.retain(|name| name != Path::new("SUMMARY.md"));
    Ok(names)
}

/// Every file below `dir`, relative to it, by name.
pub(crate) fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(below) = open.pop() {
        let folder = dir.join(&below);
        for entry in folder.read_dir().with_context(|| format!("cannot read {}", folder.display()))? {
            let entry = entry?;
            let name = below.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                open.push(name);
            } else {
                found.push(name);
            }
        }
    }
    found.sort();
    Ok(found)
}
