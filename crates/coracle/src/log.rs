//! `--log`: where engines read what went wrong; and the lines that people read.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use crate::error::{Error, Result};
use crate::time;

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// `time="..." level=error msg="..."`
    #[default]
    Text,
    /// One JSON object a line, with `level`, `msg` and `time`.
    Json,
}

/// A log file.
#[derive(Debug)]
pub struct Log {
    file: File,
    format: Format,
}

impl Log {
    /// Opens the log at `path`, to be added to.
    ///
    /// # Errors
    /// Those of open(2).
    pub fn open(path: &Path, format: Format) -> Result<Log> {
        let file = File::options().append(true).create(true).open(path);
        Ok(Log { file: file.map_err(Error::io(format!("open the log {}", path.display())))?, format })
    }

    /// The file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Adds a line. `level` is `error`, `warning`, `info` or `debug`.
    pub fn say(&self, level: &str, msg: &str) {
        let line = match self.format {
            Format::Json => {
                serde_json::json!({ "level": level, "msg": msg, "time": time::now() }).to_string()
            }
            Format::Text => text(level, msg),
        };
        // A log that cannot be written must not stop the container.
        let _ = (&self.file).write_all(format!("{line}\n").as_bytes());
    }
}

/// A line of the log, as [`Format::Text`] has it, without its end.
pub fn text(level: &str, msg: &str) -> String {
    format!("time={:?} level={level} msg={msg:?}", time::now())
}

/// A line for people: `[HH:MM:SS.mmm] [LEVEL] [ROLE] words`. The time is UTC. `role` is the process that speaks: `HOST` where
/// none is made, else `PARENT` or `CHILD`.
pub fn line(level: &str, role: &str, words: &str) -> String {
    format!("[{}] [{level}] [{role}] {words}\n", time::of_day())
}
