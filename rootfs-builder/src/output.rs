//! The tree as files: three forms of the same entries.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::{Error, Result, Tree};

mod archive;
mod directory;
mod layout;
mod place;

/// The form and the place of what is made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output {
    /// A directory, to be a container's root as it is. Made by root, root owns it; made by anybody else, they do: only
    /// root may give files away.
    Directory(PathBuf),
    /// A tar archive (ustar), uncompressed.
    Tar(PathBuf),
    /// An OCI image layout with one image, tagged `latest`, of one uncompressed layer.
    Oci(PathBuf),
}

impl Output {
    /// Reads `dir=PATH`, `tar=PATH` or `oci=PATH`.
    ///
    /// # Errors
    /// A sentence that says what was expected.
    pub fn parse(text: OsString) -> Result<Output, String> {
        match crate::source::split(&text) {
            (b"dir", Some(path)) => Ok(Output::Directory(path)),
            (b"tar", Some(path)) => Ok(Output::Tar(path)),
            (b"oci", Some(path)) => Ok(Output::Oci(path)),
            (b"dir" | b"tar" | b"oci", None) => Err("the path is missing: write KIND=PATH".into()),
            _ => Err("expected dir=PATH, tar=PATH or oci=PATH".into()),
        }
    }

    /// Where the output goes.
    pub fn path(&self) -> &Path {
        match self {
            Output::Directory(path) | Output::Tar(path) | Output::Oci(path) => path,
        }
    }

    /// Refuses, before any work is done, a place that must not be overwritten.
    pub(crate) fn check(&self, force: bool) -> Result<()> {
        match self {
            Output::Directory(path) => place::check_directory(path, &Tree::TOP, force),
            Output::Tar(path) => place::check_file(path, force),
            Output::Oci(path) => place::check_directory(path, &layout::TOP, force),
        }
    }

    /// Writes `tree` and gives its digest.
    pub(crate) fn write(&self, tree: &Tree, force: bool) -> Result<String> {
        let archive = archive::bytes(tree).map_err(Error::io("pack", self.path()))?;
        let digest = layout::sha256(&archive);
        match self {
            Output::Directory(path) => {
                place::directory(path, &Tree::TOP, force, |root| directory::write(tree, root))?
            }
            Output::Oci(path) => {
                place::directory(path, &layout::TOP, force, |root| layout::write(tree, &archive, root))?
            }
            Output::Tar(path) => place::file(path, force, |file| {
                file.write_all(&archive)?;
                // A temporary file is its owner's alone; an archive is an ordinary file.
                fs::set_permissions(file.path(), Permissions::from_mode(0o644))
            })?,
        }
        Ok(format!("sha256:{digest}"))
    }
}
