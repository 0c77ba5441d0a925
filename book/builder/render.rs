//! From pages to HTML, by mdBook.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use mdbook_driver::MDBook;
use mdbook_driver::config::Config;

use crate::{Book, Pages, page};

/// Writes the pages as mdBook wants them into a scratch folder and renders them into `out`. Returns mdBook's warnings,
/// such as an HTML element that is never closed.
///
/// # Errors
/// Fails where book.toml is wrong or a file cannot be read or written.
pub fn html(book: &Book<'_>, pages: &Pages, out: &Path) -> Result<Vec<String>> {
    let scratch = tempfile::tempdir()?;
    for name in page::files(&book.src())? {
        if name.extension().is_none_or(|ext| ext != "md") {
            let target = scratch.path().join(&name);
            fs::create_dir_all(target.parent().context("a file without a folder")?)?;
            fs::copy(book.src().join(&name), target)?;
        }
    }
    for page in &pages.pages {
        let target = scratch.path().join(&page.name);
        fs::create_dir_all(target.parent().context("a page without a folder")?)?;
        fs::write(target, plain_fences(&page.text))?;
    }
    fs::write(scratch.path().join("SUMMARY.md"), &pages.summary)?;

    let mut config = Config::from_disk(book.dir.join("book.toml"))?;
    config.book.src = scratch.path().to_path_buf();
    config.build.build_dir = std::path::absolute(out)?;
    config.build.create_missing = false;
    // An include of a missing anchor would leave a hole; our directives don't.
    config.build.use_default_preprocessors = false;
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_ansi(false)
        .without_time()
        .with_level(false)
        .with_target(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, || MDBook::load_with_config(&book.dir, config)?.build())?;
    Ok(log.text().lines().map(str::to_string).collect())
}

/// A transcript's info string carries what the check needs (`console,norun,reason="..."`); the reader's page doesn't.
fn plain_fences(text: &str) -> String {
    let mut transcript = false;
    let lines = text.lines().map(|line| {
        let bare = line.trim_start().trim_start_matches('`');
        let fence = line.len() - bare.len();
        if line.trim_start().starts_with("```") {
            transcript = bare.starts_with("console");
        }
        if transcript && line.trim_start().starts_with("```") {
            format!("{}console", &line[..fence])
        } else if transcript {
            // What differs from machine to machine, in the sign that a reader knows.
            line.replace("[..]", "\u{2026}")
        } else {
            line.to_string()
        }
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

/// What mdBook logs.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
