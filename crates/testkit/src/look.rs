//! What a process looks like from the host, to see whether somebody has touched it.

use std::path::{Path, PathBuf};

use crate::command::Running;
use crate::failure::OrHarness;
use crate::session::Program;

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
    /// The children of the runtime's process, seen from the real host: the dead ones that it has not buried among them.
    pub fn children(&self) -> Vec<Program> {
        let runtime = Path::new("/proc").join(self.pid().to_string());
        let threads = std::fs::read_dir(runtime.join("task")).or_harness("list its threads").flatten();
        let texts = threads.map(|thread| std::fs::read_to_string(thread.path().join("children")));
        let numbers = texts.flatten().collect::<String>();
        numbers.split_whitespace().filter_map(|pid| Some(Program { pid: pid.parse().ok()? })).collect()
    }

    /// The process that this exec has made, seen from the real host: its youngest child. To be asked once its program has
    /// reported.
    #[track_caller]
    pub fn session(&self) -> Program {
        let youngest = self.children().into_iter().max_by_key(|child| child.pid);
        youngest.unwrap_or_else(|| panic!("exec has no child: the session is somebody else's"))
    }
}
