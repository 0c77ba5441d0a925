//! From facts to verdicts: what works, what does not, what follows for which lessons, and the cure. Pure.

use serde::Serialize;

use super::facts::{Busybox, Cgroup, Facts, Layout, Packages};
use super::{parse, refusal};

/// One line of the doctor's report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The verdict.
    pub status: Status,
    /// What was looked at.
    pub name: &'static str,
    /// What was found.
    pub found: String,
    /// What follows, and for which lessons.
    pub follows: Option<String>,
    /// The commands that change it. One where one is enough; each of several is a way of its own.
    pub cures: Vec<String>,
    /// A lesson of this tree, or the first container, can't do all it should without it.
    pub matters: bool,
}

/// A verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// All is well.
    Ok,
    /// There, with less than all it could do.
    Limited,
    /// Not there.
    Missing,
}

impl Status {
    /// The verdict's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Limited => "limited",
            Self::Missing => "missing",
        }
    }
}

impl Line {
    pub(super) fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self {
            status: Status::Ok,
            name,
            found: found.into(),
            follows: None,
            cures: Vec::new(),
            matters: false,
        }
    }

    pub(super) fn limited(name: &'static str, found: impl Into<String>) -> Self {
        Self { status: Status::Limited, ..Self::ok(name, found) }
    }

    pub(super) fn missing(name: &'static str, found: impl Into<String>) -> Self {
        Self { status: Status::Missing, ..Self::ok(name, found) }
    }

    pub(super) fn follows(mut self, what: impl Into<String>) -> Self {
        self.follows = Some(what.into());
        self
    }

    pub(super) fn cure(mut self, command: impl Into<String>) -> Self {
        self.cures.push(command.into());
        self
    }

    pub(super) fn matters(mut self, matters: bool) -> Self {
        self.matters = matters;
        self
    }

    /// "Lessons 01 to 03 need it", and that it matters, where this tree has lessons of that tier.
    fn tier(self, facts: &Facts, tier: &str) -> Self {
        match facts.lessons_of(tier) {
            Some(lessons) => {
                self.follows(format!("without it, tests of {lessons} are ignored")).matters(true)
            }
            None => self.follows("no lesson needs it yet"),
        }
    }
}

impl Facts {
    /// "lesson 05" or "lessons 01, 02, 03": those that need a tier.
    pub(super) fn lessons_of(&self, tier: &str) -> Option<String> {
        let needs = |needs: &[String]| needs.iter().any(|need| need == tier);
        let numbers: Vec<u32> = self.lessons.iter().filter(|(_, n)| needs(n)).map(|(n, _)| *n).collect();
        let text = numbers.iter().map(|n| format!("{n:02}")).collect::<Vec<_>>().join(", ");
        match numbers.len() {
            0 => None,
            1 => Some(format!("lesson {text}")),
            _ => Some(format!("lessons {text}")),
        }
    }

    /// A command that needs root, as this user has to type it.
    pub(super) fn as_root(&self, command: &str) -> String {
        if self.uid == 0 { command.to_owned() } else { format!("sudo {command}") }
    }

    /// The command that installs what is called `apt`, `dnf` and so on by each distribution.
    fn install(&self, apt: &str, dnf: &str, apk: &str, pacman: &str) -> String {
        match self.packages {
            Packages::Apt => self.as_root(&format!("apt-get install {apt}")),
            Packages::Dnf => self.as_root(&format!("dnf install {dnf}")),
            Packages::Apk => self.as_root(&format!("apk add {apk}")),
            Packages::Pacman => self.as_root(&format!("pacman -S {pacman}")),
            Packages::Zypper => self.as_root(&format!("zypper install {dnf}")),
            Packages::Other => format!("install {apt} with your package manager"),
        }
    }

    /// A container can run here.
    pub fn containers_run(&self) -> bool {
        self.namespaces.privileged.unwrap_or(self.namespaces.user).is_ok()
    }
}

/// The whole report, in the order a reader needs it.
pub fn verdict(facts: &Facts) -> Vec<Line> {
    let mut lines = vec![kernel(facts)];
    lines.extend(refusal::containers(facts));
    lines.extend([cgroup(facts), ids(facts), busybox(facts), linker(facts), libc(facts), git(facts)]);
    lines.extend(optional(facts));
    lines
}

fn kernel(facts: &Facts) -> Line {
    match parse::version(&facts.release) {
        Some(version) if version >= (5, 10) => Line::ok("kernel", &facts.release),
        _ => Line::limited("kernel", format!("{}, older than 5.10", facts.release))
            .follows("the runtime counts on calls that came with 5.10: any lesson may fail")
            .cure("boot a kernel of 5.10 or newer, or work in a virtual machine (README: macOS and Windows)")
            .matters(true),
    }
}

fn cgroup(facts: &Facts) -> Line {
    let Cgroup { layout, own, user_manager, .. } = facts.cgroup;
    let name = "cgroups";
    let line = match (layout, own) {
        (Layout::V2, true) => return Line::ok(name, format!("v2, with a group of {}'s own", facts.user)),
        (Layout::V2, false) => Line::limited(name, format!("v2, but no group of {}'s own", facts.user)),
        (Layout::Hybrid, true) => Line::limited(name, "v1 controllers with v2 beside them"),
        (Layout::Hybrid, false) => {
            Line::limited(name, "v1 controllers with v2 beside them, none this user's own")
        }
        (Layout::V1, _) => Line::limited(name, "v1 alone"),
        (Layout::None, _) => Line::missing(name, "none mounted"),
    };
    match (layout, own) {
        (Layout::V2, _) if user_manager => {
            line.tier(facts, "cgroup").cure("systemd-run --user --scope -p Delegate=yes bash")
        }
        (Layout::V2, _) if facts.uid != 0 => line
            .tier(facts, "cgroup")
            .cure(format!("sudo loginctl enable-linger {}   # then log in again", facts.user)),
        (Layout::V2, _) => {
            line.tier(facts, "cgroup").cure("start this container with --cgroupns=private, writable")
        }
        (Layout::Hybrid | Layout::V1, true) if facts.cgroup.vm.is_some() => {
            line.follows("tests of pure v2 run through $CORACLE_VM")
        }
        (Layout::Hybrid | Layout::V1, true) => line
            .follows("tests that need a pure v2 machine are ignored")
            .cure("export CORACLE_VM='a command prefix that runs its arguments on a machine with cgroup v2'"),
        (Layout::None, _) => {
            line.tier(facts, "cgroup").cure(facts.as_root("mount -t cgroup2 none /sys/fs/cgroup"))
        }
        _ => line.tier(facts, "cgroup").cure("boot with systemd.unified_cgroup_hierarchy=1"),
    }
}

fn ids(facts: &Facts) -> Line {
    let (name, ids) = ("id ranges", &facts.ids);
    if facts.uid == 0 {
        return Line::ok(name, "root maps any range");
    }
    let enough = |count| count >= 65_536;
    match (enough(ids.subuids) && enough(ids.subgids), ids.helpers) {
        (true, true) => Line::ok(name, format!("{} user ids, newuidmap", ids.subuids)),
        (true, false) => Line::missing(name, "ranges in /etc/subuid, but no newuidmap")
            .tier(facts, "ids")
            .cure(facts.install("uidmap", "shadow-utils", "shadow-subids", "shadow")),
        (false, _) => {
            Line::missing(name, format!("no range for {} in /etc/subuid and /etc/subgid", facts.user))
                .tier(facts, "ids")
                .cure(format!(
                    "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {}",
                    facts.user
                ))
        }
    }
}

fn busybox(facts: &Facts) -> Line {
    let name = "BusyBox";
    match &facts.busybox {
        Busybox::Made(path) => Line::ok(name, format!("in {}", path.display())),
        Busybox::AtHand(path) => Line::ok(name, format!("{}, static", path.display())),
        Busybox::Fetched(program) => {
            Line::ok(name, format!("scripts/fetch-busybox can fetch it with {program}"))
        }
        Busybox::None => Line::limited(name, "none, and nothing to fetch one with")
            .follows("the first container holds the probe alone, and no shell")
            .cure(facts.install("busybox-static", "busybox", "busybox-static", "busybox"))
            .matters(true),
    }
}

fn linker(facts: &Facts) -> Line {
    let name = "C linker";
    match &facts.tools.linker {
        Some(path) => Line::ok(name, path),
        None => Line::missing(name, "no `cc` in PATH")
            .follows("no Rust program can be linked")
            .cure(facts.install("gcc libc6-dev", "gcc glibc-static", "gcc musl-dev", "gcc"))
            .matters(true),
    }
}

fn libc(facts: &Facts) -> Line {
    let name = "static libc";
    match &facts.tools.static_libc {
        Some(path) => Line::ok(name, path),
        None => Line::missing(name, "cc finds no libc.a")
            .follows("the runtime is a static program and can't be linked")
            .cure(facts.install("libc6-dev", "glibc-static", "musl-dev", "glibc"))
            .matters(true),
    }
}

fn git(facts: &Facts) -> Line {
    match &facts.tools.git {
        Some(version) => Line::ok("git", version),
        None => Line::missing("git", "not in PATH")
            .follows("`cargo lesson start` keeps the reference in git: the course can't begin")
            .cure(facts.install("git", "git", "git", "git"))
            .matters(true),
    }
}

fn optional(facts: &Facts) -> Vec<Line> {
    let line = |(name, path): &(&'static str, Option<std::path::PathBuf>)| match path {
        Some(path) => Line::ok(name, path.display().to_string()),
        None => {
            let line = Line::missing(name, "not in PATH");
            let util_linux = facts.install("util-linux", "util-linux", "util-linux", "util-linux");
            match *name {
                "strace" => {
                    line.tier(facts, "strace").cure(facts.install("strace", "strace", "strace", "strace"))
                }
                "unshare" => line.tier(facts, "userns").cure(util_linux),
                "nsenter" => line.follows("the book's section \"By hand\" uses it").cure(util_linux),
                "runc" => line
                    .follows("the prover's comparison with runc is ignored")
                    .cure(facts.install("runc", "runc", "runc", "runc")),
                _ => line.follows("nothing needs it yet").cure(facts.install(name, name, name, name)),
            }
        }
    };
    facts.tools.optional.iter().map(line).collect()
}
