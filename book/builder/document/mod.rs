//! The documents that the runtime is held to: which rows of wishes each has, where they are fulfilled, and the
//! transcripts that type what each document shows. `documents.toml` and `documents/` beside `src/`.

pub(crate) mod against;
mod command;
mod drawing;
pub(crate) mod machine;
pub(crate) mod page;
pub(crate) mod script;
pub(crate) mod tests;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::Book;

/// One document.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Document {
    /// Its number, as people name it.
    pub(crate) number: String,
    /// Its title.
    pub(crate) title: String,
    /// What it is about, in a sentence or two.
    pub(crate) about: String,
    /// The name of its transcript below `documents/`.
    pub(crate) transcript: Option<String>,
    /// What it asks for.
    pub(crate) row: Vec<Row>,
}

/// One thing that a document asks for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    /// `S-01`: its tests are called `s01_...`.
    pub(crate) id: String,
    /// What is asked for.
    pub(crate) asks: String,
    /// The files and folders where it lives, from the repository's root.
    pub(crate) lives: Vec<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    document: Vec<Document>,
}

impl Row {
    /// What the names of its tests begin with: `s01_`.
    pub(crate) fn prefix(&self) -> String {
        format!("{}_", self.id.replace('-', "").to_lowercase())
    }
}

/// Where their data is.
pub(crate) fn path(book: &Book<'_>) -> PathBuf {
    book.dir.join("documents.toml")
}

/// The documents, in their order.
pub(crate) fn read(book: &Book<'_>) -> Result<Vec<Document>> {
    let path = path(book);
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let file: File = toml::from_str(&text).with_context(|| path.display().to_string())?;
    Ok(file.document)
}

/// Where a transcript lies.
pub(crate) fn transcript(book: &Book<'_>, name: &str) -> PathBuf {
    book.dir.join("documents").join(name)
}
