//! Checkpoint: CRIU writes a running container to files, and the container is gone; or goes on.

use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};

use nix::sched::CloneFlags;

use crate::bundle::Source;
use crate::criu::message::{Options, PageServer};
use crate::criu::{self, CgroupsMode, Criu, Place, Verb, external};
use crate::delete;
use crate::error::{Error, Result};
use crate::explain::{self, Explain};
use crate::lifecycle::{self, Status};
use crate::state::{Dir, State};
use crate::sys;

/// What is wanted; where no meaning is given, that of CRIU's option of the same name (criu(8)).
#[derive(Debug, Default)]
pub struct Wish {
    /// The folder for the files; made where it is missing.
    pub images: PathBuf,
    /// The folder for CRIU's log and what it needs on the way; `None`: the one for the files.
    pub work: Option<PathBuf>,
    /// The folder of an earlier checkpoint, relative to that of this one: only what has changed since is written.
    pub parent: Option<PathBuf>,
    /// Whether the container goes on.
    pub leave_running: bool,
    /// Only the memory is written, for a later checkpoint to be quick; the container goes on.
    pub pre_dump: bool,
    /// Open connections are written as well.
    pub tcp_established: bool,
    /// Connections that are being made are left out.
    pub tcp_skip_in_flight: bool,
    /// Unix sockets to the outside are written as well.
    pub ext_unix_sk: bool,
    /// It may have a terminal from outside as its own.
    pub shell_job: bool,
    /// Locks of files are written as well.
    pub file_locks: bool,
    /// Memory stays here, until a restore asks the page server for it.
    pub lazy_pages: bool,
    /// What the restore takes from the earlier files is taken out of them.
    pub auto_dedup: bool,
    /// Gets a byte when the page server is ready.
    pub status_fd: Option<i32>,
    /// Who takes the memory: address and port.
    pub page_server: Option<(String, i32)>,
    /// What becomes of its control groups.
    pub cgroups: Option<CgroupsMode>,
    /// Namespaces that are not written.
    pub empty_namespaces: Option<u32>,
}

/// The verb: writes the container `id` below `root` to files, by the CRIU at `program`; unless it is to go on, nothing else
/// is left of it then.
///
/// # Errors
/// [`Error::NoContainer`]; [`Error::Status`] unless it is running or paused; [`Error::Criu`], after which the container goes on.
pub fn checkpoint(root: &Path, id: &str, wish: &Wish, program: &Path, explain: &Explain) -> Result<()> {
    let locked = Dir::find(root, id)?.lock()?;
    let state = match lifecycle::of(&locked.dir)? {
        (state, Status::Running | Status::Paused) => state,
        (_, status) => {
            return Err(Error::status(
                "checkpoint",
                id,
                status,
                "only a running container can be written to files",
            ));
        }
    };
    if state.bundle.as_os_str().is_empty() {
        return Err(Error::status(
            "checkpoint",
            id,
            "without a bundle",
            "only one of a bundle can be made again",
        ));
    }
    let program = criu::find(program)?;
    let init = lifecycle::pidfd(&state)?.ok_or_else(|| Error::NotRunning { id: id.to_owned() })?;
    explain.step(&explain::CHECKPOINT, || write(&locked.dir, &state, wish, &program, explain))?;
    if wish.leave_running || wish.pre_dump {
        return Ok(());
    }
    sys::wait_until_ended(init.as_fd()).map_err(Error::refused("poll"))?;
    delete::clear(&locked.dir, &state, None, explain)
}

fn write(dir: &Dir, state: &State, wish: &Wish, program: &Path, explain: &Explain) -> Result<()> {
    let plan = Source::with_config(&dir.config_path(), &state.bundle)?.plan(&state.id, &state.id, explain)?;
    let work_path = wish.work.as_deref().unwrap_or(&wish.images);
    criu::make_folder(&wish.images)?;
    criu::make_folder(work_path)?;
    let place =
        Place { flags: CloneFlags::empty(), cgroup: None, mask: None, keep: Vec::new(), stdio: false };
    let criu = Criu::start(program, &place, || Ok(()))?;
    let (images, work) = (criu.folder(&wish.images)?, criu.folder(work_path)?);
    let descriptors = external::descriptors_of(state.init())?;
    let mut options = Options {
        images: images.as_raw_fd(),
        work: Some(work.as_raw_fd()),
        pid: Some(state.pid),
        root: Some(criu::text(&state.rootfs)),
        leave_running: Some(wish.leave_running),
        tcp_established: Some(wish.tcp_established),
        tcp_skip_in_flight: wish.tcp_skip_in_flight.then_some(true),
        ext_unix_sk: Some(wish.ext_unix_sk),
        shell_job: Some(wish.shell_job),
        file_locks: Some(wish.file_locks),
        lazy_pages: wish.lazy_pages.then_some(true),
        auto_dedup: Some(wish.auto_dedup),
        status: wish.status_fd,
        page_server: wish
            .page_server
            .as_ref()
            .map(|(address, port)| PageServer { address: Some(address.clone()), port: Some(*port) }),
        parent: wish.parent.as_deref().map(criu::text),
        track_memory: (wish.parent.is_some() || wish.pre_dump).then_some(true),
        manage_cgroups: Some(true),
        cgroups_mode: wish.cgroups.map(CgroupsMode::number),
        empty_namespaces: wish.empty_namespaces,
        freezer: state.cgroup.freezer().map(criu::text),
        external: external::namespaces_of(state.init(), &state.joined)?,
        ..Options::default()
    };
    let verb = if wish.pre_dump { Verb::PreDump } else { Verb::Dump };
    if verb == Verb::Dump {
        options.mounts = external::mounts_of(state.init(), &plan, &state.cgroup)?;
        options.external.extend(external::files(&descriptors));
        let path = wish.images.join(criu::DESCRIPTORS);
        let text = serde_json::to_vec(&descriptors).expect("a list of strings");
        std::fs::write(&path, text).map_err(Error::io(format!("write {}", path.display())))?;
    }
    criu.ask(verb, options, work_path, |_, _| Ok(()))
}
