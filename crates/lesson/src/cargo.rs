//! What cargo and the compiler say, as they say it to machines.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Output};

use course::{Item, Tree};
use serde::Deserialize;

/// The cargo that started us, or the one in PATH.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
}

/// One line of `--message-format=json`; only what is looked at here.
#[derive(Debug, Deserialize)]
pub(crate) struct Message {
    pub target: Option<Target>,
    pub message: Option<Rustc>,
    pub executable: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Target {
    pub name: String,
    pub kind: Vec<String>,
    pub src_path: PathBuf,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Rustc {
    pub level: String,
    pub message: String,
    /// As it looks in a terminal.
    pub rendered: Option<String>,
    pub code: Option<Code>,
    pub spans: Vec<Span>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Code {
    pub code: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Span {
    pub file_name: PathBuf,
    pub byte_start: usize,
    pub line_start: usize,
    pub is_primary: bool,
}

impl Span {
    /// Which of these items of the course it lies in.
    pub(crate) fn item<'i>(
        &self,
        tree: &Tree,
        mut items: impl Iterator<Item = &'i Item>,
    ) -> Option<&'i Item> {
        let file = self.file_name.strip_prefix("crates/coracle/src").ok()?;
        items.find(|item| {
            tree.locate(&item.path).is_ok_and(|at| at.file == file && at.span.contains(&self.byte_start))
        })
    }
}

/// The messages of a run of cargo. Lines that are no message are a build script's and none of ours.
pub(crate) fn messages(output: &Output) -> Vec<Message> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

impl Rustc {
    /// `error[E0308]: mismatched types`; `None` for what is only a count or a pointer to more.
    pub(crate) fn headline(&self) -> Option<String> {
        let counts = ["aborting due to", "warning emitted", "warnings emitted"];
        let error = self.level.starts_with("error");
        if !(error || self.level == "warning") || counts.iter().any(|count| self.message.contains(count)) {
            return None;
        }
        // Lints carry their name as code; it says nothing beside the message.
        let code = self.code.as_ref().filter(|_| error);
        let code = code.map(|code| format!("[{}]", code.code)).unwrap_or_default();
        Some(format!("{}{code}: {}", self.level, self.message))
    }

    pub(crate) fn is_error(&self) -> bool {
        self.level.starts_with("error")
    }
}

impl Message {
    pub(crate) fn is_target(&self, kind: &str) -> Option<&Target> {
        self.target.as_ref().filter(|target| target.kind.iter().any(|own| own == kind))
    }
}
