//! What the checks' tests share: the real course, and its programs, built once.

use std::path::Path;
use std::sync::OnceLock;

use book::check::Tools;
use course::Course;

/// The course around this package.
pub(crate) fn course() -> Course {
    Course::find(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("the course around this package")
}

/// The programs that transcripts run.
pub(crate) fn tools() -> &'static Tools {
    static TOOLS: OnceLock<Tools> = OnceLock::new();
    TOOLS.get_or_init(|| Tools::build(&course().root).expect("the programs build"))
}
