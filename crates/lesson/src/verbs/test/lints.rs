//! What the compiler thinks of the functions that are finished. A course branch allows what blank functions can't help, a
//! variable that nothing uses for one, and so it allows that in what the learner wrote as well.

use anyhow::{Context, Result, bail};
use course::{ALLOW, Course, State, Tree};
use serde::Serialize;

use crate::cargo::{self, cargo};
use crate::verbs::ink::Ink;

/// A complaint about a function that is finished.
#[derive(Serialize)]
pub(super) struct Lint {
    item: String,
    file: String,
    line: usize,
    /// Its name, such as `unused_variables`.
    lint: String,
    message: String,
    #[serde(skip)]
    rendered: String,
}

/// The lints of the finished items of the lessons up to `number`. None where the branch allows nothing: the compiler
/// said it all when it built the tests.
pub(super) fn of_finished(course: &Course, number: u32) -> Result<Vec<Lint>> {
    let tree = Tree::read(&course.source())?;
    if !tree.files.values().any(|text| text.contains(ALLOW)) {
        return Ok(Vec::new());
    }
    let names =
        ALLOW.split_once('(').and_then(|(_, rest)| rest.split_once(')')).context("ALLOW has no lints")?;
    let names: Vec<&str> = names.0.split(", ").collect();
    let mut command = cargo();
    command.current_dir(&course.root).args(["rustc", "--quiet", "--package", "coracle", "--lib"]);
    // Only checked, which is quick. `--force-warn` is the one flag that an `allow` in the source does not overrule.
    command.args(["--profile", "check", "--message-format=json", "--"]);
    command.args(names.iter().flat_map(|name| ["--force-warn", name]));
    let output = command.output().context("cargo does not start")?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let states = course.states_in(&tree);
    let finished = states.iter().filter(|(of, _, state)| of.number <= number && *state == State::Done);
    let finished: Vec<_> = finished.map(|(_, item, _)| *item).collect();
    let mut lints = Vec::new();
    for message in cargo::messages(&output) {
        let Some(rustc) = message.message else { continue };
        let (Some(code), Some(span)) = (&rustc.code, rustc.spans.iter().find(|span| span.is_primary)) else {
            continue;
        };
        if !names.contains(&code.code.as_str()) {
            continue;
        }
        if let Some(item) = span.item(&tree, finished.iter().copied()) {
            lints.push(Lint {
                item: item.path.clone(),
                file: span.file_name.display().to_string(),
                line: span.line_start,
                lint: code.code.clone(),
                message: rustc.message,
                rendered: rustc.rendered.unwrap_or_default(),
            });
        }
    }
    Ok(lints)
}

/// The compiler's own words.
pub(super) fn print(lints: &[Lint]) {
    if lints.is_empty() {
        return;
    }
    let head = "The tests are green; the compiler has something to say about what you wrote:";
    println!("\n{}\n", Ink::new().bold(head));
    for lint in lints {
        // That we asked for it is no news.
        let words = lint.rendered.lines().filter(|line| !line.contains("requested on the command line"));
        words.for_each(|line| println!("{line}"));
    }
}
