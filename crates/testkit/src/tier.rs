//! What a machine, and this user on it, can do. Each answer comes from really trying.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use nix::unistd::geteuid;

use crate::{harness, in_net, judge};

/// Why a tier is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What is missing, in a few words.
    pub what: String,
    /// Why, as the system says it.
    pub why: String,
    /// What to do about it.
    pub cure: String,
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "needs {}: {}; {}", self.what, self.why, self.cure)
    }
}

/// The answer for a tier by its name.
///
/// # Errors
/// What is missing.
///
/// # Panics
/// On a name that is no tier's: a mistake in a test.
pub fn check(name: &str) -> Result<(), Missing> {
    // Trying costs milliseconds, and every test asks.
    static ANSWERS: Mutex<BTreeMap<String, Result<(), Missing>>> = Mutex::new(BTreeMap::new());
    let mut answers = ANSWERS.lock().unwrap_or_else(PoisonError::into_inner);
    answers.entry(name.to_owned()).or_insert_with(|| ask(name)).clone()
}

fn ask(name: &str) -> Result<(), Missing> {
    match name {
        "userns" => userns(),
        "ids" => ids(),
        "newuidmap" => newuidmap(),
        "cgroup" => cgroup(),
        "root" => root(),
        "setcap" => setcap(),
        "strace" => strace(),
        "nsenter" => nsenter(),
        "veth" => veth(),
        "engine" => engine(),
        "vm" => vm(),
        "cgroup1" => cgroup1(),
        "cgroup2" => cgroup2(),
        "idmap" => idmap(),
        "busybox" => busybox(),
        "real_time" => real_time(),
        "two_processors" => two_processors(),
        "numa" => kernel_has("/sys/devices/system/node/node0", "NUMA"),
        "keys" => kernel_has("/proc/keys", "keys"),
        "resctrl" => resctrl(),
        "no_resctrl" => absent("resctrl", resctrl()),
        "apparmor" => apparmor(),
        "no_apparmor" => absent("AppArmor", runs_apparmor()),
        "selinux" => selinux(),
        "enforcing" => enforcing(),
        "no_selinux" => absent("SELinux", runs_selinux()),
        "raised_limits" => raised_limits(),
        "systemd" => systemd(),
        "no_systemd" => absent("systemd", kernel_has("/run/systemd/system", "systemd")),
        "controllers" => controllers(),
        "i386" => i386(),
        "criu" => criu(),
        "runc" | "crun" => other_runtime(name),
        other => panic!("{other} is no tier"),
    }
}

/// The namespaces of a container: as root directly, as an ordinary user in a user namespace.
///
/// # Errors
/// What is missing.
pub fn userns() -> Result<(), Missing> {
    const WHAT: &str = "namespaces";
    const CURE: &str = "run `cargo lesson doctor` for the reason and the cure";
    if harness::is_testing() {
        // The net itself is what the tests need.
        let why = |text: String| text.lines().next().unwrap_or_default().to_owned();
        return judge(|| drop(in_net(&["true"]).finish()))
            .map_err(|(_, text)| missing(WHAT, why(text), CURE));
    }
    let flags = if geteuid().is_root() { "-mpui" } else { "-Urmpui" };
    tried(Command::new("unshare").args([flags, "-n", "-f", "--mount-proc", "true"]), WHAT, CURE)
}

/// A range of ids of this user's own.
///
/// # Errors
/// What is missing.
pub fn ids() -> Result<(), Missing> {
    if geteuid().is_root() {
        return Ok(());
    }
    let user = nix::unistd::User::from_uid(geteuid()).ok().flatten();
    let name = user.map(|user| user.name).unwrap_or_default();
    let ranges = std::fs::read_to_string("/etc/subuid").unwrap_or_default();
    let has = ranges.lines().any(|line| line.split(':').next() == Some(&name));
    let cure = format!("install the package uidmap and run: sudo usermod --add-subuids 100000-165535 {name}");
    if !has {
        return Err(missing("a range of ids", format!("/etc/subuid has no line for {name:?}"), &cure));
    }
    in_path("newuidmap")
        .map(drop)
        .ok_or_else(|| missing("a range of ids", "newuidmap is not in PATH".into(), &cure))
}

/// newuidmap and the files that it asks.
///
/// # Errors
/// What is missing.
pub fn newuidmap() -> Result<(), Missing> {
    let files = ["/etc/subuid", "/etc/subgid"].map(|file| std::path::Path::new(file).exists());
    let found = in_path("newuidmap").filter(|_| files == [true; 2]);
    let why = || "it is not in PATH, or has no /etc/subuid and /etc/subgid".to_owned();
    found.map(drop).ok_or_else(|| missing("newuidmap", why(), "install the package uidmap"))
}

/// A cgroup that we may make others in.
///
/// # Errors
/// What is missing.
pub fn cgroup() -> Result<(), Missing> {
    let mut group = crate::cgroup::Cgroups::new(16);
    if group.join.is_empty() {
        return Err(missing("a cgroup", "no cgroup can be made here".into(), "run as root"));
    }
    group.remove();
    Ok(())
}

/// Control groups of version 1, which have the controllers.
///
/// # Errors
/// What is missing.
pub fn cgroup1() -> Result<(), Missing> {
    let found = "the controllers are in version 2".to_owned();
    if is_cgroup2() { Err(missing("cgroup v1", found, "use a machine with version 1")) } else { cgroup() }
}

/// Control groups of version 2 alone.
///
/// # Errors
/// What is missing.
pub fn cgroup2() -> Result<(), Missing> {
    let found = "the controllers are in version 1".to_owned();
    let what = "a machine with cgroup v2 alone";
    if is_cgroup2() { cgroup() } else { Err(missing(what, found, "run the suite by $CORACLE_VM")) }
}

fn is_cgroup2() -> bool {
    std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists()
}

/// To be root.
///
/// # Errors
/// What is missing.
pub fn root() -> Result<(), Missing> {
    if geteuid().is_root() {
        Ok(())
    } else {
        Err(missing(
            "root",
            "you are an ordinary user".into(),
            "run as root, in a machine you can throw away",
        ))
    }
}

/// strace, and the right to use it.
///
/// # Errors
/// What is missing.
pub fn strace() -> Result<(), Missing> {
    tried(Command::new("strace").args(["-o", "/dev/null", "true"]), "strace", "install the package strace")
}

/// setcap of libcap, to give capabilities to files.
///
/// # Errors
/// What is missing.
pub fn setcap() -> Result<(), Missing> {
    tried(Command::new("setcap").arg("-h"), "setcap", "install the package libcap2-bin")
}

/// nsenter of util-linux, to compare with.
///
/// # Errors
/// What is missing.
pub fn nsenter() -> Result<(), Missing> {
    tried(Command::new("nsenter").arg("--version"), "nsenter", "install the package util-linux")
}

/// Pairs of network devices, to move about; ip of iproute2 makes them.
///
/// # Errors
/// What is missing.
pub fn veth() -> Result<(), Missing> {
    const CURE: &str = "as root, install the package iproute2, or load the module: modprobe veth";
    let make = ["--net", "ip", "link", "add", "one", "type", "veth", "peer", "name", "other"];
    tried(Command::new("unshare").args(make), "a pair of network devices", CURE)
}

/// A container engine.
///
/// # Errors
/// What is missing.
pub fn engine() -> Result<(), Missing> {
    let found = ["podman", "containerd", "dockerd"].into_iter().any(|name| in_path(name).is_some());
    found
        .then_some(())
        .ok_or_else(|| missing("an engine", "none is in PATH".into(), "install the package podman"))
}

/// A machine with control groups of version 2 alone: `$CORACLE_VM` is the prefix that runs a command in one.
///
/// # Errors
/// What is missing.
pub fn vm() -> Result<(), Missing> {
    let set = std::env::var("CORACLE_VM").is_ok_and(|prefix| !prefix.trim().is_empty());
    set.then_some(()).ok_or_else(|| {
        let why = "CORACLE_VM is not set".to_owned();
        missing(
            "a machine with cgroup v2 alone",
            why,
            "set CORACLE_VM to a command that runs one in such a machine",
        )
    })
}

/// A kernel that shows the files of a tmpfs with other owners.
///
/// # Errors
/// What is missing.
pub fn idmap() -> Result<(), Missing> {
    let known = nix::sys::utsname::uname().ok();
    let release = known.map(|known| known.release().to_string_lossy().into_owned()).unwrap_or_default();
    let mut numbers = release.split(['.', '-']).map_while(|number| number.parse::<u32>().ok());
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    (version >= (6, 3)).then_some(()).ok_or_else(|| {
        missing("id-mapped mounts of a tmpfs", format!("this is Linux {release}"), "use Linux 6.3 or later")
    })
}

/// A static BusyBox, installed or fetched.
///
/// # Errors
/// What is missing.
pub fn busybox() -> Result<(), Missing> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/fetch-busybox");
    tried(&mut Command::new(script), "a static BusyBox", "install the package busybox-static")
}

/// The opposite: what is tested is how it is missed.
fn absent(what: &str, found: Result<(), Missing>) -> Result<(), Missing> {
    match found {
        Ok(()) => Err(missing(&format!("a machine without {what}"), "it is here".into(), "use one without")),
        Err(_) => userns(),
    }
}

/// Real-time scheduling, and the right to it.
///
/// # Errors
/// What is missing.
pub fn real_time() -> Result<(), Missing> {
    let mut command = Command::new("chrt");
    tried(command.args(["--fifo", "1", "true"]), "real-time scheduling", "run as root with CAP_SYS_NICE")
}

/// A second processor, and taskset.
///
/// # Errors
/// What is missing.
pub fn two_processors() -> Result<(), Missing> {
    let mut command = Command::new("taskset");
    tried(command.args(["-c", "1", "true"]), "two processors", "use a machine that has two")
}

/// The right to raise a limit above the hard one.
///
/// # Errors
/// What is missing.
pub fn raised_limits() -> Result<(), Missing> {
    let script = "ulimit -Hc 1 && ulimit -Hc 2";
    tried(
        Command::new("sh").args(["-c", script]),
        "limits that can be raised",
        "run as root with CAP_SYS_RESOURCE",
    )
}

/// A mounted resctrl. No emulator has it: it is the processor's.
///
/// # Errors
/// What is missing.
pub fn resctrl() -> Result<(), Missing> {
    if Path::new("/sys/fs/resctrl/schemata").exists() {
        return Ok(());
    }
    // Its mount point is there only where the processor has something to share.
    let (why, cure) = if Path::new("/sys/fs/resctrl").exists() {
        ("it is not mounted", "mount -t resctrl resctrl /sys/fs/resctrl")
    } else {
        (
            "this processor, or its emulator, cannot share out its cache",
            "use a real one with Intel RDT or AMD QoS, and a kernel with CONFIG_X86_CPU_RESCTRL",
        )
    };
    Err(missing("a mounted resctrl", why.to_owned(), cure))
}

/// SELinux with a policy that knows containers.
///
/// # Errors
/// What is missing.
pub fn selinux() -> Result<(), Missing> {
    runs_selinux()?;
    // The kernel takes a context here that its policy knows (selinux(8)'s security_check_context).
    std::fs::write("/sys/fs/selinux/context", "system_u:system_r:container_t:s0").map_err(|error| {
        let cure = "load one that does: the package container-selinux, or scripts/selinux.cil";
        missing("SELinux with a policy for containers", format!("no container_t: {error}"), cure)
    })
}

fn runs_selinux() -> Result<(), Missing> {
    kernel_has("/sys/fs/selinux/enforce", "SELinux")
}

/// SELinux that does not only warn.
///
/// # Errors
/// What is missing.
pub fn enforcing() -> Result<(), Missing> {
    let said = std::fs::read_to_string("/sys/fs/selinux/enforce").unwrap_or_default();
    (said.trim() == "1").then_some(()).ok_or_else(|| {
        let why = format!("/sys/fs/selinux/enforce says {said:?}");
        missing("SELinux that enforces", why, "run setenforce 1")
    })
}

/// systemd, which makes us a scope, in control groups of version 2 alone.
///
/// # Errors
/// What is missing.
pub fn systemd() -> Result<(), Missing> {
    const CURE: &str = "use a machine that was booted with it, and with systemd.unified_cgroup_hierarchy=1";
    kernel_has("/sys/fs/cgroup/cgroup.procs", "control groups of version 2 alone")?;
    let whose = if geteuid().is_root() { "--system" } else { "--user" };
    tried(Command::new("systemd-run").args([whose, "--scope", "--quiet", "true"]), "systemd", CURE)
}

/// The controllers of processor time, memory and processes in version 2, for our own groups.
///
/// # Errors
/// What is missing.
pub fn controllers() -> Result<(), Missing> {
    let root = geteuid().is_root();
    let own =
        if root { String::new() } else { format!("user.slice/user-{0}.slice/user@{0}.service", geteuid()) };
    let file = PathBuf::from("/sys/fs/cgroup").join(own).join("cgroup.controllers");
    let there = std::fs::read_to_string(&file).unwrap_or_default();
    let all = ["cpu", "memory", "pids"].iter().all(|name| there.split_whitespace().any(|one| one == *name));
    let why = format!("{} has {:?}", file.display(), there.trim_end());
    let cure = "use a machine with version 2 alone, and let systemd delegate them (user@.service, Delegate=)";
    if all { Ok(()) } else { Err(missing("controllers in version 2", why, cure)) }
}

/// AppArmor, and its parser, as root.
///
/// # Errors
/// What is missing.
pub fn apparmor() -> Result<(), Missing> {
    root()?;
    runs_apparmor()?;
    let cure = "install the package apparmor";
    tried(Command::new("apparmor_parser").arg("--version"), "apparmor_parser", cure)
}

fn runs_apparmor() -> Result<(), Missing> {
    let said = std::fs::read_to_string("/sys/module/apparmor/parameters/enabled").unwrap_or_default();
    let why = "the kernel does not run it".to_owned();
    if said.starts_with('Y') { Ok(()) } else { Err(missing("AppArmor", why, "use a machine that does")) }
}

/// CRIU, and a kernel that it can work on.
///
/// # Errors
/// What is missing.
pub fn criu() -> Result<(), Missing> {
    root()?;
    let cure = "install the package criu; on a newer kernel than it knows, a newer one";
    tried(Command::new("criu").arg("check"), "CRIU", cure)?;
    // It holds a container's connections up by its rules.
    tried(
        Command::new("iptables-restore").arg("--version"),
        "CRIU's way to lock a network",
        "install the package iptables",
    )
}

fn kernel_has(path: &str, what: &str) -> Result<(), Missing> {
    let why = || format!("there is no {path}");
    if Path::new(path).exists() { Ok(()) } else { Err(missing(what, why(), "use a machine that has it")) }
}

/// Programs of i386 beside those of x86-64.
///
/// # Errors
/// What is missing.
pub fn i386() -> Result<(), Missing> {
    // Its getpid.
    let said = Command::new(harness::probe()).args(["syscall32", "20"]).stdin(Stdio::null()).output();
    match said {
        Ok(output) if String::from_utf8_lossy(&output.stdout).contains("\"ok\":true") => Ok(()),
        Ok(output) => Err(missing(
            "system calls of i386",
            format!("int 0x80: {}", output.status),
            "use an x86-64 kernel with CONFIG_IA32_EMULATION",
        )),
        Err(error) => Err(missing("system calls of i386", error.to_string(), "build the probe first")),
    }
}

/// Another OCI runtime, to compare with.
///
/// # Errors
/// What is missing.
pub fn other_runtime(name: &str) -> Result<(), Missing> {
    tried(Command::new(name).arg("--version"), name, &format!("install the package {name}"))
}

/// The file that a program's name means.
pub fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn tried(command: &mut Command, what: &str, cure: &str) -> Result<(), Missing> {
    match command.stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(missing(what, String::from_utf8_lossy(&output.stderr).trim().to_owned(), cure)),
        Err(error) => Err(missing(what, format!("{:?}: {error}", command.get_program()), cure)),
    }
}

fn missing(what: &str, why: String, cure: &str) -> Missing {
    Missing { what: what.to_owned(), why, cure: cure.to_owned() }
}
