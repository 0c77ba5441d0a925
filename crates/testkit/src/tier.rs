//! What a machine, and this user on it, can do. Each answer comes from really trying.

use std::collections::BTreeMap;
use std::path::PathBuf;
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
        "strace" => strace(),
        "nsenter" => nsenter(),
        "veth" => veth(),
        "engine" => engine(),
        "vm" => vm(),
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
        "selinux" => kernel_has("/sys/fs/selinux/enforce", "SELinux"),
        "no_selinux" => absent("SELinux", kernel_has("/sys/fs/selinux/enforce", "SELinux")),
        "raised_limits" => raised_limits(),
        "i386" => i386(),
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

/// A mounted resctrl.
///
/// # Errors
/// What is missing.
pub fn resctrl() -> Result<(), Missing> {
    kernel_has("/sys/fs/resctrl/schemata", "a mounted resctrl")
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

fn kernel_has(path: &str, what: &str) -> Result<(), Missing> {
    let why = || format!("there is no {path}");
    if std::path::Path::new(path).exists() {
        Ok(())
    } else {
        Err(missing(what, why(), "use a machine that has it"))
    }
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
