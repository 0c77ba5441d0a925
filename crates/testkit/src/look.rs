//! What a process looks like from the host, to see whether somebody has touched it.

use std::path::{Path, PathBuf};

use crate::command::Running;
use crate::failure::OrHarness;
use crate::session::{Program, first_child};

/// What stays the same of a process that nobody touches, and that waits.
#[derive(Debug, PartialEq, Eq)]
pub struct Look {
    /// When it was born, in clock ticks since the machine's boot (proc_pid_stat(5)).
    pub start_time: String,
    /// Its children, the dead ones that it has not buried among them.
    pub children: String,
    /// Its open descriptors, and what they point to.
    pub descriptors: Vec<(String, PathBuf)>,
}

impl Program {
    /// What it looks like now.
    pub fn look(&self) -> Look {
        let folder = Path::new("/proc").join(self.pid.to_string());
        let stat = std::fs::read_to_string(folder.join("stat")).or_harness("read its stat");
        // The name, in parentheses, may be anything; the state behind it is the third field, this one the 22nd.
        let start_time = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(22 - 3));
        let of_thread = folder.join("task").join(self.pid.to_string()).join("children");
        let open = std::fs::read_dir(folder.join("fd")).or_harness("list its descriptors").flatten();
        let named = open.map(|fd| (fd.file_name().to_string_lossy().into_owned(), fd.path()));
        let mut descriptors: Vec<_> =
            named.map(|(name, path)| (name, std::fs::read_link(path).unwrap_or_default())).collect();
        descriptors.sort();
        Look {
            start_time: start_time.unwrap_or_default().to_owned(),
            children: std::fs::read_to_string(of_thread).or_harness("list its children"),
            descriptors,
        }
    }
}

impl Running {
    /// The process that this exec has made, seen from the real host. To be asked once its program has reported.
    pub fn session(&self) -> Program {
        Program { pid: first_child(self.pid()) }
    }
}
