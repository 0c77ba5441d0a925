//! What a teacher has to plan with: the lessons' minutes and needs, summed up and cut into sittings.

use std::fmt::Write;

use anyhow::{Context, Result, ensure};
use course::Lesson;

use crate::{Book, show, testlist};

/// A table of the lessons with sums, and a plan of sittings of at most `argument` minutes.
pub(crate) fn plan(book: &Book<'_>, argument: &str) -> Result<String> {
    let most: u32 = argument.parse().with_context(|| format!("{argument:?} is no number of minutes"))?;
    let lessons = &book.course.lessons;
    let mut text =
        String::from("| Lesson | Minutes | Stars | Functions | Tests | Needs |\n|---|--:|---|--:|--:|---|\n");
    let (mut functions, mut tests) = (0, 0);
    for lesson in lessons {
        let of_it = if lesson.items.is_empty() { 0 } else { testlist::read(book.course, lesson)?.len() };
        functions += lesson.items.len();
        tests += of_it;
        let (minutes, items) = (lesson.minutes, lesson.items.len());
        let needs = if lesson.needs.is_empty() { "nothing special".into() } else { lesson.needs.join(", ") };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| {} | {minutes} | {} | {items} | {of_it} | {needs} |",
            link(lesson),
            show::stars(lesson)
        );
    }
    let all = lessons.iter().map(|lesson| lesson.minutes).sum();
    let _ = writeln!(text, "| **Together** | **{all}** | | **{functions}** | **{tests}** | |");
    let _ =
        writeln!(text, "\nThat is {} without breaks. In sittings of {} at most:\n", hours(all), hours(most));
    for (nth, sitting) in sittings(lessons, most)?.iter().enumerate() {
        let minutes = sitting.iter().map(|lesson| lesson.minutes).sum();
        let titles: Vec<_> = sitting.iter().map(|lesson| link(lesson)).collect();
        let _ = writeln!(text, "{}. {} ({})", nth + 1, titles.join("; "), hours(minutes));
    }
    Ok(text)
}

/// The lessons in their order, as many into each sitting as fit.
fn sittings(lessons: &[Lesson], most: u32) -> Result<Vec<Vec<&Lesson>>> {
    let mut sittings: Vec<Vec<&Lesson>> = Vec::new();
    let mut left = 0;
    for lesson in lessons {
        ensure!(lesson.minutes <= most, "lesson {} alone takes {} minutes", lesson.number, lesson.minutes);
        match sittings.last_mut() {
            Some(sitting) if lesson.minutes <= left => sitting.push(lesson),
            _ => {
                left = most;
                sittings.push(vec![lesson]);
            }
        }
        left -= lesson.minutes;
    }
    Ok(sittings)
}

fn link(lesson: &Lesson) -> String {
    format!("[{:02} · {}]({}.md)", lesson.number, show::escape(&lesson.title), lesson.folder())
}

fn hours(minutes: u32) -> String {
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} minutes"),
        (1, 0) => "an hour".into(),
        (hours, 0) => format!("{hours} hours"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}
