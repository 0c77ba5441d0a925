//! Building ahead: a second bench takes the variants from the last one on, while the proof takes them from the first.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, bail};
use course::{Course, Tree};

use super::bench::{Bench, Shelf};

/// Who builds what: by the keys of the variants.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// What the proof has come to itself.
    taken: BTreeSet<u64>,
    /// What the second bench builds now.
    now: Option<u64>,
    stopped: bool,
}

/// Stops the building ahead, after the build that is under way.
#[derive(Debug)]
pub(in crate::prove) struct Stop(pub(super) std::sync::Arc<Ahead>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.state().stopped = true;
    }
}

impl Ahead {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The proof comes to this variant: waits where it is under way.
    pub(super) fn take(&self, key: u64) {
        let mut state = self.state();
        state.taken.insert(key);
        while state.now == Some(key) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Builds one tree after the other, until it is stopped, on a bench beside `first`, which has built something by now.
    pub(super) fn work(
        &self,
        shelf: &Shelf,
        first: &Bench,
        course: &Course,
        trees: impl Iterator<Item = Result<Tree>>,
    ) -> Result<()> {
        let bench = Bench::new(&shelf.folder, "-ahead");
        bench.fill(&course.root)?;
        if !bench.target.is_dir() {
            // With the dependencies in it, which need not be built again.
            copy_folder(&first.target, &bench.target)?;
        }
        for tree in trees {
            let tree = tree?;
            let key = shelf.key(&tree);
            {
                let mut state = self.state();
                if state.stopped {
                    return Ok(());
                }
                if state.taken.contains(&key) || shelf.known(key).is_some() {
                    continue;
                }
                state.now = Some(key);
            }
            let built = shelf.build(&bench, course, &tree, key);
            self.state().now = None;
            self.changed.notify_all();
            built?;
        }
        Ok(())
    }
}

/// Copies a folder with all times, by which cargo knows what is new.
fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status().context("running cp")?;
    if !status.success() {
        // A part of it would be taken for the whole.
        let _ = std::fs::remove_dir_all(to);
        bail!("cp -a {} {}: {status}", from.display(), to.display());
    }
    Ok(())
}
