//! The order of the pages: the first ones, the lessons in their parts, then everything else by name.

use std::fmt::Write;
use std::path::Path;

use crate::{Book, Defect, Page, Pages, show};

/// The pages in front of the lessons.
const FIRST: [&str; 2] = ["preface.md", "how-to-use.md"];

/// The parts of the course, each by the number of its first lesson.
const PARTS: [(u32, &str); 4] =
    [(1, "I: The six capabilities"), (9, "II: Locks"), (14, "III: Engines"), (18, "IV: Break it, time it")];

/// The part of the pages behind the lessons.
const APPENDIX: &str = "To look things up";

/// Puts the pages into their order, writes the table of contents, and notes lessons without a chapter.
pub(crate) fn order(book: &Book<'_>, found: &mut Pages) {
    let rank = |page: &Page| match page.lesson {
        Some(number) => (1, number as usize),
        None => match FIRST.iter().position(|first| page.name == Path::new(first)) {
            Some(nth) => (0, nth),
            None => (2, 0),
        },
    };
    found.pages.sort_by_key(|page| (rank(page), page.name.clone()));
    for lesson in &book.course.lessons {
        if !found.pages.iter().any(|page| page.lesson == Some(lesson.number)) {
            let file = book.display(&book.src().join(format!("{}.md", lesson.folder())));
            let what = format!("lesson {} has no chapter: write this file", lesson.number);
            found.gaps.push(Defect { file, line: 0, what });
        }
    }
    for page in &found.pages {
        let numbered = page.name.to_string_lossy().starts_with(|c: char| c.is_ascii_digit());
        if numbered && page.lesson.is_none() {
            let what = "the page is named like a chapter, and no folder of lessons/ has that name".into();
            found.defects.push(Defect { file: page.file.clone(), line: 0, what });
        }
    }
    found.summary = text(&found.pages);
}

fn text(pages: &[Page]) -> String {
    let mut summary = String::from("# Summary\n\n");
    let mut part = None;
    let lessons = pages.iter().rposition(|page| page.lesson.is_some());
    for (nth, page) in pages.iter().enumerate() {
        let link = format!("[{}]({})", show::escape(&page.title), page.name.display());
        let line = match page.lesson {
            None if Some(nth) < lessons || lessons.is_none() => format!("\n{link}\n"),
            _ => {
                let now = match page.lesson {
                    Some(number) => {
                        PARTS.iter().rfind(|(first, _)| *first <= number).map(|(_, title)| *title)
                    }
                    None => Some(APPENDIX),
                };
                let title = now.filter(|now| Some(*now) != part).map(|title| format!("\n# {title}\n\n"));
                part = now;
                format!("{}- {link}", title.unwrap_or_default())
            }
        };
        // Writing to a String cannot fail.
        let _ = writeln!(summary, "{line}");
    }
    summary
}
