//! `--explain`: the narration of every step as it is taken, and the names that errors give to steps.

use std::cell::Cell;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use crate::error::{Error, Result};

/// One step on the way to a container.
#[derive(Debug)]
pub struct Step {
    /// What is done, as errors name it.
    pub name: &'static str,
    /// Why.
    pub why: &'static str,
    /// The system calls.
    pub calls: &'static str,
    /// Where runc 1.1 does the same.
    pub runc: &'static str,
}

/// Makes the constants of the steps, in the order in which they are taken.
macro_rules! steps {
    ($($id:ident: $name:literal, $why:literal, $calls:literal, $runc:literal;)*) => {
        $(#[doc = $why] pub const $id: Step = Step { name: $name, why: $why, calls: $calls, runc: $runc };)*
    };
}

steps! {
    STATE: "make the container's directory",
        "the id is taken from now on",
        "mkdir", "libcontainer/factory_linux.go, Create";
    CLONE: "give birth to init",
        "one clone3 makes a process that is born inside its new namespaces",
        "clone3", "libcontainer/nsenter/nsexec.c, three stages of clone and unshare";
    MAP_IDS: "map the ids",
        "a new user namespace knows nobody until its owner says who its root is",
        "open, write", "libcontainer/nsenter/nsexec.c, update_uidmap";
    BECOME_ROOT: "become root of the user namespace",
        "the mapping is there; now our ids are those of its root",
        "setresgid, setresuid", "libcontainer/nsenter/nsexec.c, stage 2";
    UNSHARE: "enter the other namespaces",
        "made after the mapping, they belong to the user namespace and its root",
        "unshare", "libcontainer/nsenter/nsexec.c, stage 1";
    GROUPS: "leave the caller's groups",
        "what a group of the caller may read is not for the container",
        "setgroups", "libcontainer/init_linux.go, setupUser";
    DIE_TOGETHER: "die with the runtime",
        "a container in the foreground must not outlive a runtime that is killed",
        "prctl", "(runc lets it live on)";
    HOSTNAME: "set the hostname",
        "the UTS namespace began as a copy of the host's names",
        "sethostname", "libcontainer/standard_init_linux.go, Init";
    PROPAGATION: "stop mounts from spreading to the host",
        "the copied mounts are peers of the host's: what is mounted on one side appears on the other",
        "mount", "libcontainer/rootfs_linux.go, prepareRoot";
    BIND: "make the root filesystem a mount point",
        "pivot_root swaps mounts, and a plain directory is none",
        "open_tree, move_mount", "libcontainer/rootfs_linux.go, prepareRoot";
    MOUNTS: "mount the container's file systems",
        "each on a descriptor that was resolved inside the root filesystem",
        "fsopen, fsconfig, fsmount, openat2, move_mount", "libcontainer/rootfs_linux.go, mountToRootfs";
    PIVOT: "make the root filesystem the root",
        "the container's tree becomes /, and the host's is taken off",
        "fchdir, pivot_root, umount2, chdir", "libcontainer/rootfs_linux.go, pivotRoot";
    CWD: "go to the working directory",
        "the program starts where its config says",
        "chdir", "libcontainer/init_linux.go, finalizeNamespace";
    FIND: "find the program",
        "execve takes a path: somebody has to search PATH, and it is the container's",
        "statx, access", "libcontainer/standard_init_linux.go, exec.LookPath";
    WAIT_FOR_START: "wait for start",
        "create ends here; the program must not run before start",
        "accept4", "libcontainer/standard_init_linux.go, opens exec.fifo";
    REAPER: "stay as PID 1 and give birth to the program",
        "PID 1 adopts every orphan; this one also buries them",
        "clone3, signalfd, waitid", "(an engine puts tini or catatonit in front)";
    SIGNALS: "give signals back their defaults",
        "a blocked signal stays blocked, an ignored one ignored, across execve",
        "rt_sigprocmask, rt_sigaction", "(Go catches signals, and execve resets what is caught)";
    EXECVE: "become the program",
        "the last step: the kernel replaces us, keeps our PID and closes what is close-on-exec",
        "execve", "libcontainer/standard_init_linux.go, system.Exec";
    START: "start the program",
        "connecting lets init go on; the connection closes by itself when execve works",
        "connect, recvmsg", "libcontainer/container_linux.go, exec and handleFifoResult";
    WAIT: "wait for the end of init, handing signals on",
        "a pidfd is readable when its process has ended",
        "signalfd, poll, waitid, pidfd_send_signal", "signals.go, forward";
    REMOVE: "remove the container's directory",
        "nothing of it is left",
        "unlinkat, rmdir", "libcontainer/state_linux.go, destroy";
}

/// Narrates to a descriptor, or to nobody.
#[derive(Debug)]
pub struct Explain {
    out: Option<File>,
    who: &'static str,
    count: Cell<u32>,
}

impl Explain {
    /// Says nothing.
    pub fn silent() -> Explain {
        Explain { out: None, who: "main", count: Cell::new(0) }
    }

    /// Narrates to a copy of this process's standard error. The copy is close-on-exec.
    ///
    /// # Errors
    /// `EMFILE` where no more descriptors are allowed.
    pub fn to_stderr() -> Result<Explain> {
        let copy: OwnedFd =
            std::io::stderr().as_fd().try_clone_to_owned().map_err(Error::io("dup stderr"))?;
        Ok(Explain { out: Some(copy.into()), ..Explain::silent() })
    }

    /// The descriptor it narrates to.
    pub fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.out.as_ref().map(AsFd::as_fd)
    }

    /// The same narration, told by init from here on. For the cloned child.
    pub fn told_by_init(&self) -> Explain {
        // Where the copy fails, init is silent: the container goes first.
        let out = self.out.as_ref().and_then(|out| out.try_clone().ok());
        Explain { out, who: "init", count: Cell::new(0) }
    }

    /// Takes a step: does `act`, tells of it, and names the step in its error.
    ///
    /// # Errors
    /// That of `act`.
    pub fn step<T>(&self, step: &Step, act: impl FnOnce() -> Result<T>) -> Result<T> {
        let begin = Instant::now();
        let result = act().map_err(|error| error.at(step.name));
        self.tell(step, begin, if result.is_ok() { "" } else { "  FAILED" });
        result
    }

    /// Tells of a step that cannot be looked back on, because it does not return.
    pub fn last_step(&self, step: &Step) {
        self.tell(step, Instant::now(), "");
    }

    fn tell(&self, step: &Step, begin: Instant, failed: &str) {
        let Some(mut out) = self.out.as_ref() else { return };
        self.count.set(self.count.get() + 1);
        let (who, count, micros) = (self.who, self.count.get(), begin.elapsed().as_micros());
        let text = format!(
            "[{who} {count}] {}{failed} ({micros} us)\n    why:   {}\n    calls: {}\n    runc:  {}\n",
            step.name, step.why, step.calls, step.runc
        );
        // A narration nobody can read must not stop the container.
        let _ = out.write_all(text.as_bytes());
    }
}
