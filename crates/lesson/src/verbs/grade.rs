//! `cargo lesson grade`: the lessons' tests as an examination, of the learner's own runtime or of any other.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use course::{Course, Lesson};
use serde::Serialize;

use super::ink::Ink;
use crate::programs::Programs;
use crate::runtime::{Runtime, installed};
use crate::verdict::{Kind, Outcome, Ran, Verdict};

/// What a test says of a runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Mark {
    Pass,
    Fail,
    /// An earlier lesson is open, so this one was not asked. Of one's own runtime that counts as failed.
    Locked,
    /// That runtime, or that version of it, has no such thing.
    Unsupported,
    /// That runtime does otherwise, for a reason.
    Exempt,
    /// This machine can't run the test.
    Ignored,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mark::Pass => "pass",
            Mark::Fail => "fail",
            Mark::Locked => "locked",
            Mark::Unsupported => "unsupported",
            Mark::Exempt => "exempt",
            Mark::Ignored => "ignored",
        })
    }
}

#[derive(Serialize)]
struct Report<'a> {
    /// `null` for the runtime of this tree.
    runtime: Option<Examined<'a>>,
    passed: bool,
    lessons: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Examined<'a> {
    path: &'a Path,
    name: &'a str,
    version: Option<&'a str>,
}

#[derive(Serialize)]
struct Row<'a> {
    lesson: u32,
    title: &'a str,
    passed: bool,
    /// How the test program itself failed, if it did; there are no tests then.
    broke: Option<String>,
    tests: Vec<Marked>,
}

#[derive(Serialize)]
struct Marked {
    test: String,
    kind: Kind,
    mark: Mark,
    /// What the failure says, or the reason of another mark.
    why: Option<String>,
}

/// Runs the tests of the lessons (all of them where empty) on `runtime`, a path or the name of an installed one, or on
/// the runtime of this tree. What this machine can't run counts as failed only under `CORACLE_STRICT=1`.
///
/// # Errors
/// Fails where a test does not pass and is not excused, and where one's own lesson is locked.
pub fn grade(course: &Course, runtime: Option<&str>, lessons: &[u32], json: bool) -> Result<()> {
    let chosen = choose(course, lessons)?;
    let runtime = runtime.map(find).transpose()?;
    let open = match &runtime {
        Some(_) => None,
        None => course.first_open()?,
    };
    let programs = Programs::build(course, &chosen)?;
    let strict = std::env::var("CORACLE_STRICT").is_ok_and(|value| value == "1");
    let mut report = Report {
        runtime: runtime.as_ref().map(|runtime| Examined {
            path: &runtime.path,
            name: runtime.name(),
            version: runtime.version(),
        }),
        passed: true,
        lessons: Vec::new(),
    };
    if !json {
        match &runtime {
            Some(runtime) => println!("{} ({})", runtime.line, runtime.path.display()),
            None => println!("the runtime of this tree"),
        }
    }
    for lesson in chosen {
        let row = match open.filter(|open| lesson.number > *open) {
            Some(open) => locked(lesson, open),
            None => {
                let path = runtime.as_ref().map(|runtime| runtime.path.as_path());
                let ran = programs.run(lesson.number, None, path)?;
                row(lesson, runtime.as_ref(), ran, strict)
            }
        };
        if !json {
            print!("{}", row.text());
        }
        report.passed &= row.passed;
        report.lessons.push(row);
    }
    if json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("\n{}", report.sum());
    }
    if !report.passed {
        bail!("not passed");
    }
    Ok(())
}

fn choose<'c>(course: &'c Course, lessons: &[u32]) -> Result<Vec<&'c Lesson>> {
    let mut chosen = Vec::new();
    for number in lessons {
        let lesson = course.lesson(*number)?;
        if lesson.items.is_empty() {
            bail!("lesson {number} has no tests: it is for reading");
        }
        chosen.push(lesson);
    }
    if lessons.is_empty() {
        chosen.extend(course.lessons.iter().filter(|lesson| !lesson.items.is_empty()));
    }
    Ok(chosen)
}

fn find(runtime: &str) -> Result<Runtime> {
    let path = match runtime.contains('/') {
        true => std::path::absolute(runtime)?,
        false => installed(runtime)
            .with_context(|| format!("no runtime {runtime} is installed here; a path will do as well"))?,
    };
    Runtime::ask(&path)
}

fn locked(lesson: &Lesson, open: u32) -> Row<'_> {
    let broke = Some(format!("locked: finish lesson {open:02} first"));
    Row { lesson: lesson.number, title: &lesson.title, passed: false, broke, tests: Vec::new() }
}

fn row<'a>(lesson: &'a Lesson, runtime: Option<&Runtime>, ran: Ran, strict: bool) -> Row<'a> {
    let (broke, verdicts) = match ran {
        Ok(verdicts) => (None, verdicts),
        Err(broke) => (Some(broke), BTreeMap::new()),
    };
    let tests: Vec<Marked> = verdicts.into_values().map(|verdict| mark(lesson, runtime, verdict)).collect();
    let fails = |test: &Marked| match test.mark {
        Mark::Pass | Mark::Unsupported | Mark::Exempt => false,
        Mark::Ignored => strict,
        Mark::Fail | Mark::Locked => true,
    };
    let passed = broke.is_none() && !tests.is_empty() && !tests.iter().any(fails);
    Row { lesson: lesson.number, title: &lesson.title, passed, broke, tests }
}

fn mark(lesson: &Lesson, runtime: Option<&Runtime>, verdict: Verdict) -> Marked {
    let excuse = runtime.and_then(|runtime| runtime.excuse(lesson, &verdict.test));
    let (mark, why) = match (verdict.verdict, excuse) {
        (Outcome::Pass, _) => (Mark::Pass, None),
        (_, Some(excuse)) => {
            let mark = if excuse.before.is_some() { Mark::Unsupported } else { Mark::Exempt };
            let since = excuse.before.as_ref().map(|first| format!(" (since version {first})"));
            (mark, Some(format!("{}{}", excuse.reason, since.unwrap_or_default())))
        }
        (Outcome::Fail, None) if runtime.is_some() && verdict.said().starts_with("unsupported: ") => {
            (Mark::Unsupported, verdict.message)
        }
        (Outcome::Fail, None) => (Mark::Fail, verdict.message),
        (Outcome::Ignored, None) if verdict.said().starts_with("locked: ") => (Mark::Locked, verdict.message),
        (Outcome::Ignored, None) => (Mark::Ignored, verdict.message),
    };
    Marked { test: verdict.test, kind: verdict.kind, mark, why }
}

/// How often each mark was given: `9 pass, 1 fail`.
fn count<'a>(tests: impl Iterator<Item = &'a Marked>) -> String {
    let mut counts: BTreeMap<Mark, usize> = BTreeMap::new();
    for test in tests {
        *counts.entry(test.mark).or_default() += 1;
    }
    let counts: Vec<_> = counts.into_iter().map(|(mark, count)| format!("{count} {mark}")).collect();
    counts.join(", ")
}

impl Row<'_> {
    fn text(&self) -> String {
        let ink = Ink::new();
        let head = ink.bold(&format!("lesson {:02}, {}", self.lesson, self.title));
        let mut text = match &self.broke {
            Some(broke) => format!("\n{head}: {}\n", ink.red(broke)),
            None => format!("\n{head}: {}\n", count(self.tests.iter())),
        };
        for test in self.tests.iter().filter(|test| test.mark != Mark::Pass) {
            let mark = format!("{:<11}", test.mark.to_string());
            let mark = if test.mark == Mark::Fail { ink.red(&mark) } else { mark };
            text += &format!("  {mark}  {}\n", test.test);
            for line in test.why.iter().flat_map(|why| why.trim().lines()) {
                text += &format!("               {line}\n");
            }
        }
        text
    }
}

impl Report<'_> {
    fn sum(&self) -> String {
        let ink = Ink::new();
        let word = if self.passed { ink.green("passed") } else { ink.red("not passed") };
        let count = count(self.lessons.iter().flat_map(|row| &row.tests));
        let without =
            self.lessons.iter().filter(|row| row.broke.is_some()).map(|row| format!("{:02}", row.lesson));
        let without = without.collect::<Vec<_>>().join(", ");
        let without = if without.is_empty() { without } else { format!("; no result for lesson {without}") };
        format!("{word}: {}{without}", if count.is_empty() { "no test" } else { &count })
    }
}
