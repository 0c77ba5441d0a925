//! Finding an item in the sources.

use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::Tree;
use crate::body;

/// Where an item is, and what its text says. All ranges are bytes of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// The file, relative to `src`.
    pub file: PathBuf,
    /// The whole item: from its first doc comment or attribute to its closing brace.
    pub span: Range<usize>,
    /// The declaration: visibility up to the body, without attributes.
    pub signature: String,
    /// The text of the doc comment, without its slashes.
    pub docs: String,
    /// The body with its braces.
    pub body: Range<usize>,
    /// How many columns the item is indented by.
    pub indent: usize,
}

/// Finds `path` (`rootfs::pivot_root`, `plan::Plan::mounts`, a function of an inline module) below `src`. The file is
/// that of the longest module path: `src/a/b.rs`, `src/a/b/mod.rs`, `src/a.rs`, `src/lib.rs`.
///
/// # Errors
/// Fails where the file does not parse, or where it has no such function, or several.
pub fn locate(src: &Path, path: &str) -> Result<Located> {
    Tree::read(src)?.locate(path)
}

/// Whether the body of `path` is `body`, token by token: comments and spacing do not count.
///
/// # Errors
/// As [`locate`].
pub fn body_is(src: &Path, path: &str, body: &str) -> Result<bool> {
    body::Cache::default().body_is(&Tree::read(src)?, path, body)
}

/// The whole text of `path`, with docs and attributes, as it stands in the file.
///
/// # Errors
/// As [`locate`].
pub fn source_of(src: &Path, path: &str) -> Result<String> {
    Tree::read(src)?.source_of(path)
}
