//! The tree as a directory.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, lchown, symlink};
use std::path::Path;

use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::geteuid;

use crate::{Error, Kind, Result, Tree};

/// Makes `root`, which must not exist, and everything in it.
pub(super) fn write(tree: &Tree, root: &Path) -> Result<()> {
    entry(root, 0o755, &Kind::Directory)?;
    for (path, described) in tree.iter() {
        entry(&root.join(path), described.mode, &described.kind)?;
    }
    // Backwards: whatever is made in a directory changes the directory's time.
    for (path, _) in tree.iter().rev() {
        age(&root.join(path))?;
    }
    age(root)
}

fn entry(path: &Path, mode: u32, kind: &Kind) -> Result<()> {
    make(path, mode, kind).map_err(Error::io("write", path))
}

fn make(path: &Path, mode: u32, kind: &Kind) -> io::Result<()> {
    match kind {
        Kind::Directory => DirBuilder::new().mode(0o700).create(path)?,
        Kind::File(bytes) => {
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(bytes)?
        }
        Kind::Link(target) => symlink(target, path)?,
    }
    // A directory with the setgid bit hands its group down, so the owner is set even where it looks right already.
    if geteuid().is_root() {
        lchown(path, Some(0), Some(0))?;
    }
    // After the owner, since a change of owner may clear mode bits; explicitly, since the umask takes bits away.
    if !matches!(kind, Kind::Link(_)) {
        fs::set_permissions(path, Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// Sets the times to 0 (1 January 1970), of a link and not of what it leads to.
pub(super) fn age(path: &Path) -> Result<()> {
    let zero = TimeSpec::new(0, 0);
    utimensat(AT_FDCWD, path, &zero, &zero, UtimensatFlags::NoFollowSymlink)
        .map_err(|errno| Error::io("set the time of", path)(errno.into()))
}
