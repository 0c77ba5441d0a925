//! What changes on the disk, as the kernel tells it (inotify), or by looking again and again where it can't.

use std::path::Path;
use std::sync::mpsc::Sender;
use std::time::Duration;

use anyhow::{Context, Result};
use course::Course;
use notify::event::ModifyKind;
use notify::{Config, EventKind, PollWatcher, RecommendedWatcher, RecursiveMode, Watcher};

use super::Event;

/// Watches as long as it lives.
pub(super) struct Eye(#[expect(dead_code, reason = "dropping it ends the watching")] Box<dyn Watcher>);

impl Eye {
    /// Watches the runtime's sources and the lessons, and `verdicts`, the folder that a run writes to.
    pub(super) fn open(course: &Course, verdicts: &Path, send: &Sender<Event>) -> Result<Self> {
        let at_once = RecommendedWatcher::new(teller(verdicts, send), Config::default());
        let mut watcher: Box<dyn Watcher> = match at_once {
            Ok(watcher) => Box::new(watcher),
            // The limits of inotify(7) are per user, and an editor may have used them up.
            Err(_) => Box::new(PollWatcher::new(
                teller(verdicts, send),
                Config::default().with_poll_interval(Duration::from_secs(1)),
            )?),
        };
        let source = course.source();
        let lessons = course.root.join("lessons");
        for (folder, mode) in [
            (source.as_path(), RecursiveMode::Recursive),
            (&lessons, RecursiveMode::Recursive),
            (verdicts, RecursiveMode::NonRecursive),
        ] {
            watcher.watch(folder, mode).with_context(|| format!("watching {}", folder.display()))?;
        }
        Ok(Self(watcher))
    }
}

fn teller(verdicts: &Path, send: &Sender<Event>) -> impl Fn(notify::Result<notify::Event>) + Send + 'static {
    let (verdicts, send) = (verdicts.to_owned(), send.clone());
    move |event| {
        let Ok(event) = event else { return };
        // A build reads every file, and cargo sets times; neither is a change.
        let written = match event.kind {
            EventKind::Modify(ModifyKind::Metadata(_)) => false,
            EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) => true,
            EventKind::Any | EventKind::Access(_) | EventKind::Other => false,
        };
        let event = if event.paths.iter().any(|path| path.starts_with(&verdicts)) {
            written.then_some(Event::Verdict)
        } else {
            (written && event.paths.iter().any(|path| is_source(path))).then_some(Event::Changed)
        };
        if let Some(event) = event {
            // The receiver is gone when the program ends.
            let _ = send.send(event);
        }
    }
}

/// Not what editors keep beside a file while it is open.
fn is_source(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden && path.extension().is_some_and(|extension| extension == "rs" || extension == "toml")
}
