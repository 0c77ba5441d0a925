//! What the checks' tests share: the real course, and its programs, built once.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use book::check::Tools;
use course::Course;

/// The course around this package.
pub(crate) fn course() -> Course {
    Course::find(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("the course around this package")
}

/// The programs that transcripts run. Their folder goes with the last test that has them, as nothing would remove it at the
/// end of the process.
pub(crate) fn tools() -> Arc<Tools> {
    static TOOLS: Mutex<Weak<Tools>> = Mutex::new(Weak::new());
    let mut shared = TOOLS.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let built = Arc::new(Tools::build(&course().root).expect("the programs build"));
        *shared = Arc::downgrade(&built);
        built
    })
}
