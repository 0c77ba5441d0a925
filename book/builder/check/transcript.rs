//! Transcripts: what a page shows as typed and answered is typed again, and the answers compared.

use std::fmt::Write;

use anyhow::Result;
use similar::{ChangeTag, TextDiff};

use super::before::Before;
use super::session::{PATIENCE, Session};
use super::{Findings, Skipped, Tools};
use crate::{Book, Defect, Page, markdown};

/// A line of a transcript that is typed.
pub(crate) const PROMPT: &str = "$ ";

/// A `console` block.
struct Block {
    steps: Vec<Step>,
    run: Run,
}

enum Run {
    Anybody,
    /// In the clone's root.
    Clone,
    Root,
    /// With the runtime as the chapter's lesson finds it.
    Before,
    No {
        reason: String,
    },
}

/// What is typed, and what is answered.
pub(crate) struct Step {
    /// In the block's text.
    pub(crate) offset: usize,
    /// What it is typed at.
    pub(crate) prompt: String,
    pub(crate) command: String,
    pub(crate) expected: Vec<String>,
}

/// Runs the transcripts of one page, in order, in one shell; those with an unfinished runtime in another.
pub(super) fn check(
    book: &Book<'_>,
    page: &Page,
    tools: &Tools,
    before: &mut Before<'_>,
    findings: &mut Findings,
) -> Result<()> {
    let (mut session, mut caged, mut clone) = (None, None, None);
    for code in markdown::code(page) {
        let Some(info) = code.info.as_deref().filter(|info| info.split([',', ' ']).next() == Some("console"))
        else {
            continue;
        };
        let block = match block(info, &code.text) {
            Ok(block) => block,
            Err(what) => {
                findings.defects.push(code.defect(page, 0, what));
                continue;
            }
        };
        if let Some((reason, wanted)) = not_run(book, &block, tools) {
            let line = code.line(page, 0);
            findings.skipped.push(Skipped { file: page.file.clone(), line, reason, wanted });
            continue;
        }
        let bin = tools.bin();
        let shell: &mut Session = match (&block.run, page.lesson) {
            (Run::Before, Some(number)) => {
                let shell = opened(&mut caged, || Session::start(tools, true))?;
                shell.prefer(&[before.bin(number)?, &bin]);
                shell
            }
            (Run::Before, None) => {
                findings.defects.push(code.defect(
                    page,
                    0,
                    "`before` is for chapters: this page has no lesson",
                ));
                continue;
            }
            (Run::Clone, _) => opened(&mut clone, || Session::start_in(tools, &book.course.root))?,
            _ => {
                let shell = opened(&mut session, || Session::start(tools, false))?;
                shell.prefer(&[&bin]);
                shell
            }
        };
        // In the clone, cargo may first have to compile.
        let patience = if matches!(block.run, Run::Clone) { 30 * PATIENCE } else { PATIENCE };
        for step in &block.steps {
            findings.ran += 1;
            let wrong = match shell.run(&step.command, patience)? {
                Ok(actual) => difference(&step.expected, &actual.text),
                Err(ended) => Some(ended.words(patience)),
            };
            let Some(wrong) = wrong else { continue };
            let what = format!("`{}` {wrong}", step.command);
            findings.defects.push(code.defect(page, step.offset, what));
            if shell.is_over() {
                // What comes after would only fail for the same reason.
                return Ok(());
            }
        }
    }
    Ok(())
}

fn opened(slot: &mut Option<Session>, start: impl FnOnce() -> Result<Session>) -> Result<&mut Session> {
    match slot {
        Some(session) => Ok(session),
        none => Ok(none.insert(start()?)),
    }
}

/// Why the block is not run here, and whether that is its author's wish.
fn not_run(book: &Book<'_>, block: &Block, tools: &Tools) -> Option<(String, bool)> {
    if let Run::No { reason } = &block.run {
        return Some((reason.clone(), true));
    }
    if matches!(block.run, Run::Root) && !nix::unistd::geteuid().is_root() {
        return Some(("needs root".into(), false));
    }
    let clone = matches!(block.run, Run::Clone);
    if clone && !book.course.open_items().is_ok_and(|open| open.is_empty()) {
        return Some(("shows the finished runtime, and this is a course in progress".into(), true));
    }
    let named =
        |step: &Step| ["busybox", "$ROOTFS", "${ROOTFS"].iter().any(|name| step.command.contains(name));
    let missing = tools.rootfs().err().filter(|_| clone || block.steps.iter().any(named))?;
    Some((missing.to_string(), false))
}

/// The typed lines of a transcript, each with its place. A typed line that ends in a backslash goes on in the next.
pub(super) fn prompts(text: &str) -> impl Iterator<Item = (usize, String)> {
    steps(text, host).0.into_iter().map(|step| (step.offset, step.command))
}

/// The prompt of a page's transcripts, if the line begins with it.
pub(crate) fn host(line: &str) -> Option<&str> {
    line.starts_with(PROMPT).then_some(PROMPT)
}

/// The steps, and whether something stands above the first of them. `prompt` tells which one a line begins with.
pub(crate) fn steps(text: &str, prompt: impl Fn(&str) -> Option<&str>) -> (Vec<Step>, bool) {
    let mut steps: Vec<Step> = Vec::new();
    let (mut offset, mut stray, mut goes_on) = (0, false, false);
    for line in text.split_inclusive('\n') {
        let shown = line.trim_end();
        match (prompt(shown), steps.last_mut()) {
            (_, Some(step)) if goes_on => {
                step.command.push('\n');
                step.command.push_str(shown.strip_prefix("> ").unwrap_or(shown));
                goes_on = shown.ends_with('\\');
            }
            (Some(prompt), _) => {
                let (prompt, command) = (prompt.to_string(), shown[prompt.len()..].to_string());
                steps.push(Step { offset, prompt, command, expected: Vec::new() });
                goes_on = shown.ends_with('\\');
            }
            (None, Some(step)) => step.expected.push(shown.to_string()),
            (None, None) => stray = true,
        }
        offset += line.len();
    }
    (steps, stray)
}

/// Makes one command of all: what looks like a second one belongs to the answer of the first.
fn one(steps: &mut Vec<Step>) {
    for more in steps.split_off(steps.len().min(1)) {
        let answer = [format!("{PROMPT}{}", more.command)].into_iter().chain(more.expected);
        steps[0].expected.extend(answer);
    }
}

fn block(info: &str, text: &str) -> Result<Block, String> {
    let rest = info.trim_start_matches("console").trim_start_matches([',', ' ']);
    // The reason may hold commas, so it comes last.
    let (flags, reason) = match rest.split_once("reason=") {
        Some((flags, reason)) => (flags.trim_end_matches([',', ' ']), reason.trim().trim_matches('"').trim()),
        None => (rest, ""),
    };
    let run = match (flags.trim(), reason) {
        ("", "") => Run::Anybody,
        ("root", "") => Run::Root,
        ("clone", "") => Run::Clone,
        ("before", "") => Run::Before,
        ("norun", "") => {
            return Err("a transcript that is not run says why: console,norun,reason=\"...\"".into());
        }
        ("norun", reason) => Run::No { reason: reason.to_string() },
        _ => {
            return Err(format!(
                "the info string is `{info}`. There is: console | console,root | console,before | console,clone | console,norun,reason=\"...\""
            ));
        }
    };
    let (mut steps, stray) = steps(text, host);
    if matches!(run, Run::Clone) {
        one(&mut steps);
    }
    if steps.is_empty() || stray {
        return Err("a transcript begins with a line `$ command`".into());
    }
    Ok(Block { steps, run })
}

/// What differs, unless `actual` is as expected: `...` on a line of its own stands for any lines, `[..]` for any text.
pub(crate) fn difference(expected: &[String], actual: &str) -> Option<String> {
    let actual: Vec<_> = actual.lines().map(str::trim_end).collect();
    let mut expected: Vec<_> = expected.iter().map(String::as_str).collect();
    // A blank line may stand before the next prompt.
    while expected.last().is_some_and(|line| line.is_empty())
        && actual.last().is_none_or(|line| !line.is_empty())
    {
        expected.pop();
    }
    if lines_match(&expected, &actual) {
        return None;
    }
    let mut text = String::from("does not answer what the page shows (- the page, + the machine):");
    for change in TextDiff::from_slices(&expected, &actual).iter_all_changes() {
        let sign = match change.tag() {
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
            ChangeTag::Equal => ' ',
        };
        // Writing to a String cannot fail.
        let _ = write!(text, "\n    {sign} {}", change.value());
    }
    Some(text)
}

fn lines_match(expected: &[&str], actual: &[&str]) -> bool {
    match expected.split_first() {
        None => actual.is_empty(),
        Some((&"...", rest)) => (0..=actual.len()).any(|skipped| lines_match(rest, &actual[skipped..])),
        Some((line, rest)) => actual
            .split_first()
            .is_some_and(|(first, others)| line_matches(line, first) && lines_match(rest, others)),
    }
}

pub(crate) fn line_matches(expected: &str, actual: &str) -> bool {
    match expected.split_once("[..]") {
        None => expected == actual,
        Some((before, rest)) => actual.strip_prefix(before).is_some_and(|after| {
            let mut ends = after.char_indices().map(|(at, _)| at).chain([after.len()]);
            ends.any(|at| line_matches(rest, &after[at..]))
        }),
    }
}

/// Whether a transcript's machine lacks may not be forgiven: `CORACLE_STRICT=1`, as in the tests.
pub(super) fn strict(skipped: &Skipped) -> Option<Defect> {
    let strict = std::env::var_os("CORACLE_STRICT").is_some_and(|value| value == "1");
    (strict && !skipped.wanted).then(|| Defect {
        file: skipped.file.clone(),
        line: skipped.line,
        what: format!("the transcript was not run: {}", skipped.reason),
    })
}

#[cfg(test)]
mod tests {
    use super::{difference, steps};

    fn same(expected: &str, actual: &str) -> bool {
        let expected: Vec<_> = expected.lines().map(str::to_string).collect();
        difference(&expected, actual).is_none()
    }

    #[test]
    fn dots_stand_for_what_differs_from_machine_to_machine() {
        assert!(same("pid [..]\n...\nend", "pid 17\na\nb\nend\n"));
        assert!(same("...", ""));
        assert!(same("uts:[[..]]", "uts:[4026531838]\n"));
        assert!(!same("pid [..]", "ppid 17\n"));
        assert!(!same("", "something\n"));
        assert!(!same("something", ""));
    }

    #[test]
    fn a_typed_line_goes_on_after_a_backslash() {
        let (steps, stray) = steps("$ a \\\n> b\nout\n$ c\n", super::host);
        assert!(!stray);
        assert_eq!(steps.len(), 2);
        assert_eq!(steps[0].command, "a \\\nb");
        assert_eq!(steps[0].expected, ["out"]);
        assert_eq!(steps[1].offset, 14);
    }
}
