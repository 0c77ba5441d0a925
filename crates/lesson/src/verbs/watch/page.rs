//! What is to be seen of a run.

use std::collections::BTreeMap;

use anyhow::Result;
use course::{Course, State, Tree};

use super::terminal::{Line, Look};
use super::work::Outcome;
use crate::verbs::status::place;
use crate::verdict::{Outcome as Word, Verdict};

/// The bar's width.
const BAR: usize = 16;

pub(super) struct Page {
    lesson: u32,
    title: String,
    /// Of how many functions how many are written.
    written: (usize, usize),
    /// What to write next, and where help is.
    next: Vec<String>,
    tests: BTreeMap<String, Verdict>,
    order: Vec<String>,
    stage: Stage,
}

enum Stage {
    Running,
    Done,
    /// There are no verdicts to show: why.
    Failed(String),
}

impl Page {
    /// The page of a lesson whose run begins now.
    pub(super) fn new(course: &Course, number: u32) -> Result<Self> {
        let lesson = course.lesson(number)?;
        let tree = Tree::read(&course.source())?;
        let states: Vec<_> =
            course.states_in(&tree).into_iter().filter(|(of, ..)| of.number == number).collect();
        let written = states.iter().filter(|(_, _, state)| *state == State::Done).count();
        let next = states.iter().find(|(_, _, state)| *state != State::Done).map(|(_, item, state)| {
            vec![
                place(&tree, item, state),
                format!("stuck? cargo lesson hint {number} {}", lesson.short_name(item)),
            ]
        });
        Ok(Self {
            lesson: number,
            title: lesson.title.clone(),
            written: (written, states.len()),
            next: next.unwrap_or_default(),
            tests: BTreeMap::new(),
            order: Vec::new(),
            stage: Stage::Running,
        })
    }

    /// The page of a course that cannot be read.
    pub(super) fn broken(lesson: u32, why: String) -> Self {
        let (written, stage) = ((0, 0), Stage::Failed(why));
        let (tests, order) = (BTreeMap::new(), Vec::new());
        Self { lesson, title: String::new(), written, next: Vec::new(), tests, order, stage }
    }

    pub(super) fn lesson(&self) -> u32 {
        self.lesson
    }

    /// What the tests have said until now.
    pub(super) fn verdicts(&mut self, tests: &BTreeMap<String, Verdict>) {
        self.tests = tests.clone();
    }

    /// The run is over.
    pub(super) fn end(&mut self, outcome: Result<Outcome>) {
        self.stage = match outcome {
            Ok(Outcome::Tested { order, ran: Ok(tests) }) => {
                (self.tests, self.order) = (tests, order);
                Stage::Done
            }
            Ok(Outcome::Tested { ran: Err(broke), .. }) => Stage::Failed(broke),
            Ok(Outcome::Broken(error)) => Stage::Failed(error),
            Err(error) => Stage::Failed(format!("{error:#}")),
        };
    }

    /// Every function is written and no test fails.
    pub(super) fn is_finished(&self) -> bool {
        let green = self.tests.values().all(|test| test.verdict != Word::Fail);
        matches!(self.stage, Stage::Done) && self.written.0 == self.written.1 && green
    }

    fn count(&self, word: Word) -> usize {
        self.tests.values().filter(|test| test.verdict == word).count()
    }

    pub(super) fn lines(&self) -> Vec<Line> {
        let mut lines =
            vec![(Look::Bold, self.progress()), (Look::Plain, format!("           {}", self.title))];
        lines.push((Look::Plain, String::new()));
        match &self.stage {
            Stage::Running => {}
            Stage::Failed(why) => lines.extend(why.lines().map(|line| (Look::Plain, line.to_owned()))),
            Stage::Done => lines.extend(self.verdict()),
        }
        lines.push((Look::Plain, String::new()));
        lines.extend(self.next.iter().map(|line| (Look::Plain, format!("  {line}"))));
        let foot = "  A change of a source runs the tests again; q leaves.";
        lines.push((Look::Plain, foot.to_owned()));
        lines
    }

    /// `lesson 03  [########--------]  2 of 4 functions, 5 of 9 tests`
    fn progress(&self) -> String {
        let (passed, all) = (self.count(Word::Pass), self.tests.len());
        let (done, of) = (self.written.0 + passed, self.written.1 + all);
        let filled = (done * BAR).checked_div(of).unwrap_or(0);
        let bar = "#".repeat(filled) + &"-".repeat(BAR - filled);
        let tests = match (&self.stage, all) {
            (Stage::Running, 0) => "building ...".to_owned(),
            (Stage::Running, _) => format!("testing: {passed} green"),
            (Stage::Failed(_), _) => "no test could run".to_owned(),
            (Stage::Done, all) => format!("{passed} of {all} tests"),
        };
        let (written, items) = self.written;
        format!("lesson {:02}  [{bar}]  {written} of {items} functions, {tests}", self.lesson)
    }

    /// The first test that fails, in the lesson's order, with its words; the others by name.
    fn verdict(&self) -> Vec<Line> {
        let place = |name: &str| self.order.iter().position(|other| other == name).unwrap_or(usize::MAX);
        let mut tests: Vec<&Verdict> = self.tests.values().collect();
        tests.sort_by_key(|test| place(&test.test));
        let (ignored, failed) = (Word::Ignored, Word::Fail);
        let ignored = tests.iter().copied().find(|test| test.verdict == ignored);
        let failed: Vec<&Verdict> = tests.into_iter().filter(|test| test.verdict == failed).collect();
        let mut lines = Vec::new();
        if let Some((first, others)) = failed.split_first() {
            lines.push((Look::Bad, format!("  FAIL  {}", first.test)));
            let message = first.message.as_deref().unwrap_or("it gave no reason");
            lines.extend(message.trim().lines().map(|line| (Look::Plain, format!("        {line}"))));
            lines.extend(others.iter().map(|test| (Look::Plain, format!("  fail  {}", test.test))));
        } else if self.count(Word::Pass) > 0 {
            let left = self.written.1 - self.written.0;
            let open = if left > 0 { format!(", with {left} functions still open") } else { String::new() };
            lines.push((
                Look::Good,
                format!("  Green{open}. All lessons so far: cargo lesson test {}", self.lesson),
            ));
        }
        if let Some(first) = ignored {
            let count = self.count(Word::Ignored);
            lines.push((Look::Plain, format!("  {count} ignored: {}", first.said())));
        }
        lines
    }
}
