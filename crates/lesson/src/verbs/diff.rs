//! `cargo lesson diff`.

use anyhow::Result;
use course::{Course, Item, State};

use super::desk::Desk;
use super::ink::Ink;
use crate::programs::Programs;
use crate::verdict::Outcome;

/// Prints the learner's items of lesson `number` against the reference's. They stay secret until the lesson is green,
/// unless `reveal`.
///
/// # Errors
/// Fails on the reference, and where there is no such lesson.
pub fn diff(course: &Course, number: u32, reveal: bool) -> Result<()> {
    let lesson = course.lesson(number)?;
    let desk = Desk::open(course)?;
    let ink = Ink::new();
    let states = desk.course.states_in(&desk.mine);
    let items: Vec<(&Item, &State)> =
        states.iter().filter(|(of, ..)| of.number == number).map(|(_, item, state)| (*item, state)).collect();
    let told =
        |item: &Item| desk.mine.source_of(&item.path).ok() == desk.reference.source_of(&item.path).ok();
    let secret = items.iter().any(|(item, state)| **state == State::Done && !told(item));
    let written = items.iter().all(|(_, state)| **state == State::Done);
    let shown = reveal || !secret || (written && green(course, number)?);
    let more = format!("To see the reference all the same: cargo lesson diff {number} --reveal");
    for (item, state) in items {
        let name = ink.bold(&item.path);
        match state {
            State::Unreadable(why) => println!("{name}: {why}\n"),
            State::Open if !reveal => println!("{name}: still open. {more}\n"),
            State::Done if !shown && !told(item) => {
                println!("{name}: written, but lesson {number} is not green yet. {more}\n");
            }
            State::Open | State::Done => {
                let (mine, reference) =
                    (desk.mine.source_of(&item.path)?, desk.reference.source_of(&item.path)?);
                match ink.diff(("yours", &mine), ("reference", &reference)) {
                    same if same.is_empty() => println!("{name}: the same as the reference's\n"),
                    text => println!("{name}\n{text}"),
                }
            }
        }
    }
    if lesson.items.is_empty() {
        println!("Lesson {number} has no functions.");
    }
    Ok(())
}

/// Whether the lesson's tests pass now. Nothing else remembers that they did.
fn green(course: &Course, number: u32) -> Result<bool> {
    let programs = Programs::build(course, &[course.lesson(number)?])?;
    let Ok(tests) = programs.run(number, None, None)? else { return Ok(false) };
    let any = |outcome| tests.values().any(|test| test.verdict == outcome);
    Ok(any(Outcome::Pass) && !any(Outcome::Fail))
}
