//! The container's directory: `<root>/<id>/`. It holds the start socket, and its existence is the id's claim.

use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, connect, listen, socket};
use nix::unistd::geteuid;

use crate::error::{Error, Result};
use crate::{plan, rootfs};

const SOCKET: &str = "start.sock";

/// A container's directory, claimed.
#[derive(Debug)]
pub struct Dir {
    path: PathBuf,
}

/// Where containers' directories are when nobody says: `/run/coracle` for root, the user's runtime directory for
/// others (`$XDG_RUNTIME_DIR/coracle`), or a folder of their own in /tmp where the system made none.
pub fn default_root() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR") {
        _ if geteuid().is_root() => "/run/coracle".into(),
        Some(dir) if !dir.is_empty() => Path::new(&dir).join("coracle"),
        _ => format!("/tmp/coracle-{}", geteuid()).into(),
    }
}

impl Dir {
    /// Claims `id` below `root`, which is made where it is missing. Of two callers, one gets it.
    ///
    /// # Errors
    /// [`Error::Exists`] where it is taken, [`Error::Id`] where it is not allowed.
    pub fn claim(root: &Path, id: &str) -> Result<Dir> {
        plan::check_id(id)?;
        let private = |recursive| {
            let mut builder = std::fs::DirBuilder::new();
            builder.mode(0o700).recursive(recursive);
            builder
        };
        let cure = "choose a directory that you may write to: coracle --root DIR before the verb";
        private(true).create(root).map_err(|error| {
            let failed = Error::io(format!("mkdir {}", root.display()))(error);
            failed.with_cure(Errno::EACCES, cure).with_cure(Errno::EROFS, cure)
        })?;
        // In /tmp somebody else could have made it first, and would own what we put there.
        let owner = std::fs::symlink_metadata(root).map_err(Error::io(format!("stat {}", root.display())))?;
        if owner.uid() != geteuid().as_raw() && !geteuid().is_root() {
            return Err(Error::refused(format!("use {}, which belongs to somebody else", root.display()))(
                Errno::EACCES,
            )
            .with_cure(Errno::EACCES, cure));
        }
        let path = root.join(id);
        private(false).create(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => Error::Exists { id: id.to_owned(), path: path.clone() },
            _ => {
                let failed = Error::io(format!("mkdir {}", path.display()))(error);
                failed.with_cure(Errno::EACCES, cure).with_cure(Errno::EROFS, cure)
            }
        })?;
        Ok(Dir { path })
    }

    /// The start socket, listening. Init accepts one connection on it, and that is the word to go on.
    ///
    /// # Errors
    /// Those of socket(2), bind(2), listen(2).
    pub fn listen(&self) -> Result<OwnedFd> {
        let listener = self.socket()?;
        let folder = rootfs::open_directory(&self.path)?;
        bind(listener.as_raw_fd(), &address(&folder)?).map_err(Error::refused("bind the start socket"))?;
        listen(&listener, Backlog::new(1).unwrap_or(Backlog::MAXCONN))
            .map_err(Error::refused("listen on the start socket"))?;
        Ok(listener)
    }

    /// A connection to the start socket.
    ///
    /// # Errors
    /// `ECONNREFUSED` where init is gone.
    pub fn connect(&self) -> Result<OwnedFd> {
        let socket = self.socket()?;
        let folder = rootfs::open_directory(&self.path)?;
        connect(socket.as_raw_fd(), &address(&folder)?)
            .map_err(Error::refused("connect to the start socket"))?;
        Ok(socket)
    }

    /// Gives the id back.
    ///
    /// # Errors
    /// Those of unlinkat(2) and rmdir(2).
    pub fn remove(self) -> Result<()> {
        std::fs::remove_dir_all(&self.path).map_err(Error::io(format!("remove {}", self.path.display())))
    }

    fn socket(&self) -> Result<OwnedFd> {
        socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None)
            .map_err(Error::refused("socket"))
    }
}

/// A socket's address may be 107 bytes long, and engines keep containers under longer paths: so it goes through a
/// descriptor of the directory. That one must be closed before anybody is cloned: a host's directory that is open in
/// init is a way out of the container (CVE-2016-9962, CVE-2024-21626).
fn address(folder: &OwnedFd) -> Result<UnixAddr> {
    let path = format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd());
    UnixAddr::new(path.as_str()).map_err(Error::refused("name the start socket"))
}
