//! Colour, where a person reads it in a terminal.

use std::io::IsTerminal;

/// Colours text for stdout, or leaves it plain.
#[derive(Clone, Copy)]
pub(super) struct Ink(bool);

impl Ink {
    /// Plain where stdout is no terminal, or NO_COLOR is set (<https://no-color.org>).
    pub(super) fn new() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Self(std::io::stdout().is_terminal() && !refused && !dumb)
    }

    pub(super) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    pub(super) fn green(self, text: &str) -> String {
        self.paint("32", text)
    }

    pub(super) fn red(self, text: &str) -> String {
        self.paint("31", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// A unified diff of two texts; empty where they are equal.
    pub(super) fn diff(self, old: (&str, &str), new: (&str, &str)) -> String {
        let diff = similar::TextDiff::from_lines(old.1, new.1);
        let text = diff.unified_diff().context_radius(3).header(old.0, new.0).to_string();
        let lines = text.lines().filter(|line| !line.starts_with("\\ No newline")).map(|line| {
            let code = match line.as_bytes().first() {
                Some(b'+') => "32",
                Some(b'-') => "31",
                Some(b'@') => "36",
                _ => return format!("{line}\n"),
            };
            self.paint(code, line) + "\n"
        });
        lines.collect()
    }
}
