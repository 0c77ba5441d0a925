//! The runtime as a lesson finds it, for the transcripts of its hole: the sources with the items of this lesson and
//! all later ones blanked, under both front-ends, built in a workspace of symbolic links.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::tools;
use crate::Book;

/// The front-ends of the runtime's library, each a package with a program of its name.
const PROGRAMS: [&str; 2] = ["coracle", "ns-runtime"];

/// The runtimes built so far.
pub(super) struct Before<'a> {
    book: &'a Book<'a>,
    built: BTreeMap<u32, PathBuf>,
}

impl<'a> Before<'a> {
    pub(super) fn new(book: &'a Book<'a>) -> Self {
        Self { book, built: BTreeMap::new() }
    }

    /// A folder that holds the [`PROGRAMS`] as lesson `number` finds it.
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
            .args(["build", "--quiet", "--locked", "--offline", "--target-dir"])
            .arg(below.join("target"))
            .args(PROGRAMS.iter().flat_map(|package| ["-p", package]));
        let built = tools::executables(build)?;
        let bin = tree.join("bin");
        fs::create_dir(&bin)?;
        for name in PROGRAMS {
            let made = built.iter().find(|(made, _)| made == name);
            let (_, program) = made.with_context(|| format!("no program {name}"))?;
            // The next lesson's build replaces the program in the target folder.
            fs::copy(program, bin.join(name))?;
        }
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
