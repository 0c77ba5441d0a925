//! Create: everything but the program.
//!
//! ```text
//! main                                       init
//!  | claim the directory; control group
//!  | listen on start.sock; socketpair
//!  | clone3(PIDFD | NEWPID | NEWNS | ...) --> |
//!  | (a scope of systemd's); id maps, oom score | waits
//!  | ----------------- Go ------------------> | control group, names, mounts
//!  | <-------------- Mounted ---------------- | (only where the runtime has hooks to run now)
//!  | hooks; ---------- Go ------------------> | hooks, pivot_root, who it is, program found (init.rs)
//!  | <---------- Ready | Failed ------------- | waits for start
//!  | state, pid file
//! ```

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;

use nix::errno::Errno;

use crate::birth::{self, Born};
use crate::cgroup::systemd::{self, Systemd, Wanted};
use crate::cgroup::{self, Cgroup};
use crate::channel::{self, Channel, Message};
use crate::delete;
use crate::error::{Error, Result};
use crate::explain::{self, Explain};
use crate::handover::{self, What};
use crate::hook::{Moment, Place};
use crate::init::Birth;
use crate::intel_rdt::Group;
use crate::lifecycle::Status;
use crate::namespace::Kind;
use crate::netlink::Netlink;
use crate::network::{self, Guests};
use crate::plan::{Manner, Plan};
use crate::signal::Held;
use crate::state::{Dir, Locked, State};
use crate::{console, init, mapping, mount, pid_file, process, procfs, rlimit, seal, sys, time};

/// The container's first process, made and waiting for start.
#[derive(Debug)]
pub struct Init {
    /// The process.
    pub born: Born,
    /// The other end of its terminal, where it has one that was not sent away.
    pub terminal: Option<OwnedFd>,
    /// The conversation with it.
    pub channel: Channel,
}

/// The verb: makes the container of `plan` below `root` and leaves it there, waiting for start.
///
/// # Errors
/// Whatever stopped it. Nothing is left of the container then.
pub fn create(plan: &Plan, root: &Path, manner: &Manner, held: &Held, explain: &Explain) -> Result<()> {
    let locked = explain.step(&explain::STATE, || Dir::claim(root, &plan.id))?;
    let made = make(plan, &locked, manner, held, explain);
    let created = made.inspect_err(|_| forget(plan, &locked, held, explain))?;
    created.tell_pid(manner).inspect_err(|_| created.undo(&locked, held, explain))
}

/// Gives back the id of a container that could not be made, and runs its poststop hooks: on the way out with an error that
/// matters more.
pub fn forget(plan: &Plan, locked: &Locked, held: &Held, explain: &Explain) {
    locked.dir.forget();
    let told = plan.told(Status::Stopped, None);
    plan.hooks.run_poststop(&told, &Place::of_runtime(&plan.bundle, Some(held)), explain);
}

/// A container that waits for start.
#[derive(Debug)]
pub struct Created {
    /// Its first process.
    pub init: Init,
    /// What its directory says of it.
    pub state: State,
}

impl Created {
    /// Sends init's pidfd to the socket that was asked for, and writes its number to the file that was: last of all, for who
    /// sees it may count on the rest.
    ///
    /// # Errors
    /// Those of [`handover::send`], and of writing a file.
    pub fn tell_pid(&self, manner: &Manner) -> Result<()> {
        if let Some(path) = &manner.pidfd_socket {
            handover::send(What::Process, path, self.init.born.pidfd.as_fd())?;
        }
        manner.pid_file.as_deref().map_or(Ok(()), |path| pid_file::write(path, self.init.born.pid))
    }

    /// Takes it all back, on the way out with an error that matters more.
    pub fn undo(&self, locked: &Locked, held: &Held, explain: &Explain) {
        self.init.born.bury();
        let _ = delete::clear(&locked.dir, &self.state, Some(held), explain);
    }
}

/// Makes the container of `plan` in its directory; its program does not run yet.
///
/// # Errors
/// Whatever stopped it, in the words of the side where it happened. Only the directory is left then.
pub fn make(
    plan: &Plan,
    locked: &Locked,
    manner: &Manner,
    held: &Held,
    explain: &Explain,
) -> Result<Created> {
    process::warn_of_capabilities(&plan.process, plan.namespaces.has(Kind::User), explain)?;
    let (mut state, scope) = claim(plan, &locked.dir, explain)?;
    match populate(plan, &mut state, scope, locked, manner, held, explain) {
        Ok(init) => Ok(Created { init, state }),
        Err(error) => {
            give_back(&state);
            Err(error)
        }
    }
}

/// Notes down what the container will be, and makes what it has before its first process: its control group, and its share of
/// the processor's cache. A scope that systemd is to make needs that process first: it is what is still wanted.
///
/// # Errors
/// Those of making them. They are not there then.
pub fn claim(plan: &Plan, dir: &Dir, explain: &Explain) -> Result<(State, Option<Wanted>)> {
    if !plan.config.is_empty() {
        dir.keep_config(&plan.config)?;
    }
    let (scope, cgroup) = locate(plan, explain)?;
    let mut state = note(plan, cgroup);
    state.intel_rdt = plan.intel_rdt.as_ref().map(|wish| Group::locate(wish, &plan.id));
    // From here on a killed runtime leaves a note of what is to be cleared.
    explain.step(&explain::NOTE, || dir.note(&state))?;
    if let Some(wish) = &plan.cgroup
        && scope.is_none()
        && !state.cgroup.folders.is_empty()
    {
        explain.step_if(&explain::CGROUP, || {
            state.cgroup.create(wish).map(|()| !state.cgroup.folders.is_empty() && !state.cgroup.shared)
        })?;
    }
    match make_share(plan, &state, explain) {
        Ok(()) => Ok((state, scope)),
        Err(error) => {
            // The first error is the one to tell.
            let _ = state.cgroup.remove(!state.is_whole()).and_then(|()| state.cgroup.stop_unit());
            Err(error)
        }
    }
}

/// Takes back what [`claim`] made, on the way out with an error that matters more.
pub fn give_back(state: &State) {
    let _ = state.intel_rdt.as_ref().map(Group::remove);
    let _ = state.cgroup.remove(!state.is_whole()).and_then(|()| state.cgroup.stop_unit());
}

/// Where the control group will be, and what systemd is going to be asked for, where it is systemd that makes it.
fn locate(plan: &Plan, explain: &Explain) -> Result<(Option<Wanted>, Cgroup)> {
    let Some(wish) = &plan.cgroup else { return Ok((None, Cgroup::default())) };
    let Some(scope) = &wish.scope else {
        let joining = plan.namespaces.joins(Kind::Pid).is_some();
        return Ok((None, cgroup::locate(wish, joining)?));
    };
    let located = explain.step(&explain::SYSTEMD, || Systemd::connect()?.locate(scope, &wish.resources));
    located.map(|(wanted, cgroup)| (Some(wanted), cgroup))
}

/// Makes the share of the processor's cache, where there is to be one.
fn make_share(plan: &Plan, state: &State, explain: &Explain) -> Result<()> {
    match (&state.intel_rdt, &plan.intel_rdt) {
        (Some(group), Some(wish)) => explain.step(&explain::RDT, || group.make(wish)),
        _ => Ok(()),
    }
}

/// What the container will be, to be noted before it is.
fn note(plan: &Plan, cgroup: Cgroup) -> State {
    State {
        id: plan.id.clone(),
        pid: 0,
        start_time: 0,
        created: time::now(),
        bundle: plan.bundle.clone(),
        rootfs: plan.rootfs.as_ref().map(|rootfs| rootfs.path.clone()).unwrap_or_default(),
        annotations: plan.annotations.clone(),
        namespaces: plan.namespaces.own().collect(),
        joined: plan.namespaces.joined().iter().map(|joined| joined.kind).collect(),
        cgroup,
        reaper: plan.reaper,
        restored: false,
        keyring: plan.keyring.is_some(),
        intel_rdt: None,
        hooks: plan.hooks.has_later(),
    }
}

/// Gives birth to init and accompanies it until it is ready.
fn populate(
    plan: &Plan,
    state: &mut State,
    scope: Option<Wanted>,
    locked: &Locked,
    manner: &Manner,
    held: &Held,
    explain: &Explain,
) -> Result<Init> {
    let dir = &locked.dir;
    let start = if manner.at_once { None } else { Some(UnixListener::from(locked.listen()?)) };
    let sources = sources(plan, explain)?;
    // In this order what init keeps is in a row: it closes all else by few calls.
    // A scope is made for a process that is there.
    let birthplace = if scope.is_some() { None } else { state.cgroup.birthplace()? };
    let (ours, theirs) = channel::pair()?;
    let doors = state.cgroup.doors()?;
    let told = explain.told_by_init();
    // Who is in a PID namespace that init joins sees it from its first moment (CVE-2016-9962). An ordinary user's process
    // must stay open for its ids to be mapped.
    if plan.namespaces.joins(Kind::Pid).is_some() && mapping::is_privileged() {
        seal::hide()?;
    }
    let born = explain.step(&explain::CLONE, || {
        let (cgroup, start, doors) = (&state.cgroup, start.as_ref(), &doors);
        let life = |channel| {
            init::main(Birth {
                plan,
                cgroup,
                doors,
                sources,
                manner,
                held,
                channel,
                start,
                explain: &told,
                procfs: None,
            })
        };
        let birthplace = birthplace.as_ref().map(AsFd::as_fd);
        birth::give(&plan.namespaces, birthplace, &ours, theirs, life, &told)
    })?;
    // They are closed by our end, which is near, or tell nothing that we could not look up.
    doors.leave_open();
    sys::leave_open(birthplace);
    drop(start);
    let mut init = Init { born, terminal: None, channel: ours };
    state.pid = init.born.pid.as_raw();
    let pid = init.born.pid;
    let mut guests = None;
    let accompanied = bring_up(plan, state, scope, dir, &init, explain)
        .and_then(|()| until_ready(&mut init, plan, state, &mut guests, manner, held, explain))
        .and_then(|()| process::complete(&plan.process, pid, explain))
        .and_then(|()| explain.step(&explain::PUBLISH, || dir.publish()));
    match accompanied {
        Ok(()) => {
            guests.into_iter().for_each(Guests::stay);
            Ok(init)
        }
        Err(error) => {
            init.born.bury();
            // Its death is heard, or met where we speak to it.
            let is_death = matches!(error, Error::InitDied)
                || matches!(error.errno(), Some(Errno::EPIPE | Errno::ESRCH));
            Err(if is_death && state.cgroup.has_starved() { Error::InitStarved } else { error })
        }
    }
}

/// Opens the sources of bind mounts that init could not open. Without privileges, all is up to init, which is root in its
/// user namespace.
fn sources(plan: &Plan, explain: &Explain) -> Result<Vec<Option<OwnedFd>>> {
    let binds = plan.mounts.iter().any(|mount| matches!(mount.what, mount::What::Bind { .. }));
    if !binds || !mapping::is_privileged() {
        return Ok(Vec::new());
    }
    let user_namespace = plan.namespaces.own().any(|kind| kind == Kind::User);
    let open = || mount::open_sources(&plan.mounts, user_namespace, plan.namespaces.joins(Kind::User));
    if plan.mounts.iter().any(|mount| mount.idmap.is_some()) {
        return explain.step(&explain::OWNERS, open);
    }
    open()
}

/// Does for init what only we can do from outside, and says so.
fn bring_up(
    plan: &Plan,
    state: &mut State,
    scope: Option<Wanted>,
    dir: &Dir,
    init: &Init,
    explain: &Explain,
) -> Result<()> {
    state.start_time = procfs::stat(init.born.pid)?.ok_or(Error::InitDied)?.start_time;
    explain.step(&explain::NOTE, || dir.note(state))?;
    if let (Some(scope), Some(wish)) = (scope, &plan.cgroup) {
        let description = format!("container {}", plan.id);
        explain.step(&explain::SCOPE, || {
            scope.start(&mut state.cgroup, init.born.pid, &description)?;
            systemd::limit(&state.cgroup, wish)
        })?;
    }
    if plan.namespaces.has(Kind::User) {
        explain.step(&explain::MAP_IDS, || mapping::map(init.born.pid, &plan.mappings))?;
    }
    if let Some(value) = plan.process.oom_score_adj {
        explain.step(&explain::OOM_SCORE, || rlimit::oom_score_adj(init.born.pid, value))?;
    }
    if let Some(group) = &state.intel_rdt {
        explain.step(&explain::RDT_ENTER, || group.enter(init.born.pid))?;
    }
    let user_namespace = plan.namespaces.own().any(|kind| kind == Kind::User);
    process::prepare(&plan.process, init.born.pid, user_namespace, explain)?;
    init.channel.send(&Message::Go)
}

/// Waits until init is ready, moves its network devices (they are `guests` until the container is there), takes its
/// terminal's other end, and runs the hooks for which it waits.
fn until_ready(
    init: &mut Init,
    plan: &Plan,
    state: &State,
    guests: &mut Option<Guests>,
    manner: &Manner,
    held: &Held,
    explain: &Explain,
) -> Result<()> {
    loop {
        match init.channel.next(held)? {
            Some((Message::Network, Some(socket))) => {
                let theirs = Netlink::from_socket(socket);
                let attach = || network::attach(&plan.net_devices, theirs, init.born.pid);
                *guests = Some(explain.step(&explain::NET_DEVICES, attach)?);
                init.channel.send(&Message::Go)?;
            }
            Some((Message::Terminal, Some(master))) => match &manner.console_socket {
                Some(socket) => handover::send(What::Terminal, socket, master.as_fd())?,
                None => {
                    // Before the program asks.
                    console::fit(master.as_fd());
                    init.terminal = Some(master);
                }
            },
            Some((Message::Mounted, _)) => {
                let place = Place::of_runtime(&plan.bundle, Some(held));
                // The older ones were a part of start once, and still hear what they heard then.
                for (moment, status) in
                    [(Moment::Prestart, Status::Created), (Moment::CreateRuntime, Status::Creating)]
                {
                    let told = state.told(status, Some(state.pid));
                    plan.hooks.run(moment, &told, &place, explain)?;
                }
                init.channel.send(&Message::Go)?;
            }
            Some((Message::Ready, _)) => return Ok(()),
            Some((Message::Failed(failure), _)) => return Err(Error::Init(failure)),
            Some(_) | None => return Err(Error::InitDied),
        }
    }
}
