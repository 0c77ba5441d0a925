//! What the doctor knows about a machine. Nothing here touches one: `gather` fills it, `verdict` judges it.

use std::path::PathBuf;

use nix::errno::Errno;

/// One machine, as one user sees it.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The kernel's release, as `uname -r` prints it.
    pub release: String,
    /// The user's effective id.
    pub uid: u32,
    /// The user's name, or the id in digits where it has none.
    pub user: String,
    /// How software is installed here.
    pub packages: Packages,
    /// The repository, for a rule that names its programs.
    pub repository: PathBuf,
    /// Whether a container's namespaces can be had, tried.
    pub namespaces: Namespaces,
    /// Control groups.
    pub cgroup: Cgroup,
    /// Ranges of user and group ids.
    pub ids: Ids,
    /// Where a BusyBox can come from.
    pub busybox: Busybox,
    /// Programs and libraries.
    pub tools: Tools,
    /// Each lesson's number and the tiers it needs.
    pub lessons: Vec<(u32, Vec<String>)>,
}

/// What was tried, and the switches that explain a refusal.
#[derive(Debug, Clone)]
pub struct Namespaces {
    /// The attempt with the caller's own privileges; `None` without CAP_SYS_ADMIN. Where there is one, it decides:
    /// the runtime, too, makes a user namespace only for those who lack the capability.
    pub privileged: Option<Trial>,
    /// The attempt in a user namespace, as an ordinary user's container would make it.
    pub user: Trial,
    /// `/proc/sys/user/max_user_namespaces`.
    pub max_user_namespaces: Option<u64>,
    /// Debian's `kernel.unprivileged_userns_clone`.
    pub unprivileged_userns_clone: Option<u64>,
    /// Ubuntu's `kernel.apparmor_restrict_unprivileged_userns`.
    pub apparmor_restrict: Option<u64>,
    /// The AppArmor profile this process runs under, `unconfined` aside.
    pub apparmor_profile: Option<String>,
    /// A seccomp filter is on this process.
    pub seccomp: bool,
    /// The root directory is not the root of a mount: a chroot.
    pub chroot: bool,
    /// Something is mounted over parts of `/proc`, which forbids a fresh one in a user namespace.
    pub proc_masked: bool,
}

/// The outcome of an attempt at a container's namespaces.
pub type Trial = Result<(), Refusal>;

/// The step the kernel refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// How far the attempt had come.
    pub step: Step,
    /// The kernel's answer.
    pub errno: Errno,
}

/// What a container needs from the kernel, in the order it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Step {
    /// `unshare(CLONE_NEWUSER)`.
    UserNamespace,
    /// Root inside is the caller outside.
    IdMap,
    /// The other namespaces.
    Namespaces,
    /// The first process of the PID namespace.
    Fork,
    /// `sethostname`.
    Hostname,
    /// Mounts inside must not travel outside.
    Propagation,
    /// A fresh `/proc`.
    Proc,
    /// Any other mount.
    Mount,
    /// `pivot_root`.
    PivotRoot,
}

impl Step {
    /// Every step, so that one can be told by its number.
    pub const ALL: [Self; 9] = [
        Self::UserNamespace,
        Self::IdMap,
        Self::Namespaces,
        Self::Fork,
        Self::Hostname,
        Self::Propagation,
        Self::Proc,
        Self::Mount,
        Self::PivotRoot,
    ];

    /// The step as the end of "the kernel refused ...".
    pub fn words(self) -> &'static str {
        match self {
            Self::UserNamespace => "a user namespace",
            Self::IdMap => "the id map of a user namespace",
            Self::Namespaces => "the UTS, IPC, network, PID and mount namespaces",
            Self::Fork => "a process in a new PID namespace",
            Self::Hostname => "a hostname of the container's own",
            Self::Propagation => "making mounts private",
            Self::Proc => "a fresh /proc",
            Self::Mount => "mounting a tmpfs",
            Self::PivotRoot => "pivot_root",
        }
    }
}

/// How control groups are laid out, and what of them is this user's.
#[derive(Debug, Clone)]
pub struct Cgroup {
    /// What is mounted where.
    pub layout: Layout,
    /// This user may make groups below their own.
    pub own: bool,
    /// systemd runs a manager for this user, which can hand out a group.
    pub user_manager: bool,
    /// The command prefix that gives tests a machine with cgroup v2 alone.
    pub vm: Option<String>,
}

/// Which generation of control groups is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// The unified hierarchy alone.
    V2,
    /// v1 controllers with a unified hierarchy beside them.
    Hybrid,
    /// v1 controllers alone.
    V1,
    /// None.
    None,
}

/// What an ordinary user needs to map more ids than their own.
#[derive(Debug, Clone)]
pub struct Ids {
    /// User ids granted by `/etc/subuid`.
    pub subuids: u64,
    /// Group ids granted by `/etc/subgid`.
    pub subgids: u64,
    /// `newuidmap` and `newgidmap` are there.
    pub helpers: bool,
}

/// The best source of a BusyBox that is in sight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Busybox {
    /// The root filesystem is made already.
    Made(PathBuf),
    /// A static one, installed or fetched before.
    AtHand(PathBuf),
    /// This program can fetch the distribution's package, or a pinned file, with no root.
    Fetched(String),
    /// None.
    None,
}

/// How software is installed here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packages {
    /// Debian, Ubuntu.
    Apt,
    /// Fedora, RHEL.
    Dnf,
    /// Alpine.
    Apk,
    /// Arch.
    Pacman,
    /// openSUSE.
    Zypper,
    /// Something else.
    Other,
}

/// Programs and libraries: a path or a version, or `None` where there is none.
#[derive(Debug, Clone, Default)]
pub struct Tools {
    /// The C compiler that links Rust programs.
    pub linker: Option<String>,
    /// The C library to link statically.
    pub static_libc: Option<String>,
    /// git's version.
    pub git: Option<String>,
    /// Programs some labs look at: name and path.
    pub optional: Vec<(&'static str, Option<PathBuf>)>,
}
