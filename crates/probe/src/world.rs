//! Gathers the report. Nothing here fails: what can't be seen is left out.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use caps::CapSet;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::signal::Signal;
use nix::sys::socket::SockaddrStorage;
use nix::sys::stat::{Mode, major, minor, umask};
use nix::sys::time::{TimeSpec, TimeValLike};
use nix::time::{ClockId, clock_gettime};
use nix::unistd;

use crate::kernel;
use crate::mountinfo::Mount;
use crate::report::{Caps, Cgroup, Device, Did, Kind, Link, Report, Rlimit, Seccomp};
use crate::sys;

const NAMESPACES: [&str; 8] = ["uts", "ipc", "net", "pid", "mnt", "user", "cgroup", "time"];

/// Beyond this number descriptors are not looked for where there is no /proc to list them.
const FDS_WITHOUT_PROC: i32 = 1024;

/// Looks around.
pub(crate) fn look(did: Option<Did>) -> Report {
    let status = Status::read();
    // Neither call can fail, but a seccomp filter may make it: 4294967295 is no id anybody can have.
    let uids =
        unistd::getresuid().map_or([u32::MAX; 3], |ids| [ids.real, ids.effective, ids.saved].map(u32::from));
    let gids =
        unistd::getresgid().map_or([u32::MAX; 3], |ids| [ids.real, ids.effective, ids.saved].map(u32::from));
    let uname = nix::sys::utsname::uname().ok();
    let [hostname, domainname] = uname.map_or_else(Default::default, |name| {
        [name.nodename(), name.domainname()].map(|name| name.to_string_lossy().into_owned())
    });
    Report {
        did,
        pid: unistd::getpid().as_raw(),
        ppid: unistd::getppid().as_raw(),
        pgid: unistd::getpgrp().as_raw(),
        sid: unistd::getsid(None).map_or(-1, unistd::Pid::as_raw),
        nspid: status.nspid(),
        ns: namespaces(),
        uid: uids[0],
        euid: uids[1],
        suid: uids[2],
        gid: gids[0],
        egid: gids[1],
        sgid: gids[2],
        groups: unistd::getgroups().unwrap_or_default().into_iter().map(u32::from).collect(),
        caps: capabilities(),
        no_new_privs: nix::sys::prctl::get_no_new_privs().ok(),
        seccomp: seccomp(&status),
        signals_blocked: sys::blocked_at_start().into_iter().map(signal_name).collect(),
        signals_ignored: sys::ignored_at_start().into_iter().map(signal_name).collect(),
        rlimits: rlimits(),
        umask: file_mode_mask(),
        cwd: sys::getcwd(),
        env: environment(),
        args: std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect(),
        hostname,
        domainname,
        mounts: read("/proc/self/mountinfo").map(|text| Mount::parse_all(&text)),
        fds: descriptors(),
        cgroup: cgroups(),
        devices: devices(),
        oom_score_adj: read("/proc/self/oom_score_adj").and_then(|text| text.trim().parse().ok()),
        tty: (0..3).find_map(sys::window),
        root_entries: root_entries(),
        clocks: clocks(),
        links: links(),
        kernel: kernel::look(),
    }
}

fn clocks() -> BTreeMap<String, i64> {
    let clocks = [("monotonic", ClockId::CLOCK_MONOTONIC), ("boottime", ClockId::CLOCK_BOOTTIME)];
    let read =
        |(name, clock)| Some((String::from(name), TimeSpec::num_milliseconds(&clock_gettime(clock).ok()?)));
    clocks.into_iter().filter_map(read).collect()
}

/// By netlink(7): a container may have neither /sys nor /proc.
fn links() -> BTreeMap<String, Link> {
    let mut links = BTreeMap::<String, Link>::new();
    for found in getifaddrs().into_iter().flatten() {
        let link = links.entry(found.interface_name).or_default();
        link.up = found.flags.contains(InterfaceFlags::IFF_UP);
        let address = found.address.as_ref().and_then(ip);
        let bits = found.netmask.as_ref().and_then(ip).map(|mask| match mask {
            IpAddr::V4(mask) => u32::from(mask).count_ones(),
            IpAddr::V6(mask) => u128::from(mask).count_ones(),
        });
        link.addresses.extend(address.map(|address| format!("{address}/{}", bits.unwrap_or_default())));
        link.addresses.sort_unstable();
    }
    links
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|address| address.ip().into());
    v4.or_else(|| address.as_sockaddr_in6().map(|address| address.ip().into()))
}

/// The name of a signal by its number; realtime signals as `SIGRTMIN+n`.
pub(crate) fn signal_name(number: i32) -> String {
    match Signal::try_from(number) {
        Ok(signal) => signal.as_str().into(),
        Err(_) if number == nix::libc::SIGRTMIN() => "SIGRTMIN".into(),
        Err(_) if number > nix::libc::SIGRTMIN() => format!("SIGRTMIN+{}", number - nix::libc::SIGRTMIN()),
        // 32 and 33 are the C library's own.
        Err(_) => format!("SIG{number}"),
    }
}

/// A file as text. What is not UTF-8 in it (a mount point may be any bytes) must not cost the rest.
pub(crate) fn read(path: &str) -> Option<String> {
    Some(String::from_utf8_lossy(&fs::read(path).ok()?).into_owned())
}

/// `/proc/self/status`, empty where there is none.
struct Status(String);

impl Status {
    fn read() -> Status {
        Status(read("/proc/self/status").unwrap_or_default())
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.0.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    }

    fn nspid(&self) -> Vec<i32> {
        let pids = self.field("NSpid").unwrap_or_default();
        pids.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
    }
}

fn namespaces() -> BTreeMap<String, u64> {
    let inode = |name| Some(fs::metadata(format!("/proc/self/ns/{name}")).ok()?.ino());
    NAMESPACES.iter().filter_map(|name| Some((name.to_string(), inode(name)?))).collect()
}

fn capabilities() -> Caps {
    let names = |set| {
        let set = caps::read(None, set).unwrap_or_default();
        let mut names: Vec<String> = set.iter().map(ToString::to_string).collect();
        names.sort();
        names
    };
    Caps {
        effective: names(CapSet::Effective),
        permitted: names(CapSet::Permitted),
        inheritable: names(CapSet::Inheritable),
        bounding: names(CapSet::Bounding),
        ambient: names(CapSet::Ambient),
    }
}

fn seccomp(status: &Status) -> Option<Seccomp> {
    // /proc first: in strict mode the kernel kills whoever asks by prctl.
    let mode = status.field("Seccomp").and_then(|mode| mode.parse().ok());
    match mode.or_else(sys::seccomp_mode)? {
        0 => Some(Seccomp::Disabled),
        1 => Some(Seccomp::Strict),
        2 => Some(Seccomp::Filter),
        _ => None,
    }
}

fn rlimits() -> BTreeMap<String, Rlimit> {
    use Resource::*;
    let all = [
        RLIMIT_AS,
        RLIMIT_CORE,
        RLIMIT_CPU,
        RLIMIT_DATA,
        RLIMIT_FSIZE,
        RLIMIT_LOCKS,
        RLIMIT_MEMLOCK,
        RLIMIT_MSGQUEUE,
        RLIMIT_NICE,
        RLIMIT_NOFILE,
        RLIMIT_NPROC,
        RLIMIT_RSS,
        RLIMIT_RTPRIO,
        RLIMIT_RTTIME,
        RLIMIT_SIGPENDING,
        RLIMIT_STACK,
    ];
    let limit = |resource| getrlimit(resource).ok().map(|(soft, hard)| Rlimit { soft, hard });
    all.into_iter().filter_map(|resource| Some((format!("{resource:?}"), limit(resource)?))).collect()
}

fn file_mode_mask() -> u32 {
    // The only way to read it without /proc is to set it.
    let mask = umask(Mode::empty());
    umask(mask);
    mask.bits()
}

fn environment() -> BTreeMap<String, String> {
    let mut env = BTreeMap::new();
    for (key, value) in std::env::vars_os() {
        let [key, value] = [key, value].map(|text| text.to_string_lossy().into_owned());
        env.entry(key).or_insert(value);
    }
    env
}

fn descriptors() -> BTreeMap<i32, String> {
    let Ok(list) = fs::read_dir("/proc/self/fd") else {
        let open = (0..FDS_WITHOUT_PROC).filter(|fd| sys::is_open(*fd) && !sys::closed_at_start(*fd));
        return open.map(|fd| (fd, "unknown".into())).collect();
    };
    // All numbers first: the descriptor that reads the directory is in the list, and closed again after it.
    let open: Vec<i32> = list.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    let target = |fd: i32| fs::read_link(format!("/proc/self/fd/{fd}")).ok();
    open.into_iter()
        .filter(|fd| !sys::closed_at_start(*fd))
        .filter_map(|fd| Some((fd, target(fd)?.to_string_lossy().into_owned())))
        .collect()
}

fn cgroups() -> Vec<Cgroup> {
    let parse = |line: &str| {
        let mut fields = line.splitn(3, ':');
        Some(Cgroup {
            hierarchy: fields.next()?.parse().ok()?,
            controllers: fields
                .next()?
                .split(',')
                .filter(|name| !name.is_empty())
                .map(String::from)
                .collect(),
            path: fields.next()?.into(),
        })
    };
    read("/proc/self/cgroup").unwrap_or_default().lines().filter_map(parse).collect()
}

fn devices() -> Option<BTreeMap<String, Device>> {
    let list = fs::read_dir("/dev").ok()?;
    let named = |entry: fs::DirEntry| {
        let meta = entry.metadata().ok()?;
        Some((entry.file_name().to_string_lossy().into_owned(), device(&entry.path(), &meta)))
    };
    Some(list.filter_map(|entry| named(entry.ok()?)).collect())
}

/// Tells of those of `paths` that are there.
pub(crate) fn stat(paths: &[PathBuf]) -> Did {
    let found = |path: &PathBuf| {
        let meta = fs::symlink_metadata(path).ok()?;
        Some((path.to_string_lossy().into_owned(), device(path, &meta)))
    };
    let files = paths.iter().filter_map(found).collect();
    Did { action: "stat".into(), ok: true, files, ..Did::default() }
}

fn device(path: &Path, meta: &fs::Metadata) -> Device {
    let kind = match meta.file_type() {
        kind if kind.is_char_device() => Kind::Char,
        kind if kind.is_block_device() => Kind::Block,
        kind if kind.is_dir() => Kind::Dir,
        kind if kind.is_symlink() => Kind::Link,
        kind if kind.is_fifo() => Kind::Fifo,
        kind if kind.is_socket() => Kind::Socket,
        _ => Kind::File,
    };
    let has_number = matches!(kind, Kind::Char | Kind::Block);
    Device {
        kind,
        major: has_number.then(|| major(meta.rdev())),
        minor: has_number.then(|| minor(meta.rdev())),
        mode: meta.mode() & 0o7777,
        uid: meta.uid(),
        gid: meta.gid(),
        target: fs::read_link(path).ok().map(|path| path.to_string_lossy().into_owned()),
    }
}

fn root_entries() -> Vec<String> {
    let Ok(list) = fs::read_dir("/") else { return Vec::new() };
    let mut names: Vec<String> =
        list.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned())).collect();
    names.sort();
    names
}
