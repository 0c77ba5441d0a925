//! The matrix lesson x test x item, for people and as JSON for the book.

use std::fmt::Write as _;

use course::{Course, Lesson};
use serde::Serialize;

use super::evidence::{Class, Evidence, Kind, Outcome, Variant, next};
use super::judge::{Judgement, RUNTIME};

/// Everything the book shows of a proof.
#[derive(Debug, Serialize)]
pub(super) struct Matrix {
    lessons: Vec<Row>,
    oracle: Option<String>,
    defects: Vec<String>,
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Row {
    number: u32,
    slug: String,
    title: String,
    items: Vec<String>,
    tests: Vec<Test>,
}

#[derive(Debug, Serialize)]
struct Test {
    name: String,
    kind: Kind,
    /// On the lesson's own starter.
    starter: Option<Cell>,
    /// On the next lesson's starter.
    green: Option<Cell>,
    /// On the wrong body that the guard names.
    wrong: Option<Cell>,
    /// For each item of the lesson, whether the test fails without it.
    notices: Vec<Notice>,
    oracle: Option<Cell>,
    /// Why another runtime is excused.
    exempt: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Cell {
    Green,
    Red,
    Ignored,
    Exempt,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Notice {
    Yes,
    No,
    /// The test failed, but not by seeing something: a deadline, a panic, the harness.
    Fails,
    Unknown,
}

impl Matrix {
    pub(super) fn new<'a>(
        course: &Course,
        lessons: impl Iterator<Item = &'a Lesson>,
        evidence: &Evidence,
        judgement: &Judgement,
    ) -> Self {
        let rows = lessons.filter(|lesson| evidence.programs.contains(&lesson.number));
        Self {
            lessons: rows.map(|lesson| Row::new(course, lesson, evidence)).collect(),
            oracle: evidence.oracle.as_ref().map(|oracle| oracle.line.clone()),
            defects: judgement.defects.iter().map(ToString::to_string).collect(),
            notes: judgement.notes.clone(),
        }
    }

    /// How many lessons, tests and items the matrix holds.
    pub(super) fn counts(&self) -> (usize, usize, usize) {
        let tests = self.lessons.iter().map(|lesson| lesson.tests.len()).sum();
        let items = self.lessons.iter().map(|lesson| lesson.items.len()).sum();
        (self.lessons.len(), tests, items)
    }

    /// The matrix as text: one table a lesson.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for lesson in &self.lessons {
            lesson.print(&mut text, self.oracle.is_some()).expect("a String takes everything");
        }
        text
    }
}

impl Row {
    fn new(course: &Course, lesson: &Lesson, evidence: &Evidence) -> Self {
        let tests = evidence.tests(lesson.number).into_iter();
        Self {
            number: lesson.number,
            slug: lesson.slug.clone(),
            title: lesson.title.clone(),
            items: lesson.items.iter().map(|item| item.path.clone()).collect(),
            tests: tests.map(|(kind, name)| Test::new(course, lesson, evidence, kind, name)).collect(),
        }
    }

    fn print(&self, text: &mut String, oracle: bool) -> std::fmt::Result {
        let width = self.tests.iter().map(|test| test.name.len()).max().unwrap_or(4).max(4);
        writeln!(text, "\nLesson {:02}: {}", self.number, self.title)?;
        write!(text, "  kind   {:width$}  starter  green    wrong  ", "test")?;
        for index in 1..=self.items.len() {
            write!(text, "{index:>3}")?;
        }
        writeln!(text, "{}", if oracle { format!("  {RUNTIME}") } else { String::new() })?;
        for test in &self.tests {
            let kind = match test.kind {
                Kind::Red => "red",
                Kind::Guard => "guard",
                Kind::Plain => "plain",
            };
            let [starter, green, wrong] = [test.starter, test.green, test.wrong].map(word);
            write!(text, "  {kind:5}  {:width$}  {starter:7}  {green:7}  {wrong:5}  ", test.name)?;
            for notice in &test.notices {
                let mark = match notice {
                    Notice::Yes => 'x',
                    Notice::No => '.',
                    Notice::Fails => '!',
                    Notice::Unknown => '?',
                };
                write!(text, "{mark:>3}")?;
            }
            writeln!(text, "{}", if oracle { format!("  {}", word(test.oracle)) } else { String::new() })?;
        }
        for (index, item) in self.items.iter().enumerate() {
            writeln!(text, "  {:>3}  the finished runtime without `{item}`", index + 1)?;
        }
        Ok(())
    }
}

impl Test {
    fn new(course: &Course, lesson: &Lesson, evidence: &Evidence, kind: Kind, name: String) -> Self {
        let number = lesson.number;
        let cell = |variant: &Variant| Some(Cell::of(evidence.verdict(variant, number, &name)?.verdict));
        let exempt = evidence.oracle.as_ref().and_then(|oracle| oracle.excuse(lesson, &name));
        let oracle = match (cell(&Variant::Oracle), exempt) {
            (Some(Cell::Red | Cell::Ignored), Some(_)) => Some(Cell::Exempt),
            (cell, _) => cell,
        };
        let notices = lesson.items.iter().map(|item| {
            let verdict = evidence.verdict(&Variant::Without(item.path.clone()), number, &name);
            let Some(verdict) = verdict.filter(|_| evidence.sound(number, &name)) else {
                return Notice::Unknown;
            };
            match (verdict.verdict, verdict.failed().is_some_and(Class::notices)) {
                (Outcome::Pass, _) => Notice::No,
                (Outcome::Fail, true) => Notice::Yes,
                (Outcome::Fail, false) => Notice::Fails,
                (Outcome::Ignored, _) => Notice::Unknown,
            }
        });
        Self {
            kind,
            starter: cell(&Variant::Snapshot(number)),
            green: cell(&next(course, number)),
            wrong: cell(&Variant::Wrong { lesson: number, test: name.clone() }),
            notices: notices.collect(),
            oracle,
            exempt: exempt.map(|exempt| exempt.reason.clone()),
            name,
        }
    }
}

impl Cell {
    fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Pass => Cell::Green,
            Outcome::Fail => Cell::Red,
            Outcome::Ignored => Cell::Ignored,
        }
    }
}

fn word(cell: Option<Cell>) -> &'static str {
    match cell {
        Some(Cell::Green) => "green",
        Some(Cell::Red) => "red",
        Some(Cell::Ignored) => "ignored",
        Some(Cell::Exempt) => "exempt",
        None => "-",
    }
}
