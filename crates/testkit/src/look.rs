//! What a process looks like from the host, to see whether somebody has touched it.

use std::path::{Path, PathBuf};

use crate::command::Running;
use crate::failure::OrHarness;
use crate::session::{Program, children};

/// What stays the same of a process that nobody touches, and that waits.
#[derive(Debug, PartialEq, Eq)]
pub struct Look {
    /// When it was born, in clock ticks since the machine's boot; `None` where it is gone.
    pub start_time: Option<u64>,
    /// Its children, the dead ones that it has not buried among them.
    pub children: String,
    /// Its open descriptors, and what they point to.
    pub descriptors: Vec<(String, PathBuf)>,
}

impl Program {
    /// What it looks like now.
    pub fn look(&self) -> Look {
        let folder = Path::new("/proc").join(self.pid.to_string());
        let of_thread = folder.join("task").join(self.pid.to_string()).join("children");
        let open = std::fs::read_dir(folder.join("fd")).or_harness("list its descriptors").flatten();
        let named = open.map(|fd| (fd.file_name().to_string_lossy().into_owned(), fd.path()));
        let mut descriptors: Vec<_> =
            named.map(|(name, path)| (name, std::fs::read_link(path).unwrap_or_default())).collect();
        descriptors.sort();
        Look {
            start_time: self.start_time(),
            children: std::fs::read_to_string(of_thread).or_harness("list its children"),
            descriptors,
        }
    }
}

impl Running {
    /// The children of the runtime's process, seen from the real host: the dead ones that it has not buried among them.
    pub fn children(&self) -> Vec<Program> {
        children(self.pid()).into_iter().flatten().map(|pid| Program { pid }).collect()
    }

    /// The process that this exec has made, seen from the real host: its youngest child. To be asked once its program has
    /// reported.
    #[track_caller]
    pub fn session(&self) -> Program {
        let youngest = self.children().into_iter().max_by_key(|child| child.pid);
        youngest.unwrap_or_else(|| panic!("exec has no child: the session is somebody else's"))
    }
}
