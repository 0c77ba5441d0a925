//! `cargo lesson trace`: the calls of a lesson as the kernel sees them, ours beside those of another runtime.
//!
//! ```text
//! guide    what to run, and how to read it: lessons/NN-slug/trace.toml
//! runtime  the two runtimes
//! bundle   the container, the same for both
//! net      a machine within this one, where they run
//! strace   what strace wrote, as calls
//! wording  a call as a person wants to read it
//! compare  which calls do the same
//! page     the two columns
//! ```

mod bundle;
mod compare;
mod guide;
mod net;
mod page;
mod runtime;
mod strace;
mod wording;

use std::path::Path;

use anyhow::{Result, bail};
use course::Course;

use super::ink::Ink;
use guide::Guide;
use net::Net;
use runtime::Runtime;

pub use net::stage as trace_stage;

/// How `trace` is asked.
#[derive(Debug, Default)]
pub struct Trace {
    /// The other runtime: a name or a path. `None`: ours alone.
    pub against: Option<String>,
    /// The columns of the page; `None`: those of the terminal.
    pub width: Option<usize>,
    /// Every call of a step, however many.
    pub all: bool,
    /// JSON instead of a page.
    pub json: bool,
}

/// Runs lesson `number`'s container under strace and shows the calls that the lesson is about.
///
/// # Errors
/// Fails where strace or a runtime is missing, where a container does not run, and where functions of the lesson are
/// still open.
pub fn trace(course: &Course, number: u32, wish: &Trace) -> Result<()> {
    // An author may look at a lesson in the making: its functions are in the runtime already.
    let lesson = match course.with_drafts().into_iter().find(|lesson| lesson.number == number) {
        Some(lesson) => lesson,
        None => course.lesson(number)?,
    };
    let Some(guide) = Guide::load(lesson)? else {
        match wish.json {
            true => println!("null"),
            false => println!("Lesson {number} has nothing to trace: {}.", lesson.title),
        }
        return Ok(());
    };
    if let Some(open) = course.first_open()?.filter(|open| *open <= number) {
        bail!(
            "lesson {open} has open functions, and trace shows what finished ones do. Go on with: cargo lesson test {open}"
        );
    }
    runtime::strace()?;
    let theirs = wish.against.as_deref().map(Runtime::named).transpose()?;
    let (ours, probe) = Runtime::ours(&course.root)?;
    let hybrid = theirs.as_ref().is_some_and(|runtime| runtime.name == "crun");
    let run = |runtime: &Runtime| Net { runtime, probe: &probe, guide: &guide, hide_unified: hybrid }.run();
    let (our_calls, their_calls) = (run(&ours)?, theirs.as_ref().map(run).transpose()?);

    let theirs = theirs.as_ref().zip(their_calls.as_ref());
    let report = compare::report(lesson, &guide, (&ours, &our_calls), theirs);
    if wish.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", page::Page::new(wish.width, wish.all, Ink::new()).render(&report));
    }
    Ok(())
}

/// A path that may be long, as people read it.
fn shown(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
