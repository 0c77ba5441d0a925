//! The documents' rows and transcripts, as far as that can be told without typing anything: every row lives somewhere and
//! has a test that runs, every test is a row's, and every difference has its reason.

use std::collections::BTreeSet;
use std::fs;

use anyhow::Result;

use crate::document::{self, script, tests};
use crate::{Book, Defect, trouble};

/// What is wrong with `documents.toml` and the transcripts it names.
pub(super) fn check(book: &Book<'_>) -> Result<Vec<Defect>> {
    let path = document::path(book);
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let source = fs::read_to_string(&path)?;
    let file = book.display(&path);
    let mut defects = Vec::new();
    let mut rows = BTreeSet::new();
    let tests = tests::all(&book.course.root)?;
    let documents = document::read(book)?;
    for (nth, row) in documents.iter().flat_map(|document| &document.row).enumerate() {
        let mut wrong = |what: String| {
            let line = trouble::line(&source, "id = ", nth);
            defects.push(Defect { file: file.clone(), line, what: format!("{}: {what}", row.id) });
        };
        if !rows.insert(row.prefix()) {
            wrong("there are two rows of that number".into());
        }
        if row.lives.is_empty() {
            wrong("it lives nowhere".into());
        }
        for path in row.lives.iter().filter(|path| !book.course.root.join(path).exists()) {
            wrong(format!("the repository has no {}", path.display()));
        }
        if !tests.iter().any(|test| test.runs && test.name.starts_with(&row.prefix())) {
            wrong(format!("no test holds it: nothing runs a function {}...", row.prefix()));
        }
    }
    for test in &tests {
        let mut wrong = |what: &str| {
            defects.push(Defect {
                file: test.file.clone().into(),
                line: 0,
                what: format!("{} {what}", test.name),
            });
        };
        if !test.runs {
            wrong("is run by nothing: it is no #[test], and in no suite's list");
        }
        if !rows.contains(&test.name[..4]) {
            wrong("is called after a row that no document has");
        }
    }
    for name in documents.iter().filter_map(|document| document.transcript.as_ref()) {
        let path = document::transcript(book, name);
        match fs::read_to_string(&path) {
            Ok(text) => defects.extend(script::parse(&book.display(&path), &text).1),
            Err(error) => {
                defects.push(Defect { file: book.display(&path), line: 0, what: error.to_string() })
            }
        }
    }
    Ok(defects)
}
