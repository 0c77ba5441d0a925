//! The first real container: build, root filesystem, run, and what just happened.

pub(crate) mod build;
mod rootfs;

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use course::Course;

use crate::doctor;
use rootfs::Rootfs;

/// Where the first container lives, below the repository: its root filesystem, and the runtime's state while it runs.
const HOME: &str = "target/coracle";

/// Checks the machine, builds the runtime, makes a root filesystem, runs a container in it and says what happened.
///
/// Does nothing but say so where lessons are open: a runtime without its isolation belongs in the tests' safety net.
///
/// # Errors
/// Fails where no container can run here, the runtime does not build, or its container is not what it should be.
pub fn container(course: &Course) -> Result<()> {
    if course.first_open()?.is_some() {
        println!("Your runtime is half built, so no container runs outside the tests' safety net today.");
        return Ok(());
    }
    doctor::summary(course)?;
    let programs = build::programs(&course.root, build::ALL)?;
    let rootfs = rootfs::make(&course.root, &programs)?;

    let mut command = Command::new(programs.path("coracle")?);
    command.args(["--root", &format!("{HOME}/state"), "sandbox"]);
    command.args(["--root", rootfs::PATH, "--hostname", "coracle", "--"]);
    command.args(rootfs.program()).current_dir(&course.root).stdin(Stdio::null()).stderr(Stdio::inherit());
    println!("\n$ coracle sandbox --root {} --hostname coracle -- {}", rootfs::PATH, rootfs.name());
    let output = command.output().context("the runtime was built but can't be started")?;
    let text = rootfs.transcript(&output.stdout)?;
    print!("{text}");
    std::io::stdout().flush()?;
    if !output.status.success() {
        bail!("the container failed ({}); see above, and try: cargo lesson doctor", output.status);
    }
    rootfs.check(&text).context("the program ran, but not in a container of its own")?;
    println!("\n{}", what_happened(course, &rootfs));
    Ok(())
}

/// Makes the root filesystem where it is missing: after a `cargo clean`, or in a fresh clone of a learner's branch. It needs
/// nothing of the runtime, which may not build today.
///
/// # Errors
/// Fails where the tools for it do not build, or where it cannot be made.
pub fn root_filesystem(course: &Course) -> Result<()> {
    if course.root.join(rootfs::PATH).exists() {
        return Ok(());
    }
    let programs = build::programs(&course.root, &["probe", "rootfs-builder"])?;
    rootfs::make(&course.root, &programs).map(drop)
}

/// One line a capability, each with the lesson in which the learner writes it.
fn what_happened(course: &Course, rootfs: &Rootfs) -> String {
    let lesson = |item: &str| {
        let owns = |lesson: &&course::Lesson| lesson.items.iter().any(|i| i.path == item);
        course.lessons.iter().find(owns).map_or("given".to_owned(), |l| format!("lesson {:02}", l.number))
    };
    let seen = match rootfs {
        Rootfs::Busybox => "ps sees two processes, not the host's",
        Rootfs::Probe => "the probe sees its own processes, not the host's",
    };
    let proc = format!("a fresh one, for these processes: {seen}");
    let mut lines = vec![
        (
            "namespaces",
            "the hostname is the container's alone; so are its IPC and network",
            "namespace::set_hostname",
        ),
        (
            "process 1",
            "the program is the first of a PID namespace: the kernel's init rules hold",
            "signal::forward",
        ),
        ("mounts", "a mount namespace: what is mounted inside is not seen outside", "namespace::mounts"),
        (
            "pivot_root",
            "/ is target/coracle/rootfs, and the host's tree is out of reach",
            "rootfs::pivot_root",
        ),
        ("/proc", &proc, "namespace::process_ids"),
    ];
    if !nix::unistd::geteuid().is_root() {
        lines.push(("user", "root inside is you outside, so nobody had to be root", ""));
    }
    let mut text = "What just happened, in one clone and a few mounts:\n".to_owned();
    for (name, what, item) in lines {
        text += &format!("  {:<9} {name:<11} {what}\n", lesson(item));
    }
    text + &match rootfs {
        Rootfs::Busybox => format!(
            "Look around in it: cargo run -q -p coracle -- sandbox --root {} --hostname coracle -- /bin/sh\n",
            rootfs::PATH
        ),
        Rootfs::Probe => {
            "With a BusyBox there will be a shell in it: cargo lesson doctor names the ways.\n".to_owned()
        }
    }
}
