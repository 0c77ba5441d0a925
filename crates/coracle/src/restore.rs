//! Restore: CRIU makes a container again from the files of a checkpoint.
//!
//! Around its processes all is as create makes it: the directory, the control group, the root filesystem's mount points. What is
//! inside comes from the files, not from the config.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::sched::CloneFlags;
use nix::unistd::Pid;

use crate::create;
use crate::criu::message::Options;
use crate::criu::{self, CgroupsMode, Criu, Place, Verb, external};
use crate::error::{Error, Result};
use crate::explain::{self, Explain};
use crate::handover::{self, What};
use crate::hook::{self, Moment};
use crate::lifecycle::Status;
use crate::plan::{Manner, Plan};
use crate::signal::{self, Held};
use crate::state::{Dir, Locked, State};
use crate::{console, delete, exit, mount, pid_file, procfs, rootfs, sys};

/// What is wanted; where no meaning is given, that of CRIU's option of the same name (criu(8)).
#[derive(Debug, Default)]
pub struct Wish {
    /// The folder with the files.
    pub images: PathBuf,
    /// The folder for CRIU's log and what it needs on the way; `None`: the one with the files.
    pub work: Option<PathBuf>,
    /// Open connections are made again as well.
    pub tcp_established: bool,
    /// Unix sockets to the outside are connected again.
    pub ext_unix_sk: bool,
    /// It may have our terminal as its own.
    pub shell_job: bool,
    /// Locks of files are taken again.
    pub file_locks: bool,
    /// Memory comes when it is asked for.
    pub lazy_pages: bool,
    /// What is taken from the files is taken out of them.
    pub auto_dedup: bool,
    /// What becomes of its control groups.
    pub cgroups: Option<CgroupsMode>,
    /// Namespaces that are made anew.
    pub empty_namespaces: Option<u32>,
    /// Another profile of the security module, for its processes.
    pub lsm_profile: Option<String>,
    /// Another context of the security module, for its mounts.
    pub lsm_mount_context: Option<String>,
    /// We end as soon as it runs.
    pub detach: bool,
}

/// A container that was made again.
struct Restored {
    state: State,
    init: OwnedFd,
    terminal: Option<OwnedFd>,
}

/// The verb: makes the container of `plan` below `root` from files, by the CRIU at `program`, and lets it go on. Of `manner`,
/// the sockets and the pid file count. Returns the exit code to end with: that of the program; 0 at once where we detach.
///
/// # Errors
/// [`Error::Exists`]; [`Error::Criu`]. Nothing of the container is left then.
pub fn restore(
    plan: &Plan,
    root: &Path,
    wish: &Wish,
    manner: &Manner,
    program: &Path,
    explain: &Explain,
) -> Result<u8> {
    let program = criu::find(program)?;
    let held = signal::hold()?;
    let locked = explain.step(&explain::STATE, || Dir::claim(root, &plan.id))?;
    let made = make(plan, &locked.dir, wish, manner, &program, &held, explain);
    let restored = made.inspect_err(|_| create::forget(plan, &locked, &held, explain))?;
    restored.tell_pid(manner).inspect_err(|_| restored.undo(&locked, &held, explain))?;
    if wish.detach { Ok(0) } else { restored.until_ended(locked, &held, explain) }
}

fn make(
    plan: &Plan,
    dir: &Dir,
    wish: &Wish,
    manner: &Manner,
    program: &Path,
    held: &Held,
    explain: &Explain,
) -> Result<Restored> {
    // Of systemd's making it is none (the command line refuses that).
    let (mut state, _) = create::claim(plan, dir, explain)?;
    state.restored = true;
    explain
        .step(&explain::RESTORE, || read(plan, dir, &mut state, wish, manner, program, held, explain))
        .inspect_err(|_| create::give_back(&state))
        .map(|(init, terminal)| Restored { state: state.clone(), init, terminal })
}

/// Lets CRIU do it. Returns the pidfd of its init and, where it has a terminal that was not sent away, the other end.
#[expect(clippy::too_many_arguments, reason = "the container and everything that it is to have")]
fn read(
    plan: &Plan,
    dir: &Dir,
    state: &mut State,
    wish: &Wish,
    manner: &Manner,
    program: &Path,
    held: &Held,
    explain: &Explain,
) -> Result<(OwnedFd, Option<OwnedFd>)> {
    let work_path = wish.work.as_deref().unwrap_or(&wish.images);
    criu::make_folder(work_path)?;
    let descriptors = descriptors(&wish.images)?;
    mount::make_places(rootfs::open_directory(&state.rootfs)?.as_fd(), &plan.mounts)?;
    let namespaces = external::namespaces_for(&plan.namespaces);
    let (birthplace, doors) = (state.cgroup.birthplace()?, state.cgroup.doors()?);
    let place = Place {
        flags: CloneFlags::CLONE_NEWNS,
        cgroup: birthplace.as_ref().map(AsFd::as_fd),
        mask: Some(&held.before),
        keep: namespaces.iter().map(|(_, fd)| *fd).collect(),
        stdio: true,
    };
    let root = state.rootfs.clone();
    // In mounts of its own: CRIU asks for a root that is a mount point, and of that the host keeps nothing.
    let criu = Criu::start(program, &place, || {
        doors.enter()?;
        rootfs::stop_propagation()?;
        // Opened here: the mounts are others now.
        rootfs::bind(rootfs::open_directory(&root)?.as_fd()).map(drop)
    })?;
    let (images, work) = (criu.folder(&wish.images)?, criu.folder(work_path)?);
    let mut inherited = external::inherited(&descriptors);
    inherited.extend(external::inherited_namespaces(&namespaces));
    let options = Options {
        images: images.as_raw_fd(),
        work: Some(work.as_raw_fd()),
        root: Some(criu::text(&state.rootfs)),
        // Its init becomes our child.
        sibling: Some(true),
        evasive_devices: Some(true),
        tcp_established: Some(wish.tcp_established),
        ext_unix_sk: Some(wish.ext_unix_sk),
        shell_job: Some(wish.shell_job),
        file_locks: Some(wish.file_locks),
        lazy_pages: wish.lazy_pages.then_some(true),
        auto_dedup: Some(wish.auto_dedup),
        manage_cgroups: Some(true),
        cgroups_mode: wish.cgroups.map(CgroupsMode::number),
        empty_namespaces: wish.empty_namespaces,
        cgroup_roots: external::cgroup_roots(criu.pid())?,
        mounts: external::mounts_for(plan, &state.cgroup),
        external: external::files(&descriptors),
        inherited,
        lsm_profile: wish.lsm_profile.clone(),
        lsm_mount_context: wish.lsm_mount_context.clone(),
        ..Options::default()
    };
    let (mut init, mut terminal) = (None, None);
    criu.ask(Verb::Restore, options, work_path, |notice, descriptor| {
        match (notice.stage.as_deref().unwrap_or_default(), notice.pid, descriptor) {
            ("setup-namespaces", Some(pid), _) => set_up(plan, state, pid, held, explain),
            ("orphan-pts-master", _, Some(master)) => match &manner.console_socket {
                Some(socket) => handover::send(What::Terminal, socket, master.as_fd()),
                None => {
                    console::fit(master.as_fd());
                    terminal = Some(master);
                    Ok(())
                }
            },
            // The last stage at which none of its processes goes on yet.
            ("post-restore", Some(pid), _) => {
                init = Some(publish(dir, state, pid, explain)?);
                Ok(())
            }
            _ => Ok(()),
        }
    })?;
    init.map(|init| (init, terminal)).ok_or(Error::InitDied)
}

/// What the files say of standard input, output and error; nothing where somebody else wrote them.
fn descriptors(images: &Path) -> Result<Vec<String>> {
    let path = images.join(criu::DESCRIPTORS);
    let text = match std::fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.map_err(Error::io(format!("read {}", path.display())))?,
    };
    serde_json::from_slice(&text).map_err(|error| Error::Bundle {
        path,
        problem: format!("{error}; it is no checkpoint's, or damaged: make another"),
    })
}

/// The namespaces are there, and little else: as at a create, this is for the hooks.
fn set_up(plan: &Plan, state: &mut State, pid: i32, held: &Held, explain: &Explain) -> Result<()> {
    if let Some(group) = &state.intel_rdt {
        explain.step(&explain::RDT_ENTER, || group.enter(Pid::from_raw(pid)))?;
    }
    let place = hook::Place::of_runtime(&plan.bundle, Some(held));
    for (moment, status) in [(Moment::Prestart, Status::Created), (Moment::CreateRuntime, Status::Creating)] {
        plan.hooks.run(moment, &state.told(status, Some(pid)), &place, explain)?;
    }
    Ok(())
}

/// Says that it is there. Returns the pidfd of its init.
fn publish(dir: &Dir, state: &mut State, pid: i32, explain: &Explain) -> Result<OwnedFd> {
    state.pid = pid;
    let init = sys::pidfd_open(state.init()).map_err(Error::refused(format!("pidfd_open {pid}")))?;
    state.start_time = procfs::stat(state.init())?.ok_or(Error::InitDied)?.start_time;
    explain.step(&explain::NOTE, || dir.note(state))?;
    explain.step(&explain::PUBLISH, || dir.publish())?;
    Ok(init)
}

impl Restored {
    fn tell_pid(&self, manner: &Manner) -> Result<()> {
        manner.pid_file.as_deref().map_or(Ok(()), |path| pid_file::write(path, self.state.init()))
    }

    /// Takes it all back, on the way out with an error that matters more.
    fn undo(&self, locked: &Locked, held: &Held, explain: &Explain) {
        let _ = sys::pidfd_send_signal(self.init.as_fd(), libc::SIGKILL);
        let _ = sys::wait_until_ended(self.init.as_fd());
        let _ = delete::clear(&locked.dir, &self.state, Some(held), explain);
    }

    /// Waits for the end of its program, handing signals and the terminal on, and removes the container.
    fn until_ended(self, locked: Locked, held: &Held, explain: &Explain) -> Result<u8> {
        locked.release()?;
        let ended = exit::of_child(self.init.as_fd(), self.terminal, held, explain);
        // What has its name now may be another one.
        if !locked.again()? {
            return ended;
        }
        let cleared = delete::clear(&locked.dir, &self.state, Some(held), explain);
        ended.and_then(|code| cleared.map(|()| code))
    }
}
