//! What every chapter has: the sections of the template, in their order. And how long it is.

use course::Lesson;
use mdbook_markdown::pulldown_cmark::{Event, HeadingLevel, Tag, TagEnd};

use crate::{Book, Defect, Page, markdown};

/// The sections of a lesson that has something to write.
const SECTIONS: [&str; 13] = [
    "The hole",
    "Predict",
    "The kernel's side",
    "By hand",
    "Invariants",
    "Red",
    "Your turn",
    "Green, then look",
    "How runc, crun and youki do it",
    "Break it",
    "Errors you may meet",
    "Questions",
    "For the teacher",
];

/// What is missing in a chapter, or stands in the wrong place.
pub(super) fn check(book: &Book<'_>, page: &Page) -> Vec<Defect> {
    let writes = |lesson: &&Lesson| Some(lesson.number) == page.lesson && !lesson.items.is_empty();
    let Some(lesson) = book.course.lessons.iter().find(writes) else { return Vec::new() };
    let found = sections(&page.text);
    let mut defects = Vec::new();
    let trace = format!("cargo lesson trace {} --against runc", lesson.number);
    if !page.text.contains(&trace) {
        let what = format!("the chapter does not lead to `{trace}`: say it in \"Green, then look\"");
        defects.push(Defect { file: page.file.clone(), line: 0, what });
    }
    let mut last = 0;
    for section in SECTIONS {
        match found.iter().find(|(title, _)| title == section) {
            None => {
                let what = format!("the chapter has no section \"## {section}\"");
                defects.push(Defect { file: page.file.clone(), line: 0, what });
            }
            Some((_, at)) if *at < last => {
                defects.push(page.defect(*at, format!("the section \"{section}\" stands too early")));
            }
            Some((_, at)) => last = *at,
        }
    }
    defects
}

/// The headings of the second level, each with its place.
fn sections(text: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let mut open: Option<(String, usize)> = None;
    for (event, place) in markdown::events(text) {
        match event {
            Event::Start(Tag::Heading { level: HeadingLevel::H2, .. }) => {
                open = Some((String::new(), place.start))
            }
            Event::End(TagEnd::Heading(HeadingLevel::H2)) => found.extend(open.take()),
            Event::Text(text) | Event::Code(text) => {
                if let Some((title, _)) = &mut open {
                    // The parser makes a curly one of every apostrophe.
                    title.push_str(&text.replace('\u{2019}', "'"));
                }
            }
            _ => {}
        }
    }
    found
}

/// How many words of prose a reader sees who opens no fold: code blocks, tables and what is generated from the sources
/// do not count.
pub(super) fn words(source: &str) -> usize {
    let mut folds = 0_usize;
    let mut count = 0;
    for line in markdown::prose(source).lines() {
        folds += line.matches("<details").count();
        if folds == 0 && !line.starts_with('|') && !line.starts_with("{{#") {
            count += line.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).count();
        }
        folds = folds.saturating_sub(line.matches("</details>").count());
    }
    count
}
