//! Hooks: programs of the host's, or of the container's, that run when something becomes of the container (runtime-spec,
//! config.md, "POSIX-platform Hooks"; runtime.md, "Lifecycle").
//!
//! ```text
//! create   namespaces, mounts   prestart        outside   \
//!                               createRuntime   outside    | a failure ends the container:
//!                               createContainer inside, its file is the host's
//!          pivot_root                                      | it is stopped and destroyed,
//! start                         startContainer  inside     | then come the poststop hooks
//!          the program runs     poststart       outside   /
//! delete   nothing is left      poststop        outside     a failure is a warning
//! ```
//!
//! A hook reads the container's state on its standard input. What it says is not shown, as with runc: where it fails, the
//! error has the end of it.

mod process;

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fmt::Display;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::SigSet;
use nix::sys::stat::Mode;
use serde_json::{Value, json};

use crate::channel::Channel;
use crate::error::{Error, Result};
use crate::explain::{self, Explain, Step};
use crate::seccomp::Filter;
use crate::signal::Held;

/// When hooks run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// As createRuntime, before it. Deprecated.
    Prestart,
    /// As part of create, in the runtime's namespaces, when the container's are made and before pivot_root(2).
    CreateRuntime,
    /// After that, in the container's namespaces; the program is found in the runtime's.
    CreateContainer,
    /// As part of start, in the container, before the program.
    StartContainer,
    /// As part of start, in the runtime's namespaces, when the program runs.
    Poststart,
    /// As part of delete, in the runtime's namespaces, when nothing is left of the container.
    Poststop,
}

impl Moment {
    /// All of them, in their order.
    pub const ALL: [Moment; 6] = [
        Moment::Prestart,
        Moment::CreateRuntime,
        Moment::CreateContainer,
        Moment::StartContainer,
        Moment::Poststart,
        Moment::Poststop,
    ];

    /// Its name in a config.
    pub fn name(self) -> &'static str {
        match self {
            Moment::Prestart => "prestart",
            Moment::CreateRuntime => "createRuntime",
            Moment::CreateContainer => "createContainer",
            Moment::StartContainer => "startContainer",
            Moment::Poststart => "poststart",
            Moment::Poststop => "poststop",
        }
    }

    fn step(self) -> &'static Step {
        match self {
            Moment::Prestart => &explain::PRESTART,
            Moment::CreateRuntime => &explain::CREATE_RUNTIME,
            Moment::CreateContainer => &explain::CREATE_CONTAINER,
            Moment::StartContainer => &explain::START_CONTAINER,
            Moment::Poststart => &explain::POSTSTART,
            Moment::Poststop => &explain::POSTSTOP,
        }
    }
}

/// A program to run at some moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// Its absolute path.
    pub path: CString,
    /// Its arguments, its own name the first of them.
    pub args: Vec<CString>,
    /// Its whole environment: nothing of ours is in it.
    pub env: Vec<CString>,
    /// After how long it is killed; `None`: never.
    pub timeout: Option<Duration>,
}

/// A container's hooks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hooks([Vec<Hook>; 6]);

impl Hooks {
    /// Those of `moment`, in their order.
    pub fn at(&self, moment: Moment) -> &[Hook] {
        &self.0[moment as usize]
    }

    /// Sets those of `moment`.
    pub fn set(&mut self, moment: Moment, hooks: Vec<Hook>) {
        self.0[moment as usize] = hooks;
    }

    /// Whether there is one that runs after create.
    pub fn has_later(&self) -> bool {
        let later = [Moment::StartContainer, Moment::Poststart, Moment::Poststop];
        later.iter().any(|moment| !self.at(*moment).is_empty())
    }

    /// Whether the runtime has one to run while init waits for that.
    pub fn has_runtimes(&self) -> bool {
        [Moment::Prestart, Moment::CreateRuntime].iter().any(|moment| !self.at(*moment).is_empty())
    }

    /// Runs those of `moment` in their order, until one fails. None at all is no step, and no call.
    ///
    /// # Errors
    /// [`Error::Hook`] with the first that fails; [`Error::Interrupted`]; those of making a process.
    pub fn run(&self, moment: Moment, state: &[u8], place: &Place<'_>, explain: &Explain) -> Result<()> {
        if self.at(moment).is_empty() {
            return Ok(());
        }
        let mut hooks = self.at(moment).iter().enumerate();
        explain.step(moment.step(), || {
            hooks.try_for_each(|(number, hook)| run_one(hook, moment, number, state, place))
        })
    }

    /// Runs those after a container's end: each of them, whatever became of the others. A failure is a warning.
    pub fn run_poststop(&self, state: &[u8], place: &Place<'_>, explain: &Explain) {
        let hooks = self.at(Moment::Poststop);
        if hooks.is_empty() {
            return;
        }
        let all = explain.step(Moment::Poststop.step(), || {
            for (number, hook) in hooks.iter().enumerate() {
                if let Err(error) = run_one(hook, Moment::Poststop, number, state, place) {
                    explain.warn(&error.to_string());
                }
            }
            Ok(())
        });
        all.expect("no failure of a hook is one of this step");
    }
}

fn run_one(hook: &Hook, moment: Moment, number: usize, state: &[u8], place: &Place<'_>) -> Result<()> {
    process::run(hook, state, place)?.map_err(|problem| Error::Hook {
        moment: moment.name(),
        number,
        path: hook.path.to_string_lossy().into_owned(),
        problem,
    })
}

/// What a hook begins with, and what ends it before its time.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Its working directory.
    pub folder: Folder<'a>,
    /// Its file mode creation mask; `None`: ours.
    pub umask: Option<Mode>,
    /// The signals that it blocks; `None`: those that we block.
    pub mask: Option<&'a SigSet>,
    /// What ends it before its time.
    pub until: Until<'a>,
    /// The filter that it is put under, and who takes the filter's listener to its supervisor.
    pub filter: Option<(&'a Filter, &'a Channel)>,
}

impl<'a> Place<'a> {
    /// Outside of the container, in the bundle's folder (as with runc), where it is still there; with `held`, until a
    /// signal asks us to end.
    pub fn of_runtime(bundle: &'a Path, held: Option<&'a Held>) -> Place<'a> {
        Place {
            folder: Folder::Path(bundle),
            umask: None,
            mask: held.map(|held| &held.before),
            until: held.map_or(Until::End, Until::Signal),
            filter: None,
        }
    }
}

/// A hook's working directory.
#[derive(Debug, Clone, Copy)]
pub enum Folder<'a> {
    /// Where we are.
    Here,
    /// That of this path, or where we are, if it is gone.
    Path(&'a Path),
    /// An open one.
    Open(BorrowedFd<'a>),
}

/// What ends a hook before its time, besides its timeout.
#[derive(Debug, Clone, Copy)]
pub enum Until<'a> {
    /// Nothing.
    End,
    /// A signal that asks us to end.
    Signal(&'a Held),
    /// That the other end of this socket is closed: the runtime is gone, and nobody would go on.
    Silence(BorrowedFd<'a>),
}

/// What a hook is told on its standard input: the state of the container (runtime-spec, runtime.md, "State"). `pid` is init's
/// number where the hook is; there is none before init's birth and after its end.
pub fn told(
    id: &str,
    bundle: &Path,
    annotations: &BTreeMap<String, String>,
    status: impl Display,
    pid: Option<i32>,
) -> Vec<u8> {
    state(id, bundle, annotations, status, pid).to_string().into_bytes()
}

/// The state of a container as the specification has it (runtime-spec, runtime.md, "State"): what hooks and supervisors are
/// told, and the beginning of what `state` says.
pub fn state(
    id: &str,
    bundle: &Path,
    annotations: &BTreeMap<String, String>,
    status: impl Display,
    pid: Option<i32>,
) -> Value {
    let mut state = json!({
        "ociVersion": crate::OCI_VERSION,
        "id": id,
        "status": status.to_string(),
        "bundle": bundle.to_string_lossy(),
    });
    if let Some(pid) = pid {
        state["pid"] = json!(pid);
    }
    if !annotations.is_empty() {
        state["annotations"] = json!(annotations);
    }
    state
}
