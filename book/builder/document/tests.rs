//! The tests that a document's rows are held by: functions whose names begin with a row's number, in the test files of the
//! workspace.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use syn::{Item, ItemFn};

use crate::check::trouble;
use crate::{page, testlist};

/// Where test files are: below `tests/` in each of these folders' packages.
const FOLDERS: [&str; 3] = ["crates", "rootfs-builder", "book"];

/// A test of a row.
pub(crate) struct Test {
    /// `s06_...`
    pub(crate) name: String,
    /// From the repository's root.
    pub(crate) file: String,
    /// Whether a suite or libtest runs it.
    pub(crate) runs: bool,
}

impl Test {
    /// The name as a sentence, without the row's number.
    pub(crate) fn sentence(&self) -> String {
        let words = testlist::sentence(self.name.get(4..).unwrap_or_default());
        // As there: what is a container's, or a document's.
        words.replace("containers control", "container's control").replace("documents ", "document's ")
    }
}

/// Every test that is called after a row, by file and place.
pub(crate) fn all(root: &Path) -> Result<Vec<Test>> {
    let mut found = Vec::new();
    for folder in FOLDERS.map(Path::new).into_iter().filter(|folder| root.join(folder).is_dir()) {
        for name in page::files(&root.join(folder))? {
            let below_tests = name.components().any(|part| part.as_os_str() == "tests");
            if !below_tests || name.extension().is_none_or(|ext| ext != "rs") {
                continue;
            }
            let path = root.join(folder).join(&name);
            let text = fs::read_to_string(&path)?;
            if !text.contains("fn s") {
                continue;
            }
            let file =
                syn::parse_file(&text).with_context(|| format!("{} does not parse", path.display()))?;
            let functions = file.items.iter().filter_map(|item| match item {
                Item::Fn(function) if of_a_row(function) => Some(function),
                _ => None,
            });
            found.extend(functions.map(|function| Test {
                name: function.sig.ident.to_string(),
                file: folder.join(&name).display().to_string(),
                runs: trouble::runs(function, &file, &path),
            }));
        }
    }
    Ok(found)
}

/// `s01_...`
fn of_a_row(function: &ItemFn) -> bool {
    let name = function.sig.ident.to_string();
    let [b's', tens, ones, b'_', ..] = name.as_bytes() else { return false };
    tens.is_ascii_digit() && ones.is_ascii_digit()
}
