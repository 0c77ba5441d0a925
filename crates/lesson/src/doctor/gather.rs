//! Looks at this machine. Judges nothing: a file that is not there is a fact, too.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use course::Course;
use nix::unistd::{AccessFlags, User, access, geteuid};

use super::facts::{Busybox, Cgroup, Facts, Ids, Layout, Namespaces, Packages, Tools};
use super::{parse, sys};

/// The facts of this machine, for this user, with the lessons of `course`.
///
/// # Errors
/// Fails where not even an attempt at a container could be made.
pub fn gather(course: &Course) -> anyhow::Result<Facts> {
    let uid = geteuid();
    let user = User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name);
    let mountinfo = read("/proc/self/mountinfo");
    Ok(Facts {
        release: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        uid: uid.as_raw(),
        packages: packages(),
        repository: course.root.clone(),
        namespaces: namespaces(&mountinfo)?,
        cgroup: cgroup(uid.as_raw(), &mountinfo),
        ids: Ids {
            subuids: parse::granted(&read("/etc/subuid"), &user, uid.as_raw()),
            subgids: parse::granted(&read("/etc/subgid"), &user, uid.as_raw()),
            helpers: in_path("newuidmap").is_some() && in_path("newgidmap").is_some(),
        },
        busybox: busybox(&course.root),
        tools: tools(),
        lessons: course.lessons.iter().map(|l| (l.number, l.needs.clone())).collect(),
        user,
    })
}

fn namespaces(mountinfo: &str) -> anyhow::Result<Namespaces> {
    let profile = read("/proc/self/attr/apparmor/current");
    let profile = if profile.is_empty() { read("/proc/self/attr/current") } else { profile };
    let profile = profile.trim_end_matches(['\0', '\n']).to_owned();
    let status = read("/proc/self/status");
    Ok(Namespaces {
        privileged: if parse::may_administer(&status) { Some(sys::attempt(false)?) } else { None },
        user: sys::attempt(true)?,
        max_user_namespaces: number("/proc/sys/user/max_user_namespaces"),
        unprivileged_userns_clone: number("/proc/sys/kernel/unprivileged_userns_clone"),
        apparmor_restrict: number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
        apparmor_profile: Some(profile).filter(|p| !p.is_empty() && p != "unconfined"),
        seccomp: parse::status_field(&status, "Seccomp") == Some("2"),
        chroot: parse::chroot(mountinfo),
        proc_masked: parse::proc_masked(mountinfo),
    })
}

fn cgroup(uid: u32, mountinfo: &str) -> Cgroup {
    let layout = parse::layout(mountinfo);
    let unified = parse::unified_mount(mountinfo);
    let groups = read("/proc/self/cgroup");
    let own = parse::unified_path(&groups);
    let below = |mount: &str, path: &str| Path::new(mount).join(path.trim_start_matches('/'));
    let writable = |dir: &Path| access(dir, AccessFlags::W_OK).is_ok();
    let v1_writable =
        || Path::new("/sys/fs/cgroup/pids").is_dir() && writable(Path::new("/sys/fs/cgroup/pids"));
    let manager = format!("user.slice/user-{uid}.slice/user@{uid}.service");
    Cgroup {
        layout,
        own: match (layout, unified, own) {
            (Layout::V2, Some(mount), Some(path)) => writable(&below(mount, path)),
            (Layout::Hybrid | Layout::V1, ..) => v1_writable(),
            _ => false,
        },
        user_manager: unified.is_some_and(|mount| writable(&below(mount, &manager))),
        vm: std::env::var("CORACLE_VM").ok().filter(|vm| !vm.is_empty()),
    }
}

/// What a first container would be made of. The script itself says what is at hand: it never asks the network here.
fn busybox(root: &Path) -> Busybox {
    let made = root.join("target/coracle/rootfs/bin/busybox");
    if made.exists() {
        return Busybox::Made(made);
    }
    let at_hand = Command::new(root.join("scripts/fetch-busybox")).args(["--from", "cache,path"]).output();
    if let Some(output) = at_hand.ok().filter(|output| output.status.success()) {
        let text = String::from_utf8_lossy(&output.stdout);
        return Busybox::AtHand(PathBuf::from(text.lines().last().unwrap_or_default()));
    }
    let fetchers = ["apt-get", "dnf", "apk", "curl", "wget"];
    match fetchers.into_iter().find(|program| in_path(program).is_some()) {
        Some(program) => Busybox::Fetched(program.to_owned()),
        None => Busybox::None,
    }
}

fn tools() -> Tools {
    // rustc links through `cc`; its answer to -print-file-name is a bare name where the file is missing.
    let libc = output("cc", &["-print-file-name=libc.a"])
        .filter(|path| path.starts_with('/'))
        .and_then(|path| fs::canonicalize(path).ok());
    let git = output("git", &["--version"]);
    Tools {
        linker: in_path("cc").map(|path| path.display().to_string()),
        static_libc: libc.map(|path| path.display().to_string()),
        git: git.map(|line| line.trim_start_matches("git version ").to_owned()),
        optional: ["strace", "unshare", "nsenter", "runc", "crun", "podman", "tmux"]
            .map(|name| (name, in_path(name)))
            .to_vec(),
    }
}

fn packages() -> Packages {
    let by = [
        ("apt-get", Packages::Apt),
        ("dnf", Packages::Dnf),
        ("apk", Packages::Apk),
        ("pacman", Packages::Pacman),
        ("zypper", Packages::Zypper),
    ];
    by.into_iter().find(|(program, _)| in_path(program).is_some()).map_or(Packages::Other, |(_, p)| p)
}

/// The first executable file of this name. An ordinary user's PATH often leaves out sbin, where runc lives.
pub(crate) fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let sbin = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(sbin)
        .map(|dir| dir.join(name))
        .find(|file| fs::metadata(file).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0))
}

/// The trimmed standard output of a program that ends well.
fn output(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok().filter(|o| o.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// A file's text; empty where it can't be read.
fn read(path: &str) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

fn number(path: &str) -> Option<u64> {
    read(path).trim().parse().ok()
}
