//! What PID 1 does, from its birth to the program: one list, in the order in which things happen.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;

use nix::errno::Errno;
use nix::sched::unshare;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, umask};
use nix::unistd::getpid;

use crate::cgroup::{Cgroup, Doors};
use crate::channel::{Channel, Message};
use crate::error::{Error, Result};
use crate::explain::{self, Explain};
use crate::hook::{Folder, Moment, Place, Until};
use crate::lifecycle::Status;
use crate::mount::World;
use crate::namespace::{self, Kind};
use crate::plan::{Manner, Plan};
use crate::procfs::Procfs;
use crate::program::Program;
use crate::rootfs::{self, Rootfs};
use crate::signal::Held;
use crate::{device, mapping, mask, mount, network, process, reaper, seal, sys, sysctl};

/// What init is born with.
#[derive(Debug)]
pub struct Birth<'a> {
    /// What is to be made.
    pub plan: &'a Plan,
    /// Its control group.
    pub cgroup: &'a Cgroup,
    /// The way into those of its folders in which nobody can be born.
    pub doors: &'a Doors,
    /// The sources of its bind mounts, where the runtime had to open them.
    pub sources: Vec<Option<OwnedFd>>,
    /// How the runtime creates it.
    pub manner: &'a Manner,
    /// The signals that are held back.
    pub held: &'a Held,
    /// The conversation with the runtime, until all is ready.
    pub channel: Channel,
    /// The listening start socket; `None` where the word to start comes by the channel.
    pub start: Option<&'a UnixListener>,
    /// The narration.
    pub explain: &'a Explain,
    /// A procfs that the container cannot touch, as long as it is needed; nobody is born with one.
    pub procfs: Option<Procfs>,
}

/// Carries out the plan in the process that was just born for it. Never returns: it becomes the program, or ends.
pub fn main(mut birth: Birth<'_>) -> ! {
    let (plan, explain, held) = (birth.plan, birth.explain, birth.held);
    let doors: Vec<_> = birth.doors.descriptors().collect();
    let ready = close_what_is_not_ours(&birth, &doors)
        .and_then(|()| set_up(&mut birth))
        .and_then(|file| birth.channel.send(&Message::Ready).map(|()| file))
        .and_then(|file| Ok((file, wait_for_start(&birth)?)));
    let (file, by_socket) = match ready {
        Ok(ready) => ready,
        Err(error) => give_up(&birth.channel, error),
    };
    // What comes now is told to whoever said the word.
    let by_start = by_socket.is_some();
    let started = by_socket.unwrap_or(birth.channel);
    if let Err(error) = plan.require_process() {
        give_up(&started, error);
    }
    let place = Place {
        folder: Folder::Here,
        umask: None,
        mask: Some(&held.before),
        until: Until::Silence(started.as_fd()),
        // They are programs of the container's, as its own one is: without the filter they would be the way around it. The
        // specification is silent, runc and crun have it so. Each is put under it by itself, and not we with them: what it
        // takes to run a hook need not be allowed.
        filter: plan.process.seccomp.as_ref().map(|filter| (filter, &started)),
    };
    if let Err(error) = run_hooks(plan, Moment::StartContainer, Status::Created, &place, explain) {
        give_up(&started, error);
    }
    if by_start {
        // A process that is killed closes its descriptors as well: without this word, that is no success. A start that was
        // killed needs it no more.
        match started.send(&Message::Executing) {
            Err(error) if error.errno() != Some(Errno::EPIPE) => give_up(&started, error),
            _ => {}
        }
    }
    let started = if plan.reaper { stay_as_reaper(started, held, explain) } else { started };
    let error = process::become_program(&plan.process, &file, &held.before, &started, explain);
    give_up(&started, error)
}

/// Before anything that the container's config or files have a say in: an open directory of the host, ours or our
/// caller's, is a way out (CVE-2024-21626), and not only for the program: cwd may lead through it.
///
/// `more` is what else is needed from here on.
fn close_what_is_not_ours(birth: &Birth<'_>, more: &[BorrowedFd<'_>]) -> Result<()> {
    let joined = birth.plan.namespaces.joined().iter().map(|joined| joined.fd.as_fd());
    let sources = birth.sources.iter().flatten().map(AsFd::as_fd);
    let keep: Vec<_> = [birth.channel.as_fd(), birth.held.as_fd()]
        .into_iter()
        .chain(birth.start.map(AsFd::as_fd))
        .chain(birth.explain.descriptors())
        .chain(joined)
        .chain(sources)
        .chain(birth.procfs.as_ref().map(AsFd::as_fd))
        .chain(more.iter().copied())
        .collect();
    sys::close_all_but(&keep, birth.manner.preserve_fds).map_err(|errno| {
        Error::refused("close_range")(errno).with_cure(Errno::ENOSYS, "use Linux 5.10 or later")
    })
}

/// Everything that is done before the container is called created. Returns the program.
fn set_up(birth: &mut Birth<'_>) -> Result<Program> {
    let (plan, explain) = (birth.plan, birth.explain);
    let own = &plan.namespaces;

    // 1. What only the runtime can do, from outside. Its death is the end of the conversation, and of us.
    if birth.channel.receive()? != Some(Message::Go) {
        sys::exit_now(1);
    }
    explain.step(&explain::HIDE, seal::hide)?;
    // What is made in the container has the permissions that are said, until the process gets a umask of its own.
    let umask = umask(Mode::empty());
    if !birth.doors.is_empty() {
        explain.step(&explain::JOIN_CGROUP, || birth.doors.enter())?;
    }

    // 2. The user namespace has a root now: be it.
    if own.own().any(|kind| kind == Kind::User) {
        explain.step(&explain::BECOME_ROOT, || mapping::become_root(&plan.process.user))?;
    }

    // 3. The namespaces that are there already, and those that waited for the mapping or the control group.
    if own.joined().iter().any(|joined| ![Kind::User, Kind::Pid].contains(&joined.kind)) {
        explain.step(&explain::JOIN, || namespace::join(own))?;
    }
    let rest = namespace::after_mapping(own);
    if !rest.is_empty() {
        explain.step(&explain::UNSHARE, || unshare(rest).map_err(Error::refused("unshare")))?;
    }

    // 4. A network: asked of the flags, for those of a namespace that was joined are somebody else's.
    if (namespace::at_birth(own) | rest).contains(Kind::Network.flag()) {
        explain.step(&explain::LOOPBACK, network::bring_up_loopback)?;
    }
    if !plan.net_devices.is_empty() {
        explain.step(&explain::ASK_FOR_DEVICES, || network::ask_for_devices(&birth.channel))?;
    }

    // 5. What is not the caller's any more: keys; and a name of its own.
    if !plan.process.labels.are_empty() || !plan.sysctls.is_empty() {
        // As long as the /proc that we see is the host's.
        birth.procfs = Some(explain.step(&explain::PROCFS, Procfs::open)?);
    }
    if let Some(keyring) = &plan.keyring {
        let label = plan.process.labels.selinux.as_deref().zip(birth.procfs.as_ref());
        explain.step(&explain::KEYRING, || keyring.join(own.own().any(|kind| kind == Kind::User), label))?;
    }
    if let Some(hostname) = &plan.hostname {
        explain.step(&explain::HOSTNAME, || namespace::set_hostname(hostname))?;
    }
    if let Some(domainname) = &plan.domainname {
        explain.step(&explain::DOMAINNAME, || namespace::set_domainname(domainname))?;
    }

    // 6. Mounts: nothing of ours to the host; then the root filesystem, what is mounted in it, and into it.
    if own.has(Kind::Mount) {
        explain.step(&explain::PROPAGATION, rootfs::stop_propagation)?;
    }
    match &plan.rootfs {
        Some(wish) => furnish(wish, birth, umask)?,
        None => {
            hooks_of_create(birth, Folder::Here, umask)?;
            close_what_is_not_ours(birth, &[])?;
            process::give_terminal(&plan.process, None, &birth.channel, explain)?;
        }
    }

    // 7. What the kernel does differently in its namespaces, and what its program will be known by.
    if let Some(procfs) = birth.procfs.take() {
        if !plan.sysctls.is_empty() {
            explain.step(&explain::SYSCTLS, || sysctl::write(&plan.sysctls, &procfs))?;
        }
        process::set_labels(&plan.process, Some(&procfs), explain)?;
    }

    // 8. What it is, what it may, where it starts, and which program it is.
    let file = process::assume(&plan.process, explain)?;

    // 9. A runtime in the foreground takes its container with it. (Until now the end of the conversation would have told
    //    of its death, and a change of ids would have undone this.)
    if birth.manner.die_together {
        explain.step(&explain::DIE_TOGETHER, || {
            set_pdeathsig(Signal::SIGKILL).map_err(Error::refused("prctl PR_SET_PDEATHSIG"))
        })?;
    }
    Ok(file)
}

/// Makes the root filesystem the root, with all that belongs into it. `umask`: the caller's, for hooks.
fn furnish(wish: &Rootfs, birth: &mut Birth<'_>, umask: Mode) -> Result<()> {
    let (plan, explain) = (birth.plan, birth.explain);
    let by_bind = plan.namespaces.own().any(|kind| kind == Kind::User);
    // Before there are mounts that say otherwise.
    let (early, late) = wish.propagation.map_or((None, None), |kind| match rootfs::comes_first(kind) {
        true => (Some(kind), None),
        false => (None, Some(kind)),
    });
    if let Some(propagation) = early {
        explain.step(&explain::ROOT_PROPAGATION, || rootfs::set_propagation(propagation))?;
    }
    let directory = rootfs::open_directory(&wish.path)?;
    let mounted = explain.step(&explain::BIND, || rootfs::bind(directory.as_fd()))?;
    drop(directory);
    let root = mounted.as_fd();
    if !plan.mounts.is_empty() {
        explain.step(&explain::MOUNTS, || mount_all(root, birth))?;
    }
    if !plan.devices.is_empty() {
        explain.step(&explain::DEVICES, || device::make(root, &plan.devices, by_bind, &plan.mounts))?;
    }
    hooks_of_create(birth, Folder::Open(root), umask)?;
    process::give_terminal(&plan.process, Some(root), &birth.channel, explain)?;
    if !plan.read_only.is_empty() {
        explain.step(&explain::READ_ONLY, || mask::make_read_only(root, &plan.read_only))?;
    }
    if !plan.masked.is_empty() {
        explain.step(&explain::MASK, || mask::mask(root, &plan.masked))?;
    }
    mount::finish(root, &plan.mounts)?;
    if plan.process.cwd.as_c_str() != c"/" {
        explain.step_if(&explain::MAKE_CWD, || process::make_cwd(root, &plan.process.cwd))?;
    }
    close_what_is_not_ours(birth, &[root])?;
    if wish.readonly {
        explain.step(&explain::ROOT_READ_ONLY, || rootfs::make_read_only(root))?;
    }
    if birth.manner.no_pivot {
        explain.step(&explain::MOVE_ROOT, || rootfs::move_root(root))?;
    } else {
        explain.step(&explain::PIVOT, || rootfs::pivot_root(root))?;
    }
    if let Some(propagation) = late {
        explain.step(&explain::ROOT_PROPAGATION, || rootfs::set_propagation(propagation))?;
    }
    // Now, for a working directory may not lead through it.
    drop(mounted);
    Ok(())
}

/// The hooks before pivot_root(2), while both trees are in reach: the runtime's own, for which we wait, and then those that
/// run in here, in `folder`.
fn hooks_of_create(birth: &Birth<'_>, folder: Folder<'_>, umask: Mode) -> Result<()> {
    let (plan, channel) = (birth.plan, &birth.channel);
    if plan.hooks.has_runtimes() {
        channel.send(&Message::Mounted)?;
        if channel.receive()? != Some(Message::Go) {
            sys::exit_now(1);
        }
    }
    let mask = Some(&birth.held.before);
    let place =
        Place { folder, umask: Some(umask), mask, until: Until::Silence(channel.as_fd()), filter: None };
    run_hooks(plan, Moment::CreateContainer, Status::Creating, &place, birth.explain)
}

/// Runs hooks of the plan in the container's namespaces. Who outlives them there is ours to bury, where we are PID 1.
fn run_hooks(
    plan: &Plan,
    moment: Moment,
    status: Status,
    place: &Place<'_>,
    explain: &Explain,
) -> Result<()> {
    if plan.hooks.at(moment).is_empty() {
        return Ok(());
    }
    let told = plan.told(status, Some(getpid().as_raw()));
    plan.hooks.run(moment, &told, place, explain)?;
    // No child of ours has this number.
    reaper::reap(getpid()).map(drop)
}

/// Mounts the container's file systems, in their order.
fn mount_all(root: BorrowedFd<'_>, birth: &mut Birth<'_>) -> Result<()> {
    let plan = birth.plan;
    let world = World {
        cgroup: Some(birth.cgroup),
        cgroup_namespace: plan.namespaces.own().any(|kind| kind == Kind::Cgroup),
        user_namespace: plan.namespaces.own().any(|kind| kind == Kind::User),
    };
    for (n, one) in plan.mounts.iter().enumerate() {
        // What the runtime has not opened is opened here.
        match birth.sources.get_mut(n).and_then(Option::take) {
            Some(source) => mount::attach_opened(root, one, source, world)?,
            None => mount::attach(root, one, world)?,
        }
        // A mount may leave a few descriptors open, for they are closed together.
        if n % 64 == 63 {
            close_what_is_not_ours(birth, &[root])?;
        }
    }
    Ok(())
}

/// Waits for the word to start the program: somebody connects to the start socket, or the runtime says `Go` once more.
/// Returns the connection to whoever it was; `None`: it is the channel. It closes by itself when execve works, and carries
/// the error when it does not.
fn wait_for_start(birth: &Birth<'_>) -> Result<Option<Channel>> {
    let Some(start) = birth.start else {
        return birth.explain.step(&explain::WAIT_FOR_GO, || match birth.channel.receive()? {
            Some(Message::Go) => Ok(None),
            // The runtime's death is ours.
            _ => sys::exit_now(1),
        });
    };
    birth.explain.step(&explain::WAIT_FOR_START, || accept_start(start).map(Some))
}

/// Sleeps until somebody connects to the listening socket `start` (accept(2)), and returns our end of that connection as
/// a channel, which is the caller's. It must be close-on-exec: whoever connected waits for its closing, which says that
/// the program runs.
///
/// # Errors
/// Those of accept(2).
fn accept_start(start: &UnixListener) -> Result<Channel> {
    let (connection, _) = start.accept().map_err(Error::io("accept on the start socket"))?;
    Ok(Channel::from_socket(connection.into()))
}

/// With `--init`: stays as PID 1 to the end of the program. Returns only in the program's own process.
fn stay_as_reaper(started: Channel, held: &Held, explain: &Explain) -> Channel {
    match explain.step(&explain::REAPER, reaper::give_birth) {
        Ok(None) => started,
        Ok(Some(program)) => {
            // The program's copy is the one whose closing tells that execve worked.
            drop(started);
            sys::exit_now(reaper::look_after(&program, held).unwrap_or_else(|error| {
                // The runtime hears of nothing any more: this goes where the program's words go.
                eprintln!("coracle: error: {error}");
                1
            }))
        }
        Err(error) => give_up(&started, error),
    }
}

/// The end of an init that could not do its work.
fn give_up(to: &Channel, error: Error) -> ! {
    // Where nobody listens any more, there is nobody to tell.
    let _ = to.send(&Message::Failed(error.into()));
    sys::exit_now(1)
}
