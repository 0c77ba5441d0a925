//! Makes a root filesystem out of one static program: BusyBox, or the course's own probe where no BusyBox can be had.
//!
//! The tree is described first ([`Tree`]: sorted entries, fixed modes, owner root, modification time 0) and written
//! afterwards, as a directory, a tar archive or an OCI image layout ([`Output`]). Nothing of the machine, the user or
//! the clock goes into it, so the same program gives the same bytes on every run.

use std::path::PathBuf;

mod elf;
mod error;
mod output;
mod source;
mod tree;

pub use error::{Error, Result};
pub use output::Output;
pub use source::Source;
pub use tree::{Entry, Kind, Tree};

/// What was made.
#[derive(Clone, Debug)]
pub struct Report {
    /// Where it is.
    pub path: PathBuf,
    /// How many directories, files and links the tree has.
    pub entries: usize,
    /// `sha256:...` of the tree as an uncompressed tar, whatever the output: two equal digests are two equal trees.
    /// In an OCI image layout this is the layer's digest and its diff id.
    pub digest: String,
}

/// Describes the tree of `source` and writes it as `output`.
///
/// The output is made beside its place and renamed, so a failure leaves nothing behind and whatever stood there before
/// as it was. What exists already is replaced only with `force`, and a directory only if it looks like an earlier
/// output.
///
/// # Errors
/// The program is not static, not of this architecture or not BusyBox; the output exists; a file cannot be read or
/// written. Each [`Error`] names the step, the path, the cause and the cure.
pub fn build(source: &Source, output: &Output, force: bool) -> Result<Report> {
    output.check(force)?;
    let tree = Tree::of(source)?;
    let digest = output.write(&tree, force)?;
    Ok(Report { path: output.path().to_owned(), entries: tree.len(), digest })
}
