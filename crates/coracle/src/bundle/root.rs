//! `/root`: which directory becomes the container's root.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::mount::MsFlags;

use super::file::{broken, place};
use super::wrong;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::rootfs::Rootfs;

/// The root filesystem of `config`, in the bundle `folder`, which is at `bundle`.
///
/// # Errors
/// Names `/root` or `/linux/rootfsPropagation`, or the directory.
pub(super) fn rootfs(config: &Config, folder: &OwnedFd, bundle: &Path) -> Result<Rootfs> {
    let root = config.root.as_ref().ok_or_else(|| wrong("/root", "is missing: no root filesystem"))?;
    Ok(Rootfs {
        path: directory(Path::new(&root.path), folder, bundle)?,
        readonly: root.readonly,
        propagation: propagation(config.linux.rootfs_propagation.as_deref().unwrap_or_default())?,
    })
}

/// The directory that `/root/path` means: absolute, without symlinks. An absolute `path` may be anywhere: whoever
/// wrote the config chose it. A relative one starts in the bundle, whose folder is open as `folder` and is at
/// `bundle`; no symlink may lead it out, for a bundle is often unpacked from somebody's archive.
///
/// # Errors
/// All name `/root/path`: [`Error::Config`] for an empty path; [`Error::Bundle`] for a directory that is missing,
/// something else, or outside.
pub fn directory(path: &Path, folder: &OwnedFd, bundle: &Path) -> Result<PathBuf> {
    if path.as_os_str().is_empty() {
        return Err(wrong(
            "/root/path",
            "is missing or empty; it names the root filesystem, such as \"rootfs\"",
        ));
    }
    let shown = bundle.join(path);
    let (_, real) = place(folder.as_fd(), path).map_err(|errno| match errno {
        Errno::ENOENT => broken(
            &shown,
            "no such file or directory; make the root filesystem first, or change /root/path in config.json",
        ),
        Errno::ENOTDIR => broken(&shown, "is not a directory; /root/path in config.json must name one"),
        errno => Error::refused(format!("open the root filesystem {}", shown.display()))(errno),
    })?;
    // What begins with "..", says itself that it leaves.
    let up = path.components().take_while(|part| *part == Component::ParentDir).count();
    let stays_in = bundle.ancestors().nth(up).unwrap_or(Path::new("/"));
    if path.is_relative() && !real.starts_with(stays_in) {
        let problem = format!(
            "leads out of the bundle, to {}; if that is meant, give it as an absolute path in /root/path",
            real.display()
        );
        return Err(broken(&shown, problem));
    }
    Ok(real)
}

/// The flags of `/linux/rootfsPropagation` (mount_namespaces(7), "Shared subtrees"); `None` where nothing is asked for.
///
/// # Errors
/// For an unknown word.
pub fn propagation(word: &str) -> Result<Option<MsFlags>> {
    let (kind, recursive) = match word {
        "" => return Ok(None),
        // "rslave" is recursive, "slave" is not.
        _ => word.strip_prefix('r').map_or((word, MsFlags::empty()), |kind| (kind, MsFlags::MS_REC)),
    };
    let flag = match kind {
        "shared" => MsFlags::MS_SHARED,
        "slave" => MsFlags::MS_SLAVE,
        "private" => MsFlags::MS_PRIVATE,
        "unbindable" => MsFlags::MS_UNBINDABLE,
        _ => {
            return Err(wrong(
                "/linux/rootfsPropagation",
                format!(
                    "{word:?} must be shared, slave, private or unbindable, or one of them with an r before it"
                ),
            ));
        }
    };
    Ok(Some(flag | recursive))
}
