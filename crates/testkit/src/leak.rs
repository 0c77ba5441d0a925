//! Whether the host is as it was before a run.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::failure::{Class, OrHarness, fail};

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

    /// Fails the test where the host is not as it was, or a process of the run that carries `mark` in its
    /// environment still lives.
    pub(crate) fn assert_unchanged(&self, mark: &str) {
        let now = Host::now();
        if now != *self {
            fail(Class::Harness, format!("a leak: the host was changed: before {self:#?}, after {now:#?}"));
        }
        // Those that were killed need a moment to be gone.
        let end = Instant::now() + Duration::from_secs(2);
        while !marked(mark).is_empty() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(2));
        }
        let left = marked(mark);
        if !left.is_empty() {
            fail(Class::Harness, format!("a leak: processes of the run still live: {left:?}"));
        }
    }
}

/// The processes that have `mark` in their environment, as far as we may look.
fn marked(mark: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let has = |path: &Path| {
        let environ = std::fs::read(path.join("environ")).unwrap_or_default();
        environ.windows(mark.len()).any(|part| part == mark.as_bytes())
    };
    entries
        .filter(|entry| entry.file_name().to_string_lossy().bytes().all(|b| b.is_ascii_digit()))
        .filter(|entry| has(&entry.path()))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}
