//! The transcripts of the documents, typed at the built programs: each in a shell and a world of its own, as root.

use std::borrow::Borrow;
use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use course::Course;
use testkit::{Terminal, patient};

use super::session::{PATIENCE, Session};
use super::{Skipped, Tools, transcript};
use crate::document::script::{self, Script, Step};
use crate::{Book, Defect, document};

/// What the walk through the documents found.
#[derive(Debug, Default)]
pub struct Walked {
    /// How many commands were typed.
    pub ran: usize,
    /// How many of them no document types: they lead from one of its steps to the next.
    pub ours: usize,
    /// How many are, or are answered, otherwise than in their document, with a reason.
    pub differ: usize,
    /// What is wrong.
    pub defects: Vec<Defect>,
    /// The documents that were not walked through.
    pub skipped: Vec<Skipped>,
}

/// What came of one step.
#[derive(Debug)]
pub enum Verdict {
    /// As in the document, but for names.
    Same,
    /// As the transcript says, and the document does not type it.
    Ours,
    /// As the transcript says, and that differs from the document.
    Differs,
    /// Not as the transcript says.
    Wrong(String),
}

/// What every transcript needs besides our own programs.
const NEEDS: [&str; 2] = ["bash", "unshare"];

/// What is left of containers in the world of a session.
const LEFT: &str =
    r#"for left in /run/coracle/* /run/ns-runtime/*; do if [ -e "$left" ]; then echo "$left"; fi; done"#;

/// Types the transcripts of the documents of the book in `dir`, or that of one: `only` is a part of its name. Each step's
/// verdict goes to `tell` when it is known, with its file, its line and what was typed. `tools` is asked once there is
/// something to type.
///
/// # Errors
/// Fails where there is no such transcript, or none can be typed at all. What is wrong is in [`Walked::defects`].
pub fn walk<T: Borrow<Tools>>(
    course: &Course,
    dir: &Path,
    only: Option<&str>,
    tools: impl FnOnce() -> Result<T>,
    tell: &mut dyn FnMut(&Path, usize, &str, &Verdict),
) -> Result<Walked> {
    let book = Book::open(course, dir)?;
    let mut names: Vec<_> =
        document::read(&book)?.into_iter().filter_map(|document| document.transcript).collect();
    names.retain(|name| only.is_none_or(|only| name.contains(only)));
    ensure!(!names.is_empty(), "no document has a transcript of that name: {}", only.unwrap_or("(any)"));
    let (mut found, mut scripts) = (Walked::default(), Vec::new());
    for name in names {
        let path = document::transcript(&book, &name);
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let (script, defects) = script::parse(&book.display(&path), &text);
        found.defects.extend(defects);
        match missing(&book, &script) {
            Some((reason, wanted)) => {
                found.skipped.push(Skipped { file: script.file, line: 1, reason, wanted })
            }
            None => scripts.push(script),
        }
    }
    if !scripts.is_empty() {
        let tools = tools()?;
        let tools = tools.borrow();
        for script in scripts {
            match tools.rootfs() {
                Ok(_) => one(&book, &script, tools, &mut found, tell)?,
                Err(reason) => {
                    let (file, reason) = (script.file, reason.to_string());
                    found.skipped.push(Skipped { file, line: 1, reason, wanted: false });
                }
            }
        }
    }
    let strict: Vec<_> = found.skipped.iter().filter_map(transcript::strict).collect();
    found.defects.extend(strict);
    Ok(found)
}

/// Why the transcript can't be typed here, and whether that is as it should be.
fn missing(book: &Book<'_>, script: &Script) -> Option<(String, bool)> {
    if !nix::unistd::geteuid().is_root() {
        return Some(("needs root".into(), false));
    }
    if !book.course.open_items().is_ok_and(|open| open.is_empty()) {
        return Some(("shows the finished runtime, and this is a course in progress".into(), true));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = |program: &str| std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    let needs = NEEDS.into_iter().chain(script.needs.iter().map(String::as_str));
    let missing: Vec<_> = needs.filter(|program| !there(program)).collect();
    (!missing.is_empty()).then(|| (format!("needs {}", missing.join(", ")), false))
}

fn one(
    book: &Book<'_>,
    script: &Script,
    tools: &Tools,
    found: &mut Walked,
    tell: &mut dyn FnMut(&Path, usize, &str, &Verdict),
) -> Result<()> {
    let mut shell = Session::start_apart(tools)?;
    shell.prefer(&[&tools.bin(), &book.course.root.join("scripts")]);
    shell.set("CLONE", &book.course.root);
    let mut steps = script.steps.as_slice();
    while let [first, rest @ ..] = steps {
        let inside = rest.iter().take_while(|step| step.inside()).count();
        let (now, later) = steps.split_at(inside + 1);
        steps = later;
        if first.inside() {
            let what = format!(
                "`{}` is typed inside of a container, and no command opened its shell",
                first.command
            );
            found.defects.push(script.defect(first.line, what));
            continue;
        }
        let verdicts =
            if inside == 0 { vec![alone(&mut shell, first)?] } else { at_terminal(&mut shell, now)? };
        for (step, wrong) in now.iter().zip(verdicts) {
            found.ran += 1;
            found.ours += usize::from(step.ours());
            found.differ += usize::from(step.differs());
            let verdict = match wrong {
                Some(wrong) => Verdict::Wrong(wrong),
                None if step.differs() => Verdict::Differs,
                None if step.ours() => Verdict::Ours,
                None => Verdict::Same,
            };
            tell(&script.file, step.line, &format!("{}{}", step.prompt, step.command), &verdict);
            if let Verdict::Wrong(wrong) = verdict {
                found.defects.push(script.defect(step.line, format!("`{}` {wrong}", step.command)));
            }
        }
        if shell.is_over() {
            // What comes after would only fail for the same reason.
            return Ok(());
        }
    }
    if let Ok(left) = shell.run(LEFT, patient(PATIENCE))? {
        for left in left.text.lines() {
            let line = script.steps.last().map_or(0, |step| step.line);
            found
                .defects
                .push(script.defect(line, format!("the transcript leaves a container behind: {left}")));
        }
    }
    Ok(())
}

/// Types one command; what is wrong with its answer.
fn alone(shell: &mut Session, step: &Step) -> Result<Option<String>> {
    // Cargo may first have to compile.
    let patience = patient(if step.command.contains("cargo ") { 30 * PATIENCE } else { PATIENCE });
    Ok(match shell.run(&step.command, patience)? {
        Ok(answer) => wrong(step, &answer.text, Some(answer.status)),
        Err(ended) => Some(ended.words(patience)),
    })
}

/// Types a command and what follows it inside of a container, at a terminal. For each, what is wrong with its answer;
/// after an answer that did not come there are no more.
fn at_terminal(shell: &mut Session, steps: &[Step]) -> Result<Vec<Option<String>>> {
    let (mut terminal, slave) = Terminal::open()?;
    let path: PathBuf = nix::unistd::ttyname(slave.as_fd())?;
    shell.begin(&steps[0].command, &path, &path)?;
    let mut verdicts = Vec::new();
    // Until the command has it open, nobody else must have the last descriptor of it.
    let mut slave = Some(slave);
    for (nth, step) in steps.iter().enumerate() {
        if step.inside() {
            slave = None;
            terminal.say(&step.command);
            // What is typed comes back first.
            if let Err(heard) = terminal.listen_for(&step.command).and_then(|_| terminal.listen_for("\n")) {
                verdicts.push(Some(format!("was not read; the terminal said:\n{}", plain(&heard))));
                break;
            }
        }
        let Some(next) = steps.get(nth + 1) else { break };
        match terminal.listen_for(&next.prompt) {
            Ok(answer) => verdicts.push(wrong(step, &plain(&answer), None)),
            Err(heard) => {
                let (prompt, heard) = (next.prompt.trim_end(), plain(&heard));
                verdicts.push(Some(format!(
                    "is not followed by the prompt `{prompt}`, but by:\n{}",
                    heard.trim_end()
                )));
                break;
            }
        }
    }
    drop(slave);
    let complete = verdicts.len() + 1 == steps.len() && verdicts.last().is_some();
    let rest = if complete { terminal.listen() } else { Ok(String::new()) };
    // A shell whose terminal is gone ends.
    drop(terminal);
    let status = shell.end(patient(PATIENCE)).ok();
    if complete {
        let Some(last) = steps.last() else { bail!("no steps") };
        verdicts.push(match (rest, status) {
            (Ok(answer), Some(status)) => wrong(last, &plain(&answer), Some(status)),
            (Ok(heard) | Err(heard), _) => {
                Some(format!("does not end its shell; the terminal said:\n{}", plain(&heard)))
            }
        });
    }
    Ok(verdicts)
}

/// What is wrong with an answer, and with the exit status where it is known.
fn wrong(step: &Step, text: &str, status: Option<i32>) -> Option<String> {
    let differs = transcript::difference(&step.expected, text);
    match status.filter(|status| *status != step.status) {
        None => differs,
        Some(status) => {
            let differs = differs.unwrap_or_else(|| "answers as shown".into());
            Some(format!("ends with exit status {status} instead of {}, and {differs}", step.status))
        }
    }
}

/// The text without colours and what else is an order to the terminal: `ESC [ ... letter`.
fn plain(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_string();
    parts.fold(first, |all, part| {
        let end = part.find(|c: char| c.is_ascii_alphabetic()).map_or(part.len(), |end| end + 1);
        all + &part[end..]
    })
}
