//! The options of checkpoint and restore: those of runc, most of which are CRIU's.

use std::path::{Path, PathBuf};

use clap::Args;

use super::args::Create;
use crate::criu::{self, CgroupsMode};
use crate::error::Result;
use crate::{checkpoint, restore};

/// Where the files are when nobody says.
const IMAGES: &str = "checkpoint";

#[derive(Debug, Args)]
pub(super) struct Checkpoint {
    #[command(flatten)]
    common: Common,
    /// Folder of an earlier checkpoint, relative to this one's: write only what has changed since
    #[arg(long, value_name = "DIR")]
    parent_path: Option<PathBuf>,
    /// Let the container go on
    #[arg(long)]
    leave_running: bool,
    /// Write its memory only, to make a later checkpoint quick, and let it go on
    #[arg(long)]
    pre_dump: bool,
    /// Leave out connections that are being made
    #[arg(long)]
    tcp_skip_in_flight: bool,
    /// Write a byte to this descriptor when the page server is ready
    #[arg(long, value_name = "FD")]
    status_fd: Option<i32>,
    /// Send its memory to a page server
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = page_server)]
    page_server: Option<(String, i32)>,
    /// The container
    pub(super) id: String,
}

#[derive(Debug, Args)]
pub(super) struct Restore {
    #[command(flatten)]
    common: Common,
    /// Give its processes another profile of the security module
    #[arg(long, value_name = "TYPE:NAME")]
    lsm_profile: Option<String>,
    /// Give its mounts another context of the security module
    #[arg(long, value_name = "CONTEXT")]
    lsm_mount_context: Option<String>,
    /// End as soon as it runs, and leave the container
    #[arg(long, short)]
    pub(super) detach: bool,
    /// Taken for compatibility
    #[arg(long, hide = true)]
    no_subreaper: bool,
    #[command(flatten)]
    pub(super) create: Create,
}

/// What both have.
#[derive(Debug, Args)]
struct Common {
    /// Folder for the files
    #[arg(long, value_name = "DIR", default_value = IMAGES)]
    image_path: PathBuf,
    /// Folder for CRIU's log [default: the files']
    #[arg(long, value_name = "DIR")]
    work_path: Option<PathBuf>,
    /// With open connections
    #[arg(long)]
    tcp_established: bool,
    /// With unix sockets to the outside
    #[arg(long)]
    ext_unix_sk: bool,
    /// With a terminal from outside
    #[arg(long)]
    shell_job: bool,
    /// With locks of files
    #[arg(long)]
    file_locks: bool,
    /// Leave its memory where it is until it is asked for
    #[arg(long)]
    lazy_pages: bool,
    /// Take out of the files of earlier checkpoints what is there twice
    #[arg(long)]
    auto_dedup: bool,
    /// What becomes of its control groups
    #[arg(long, value_name = "MODE")]
    manage_cgroups_mode: Option<CgroupsMode>,
    /// Leave this namespace empty: network
    #[arg(long, value_name = "NAMESPACE")]
    empty_ns: Vec<String>,
}

impl Checkpoint {
    pub(super) fn wish(self) -> Result<checkpoint::Wish> {
        let common = self.common;
        Ok(checkpoint::Wish {
            images: absolute(&common.image_path)?,
            work: common.work_path.as_deref().map(absolute).transpose()?,
            parent: self.parent_path,
            leave_running: self.leave_running,
            pre_dump: self.pre_dump,
            tcp_established: common.tcp_established,
            tcp_skip_in_flight: self.tcp_skip_in_flight,
            ext_unix_sk: common.ext_unix_sk,
            shell_job: common.shell_job,
            file_locks: common.file_locks,
            lazy_pages: common.lazy_pages,
            auto_dedup: common.auto_dedup,
            status_fd: self.status_fd,
            page_server: self.page_server,
            cgroups: common.manage_cgroups_mode,
            empty_namespaces: criu::empty_namespaces(&common.empty_ns)?,
        })
    }
}

impl Restore {
    pub(super) fn wish(self) -> Result<(restore::Wish, Create)> {
        let common = self.common;
        let wish = restore::Wish {
            images: absolute(&common.image_path)?,
            work: common.work_path.as_deref().map(absolute).transpose()?,
            tcp_established: common.tcp_established,
            ext_unix_sk: common.ext_unix_sk,
            shell_job: common.shell_job,
            file_locks: common.file_locks,
            lazy_pages: common.lazy_pages,
            auto_dedup: common.auto_dedup,
            cgroups: common.manage_cgroups_mode,
            empty_namespaces: criu::empty_namespaces(&common.empty_ns)?,
            lsm_profile: self.lsm_profile,
            lsm_mount_context: self.lsm_mount_context,
            detach: self.detach,
        };
        Ok((wish, self.create))
    }
}

/// For an error that says where a log is.
fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(crate::error::Error::io(format!("make {} absolute", path.display())))
}

fn page_server(text: &str) -> std::result::Result<(String, i32), &'static str> {
    let (address, port) = text.rsplit_once(':').unwrap_or_default();
    match port.parse() {
        Ok(port @ 1..=65535) if !address.is_empty() => Ok((address.to_owned(), port)),
        _ => Err("give an address and a port, such as 192.0.2.1:4321"),
    }
}
