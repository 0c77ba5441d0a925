//! README's map of the lessons, made from the manifests and written into the file between two marks: GitHub shows that
//! page as it is, so it cannot be made when the book is.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use course::Lesson;

use crate::{Book, Defect, show};

const BEGIN: &str = "<!-- The map of the lessons, from their manifests: cargo run -p book -- readme -->\n";
const END: &str = "<!-- The map ends. -->\n";
const NAME: &str = "README.md";

/// What is wrong with README's map; nothing where the course has no README, or this is not the course's own book.
///
/// # Errors
/// Fails where the file cannot be read.
pub fn check(book: &Book<'_>) -> Result<Vec<Defect>> {
    let file = path(book);
    if book.dir != book.course.root.join("book") || !file.is_file() {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(file)?;
    let defect = |line, what: String| vec![Defect { file: NAME.into(), line, what }];
    let mended = match mended(book, &text) {
        Ok(mended) => mended,
        Err(error) => return Ok(defect(0, format!("{error:#}"))),
    };
    if mended == text {
        return Ok(Vec::new());
    }
    let same = text.lines().zip(mended.lines()).take_while(|(old, new)| old == new).count();
    let should = mended.lines().nth(same).unwrap_or_default();
    let what = format!(
        "the map of the lessons is not what their manifests say: cargo run -p book -- readme writes it. It should go \
         on with: {should}"
    );
    Ok(defect(same + 1, what))
}

/// Writes the map into README.md. Returns whether that changed it.
///
/// # Errors
/// Fails where the file lacks the marks, a manifest lacks its words, or the file cannot be written.
pub fn write(book: &Book<'_>) -> Result<bool> {
    let file = path(book);
    let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let mended = mended(book, &text)?;
    if mended != text {
        fs::write(&file, &mended).with_context(|| file.display().to_string())?;
    }
    Ok(mended != text)
}

fn path(book: &Book<'_>) -> PathBuf {
    book.course.root.join(NAME)
}

/// `text` with the map between the marks.
fn mended(book: &Book<'_>, text: &str) -> Result<String> {
    let lacks = |mark: &str| format!("{NAME} lacks the line {}", mark.trim());
    let (before, rest) = text.split_once(BEGIN).with_context(|| lacks(BEGIN))?;
    let (_, after) = rest.split_once(END).with_context(|| lacks(END))?;
    Ok(format!("{before}{BEGIN}\n{}\n{END}{after}", map(book)?))
}

fn map(book: &Book<'_>) -> Result<String> {
    let mut map = String::from("| | Lesson | What the runtime learns | Test command |\n|---|---|---|---|\n");
    for lesson in &book.course.lessons {
        let chapter = format!("book/src/{}.md", lesson.folder());
        let command = if lesson.items.is_empty() {
            "cargo lesson doctor".to_string()
        } else {
            format!("cargo test --test {}", show::target(book, lesson)?)
        };
        let (title, learns) = (show::escape(&lesson.title), learns(lesson)?);
        // Writing to a String cannot fail.
        let _ = writeln!(map, "| {:02} | [{title}]({chapter}) | {learns} | `{command}` |", lesson.number);
    }
    if !book.course.drafts.is_empty() {
        map += "\nIn the making; the runtime does all of it already:\n\n";
    }
    for draft in &book.course.drafts {
        let learns = if draft.learns.is_empty() { String::new() } else { format!(" ({})", draft.learns) };
        let _ = writeln!(map, "- {:02} {}{learns}", draft.number, show::escape(&draft.title));
    }
    Ok(map)
}

fn learns(lesson: &Lesson) -> Result<&str> {
    let folder = lesson.folder();
    ensure!(
        !lesson.learns.is_empty(),
        "lessons/{folder}/lesson.toml has no line `learns = \"...\"`: what the runtime can do after the lesson, in a \
         few words"
    );
    Ok(&lesson.learns)
}
