//! The page of the documents: of each, its rows, and where it and we differ.

use std::fs;

use anyhow::{Context, Result};

use super::script::{self, Script, Step};
use super::{Document, Row, tests};
use crate::{Book, document, show};

/// Each document under a heading of its own.
pub(crate) fn show(book: &Book<'_>) -> Result<String> {
    let tests = tests::all(&book.course.root)?;
    let mut text = String::new();
    for document in document::read(book)? {
        let Document { number, title, about, .. } = &document;
        let title = show::escape(title);
        text += &format!("## {number} · {title} {{#document-{number}}}\n\n{}\n\n", about.trim());
        text += "<table class=\"rows\">\n<thead><tr><th>Row</th><th>It asks for, and its tests</th><th>It lives in</th></tr></thead>\n<tbody>\n";
        for row in &document.row {
            text += &of(row, &tests);
        }
        text += "</tbody>\n</table>\n\n";
        if let Some(name) = &document.transcript {
            let path = document::transcript(book, name);
            let source = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            let (script, _) = script::parse(&book.display(&path), &source);
            text += &typed(&document, &script);
        }
    }
    Ok(text)
}

fn of(row: &Row, tests: &[tests::Test]) -> String {
    // A narrow column breaks a path between its folders.
    let path = |path: &std::path::PathBuf| {
        code(&path.display().to_string()).replace('/', "/<wbr>").replace("</<wbr>", "</")
    };
    let paths: Vec<_> = row.lives.iter().map(path).collect();
    let found: Vec<_> = tests.iter().filter(|test| test.name.starts_with(&row.prefix())).collect();
    let mut list = String::new();
    for part in found.chunk_by(|one, next| one.file == next.file) {
        let sentence = |test: &&tests::Test| {
            format!("<li>{}<br>{}</li>", show::html(&test.sentence()), code(&test.name))
        };
        let sentences: String = part.iter().map(sentence).collect();
        list += &format!("<p>{}</p><ul>{sentences}</ul>", code(&part[0].file));
    }
    let count = match found.len() {
        0 => "no test".to_string(),
        1 => "1 test".to_string(),
        count => format!("{count} tests"),
    };
    format!(
        "<tr id=\"{}\"><th scope=\"row\" rowspan=\"2\">{0}</th><td data-is=\"It asks for\">{}</td><td data-is=\"It lives \
         in\">{}</td></tr>\n<tr><td colspan=\"2\"><details><summary>{count}</summary>{list}</details></td></tr>\n",
        row.id,
        inline(row.asks.trim()),
        paths.join("<br>")
    )
}

/// What was typed, and what differs: each reason once, with the steps that it is the reason for.
fn typed(document: &Document, script: &Script) -> String {
    let (all, ours) = (script.steps.len(), script.steps.iter().filter(|step| step.ours()).count());
    let differ: Vec<_> = script.steps.iter().filter(|step| step.differs()).collect();
    let file = script.file.display();
    let number = &document.number;
    let what = match all - ours {
        0 => {
            format!("The document has no commands. `{file}` types {ours} of ours for what it says in words.")
        }
        1 => format!("`{file}` types the line that the document types, and {ours} of ours."),
        theirs => format!(
            "`{file}` types the {theirs} lines that the document types, in its order, and {ours} of ours that lead from one to \
             the next or try what it says in words."
        ),
    };
    let mut text = format!(
        "### {number}, typed {{#typed-{number}}}\n\n{what} `cargo run -p book -- documents {number}` does it again."
    );
    text += match differ.len() {
        0 => " Nothing differs.\n\n".to_string(),
        1 => " One differs:\n\n".to_string(),
        count => format!(" {count} differ, for these reasons:\n\n"),
    }
    .as_str();
    let mut reasons: Vec<(&str, Vec<&Step>)> = Vec::new();
    for step in differ {
        let reason = step.note.differs.as_str();
        match reasons.iter_mut().find(|(other, _)| *other == reason) {
            Some((_, steps)) => steps.push(step),
            None => reasons.push((reason, vec![step])),
        }
    }
    for (reason, steps) in reasons {
        let mut letters = reason.chars();
        let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
        text += &format!("<div class=\"differs\">\n<p>{}.</p>\n", inline(&(first + letters.as_str())));
        for step in steps {
            text += &pair(step);
        }
        text += "</div>\n\n";
    }
    text
}

/// How much of an answer is shown.
const LINES: usize = 6;

/// What the document has, and what we have.
fn pair(step: &Step) -> String {
    let typed = format!("{}{}", step.prompt, step.command);
    let answer = step.expected.iter().take(LINES).cloned();
    let more = (step.expected.len() > LINES).then(|| "...".to_string());
    let status = (step.status != 0).then(|| format!("[exit {}]", step.status));
    let here: Vec<_> = std::iter::once(typed).chain(answer).chain(more).chain(status).collect();
    let block = |lines: &[String]| code(&lines.join("\n"));
    format!(
        "<dl><dt class=\"at\">{}</dt><dt>Document</dt><dd>{}</dd><dt>Here</dt><dd>{}</dd></dl>\n",
        show::html(&step.heading),
        block(&step.note.document),
        block(&here)
    )
}

fn code(text: &str) -> String {
    format!("<code>{}</code>", show::html(text).replace('\n', "<br>"))
}

/// Text with code in backquotes, as HTML.
fn inline(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts.map(|(nth, part)| if nth % 2 == 1 { code(part) } else { show::html(part) }).collect()
}
