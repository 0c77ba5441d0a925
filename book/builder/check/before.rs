//! The runtime as a lesson finds it, for the transcripts of its hole: the sources with the items of this lesson and
//! all later ones blanked, built in a workspace of symbolic links.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::tools;
use crate::Book;

/// The runtimes built so far.
pub(super) struct Before<'a> {
    book: &'a Book<'a>,
    built: BTreeMap<u32, PathBuf>,
}

impl<'a> Before<'a> {
    pub(super) fn new(book: &'a Book<'a>) -> Self {
        Self { book, built: BTreeMap::new() }
    }

    /// A folder that holds `coracle` as lesson `number` finds it.
    pub(super) fn bin(&mut self, number: u32) -> Result<&Path> {
        if !self.built.contains_key(&number) {
            let bin = self.build(number).with_context(|| format!("the runtime before lesson {number}"))?;
            self.built.insert(number, bin);
        }
        Ok(&self.built[&number])
    }

    fn build(&self, number: u32) -> Result<PathBuf> {
        let root = &self.book.course.root;
        let below = root.join("target/book-check");
        let tree = below.join(format!("before-{number:02}"));
        if tree.exists() {
            fs::remove_dir_all(&tree)?;
        }
        mirror(root, &tree, &["crates", "target", ".git"])?;
        mirror(&root.join("crates"), &tree.join("crates"), &["coracle"])?;
        let runtime = tree.join("crates/coracle");
        mirror(&root.join("crates/coracle"), &runtime, &["src"])?;
        for (name, text) in course::snapshot(self.book.course, self.book.sources.reference(), number)?.files {
            let file = runtime.join("src").join(name);
            fs::create_dir_all(file.parent().context("a file without a folder")?)?;
            fs::write(file, text)?;
        }
        let mut build = tools::cargo(&tree);
        // The packages from the registry are built once for all lessons, beside the reader's own.
        build
            .args(["build", "--quiet", "--locked", "--offline", "-p", "coracle", "--target-dir"])
            .arg(below.join("target"));
        let built = tools::executables(build)?;
        let (_, program) = built.iter().find(|(name, _)| name == "coracle").context("no program coracle")?;
        let bin = tree.join("bin");
        fs::create_dir(&bin)?;
        // The next lesson's build replaces the program in the target folder.
        fs::copy(program, bin.join("coracle"))?;
        Ok(bin)
    }
}

/// Makes `to` a folder of symbolic links to what is in `from`, but for `without`.
fn mirror(from: &Path, to: &Path, without: &[&str]) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in from.read_dir()? {
        let entry = entry?;
        if !without.iter().any(|name| entry.file_name() == *name) {
            symlink(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
