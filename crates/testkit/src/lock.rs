//! A lock that a test holds, to see who waits for it.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::failure::OrHarness;

/// A directory that is locked by us (flock(2)), until this is dropped.
#[derive(Debug)]
pub struct Lock {
    folder: File,
}

impl Lock {
    /// Waits until nobody else has it.
    pub fn of(folder: &Path) -> Lock {
        let folder = File::open(folder).or_harness("open the directory to lock");
        folder.lock().or_harness("lock the directory");
        Lock { folder }
    }

    /// Whether somebody waits for it: proc_locks(5) shows those behind `->`, and the inode in the last part of a field.
    pub fn is_awaited(&self) -> bool {
        let inode = self.folder.metadata().or_harness("stat the directory").ino().to_string();
        let waits = |line: &str| {
            let mut words = line.split_whitespace();
            words.any(|word| word == "->") && words.any(|word| word.rsplit(':').next() == Some(&inode))
        };
        std::fs::read_to_string("/proc/locks").or_harness("read /proc/locks").lines().any(waits)
    }
}
