//! Which calls of two runtimes do the same.

use std::collections::BTreeSet;

use course::Lesson;
use serde::Serialize;

use super::guide::{By, Command, Guide, Step};
use super::net::Seen;
use super::runtime::Runtime;
use super::strace::Call;
use super::wording::essence;

/// What is to be shown.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) lesson: u32,
    pub(super) title: String,
    pub(super) phase: String,
    pub(super) ours: Side,
    pub(super) theirs: Option<Side>,
    pub(super) steps: Vec<Shown>,
    /// The calls that belong to no step, and so have no sentence.
    pub(super) unknown: Columns,
    /// How many differences have no sentence yet.
    pub(super) unexplained: usize,
}

/// One runtime.
#[derive(Debug, Serialize)]
pub(super) struct Side {
    pub(super) runtime: String,
    pub(super) version: String,
    /// Its traced commands.
    pub(super) commands: Vec<String>,
    pub(super) processes: usize,
    pub(super) threads: usize,
    /// How many calls it made in this phase.
    pub(super) calls: usize,
    /// How many it made in all.
    pub(super) calls_in_all: usize,
}

/// A step with the calls of both.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    pub(super) mark: Mark,
    pub(super) title: String,
    pub(super) during: Option<Command>,
    #[serde(flatten)]
    pub(super) calls: Columns,
    pub(super) sentence: Option<String>,
}

/// Calls side by side.
#[derive(Debug, Default, Serialize)]
pub(super) struct Columns {
    pub(super) ours: Vec<Line>,
    pub(super) theirs: Vec<Line>,
}

/// A call, and how often it is made.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Line {
    pub(super) call: String,
    pub(super) times: usize,
}

/// How two runtimes compare in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mark {
    /// The same calls.
    Same,
    /// Both do it, by other calls.
    Other,
    /// Only ours does it.
    Ours,
    /// Only theirs does it.
    Theirs,
    /// There is nobody to compare with.
    Alone,
}

impl Mark {
    /// As the page shows it.
    pub(super) fn sign(self) -> char {
        match self {
            Self::Same => '=',
            Self::Other => '~',
            Self::Ours => '<',
            Self::Theirs => '>',
            Self::Alone => ' ',
        }
    }

    fn of(columns: &Columns, alone: bool) -> Self {
        match (columns.ours.is_empty(), columns.theirs.is_empty()) {
            _ if alone => Self::Alone,
            (false, true) => Self::Ours,
            (true, _) => Self::Theirs,
            (false, false) if same(&columns.ours, &columns.theirs) => Self::Same,
            (false, false) => Self::Other,
        }
    }
}

fn same(ours: &[Line], theirs: &[Line]) -> bool {
    let key = |line: &Line| (essence(&line.call), line.times);
    ours.iter().map(key).eq(theirs.iter().map(key))
}

/// Sorts the calls into the guide's steps.
pub(super) fn report(
    lesson: &Lesson,
    guide: &Guide,
    ours: (&Runtime, &Seen),
    theirs: Option<(&Runtime, &Seen)>,
) -> Report {
    let (mut steps, mut unknown): (Vec<Columns>, _) = Default::default();
    steps.resize_with(guide.steps.len(), Columns::default);
    let our_side = sort(guide, ours, &mut steps, &mut unknown, |columns| &mut columns.ours);
    let their_side =
        theirs.map(|theirs| sort(guide, theirs, &mut steps, &mut unknown, |columns| &mut columns.theirs));
    let name = their_side.as_ref().map(|side| side.runtime.as_str());
    let mut unexplained = unknown.ours.len() + unknown.theirs.len();
    let mut shown = Vec::new();
    for (step, calls) in guide.steps.iter().zip(steps) {
        if calls.ours.is_empty() && calls.theirs.is_empty() {
            continue;
        }
        let mark = Mark::of(&calls, name.is_none());
        let sentence = name.and_then(|name| step.sentence.get(name)).cloned();
        if sentence.is_none() && !matches!(mark, Mark::Same | Mark::Alone) {
            unexplained += 1;
        }
        shown.push(Shown { mark, title: step.title.clone(), during: step.during, calls, sentence });
    }
    Report {
        lesson: lesson.number,
        title: lesson.title.clone(),
        phase: guide.phase.clone(),
        ours: our_side,
        theirs: their_side,
        steps: shown,
        unknown,
        unexplained,
    }
}

/// Puts one runtime's calls into its column of each step, and counts.
fn sort(
    guide: &Guide,
    (runtime, seen): (&Runtime, &Seen),
    steps: &mut [Columns],
    unknown: &mut Columns,
    column: impl Fn(&mut Columns) -> &mut Vec<Line>,
) -> Side {
    let mut side = Side {
        runtime: runtime.name.clone(),
        version: runtime.version.clone(),
        commands: seen.commands.iter().map(|(command, _)| command.to_string()).collect(),
        processes: 0,
        threads: 0,
        calls: 0,
        calls_in_all: 0,
    };
    for (command, calls) in &seen.commands {
        let init = calls.iter().find(|call| becomes_the_program(call, seen)).map(|call| call.thread);
        let calls = of_the_runtime(calls, seen);
        let births = || calls.iter().filter(|call| call.gives_birth());
        side.calls_in_all += calls.len();
        side.threads += births().filter(|call| call.is_of_a_thread()).count();
        side.processes += 1 + births().filter(|call| !call.is_of_a_thread()).count();
        // The first call of all is strace's: the one that makes it the runtime.
        for call in calls.into_iter().skip(1) {
            let counts = guide.by == By::Any || init == Some(call.thread);
            if !counts || !guide.calls.contains(&call.name) {
                continue;
            }
            let wording = seen.places.word(call);
            if !guide.only.is_empty() && !guide.only.iter().any(|pattern| pattern.matches(&wording)) {
                continue;
            }
            side.calls += 1;
            let fits = |step: &Step| {
                step.during.is_none_or(|during| during == *command)
                    && step.calls.iter().any(|pattern| pattern.matches(&wording))
            };
            let place = guide.steps.iter().position(fits).and_then(|n| steps.get_mut(n));
            add(column(place.unwrap_or(unknown)), wording);
        }
    }
    side
}

/// Equal calls are shown once.
fn add(lines: &mut Vec<Line>, call: String) {
    let births = call.starts_with("clone") || call.starts_with("wait");
    let equal = |line: &&mut Line| line.call == call || births && essence(&line.call) == essence(&call);
    match lines.iter_mut().find(equal) {
        Some(line) => line.times += 1,
        None => lines.push(Line { call, times: 1 }),
    }
}

fn becomes_the_program(call: &Call, seen: &Seen) -> bool {
    call.name.starts_with("exec") && call.succeeded() && seen.places.word(call).contains("(\"/probe\"")
}

/// The calls up to the moment in which a process becomes the container's program: what that does is not the runtime's
/// doing.
fn of_the_runtime<'a>(calls: &'a [Call], seen: &Seen) -> Vec<&'a Call> {
    let mut programs = BTreeSet::new();
    let mut kept = Vec::new();
    for call in calls {
        if programs.contains(&call.thread) {
            continue;
        }
        if becomes_the_program(call, seen) {
            programs.insert(call.thread);
        }
        kept.push(call);
    }
    kept
}
