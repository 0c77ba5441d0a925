//! How verdicts look on a terminal and off it.

use std::fmt::Write;
use std::io::IsTerminal;

use super::facts::{Facts, Layout};
use super::verdict::{Line, Status};

/// Colours or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// For pipes, files, `NO_COLOR` and terminals that know no colours.
    Plain,
    /// For people.
    Coloured,
}

impl Style {
    /// What standard output can show.
    pub fn of_stdout() -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if std::io::stdout().is_terminal() && !set("NO_COLOR") && !dumb {
            Self::Coloured
        } else {
            Self::Plain
        }
    }

    fn word(self, status: Status) -> String {
        let word = format!("{:<8}", status.word());
        match (self, status) {
            (Self::Plain, _) => word,
            (Self::Coloured, Status::Ok) => format!("\x1b[32m{word}\x1b[0m"),
            (Self::Coloured, Status::Limited) => format!("\x1b[33m{word}\x1b[0m"),
            (Self::Coloured, Status::Missing) => format!("\x1b[31m{word}\x1b[0m"),
        }
    }

    fn dim(self, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Coloured => format!("\x1b[2m{text}\x1b[0m"),
        }
    }
}

/// One verdict a line; what follows and the cure below it.
pub fn render(lines: &[Line], style: Style) -> String {
    let mut text = String::new();
    for line in lines {
        let _ = writeln!(text, "{}{:<17}{}", style.word(line.status), line.name, line.found);
        for (title, details) in [("follows:", line.follows.as_slice()), ("cure:", &line.cures)] {
            for (n, detail) in details.iter().enumerate() {
                let title = if n == 0 { title } else { "or:" };
                let _ = writeln!(text, "{:<8}{} {detail}", "", style.dim(&format!("{title:<8}")));
            }
        }
    }
    text
}

/// One line where nothing that matters is limited; the lines that matter where something is.
pub fn summarize(facts: &Facts, lines: &[Line], style: Style) -> String {
    let matter: Vec<Line> = lines.iter().filter(|line| line.matters).cloned().collect();
    let cgroups = match facts.cgroup.layout {
        Layout::V2 => "v2",
        Layout::Hybrid => "v1 and v2",
        Layout::V1 => "v1",
        Layout::None => "none",
    };
    let verdict = match (facts.containers_run(), matter.is_empty()) {
        (false, _) => "not ready",
        (true, true) => "ready",
        (true, false) => "ready, with limits",
    };
    let machine = format!("kernel {}, cgroups {cgroups}, user {}", facts.release, facts.user);
    let mut text = format!("This machine: {verdict} ({machine}). More: cargo lesson doctor\n");
    text += &render(&matter, style);
    text
}
