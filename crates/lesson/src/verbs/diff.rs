//! `cargo lesson diff`.

use anyhow::Result;
use course::{Course, State};

use super::desk::Desk;
use super::ink::Ink;

/// Prints the learner's items of lesson `number` against the reference's. Open ones stay secret unless `reveal`.
///
/// # Errors
/// Fails on the reference, and where there is no such lesson.
pub fn diff(course: &Course, number: u32, reveal: bool) -> Result<()> {
    let lesson = course.lesson(number)?;
    let desk = Desk::open(course)?;
    let ink = Ink::new();
    for (_, item, state) in course.states_in(&desk.mine).into_iter().filter(|(of, ..)| of.number == number) {
        let name = ink.bold(&item.path);
        match state {
            State::Unreadable(why) => println!("{name}: {why}\n"),
            State::Open if !reveal => {
                println!(
                    "{name}: still open. To see the reference all the same: cargo lesson diff {number} --reveal\n"
                );
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
