//! Whether the host is as it was before a run.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::failure::{Class, OrHarness, fail};
use crate::vm::patient;

/// How long the killed may take to be gone, on a machine that has much else to do.
pub(crate) const GONE: Duration = Duration::from_secs(4);

/// What must not change.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Host {
    mounts: String,
    hostname: String,
}

impl Host {
    /// As it is now.
    pub(crate) fn now() -> Host {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").or_harness("read our mounts");
        let hostname = nix::unistd::gethostname().or_harness("read our hostname");
        Host { mounts, hostname: hostname.to_string_lossy().into_owned() }
    }

    /// Fails the test where the host is not as it was, or a process of the run still lives.
    pub(crate) fn assert_unchanged(&self, trace: &Trace) {
        let now = Host::now();
        if now != *self {
            fail(Class::Harness, format!("a leak: the host was changed: before {self:#?}, after {now:#?}"));
        }
        // Those that were killed need a moment to be gone.
        let end = Instant::now() + patient(GONE);
        let mut left = trace.processes();
        while !left.is_empty() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(2));
            left = trace.processes();
        }
        if !left.is_empty() {
            fail(Class::Harness, format!("a leak: processes of the run still live: {left:?}"));
        }
    }
}

/// What the processes of a run are known by.
#[derive(Debug)]
pub(crate) struct Trace {
    /// `NAME=value` in the environment; a runtime may have emptied it.
    pub(crate) mark: String,
    /// The net's PID namespace, where it came that far. It cannot be left.
    pub(crate) namespace: Option<u64>,
}

impl Trace {
    /// Those that live, as far as we may look.
    fn processes(&self) -> Vec<String> {
        let namespace = self.namespace.map(|inode| format!("pid:[{inode}]"));
        // Stage 2 outlives all others of its namespace, and is then a zombie until the host's init finds the time.
        let dead = |path: &Path| {
            let stat = std::fs::read_to_string(path.join("stat")).unwrap_or_default();
            stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']))
        };
        let ours = |path: &Path| {
            let inside = std::fs::read_link(path.join("ns/pid"));
            let environ = || std::fs::read(path.join("environ")).unwrap_or_default();
            inside.is_ok_and(|link| link.to_str() == namespace.as_deref())
                || environ().windows(self.mark.len()).any(|part| part == self.mark.as_bytes())
        };
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        entries
            .filter(|entry| entry.file_name().to_string_lossy().bytes().all(|b| b.is_ascii_digit()))
            .filter(|entry| ours(&entry.path()) && !dead(&entry.path()))
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect()
    }
}
