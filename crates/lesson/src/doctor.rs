//! What this machine can do, and what to do about the rest.
//!
//! The doctor looks (`gather`), judges (`verdict`) and prints (`report`). Whether containers run is never guessed from
//! a setting: a child process really asks the kernel (`sys`), and the settings only explain a refusal (`refusal`).

mod facts;
mod gather;
mod parse;
mod refusal;
mod report;
mod sys;
mod verdict;

use anyhow::{Context, bail};
use course::Course;

pub use facts::{Busybox, Cgroup, Facts, Ids, Layout, Namespaces, Packages, Refusal, Step, Tools, Trial};
pub use gather::gather;
pub use report::{Style, render, summarize};
pub use verdict::{Line, Status, verdict};

/// `cargo lesson doctor`: the whole report, or for a program the same as JSON.
///
/// # Errors
/// Fails where no container can run here.
pub fn run(json: bool) -> anyhow::Result<()> {
    let course = Course::find(&std::env::current_dir().context("the current directory is gone")?)?;
    let facts = gather(&course)?;
    let lines = verdict(&facts);
    if json {
        let report = serde_json::json!({ "containers": facts.containers_run(), "lines": lines });
        println!("{report:#}");
    } else {
        print!("{}", render(&lines, Style::of_stdout()));
    }
    check(&facts)
}

/// The report of a fresh clone: one line where all is well, and what is limited in full.
///
/// # Errors
/// Fails where no container can run here.
pub fn summary(course: &Course) -> anyhow::Result<()> {
    let facts = gather(course)?;
    print!("{}", summarize(&facts, &verdict(&facts), Style::of_stdout()));
    check(&facts)
}

fn check(facts: &Facts) -> anyhow::Result<()> {
    if !facts.containers_run() {
        bail!("no container can run on this machine as it is; the line \"containers\" above has the cure");
    }
    Ok(())
}
