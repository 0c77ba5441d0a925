//! The appendix on troubleshooting: `troubleshooting.toml` beside `src/`, one table an error. Each names what provokes
//! it, a test or a command, and `check::trouble` holds it to that.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::{Book, show};

/// An error that a reader may meet.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Trouble {
    /// What was tried: the heading it stands under.
    pub(crate) at: String,
    /// What is printed; `[..]` stands for what differs.
    pub(crate) message: String,
    cause: String,
    cure: String,
    /// `path/to/tests.rs::name_of_the_test`: it asserts the message.
    pub(crate) test: Option<String>,
    /// A command that prints the message.
    pub(crate) run: Option<String>,
    /// For `run`: the runtime is the one that this lesson begins with.
    pub(crate) before: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    error: Vec<Trouble>,
}

/// The errors as a page shows them, each kind under its heading.
pub(crate) fn show(book: &Book<'_>) -> Result<String> {
    let mut text = String::new();
    let mut at = String::new();
    for trouble in read(book)?.0 {
        if trouble.at != at {
            at.clone_from(&trouble.at);
            text += &format!("\n## {}\n\n", show::escape(&at));
        }
        let message = show::html(&trouble.message).replace("[..]", "\u{2026}");
        let seen = match (&trouble.test, &trouble.run, trouble.before) {
            (Some(test), ..) => {
                let (file, name) = test.rsplit_once("::").unwrap_or_default();
                format!("Provoked by <code>{}</code> in <code>{}</code>", show::html(name), show::html(file))
            }
            (_, Some(run), None) => format!("Provoked by <code>{}</code>", show::html(run)),
            (_, Some(run), Some(lesson)) => {
                format!("Provoked by <code>{}</code> on the starter of lesson {lesson:02}", show::html(run))
            }
            _ => String::new(),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "<div class=\"trouble\">\n<p><code>{message}</code></p>\n\n**Cause:** {}\n\n**Cure:** {}\n\n<p \
             class=\"places\">{seen}</p>\n</div>\n",
            trouble.cause.trim(),
            trouble.cure.trim()
        );
    }
    Ok(text)
}

pub(crate) fn path(book: &Book<'_>) -> PathBuf {
    book.dir.join("troubleshooting.toml")
}

/// The errors, and the text of their file.
pub(crate) fn read(book: &Book<'_>) -> Result<(Vec<Trouble>, String)> {
    let path = path(book);
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let file: File = toml::from_str(&text).with_context(|| path.display().to_string())?;
    Ok((file.error, text))
}

/// The line, from 1, of the key `key` of the nth table, where every table has that key.
pub(crate) fn line(text: &str, key: &str, nth: usize) -> usize {
    let lines = text.lines().enumerate().filter(|(_, line)| line.starts_with(key));
    lines.map(|(line, _)| line + 1).nth(nth).unwrap_or(0)
}
