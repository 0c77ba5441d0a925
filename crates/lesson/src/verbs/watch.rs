//! `cargo lesson watch`: the tests of a lesson, again after every change.
//!
//! Threads wait for what can happen (a file changed, a key was pressed, a test ended, the run ended) and send it here;
//! here alone is decided and drawn.

mod eye;
mod page;
mod terminal;
mod work;

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use anyhow::{Context, Result};
use course::{Course, State};

use eye::Eye;
use page::Page;
use terminal::Terminal;
use work::{Outcome, Work};

/// An editor saves in several steps, and several files at once: what follows within this time belongs together.
const TOGETHER: Duration = Duration::from_millis(80);

/// What can happen.
enum Event {
    /// A source or a manifest was written.
    Changed,
    /// A test of the run under way ended.
    Verdict,
    /// The terminal has another size.
    Resized,
    /// The run is over.
    Done(Result<Outcome>),
    /// The person has seen enough.
    Leave,
}

/// Runs the tests of lesson `number` now and after every change, until `q` or an interrupt. Without a number: of the
/// first open lesson, and when that is finished and green, of the next one.
///
/// # Errors
/// Fails where there is no such lesson, or no file can be watched.
pub fn watch(course: &Course, number: Option<u32>) -> Result<()> {
    let mut lesson = match number {
        Some(number) => course.lesson(number)?.number,
        None => first_open(course)?,
    };
    let (send, events) = mpsc::channel();
    let terminal = Terminal::take(&send)?;
    let work = Work::new()?;
    let _eye = Eye::open(course, work.folder(), &send)?;
    loop {
        // The manifests may have changed as well.
        let now = Course::load(&course.root);
        let (page, changed) = match now {
            Ok(now) => {
                let page = Page::new(&now, lesson)?;
                let Some((page, changed)) = run(&now, page, &work, &terminal, &send, &events) else {
                    return Ok(());
                };
                if number.is_none() && page.is_finished() {
                    let next = first_open(&now)?;
                    if next != lesson {
                        lesson = next;
                    }
                }
                (page, changed)
            }
            Err(error) => (Page::broken(lesson, format!("{error:#}")), false),
        };
        terminal.show(&page.lines(), true);
        if !changed && !wait(&page, &terminal, &events) {
            return Ok(());
        }
    }
}

/// The first open lesson, or the last one that has tests.
fn first_open(course: &Course) -> Result<u32> {
    let states = course.states()?;
    let open = states.iter().find(|(_, _, state)| *state != State::Done).map(|(lesson, ..)| lesson.number);
    let last = course.lessons.iter().rfind(|lesson| !lesson.items.is_empty()).map(|lesson| lesson.number);
    open.or(last).context("this course has no tests")
}

/// Runs the tests to their end, so that no container is left behind. `None` where the person leaves meanwhile; else
/// the outcome, and whether something was changed since it began.
fn run(
    course: &Course,
    mut page: Page,
    work: &Work,
    terminal: &Terminal,
    send: &Sender<Event>,
    events: &Receiver<Event>,
) -> Option<(Page, bool)> {
    let mut changed = false;
    std::thread::scope(|scope| {
        let (send, lesson) = (send.clone(), page.lesson());
        scope.spawn(move || send.send(Event::Done(work.run(course, lesson))));
        terminal.show(&page.lines(), false);
        loop {
            match events.recv().unwrap_or(Event::Leave) {
                Event::Changed => changed = true,
                Event::Verdict => page.verdicts(&work.so_far()),
                Event::Resized => {}
                Event::Done(outcome) => {
                    page.end(outcome);
                    return Some((page, changed));
                }
                Event::Leave => {
                    work.interrupt();
                    return None;
                }
            }
            terminal.show(&page.lines(), false);
        }
    })
}

/// Waits for a change, and for the end of what belongs to it. False where the person leaves.
fn wait(page: &Page, terminal: &Terminal, events: &Receiver<Event>) -> bool {
    loop {
        match events.recv() {
            Ok(Event::Changed) => break,
            Ok(Event::Resized) => terminal.show(&page.lines(), false),
            Ok(Event::Leave) | Err(_) => return false,
            Ok(Event::Verdict | Event::Done(_)) => {}
        }
    }
    loop {
        match events.recv_timeout(TOGETHER) {
            Err(RecvTimeoutError::Timeout) => return true,
            Ok(Event::Leave) | Err(RecvTimeoutError::Disconnected) => return false,
            Ok(_) => {}
        }
    }
}
