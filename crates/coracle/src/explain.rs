//! `--explain`: the narration of every step as it is taken, and the names that errors give to steps.

use std::cell::Cell;
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use crate::error::{Error, Result};
use crate::log::{self, Log};

/// One step on the way to a container.
#[derive(Debug)]
pub struct Step {
    /// What is done, as errors name it.
    pub name: &'static str,
    /// Why.
    pub why: &'static str,
    /// The system calls; in parentheses those that are made only where they are needed.
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
    SEAL: "go on in a sealed copy of the runtime",
        "a container that could write to the runtime's own file would own the host (CVE-2019-5736)",
        "execveat (open_tree, mount_setattr, memfd_create)", "libcontainer/nsenter/cloned_binary.c";
    STATE: "make the container's directory",
        "the id is taken from now on",
        "mkdir", "libcontainer/factory_linux.go, Create";
    NOTE: "note down what is to be made",
        "should we be killed, delete knows what there is to clear",
        "openat, write (rename)", "libcontainer/container_linux.go, saveState";
    CGROUP: "make the control group and set its limits",
        "limits are set before the first process is in: there is no moment without them",
        "mkdir, openat, write (bpf)", "libcontainer/cgroups/fs, Apply and Set";
    SYSTEMD: "ask for systemd",
        "under systemd the tree of control groups is its own: who wants a group has it made",
        "socket, connect, sendto, recvfrom (write)", "libcontainer/cgroups/systemd/dbus.go";
    OWNERS: "give mounts other owners of their files",
        "only who owns a file system may say whose its files are; the mapping is a user namespace's, made for it",
        "open_tree, mount_setattr (clone3, openat, write)", "libcontainer/mount_linux.go, mountFd";
    CLONE: "give birth to init",
        "one clone3 makes a process that is born inside its new namespaces",
        "clone3", "libcontainer/nsenter/nsexec.c, three stages of clone and unshare";
    CLOCKS: "set the clocks apart",
        "an offset can be set while nobody lives by the clock, and never again: so before the birth",
        "unshare, openat, write", "(runc 1.1 has no time namespaces; since 1.2 in libcontainer/nsenter/nsexec.c)";
    JOIN_CGROUP: "go into the control group",
        "version 1 knows no birth in a control group: a process must go into each hierarchy",
        "write", "libcontainer/cgroups/fs, Apply";
    SCOPE: "have systemd make its control group, and set its limits",
        "a scope is made for processes that are there: this one waits, and is put into it",
        "sendto, recvfrom, openat, write (bpf)", "libcontainer/cgroups/systemd/v2.go, Apply and Set";
    ATTACH: "have systemd put it into the control group",
        "an ordinary user may not move a process from one part of the tree to another, and their systemd can have it done",
        "socket, connect, sendto, recvfrom", "(runc goes on without)";
    MAP_IDS: "map the ids",
        "a new user namespace knows nobody until its owner says who its root is",
        "openat, write (clone3)", "libcontainer/nsenter/nsexec.c, update_uidmap";
    OOM_SCORE: "set what the OOM killer thinks of it",
        "lowering it needs a privilege outside of the container",
        "openat, write", "libcontainer/nsenter/nsexec.c, update_oom_score_adj";
    RDT: "make its share of the processor's cache",
        "what a program of another container throws out of the cache, this one has to fetch again",
        "mkdir (openat, write)", "libcontainer/intelrdt/intelrdt.go, Apply and Set";
    RDT_ENTER: "put it there",
        "a process is in the group of its parent, until somebody writes its number elsewhere",
        "openat, write", "libcontainer/intelrdt/intelrdt.go, Apply";
    ROOM: "make room for its limits",
        "root of a user namespace may not raise them, and the runtime may",
        "prlimit64", "libcontainer/process_linux.go, setupRlimits";
    PROCESSORS: "let it run on its processors",
        "newer kernels remember those of the runtime's caller, even where the control group has others",
        "sched_setaffinity", "(runc 1.1 does not; since 1.4 in libcontainer/process_linux.go, tryResetCPUAffinity)";
    IO_PRIORITY: "set its priority in the use of disks",
        "real time needs a privilege outside of the container",
        "ioprio_set", "(runc 1.1 has none; since 1.2 in libcontainer/process_linux.go)";
    SCHEDULER: "set its scheduling",
        "more than an ordinary share needs a privilege outside of the container",
        "sched_setattr", "(runc 1.1 has none; since 1.2 in libcontainer/init_linux.go, setupScheduler)";
    HIDE: "let nobody look into this process",
        "who is in a namespace that we join could read our memory (CVE-2016-9962)",
        "prctl", "libcontainer/nsenter/nsexec.c, PR_SET_DUMPABLE";
    BECOME_ROOT: "become root of the user namespace",
        "the mapping is there; now our ids are those of its root",
        "setresgid, setresuid", "libcontainer/nsenter/nsexec.c, stage 2";
    DIE_TOGETHER: "die with the runtime",
        "a container in the foreground must not outlive a runtime that is killed",
        "prctl", "(runc lets it live on)";
    JOIN: "join the namespaces that are there",
        "a container may share some of another's, as the containers of a pod do",
        "setns", "libcontainer/nsenter/nsexec.c, join_namespaces";
    UNSHARE: "enter the other namespaces",
        "made after the mapping, they belong to the user namespace; made in its control group, that one is the root",
        "unshare", "libcontainer/nsenter/nsexec.c, stage 1 and 2";
    LOOPBACK: "bring up the loopback device",
        "a new network namespace has one, and it is down",
        "socket, sendto, recvfrom", "libcontainer/network_linux.go, loopback.initialize";
    ASK_FOR_DEVICES: "wait for the network devices",
        "they are the host's: only the runtime may take them from there",
        "socket, sendmsg, recvmsg", "(runc 1.1 moves none)";
    NET_DEVICES: "move the network devices",
        "a device is in one network namespace: it loses its addresses on the way, and gets them again",
        "socket, sendto, recvfrom", "(runc 1.1 moves none; since 1.4 in libcontainer/network_linux.go, netnsAttach)";
    PROCFS: "open a procfs that nobody has touched",
        "what is on the container's /proc may lead a write somewhere else (CVE-2019-16884, CVE-2025-52881)",
        "(fsopen, fsconfig, fsmount, open_tree, openat2)", "(runc 1.1 uses the container's; since 1.3.3 in internal/pathrs)";
    KEYRING: "join a session keyring of its own",
        "the keys of the runtime's caller are none of its business",
        "keyctl (openat2, write)", "libcontainer/standard_init_linux.go, JoinSessionKeyring";
    HOSTNAME: "set the hostname",
        "the UTS namespace began as a copy of the host's names",
        "sethostname", "libcontainer/standard_init_linux.go, Init";
    DOMAINNAME: "set the domain name",
        "the UTS namespace began as a copy of the host's names",
        "setdomainname", "(runc 1.1 has none; since 1.2 in libcontainer/standard_init_linux.go)";
    PROPAGATION: "stop mounts from spreading to the host",
        "the copied mounts are peers of the host's: what is mounted on one side appears on the other",
        "mount", "libcontainer/rootfs_linux.go, prepareRoot";
    BIND: "make the root filesystem a mount point",
        "pivot_root swaps mounts, and a plain directory is none",
        "open_tree, move_mount", "libcontainer/rootfs_linux.go, prepareRoot";
    MOUNTS: "mount the container's file systems",
        "each on a descriptor that was resolved inside the root filesystem",
        "openat2, move_mount (fsopen, fsconfig, fsmount, open_tree, mount_setattr, mkdirat, symlinkat)", "libcontainer/rootfs_linux.go, mountToRootfs";
    DEVICES: "make the devices",
        "every container has null, zero, full, random, urandom and tty, and links to its descriptors",
        "symlinkat (mknodat, openat2, mkdirat, open_tree, move_mount)", "libcontainer/rootfs_linux.go, createDevices";
    TERMINAL: "open a terminal",
        "its own, on the container's devpts; the other end goes to whoever looks on",
        "openat2, ioctl, setsid, dup3 (open_tree, move_mount)", "libcontainer/init_linux.go, setupConsole";
    SESSION: "leave the caller's session",
        "whoever shares a terminal can put words into it (TIOCSTI)",
        "setsid", "libcontainer/nsenter/nsexec.c, stage 2";
    PIVOT: "make the root filesystem the root",
        "the container's tree becomes /, and the host's is taken off",
        "fchdir, pivot_root, umount2, chdir", "libcontainer/rootfs_linux.go, pivotRoot";
    MOVE_ROOT: "move the root filesystem onto the root",
        "pivot_root takes no root on a ramfs; what is below is taken off, or covered",
        "openat, move_mount, umount2, fchdir, chroot, chdir (statfs, mount)", "libcontainer/rootfs_linux.go, msMoveRoot";
    PRESTART: "run the prestart hooks",
        "the container's namespaces are there, and its program is not: now the host may add to them",
        "pipe2, clone3, poll, waitid", "libcontainer/process_linux.go, procHooks";
    CREATE_RUNTIME: "run the createRuntime hooks",
        "the container's namespaces are there, and its program is not: now the host may add to them",
        "pipe2, clone3, poll, waitid", "libcontainer/process_linux.go, procHooks";
    CREATE_CONTAINER: "run the createContainer hooks",
        "before pivot_root both trees are in reach: a program of the host's may work on the container's",
        "pipe2, clone3, poll, waitid", "libcontainer/rootfs_linux.go, prepareRootfs";
    READ_ONLY: "make paths read-only",
        "parts of /proc steer the whole machine",
        "openat2 (open_tree, mount_setattr, move_mount)", "libcontainer/rootfs_linux.go, readonlyPath";
    MASK: "mask paths",
        "parts of /proc and /sys tell of the whole machine",
        "openat2 (open_tree, move_mount, fsopen, fsconfig, fsmount)", "libcontainer/rootfs_linux.go, maskPath";
    MAKE_CWD: "make the working directory",
        "the root filesystem has none of this name, and image builders count on it",
        "openat2, mkdirat", "libcontainer/rootfs_linux.go, prepareRootfs";
    ROOT_READ_ONLY: "make the root filesystem read-only",
        "now that everything is in it",
        "mount_setattr", "libcontainer/rootfs_linux.go, finalizeRootfs";
    ROOT_PROPAGATION: "say how mounts spread from the root",
        "a container may be made to pass its mounts on, or to hear of none",
        "mount", "libcontainer/rootfs_linux.go, setRootPropagation";
    SYSCTLS: "write the kernel's settings",
        "those of a namespace begin with the kernel's defaults",
        "openat2, write", "libcontainer/standard_init_linux.go, writeSystemProperty";
    LABELS: "set the labels for the program",
        "AppArmor and SELinux give them to the process when it becomes its program",
        "openat2, write", "libcontainer/standard_init_linux.go, ApplyProfile and SetExecLabel";
    LIMITS: "set the resource limits",
        "while we may still raise them",
        "prlimit64", "libcontainer/process_linux.go, setupRlimits";
    MEMORY_POLICY: "say from which nodes memory comes",
        "a machine with several processors has several memories, some of them nearer",
        "set_mempolicy", "(runc 1.1 has none; since 1.4 in libcontainer/init_linux.go, setupMemoryPolicy)";
    PERSONALITY: "choose the kernel that it sees",
        "before seccomp, which may forbid the call",
        "personality", "(runc 1.1 has none; since 1.2 in libcontainer/init_linux.go, setupPersonality)";
    BOUNDING: "cut the bounding set",
        "what is not in it can never come back, not even by a setuid program",
        "prctl", "libcontainer/capabilities/capabilities.go, ApplyBoundingSet";
    CWD: "go to the working directory",
        "the program starts where its config says",
        "chdir", "libcontainer/init_linux.go, finalizeNamespace";
    IDENTITY: "become the user",
        "groups first: afterwards we may not change them any more",
        "setgroups, setresgid, setresuid (prctl)", "libcontainer/init_linux.go, setupUser";
    CAPABILITIES: "set the capabilities",
        "the change of ids took those that count; now it gets exactly its own",
        "capset (prctl)", "libcontainer/capabilities/capabilities.go, ApplyCaps";
    FIND: "find the program",
        "execve takes a path: somebody has to search PATH, and it is the container's",
        "access", "libcontainer/standard_init_linux.go, exec.LookPath";
    NO_NEW_PRIVILEGES: "rule out new privileges",
        "from now on no execve gives more than there is (no_new_privs)",
        "prctl", "libcontainer/standard_init_linux.go, Init";
    WAIT_FOR_START: "wait for start",
        "create ends here; the program must not run before start",
        "accept4", "libcontainer/standard_init_linux.go, opens exec.fifo";
    WAIT_FOR_GO: "wait for the word to start",
        "run is create and start in one: the word comes from the same process",
        "recvmsg", "libcontainer/standard_init_linux.go, opens exec.fifo";
    START_CONTAINER: "run the startContainer hooks",
        "the container prepares itself: they are its own programs, and do what its program may do",
        "pipe2, clone3, poll, waitid", "libcontainer/standard_init_linux.go, Init";
    REAPER: "stay as PID 1 and give birth to the program",
        "PID 1 adopts every orphan; this one also buries them",
        "clone3, signalfd, waitid", "(an engine puts tini or catatonit in front)";
    SIGNALS: "give signals back their defaults",
        "a blocked signal stays blocked, an ignored one ignored, across execve",
        "rt_sigprocmask, rt_sigaction", "(Go catches signals, and execve resets what is caught)";
    SLATE: "prepare a last word",
        "the filter may forbid to say it: a number in memory that the other side holds too needs no call",
        "memfd_create, ftruncate, mmap, sendmsg", "(runc says nothing once the filter is loaded)";
    SECCOMP: "load the seccomp filter",
        "last, for it may forbid all that we do; told before it is done, for it may forbid to tell",
        "seccomp (sendmsg, read)", "libcontainer/seccomp/seccomp_linux.go, InitSeccomp";
    EXECVE: "become the program",
        "the last step: the kernel replaces us, keeps our PID and closes what is close-on-exec",
        "execve", "libcontainer/standard_init_linux.go, system.Exec";
    PUBLISH: "say that it is created",
        "what was noted down is the container's state from now on",
        "rename", "libcontainer/container_linux.go, saveState";
    START: "start the program",
        "connecting lets init go on; the connection closes by itself when execve works",
        "connect, recvmsg", "libcontainer/container_linux.go, exec and handleFifoResult";
    GO_ON: "start the program",
        "the word goes by the channel, which closes by itself when execve works",
        "sendmsg, recvmsg", "libcontainer/container_linux.go, exec and handleFifoResult";
    POSTSTART: "run the poststart hooks",
        "somebody wants to know that the program runs",
        "pipe2, clone3, poll, waitid", "libcontainer/container_linux.go, postStart";
    BEAR: "give birth to the session",
        "nobody changes their own PID namespace: a middle process goes into the container, and is a parent there",
        "clone3 (twice)", "libcontainer/nsenter/nsexec.c, stages 1 and 2";
    ENTER: "enter the container",
        "one call joins all namespaces of its init",
        "setns", "libcontainer/nsenter/nsexec.c, join_namespaces";
    CHECKPOINT: "let CRIU write it to files",
        "CRIU reads a process from inside, by code that it puts there, and then kills it or lets it go on",
        "clone3, execve, sendmsg, recvmsg", "libcontainer/container_linux.go, Checkpoint";
    RESTORE: "let CRIU make it again from files",
        "each process is born with the number it had, and given its memory, its files and its namespaces",
        "clone3, execve, sendmsg, recvmsg", "libcontainer/container_linux.go, Restore";
    WAIT: "wait for the end of the program, handing signals on",
        "a pidfd is readable when its process has ended",
        "poll, waitid", "signals.go, forward";
    REMOVE_CGROUP: "remove the control group",
        "nobody is in it any more, or must not be",
        "rmdir", "libcontainer/state_linux.go, destroy";
    STOP_UNIT: "have systemd stop its scope",
        "systemd notices an empty one by itself, and only some time later: the name could not be used again at once",
        "socket, connect, sendto, recvfrom", "libcontainer/cgroups/systemd/v2.go, Destroy";
    REMOVE_RDT: "remove its share of the processor's cache",
        "there are few classes: the processor counts them",
        "rmdir", "libcontainer/intelrdt/intelrdt.go, Destroy";
    REMOVE: "remove the container's directory",
        "nothing of it is left",
        "unlink, rmdir (unlinkat)", "libcontainer/state_linux.go, destroy";
    POSTSTOP: "run the poststop hooks",
        "nothing is left of the container: what was made for it elsewhere may go as well",
        "pipe2, clone3, poll, waitid", "libcontainer/state_linux.go, runPoststopHooks";
}

/// Who tells it, where it is not a process that the runtime made.
const MAIN: &str = "main";

/// How a narration looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A step is a paragraph.
    Story,
    /// A step is a line of a log ([`log::line`]); without `steps`, there are warnings alone.
    Lines { steps: bool },
}

/// Narrates to a descriptor, or to nobody; and says to the log what somebody should know.
#[derive(Debug)]
pub struct Explain {
    out: Option<File>,
    form: Form,
    log: Option<Log>,
    who: Cell<&'static str>,
    debug: bool,
    count: Cell<u32>,
}

impl Explain {
    /// Says nothing.
    pub fn silent() -> Explain {
        let (who, count) = (Cell::new(MAIN), Cell::new(0));
        Explain { out: None, form: Form::Story, log: None, who, debug: false, count }
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

    /// As [`Explain::to_stderr`], in lines of a log: warnings, and the `steps` where they are asked for.
    ///
    /// # Errors
    /// As [`Explain::to_stderr`].
    pub fn lines_to_stderr(steps: bool) -> Result<Explain> {
        Ok(Explain { form: Form::Lines { steps }, ..Explain::to_stderr()? })
    }

    /// The same, with a log.
    #[must_use]
    pub fn with_log(mut self, log: Option<Log>) -> Explain {
        self.log = log;
        self
    }

    /// The descriptors it writes to.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let log = self.log.as_ref().map(Log::file);
        self.out.as_ref().into_iter().chain(log).map(AsFd::as_fd)
    }

    /// The same narration, told by init from here on. For the cloned child, which keeps no log: what it has to say goes
    /// to the runtime.
    pub fn told_by_init(&self) -> Explain {
        // Where the copy fails, init is silent: the container goes first.
        let out = self.out.as_ref().and_then(|out| out.try_clone().ok());
        Explain { out, form: self.form, log: None, who: Cell::new("init"), debug: false, count: Cell::new(0) }
    }

    /// From here on it is told by `who`, which begins to count anew: a process that was just cloned, and has a copy of its
    /// parent's.
    pub fn goes_on_as(&self, who: &'static str) {
        self.who.set(who);
        self.count.set(0);
    }

    /// Takes a step: does `act`, tells of it, and names the step in its error.
    ///
    /// # Errors
    /// That of `act`.
    pub fn step<T>(&self, step: &Step, act: impl FnOnce() -> Result<T>) -> Result<T> {
        if self.out.is_none() {
            return act().map_err(|error| error.at(step.name));
        }
        let begin = Instant::now();
        let result = act().map_err(|error| error.at(step.name));
        self.tell(step, begin, if result.is_ok() { "" } else { "  FAILED" });
        result
    }

    /// As [`Explain::step`], of one that may turn out not to be for us to take: then `act` says `false`, and nothing is told.
    ///
    /// # Errors
    /// That of `act`.
    pub fn step_if(&self, step: &Step, act: impl FnOnce() -> Result<bool>) -> Result<()> {
        let begin = Instant::now();
        match act().map_err(|error| error.at(step.name)) {
            Ok(true) => self.tell(step, begin, ""),
            Ok(false) => {}
            Err(error) => {
                self.tell(step, begin, "  FAILED");
                return Err(error);
            }
        }
        Ok(())
    }

    /// Tells of a step that cannot be looked back on, because it does not return.
    pub fn last_step(&self, step: &Step) {
        self.tell(step, Instant::now(), "");
    }

    /// Says what somebody should know who asked for something else: to the log and the narration, and to standard error
    /// where a person looks on. Engines take every word there for a failure.
    pub fn warn(&self, words: &str) {
        self.warn_in_log(words);
        if self.out.is_none() && std::io::stderr().is_terminal() {
            eprint!("{}", self.warning(words));
        }
    }

    /// As [`Explain::warn`], of what is so common that nobody wants to read it who did not ask: it is no word for a person
    /// at a terminal.
    pub fn warn_in_log(&self, words: &str) {
        if let Some(log) = &self.log {
            log.say("warning", words);
        }
        if let Some(mut out) = self.out.as_ref() {
            let _ = out.write_all(self.warning(words).as_bytes());
        }
    }

    fn warning(&self, words: &str) -> String {
        match self.form {
            Form::Story => format!("coracle: warning: {words}\n"),
            Form::Lines { .. } => log::line("WARN", self.role(), words),
        }
    }

    /// The same, which also says what only who looks for a mistake wants to know (`--debug`).
    #[must_use]
    pub fn debugging(mut self, debug: bool) -> Explain {
        self.debug = debug;
        self
    }

    /// Says it with `--debug`: to the log, else on standard error.
    pub fn debug(&self, words: &str) {
        match &self.log {
            _ if !self.debug => {}
            Some(log) => log.say("debug", words),
            None => eprintln!("{}", log::text("debug", words)),
        }
    }

    /// Says to the log what went wrong.
    pub fn error(&self, words: &str) {
        if let Some(log) = &self.log {
            log.say("error", words);
        }
    }

    fn role(&self) -> &'static str {
        if self.who.get() == MAIN { "PARENT" } else { "CHILD" }
    }

    fn tell(&self, step: &Step, begin: Instant, failed: &str) {
        let Some(mut out) = self.out.as_ref() else { return };
        self.count.set(self.count.get() + 1);
        let (who, count, micros) = (self.who.get(), self.count.get(), begin.elapsed().as_micros());
        let text = match self.form {
            Form::Story => format!(
                "[{who} {count}] {}{failed} ({micros} us)\n    why:   {}\n    calls: {}\n    runc:  {}\n",
                step.name, step.why, step.calls, step.runc
            ),
            Form::Lines { steps: true } => {
                let words = format!("{}{failed}: {} ({micros} us)", step.name, step.calls);
                log::line("DEBUG", self.role(), &words)
            }
            Form::Lines { steps: false } => return,
        };
        // A narration nobody can read must not stop the container.
        let _ = out.write_all(text.as_bytes());
    }
}
