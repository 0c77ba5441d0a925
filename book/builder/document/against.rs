//! A transcript beside the text of its document, where that is at hand: is every command there, in its order?

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use similar::{ChangeTag, TextDiff};

use super::command::normal;
use super::script;
use crate::{Book, Defect, document};

/// Compares what the transcript `file` (a part of its name) says that the document types with the document's own text.
///
/// # Errors
/// Fails where one of them cannot be read.
pub fn against(book: &Book<'_>, file: &str, text: &Path) -> Result<Vec<Defect>> {
    let names = document::read(book)?.into_iter().filter_map(|document| document.transcript);
    let name = names.into_iter().find(|name| name.contains(file)).context("no transcript of that name")?;
    let path = document::transcript(book, &name);
    let (script, mut defects) = script::parse(&book.display(&path), &fs::read_to_string(&path)?);
    let text = fs::read_to_string(text).with_context(|| format!("reading {}", text.display()))?;
    let theirs = commands(&text);
    let (lines, ours): (Vec<_>, Vec<_>) = script.document().unzip();
    let old: Vec<_> = theirs.iter().map(String::as_str).collect();
    let new: Vec<_> = ours.iter().map(String::as_str).collect();
    let mut line = 1;
    for change in TextDiff::from_slices(&old, &new).iter_all_changes() {
        line = change.new_index().and_then(|nth| lines.get(nth)).copied().unwrap_or(line);
        let what = match change.tag() {
            ChangeTag::Equal => continue,
            ChangeTag::Delete => format!("after this line, the document has `{}`", change.value()),
            ChangeTag::Insert => format!("the document has no `{}`", change.value()),
        };
        defects.push(script.defect(line, what));
    }
    Ok(defects)
}

/// The commands in the document's fences of shell code.
fn commands(text: &str) -> Vec<String> {
    let (mut found, mut fence, mut open) = (Vec::new(), None, String::new());
    for line in text.lines() {
        let shown = line.trim();
        if let Some(info) = shown.strip_prefix("```") {
            fence = if fence.is_none() { Some((info == "bash", false)) } else { None };
            continue;
        }
        let Some((true, prompts)) = &mut fence else { continue };
        // A fence with prompts shows answers as well.
        let typed = shown.strip_prefix("$ ");
        *prompts |= typed.is_some();
        let shown = typed.unwrap_or(shown);
        if shown.is_empty() || shown.starts_with('#') || (*prompts && typed.is_none()) {
            continue;
        }
        open += shown;
        open.push('\n');
        // A loop goes on to its end.
        let goes_on = shown.ends_with('\\') || (open.starts_with("for ") && shown != "done");
        if !goes_on {
            found.push(normal(&looped(&std::mem::take(&mut open))));
        }
    }
    if found.is_empty() { listed(text).map(normal).collect() } else { found }
}

/// The commands that a document without such fences has in its lists: `- In a word: ` and the command.
fn listed(text: &str) -> impl Iterator<Item = &str> {
    let items =
        text.lines().filter_map(|line| line.strip_prefix("- ")?.split_once(": `")?.1.strip_suffix('`'));
    items.filter(|code| code.contains("-runtime "))
}

/// A loop as one line.
fn looped(text: &str) -> String {
    if !text.starts_with("for ") {
        return text.to_string();
    }
    text.trim().replace("do\n", "do ").replace('\n', "; ")
}
