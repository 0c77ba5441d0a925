//! The safety net: a learner's half-done runtime must not harm the machine it runs on.
//!
//! ```text
//! harness            the test; stays outside, and looks whether the host is as before
//!  stage 1           new user (ordinary users), mount, PID, UTS, IPC, network namespaces; a bound on processes
//!   stage 2          PID 1 there: everything read-only but the test's directory; /proc; shared mounts
//!    the runtime     sees a host with systemd's shared mounts, and can break only that
//! ```
//!
//! Both stages are this test's own executable, run again: they are single-threaded, as unshare(2) wants. The death
//! of the harness, or its deadline, kills stage 1, that stage 2, and that, being a PID 1, everything.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{Signal, raise};
use nix::sys::utsname::uname;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, Uid, getegid, geteuid};
use probe::Mount;
use serde::{Deserialize, Serialize};

/// How many processes a run may have: a fork bomb ends here, where the kernel lets us say so.
pub(crate) const PROCESSES: u64 = 256;

/// What stage 1 and 2 are to do; passed as a file, for arguments are seen by everybody.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// The folder of this process's tests: all that stays writable.
    pub(crate) writable: PathBuf,
    /// The runtime and its arguments.
    pub(crate) command: Vec<String>,
    /// Its environment.
    pub(crate) env: BTreeMap<String, String>,
    /// The run's own cgroups, which stay writable.
    pub(crate) open: Vec<PathBuf>,
    /// Those of them to join.
    pub(crate) join: Vec<PathBuf>,
}

/// What stage 2 saw, written when the runtime has ended.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Outside {
    /// The namespaces in which the runtime was started, by their names in /proc/self/ns.
    pub ns: BTreeMap<String, u64>,
    /// The hostname before the run.
    pub hostname: String,
    /// The hostname after it.
    pub hostname_after: String,
    /// The mounts before the run.
    pub mounts_before: Vec<Mount>,
    /// The mounts after it.
    pub mounts_after: Vec<Mount>,
    /// How the runtime ended: its exit status.
    pub(crate) code: Option<i32>,
    /// Or the signal that killed it.
    pub(crate) signal: Option<i32>,
}

pub(crate) const ORDER: &str = "order.json";
pub(crate) const BEFORE: &str = "before.json";
pub(crate) const AFTER: &str = "after.json";
pub(crate) const ERROR: &str = "net-error";

const STAGE_1: &str = "--net-stage-1";
const STAGE_2: &str = "--net-stage-2";
const ENTER: &str = "--net-enter";

/// The command that starts stage 1 for the order in `dir`.
pub(crate) fn command(dir: &Path) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg(STAGE_1).arg(dir).arg(std::process::id().to_string());
    command
}

/// The command that runs another one in the net of `dir`, whose PID 1 has the number `init` on the host. It ends as
/// that one does; the other one is its only child.
pub(crate) fn enter(dir: &Path, init: i32, words: &[String]) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg(ENTER).arg(dir).arg(std::process::id().to_string()).arg(init.to_string()).args(words);
    command
}

/// Whether this process is a stage; then it is that, and this is how it ended. To be called first thing.
pub(crate) fn stage() -> Option<ExitCode> {
    let args: Vec<String> = std::env::args().collect();
    let [_, stage, dir, parent, words @ ..] = &args[..] else { return None };
    let run: &dyn Fn(&Path) -> Result<()> = match (stage.as_str(), words) {
        (STAGE_1, []) => &stage_1,
        (STAGE_2, []) => &stage_2,
        (ENTER, [init, words @ ..]) => &move |dir: &Path| entered(dir, init, words),
        _ => return None,
    };
    Some(match die_with(parent).and_then(|()| run(Path::new(dir))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The harness reads this where there is no report; stage 2 knows better than stage 1.
            let told = File::create_new(Path::new(dir).join(ERROR));
            let _ = told.and_then(|mut file| write!(file, "{error:#}"));
            ExitCode::from(125)
        }
    })
}

/// Has the kernel kill us when our parent dies. It may have died already: then we have another one. The host's /proc,
/// which both stages still see here, tells its number even where getppid(2) says 0 across PID namespaces.
fn die_with(parent: &str) -> Result<()> {
    set_pdeathsig(Signal::SIGKILL)?;
    let status = std::fs::read_to_string("/proc/self/status").context("/proc/self/status")?;
    let now = status.lines().find_map(|line| line.strip_prefix("PPid:")).map(str::trim);
    ensure!(now == Some(parent), "the harness is gone");
    Ok(())
}

impl Order {
    fn read(dir: &Path) -> Result<Order> {
        Ok(serde_json::from_slice(&std::fs::read(dir.join(ORDER))?)?)
    }

    /// Puts this process into the run's cgroups, which bound it.
    fn join_cgroups(&self) -> Result<()> {
        for cgroup in &self.join {
            std::fs::write(cgroup.join("cgroup.procs"), "0")
                .with_context(|| format!("join {}", cgroup.display()))?;
        }
        Ok(())
    }
}

fn stage_1(dir: &Path) -> Result<()> {
    let order = Order::read(dir)?;
    order.join_cgroups()?;
    let mut flags = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWNET;
    let (uid, gid) = (geteuid(), getegid());
    flags.set(CloneFlags::CLONE_NEWUSER, !uid.is_root());
    unshare(flags).context("unshare the net's namespaces")?;
    if !uid.is_root() {
        std::fs::write("/proc/self/setgroups", "deny").context("setgroups")?;
        std::fs::write("/proc/self/gid_map", format!("0 {gid} 1")).context("gid_map")?;
        std::fs::write("/proc/self/uid_map", format!("0 {uid} 1")).context("uid_map")?;
        let bound = PROCESSES + counted_elsewhere(uid)?;
        setrlimit(Resource::RLIMIT_NPROC, bound, bound).context("setrlimit")?;
    }
    let number = std::process::id().to_string();
    let status = Command::new("/proc/self/exe").arg(STAGE_2).arg(dir).arg(number).status()?;
    ensure!(status.success(), "stage 2: {status}");
    Ok(())
}

/// How many tasks count against our bound although they are not ours: since Linux 5.14 a user namespace counts its
/// own, before that all of a user's tasks were counted together.
fn counted_elsewhere(uid: Uid) -> Result<u64> {
    let release = uname()?.release().to_string_lossy().into_owned();
    let mut numbers = release.split(['.', '-']).map_while(|number| number.parse::<u32>().ok());
    if (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (5, 14) {
        return Ok(0);
    }
    let statuses = std::fs::read_dir("/proc")?.flatten().map(|entry| entry.path().join("status"));
    let threads = |status: String| {
        let field = |name| status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next());
        (field("Uid:") == Some(&uid.to_string())).then(|| field("Threads:")?.parse::<u64>().ok()).flatten()
    };
    Ok(statuses.filter_map(|path| threads(std::fs::read_to_string(path).ok()?)).sum())
}

/// One more process in the net, with the same bounds as the first.
fn entered(dir: &Path, init: &str, words: &[String]) -> Result<()> {
    let order = Order::read(dir)?;
    order.join_cgroups()?;
    let init = Path::new("/proc").join(init);
    if !geteuid().is_root() {
        let limits = std::fs::read_to_string(init.join("limits")).context("the net's limits")?;
        let line = limits.lines().find_map(|line| line.strip_prefix("Max processes")).unwrap_or_default();
        let bound = line.split_whitespace().next().and_then(|number| number.parse().ok());
        let bound = bound.context("the net has no bound on processes")?;
        setrlimit(Resource::RLIMIT_NPROC, bound, bound).context("setrlimit")?;
    }
    // The user namespace comes first: with its rights the others can be entered. All are opened before the first step.
    let kinds = ["user", "ipc", "uts", "net", "pid", "mnt"];
    let kinds = &kinds[usize::from(geteuid().is_root())..];
    let open = |kind: &&str| File::open(init.join("ns").join(kind)).with_context(|| format!("open {kind}"));
    for namespace in kinds.iter().map(open).collect::<Result<Vec<_>>>()? {
        setns(namespace, CloneFlags::empty()).context("enter the net")?;
    }
    let (program, args) = words.split_first().context("an empty command")?;
    let mut command = Command::new(program);
    let status = command.args(args).env_clear().envs(&order.env).current_dir(dir).status();
    let status = status.with_context(|| format!("start {program}"))?;
    if let Some(signal) = status.signal() {
        raise(Signal::try_from(signal)?)?;
    }
    std::process::exit(status.code().unwrap_or(125));
}

fn stage_2(dir: &Path) -> Result<()> {
    let order = Order::read(dir)?;
    seal_the_world(&order)?;
    let mut mountinfo = File::open("/proc/self/mountinfo").context("mountinfo")?;
    let mut outside = Outside {
        ns: namespaces(Path::new("/proc/self/ns")),
        hostname: hostname()?,
        mounts_before: mounts(&mut mountinfo)?,
        ..Outside::default()
    };
    std::fs::write(dir.join(BEFORE), serde_json::to_vec(&outside)?)?;
    // Opened now: afterwards the runtime may have moved our root.
    let mut report = File::create(dir.join(AFTER))?;
    let (program, args) = order.command.split_first().context("an empty command")?;
    let runtime = Command::new(program).args(args).env_clear().envs(&order.env).current_dir(dir).spawn();
    let runtime = runtime.with_context(|| format!("start {program}"))?;
    loop {
        // PID 1 buries everybody, the orphans of the runtime too.
        let status = waitpid(None, None)?;
        if status.pid() != Some(Pid::from_raw(runtime.id() as i32)) {
            continue;
        }
        match status {
            WaitStatus::Exited(_, code) => outside.code = Some(code),
            WaitStatus::Signaled(_, signal, _) => outside.signal = Some(signal as i32),
            _ => continue,
        }
        break;
    }
    outside.hostname_after = hostname()?;
    outside.mounts_after = mounts(&mut mountinfo)?;
    serde_json::to_writer(&mut report, &outside)?;
    Ok(())
}

/// Leaves nothing writable but the test's directory, and makes the mounts look like those of a host with systemd.
fn seal_the_world(order: &Order) -> Result<()> {
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).context("make / private")?;
    // These become mounts of their own before anything is sealed: a failure below can still be told in there.
    let open: Vec<&Path> =
        std::iter::once(&order.writable).chain(&order.open).map(PathBuf::as_path).collect();
    for path in &open {
        mount(Some(*path), *path, none, MsFlags::MS_BIND, none)
            .with_context(|| format!("bind {}", path.display()))?;
    }
    for (path, top) in visible(mounts(&mut File::open("/proc/self/mountinfo")?)?) {
        if !open.contains(&Path::new(&path)) {
            read_only(&top)?;
        }
    }
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), flags, none).context("mount the net's /proc")?;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_SHARED, none).context("make / shared")
}

/// The mounts by their places. Where several are stacked on one place, as binfmt_misc is on systemd's automount, a
/// path means the last one, and only its flags help.
fn visible(all: Vec<Mount>) -> BTreeMap<String, Mount> {
    all.into_iter().map(|one| (one.mountpoint.clone(), one)).collect()
}

/// Takes the right to write from a mount. One that lies hidden below another has no path any more, and needs none.
fn read_only(one: &Mount) -> Result<()> {
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | kept(one);
    match mount(None::<&str>, one.mountpoint.as_str(), None::<&str>, flags, None::<&str>) {
        Ok(()) => Ok(()),
        // Not to be reached by us, so neither by the runtime: it runs with our rights.
        Err(nix::Error::EACCES | nix::Error::ENOENT | nix::Error::EINVAL) => Ok(()),
        // The net's own /proc is about to cover it; and on an automount there is nothing to write to.
        Err(_) if Path::new(&one.mountpoint).starts_with("/proc") || one.fstype == "autofs" => Ok(()),
        Err(errno) => Err(errno).with_context(|| format!("make {} read-only", one.mountpoint)),
    }
}

/// The flags of a mount that a user namespace must not take away: the kernel says EPERM to a remount without them.
/// How access times are kept is such a flag as well, but a remount that does not mention it leaves it.
fn kept(one: &Mount) -> MsFlags {
    let flag = |name: &String| match name.as_str() {
        "nosuid" => MsFlags::MS_NOSUID,
        "nodev" => MsFlags::MS_NODEV,
        "noexec" => MsFlags::MS_NOEXEC,
        _ => MsFlags::empty(),
    };
    one.options.iter().map(flag).collect()
}

/// Reads an open mountinfo anew; it need not be reachable by a path.
fn mounts(mountinfo: &mut File) -> Result<Vec<Mount>> {
    let mut text = String::new();
    mountinfo.rewind()?;
    mountinfo.read_to_string(&mut text)?;
    Ok(Mount::parse_all(&text))
}

fn hostname() -> Result<String> {
    Ok(nix::unistd::gethostname()?.to_string_lossy().into_owned())
}

/// The inode of every namespace in a folder like /proc/self/ns.
pub(crate) fn namespaces(folder: &Path) -> BTreeMap<String, u64> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let inode = |link: PathBuf| {
        let text = std::fs::read_link(link).ok()?.to_string_lossy().into_owned();
        text.split_once(":[")?.1.strip_suffix(']')?.parse().ok()
    };
    entries.filter_map(|entry| Some((entry.file_name().into_string().ok()?, inode(entry.path())?))).collect()
}
