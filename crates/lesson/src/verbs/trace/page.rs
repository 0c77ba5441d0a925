//! The page: two columns where there is room, one below the other elsewhere.

use std::fmt::Write;
use std::io::IsTerminal;

use super::compare::{Columns, Line, Mark, Report, Shown, Side};
use crate::verbs::ink::Ink;

/// From this width on there are two columns.
const TWO: usize = 100;
/// A page wider than this is no easier to read.
const WIDEST: usize = 200;
/// How many calls a step shows in a column, unless all are asked for.
const FEW: usize = 6;

/// What a row of the last lines shows.
type Number = fn(&Side) -> usize;

/// How the page is laid out.
pub(super) struct Page {
    width: usize,
    few: usize,
    ink: Ink,
}

impl Page {
    /// As wide as the terminal, unless `width` is given; for a file or a pipe, as wide as a page of the book.
    pub(super) fn new(width: Option<usize>, all: bool, ink: Ink) -> Self {
        let terminal = || {
            let size = std::io::stdout().is_terminal().then(terminal_size::terminal_size).flatten();
            size.map_or(80, |(width, _)| usize::from(width.0))
        };
        let width = width.unwrap_or_else(terminal).clamp(40, WIDEST);
        Self { width, few: if all { usize::MAX } else { FEW }, ink }
    }

    /// The whole page.
    pub(super) fn render(&self, report: &Report) -> String {
        let mut text = String::new();
        let ours = &report.ours.runtime;
        let versus = report.theirs.as_ref().map(|side| format!(" beside {} {}", side.runtime, side.version));
        let versus = versus.unwrap_or_default();
        let head = format!("Lesson {:02}, {}: {ours}{versus}", report.lesson, report.title);
        self.paragraph(&mut text, &head, 0, |ink, line| ink.bold(line));
        self.paragraph(&mut text, &report.phase, 0, |_, line| line.to_owned());
        if let Some(theirs) = &report.theirs {
            let legend = format!("= the same   ~ by other calls   < only {ours}   > only {}", theirs.runtime);
            self.paragraph(&mut text, &legend, 0, |ink, line| ink.dim(line));
            text.push('\n');
            let heading = |side: &Side| {
                let call = format!("{} {}", side.runtime, side.commands.join(", "));
                vec![Line { call, times: 1 }]
            };
            self.columns(&mut text, &Columns { ours: heading(&report.ours), theirs: heading(theirs) }, true);
        }
        let mut during = None;
        for step in &report.steps {
            if step.during.is_some() && step.during != during {
                during = step.during;
                let _ = writeln!(
                    text,
                    "\n{}",
                    self.ink.dim(&format!("-- {} --", during.map(|d| d.to_string()).unwrap_or_default()))
                );
            }
            self.step(&mut text, step, report);
        }
        self.unknown(&mut text, report);
        self.numbers(&mut text, report);
        text
    }

    fn step(&self, text: &mut String, step: &Shown, report: &Report) {
        let title = format!("{} {}", step.mark.sign(), step.title);
        let _ = writeln!(text, "\n{}", self.mark(step.mark, title.trim_start()));
        self.columns(text, &step.calls, report.theirs.is_some());
        match (&step.sentence, step.mark) {
            (Some(sentence), _) => self.paragraph(text, sentence, 2, |ink, line| ink.italic(line)),
            (None, Mark::Same | Mark::Alone) => {}
            (None, _) => self.paragraph(text, "(no sentence for this yet)", 2, |ink, line| ink.red(line)),
        }
    }

    /// Calls that are the lesson's and that no step knows: a gap in the guide, not to be hidden.
    fn unknown(&self, text: &mut String, report: &Report) {
        if report.unknown.ours.is_empty() && report.unknown.theirs.is_empty() {
            return;
        }
        let _ = writeln!(
            text,
            "\n{}",
            self.ink.red("? Calls of the lesson that no step knows (no sentence for this yet)")
        );
        self.columns(text, &report.unknown, report.theirs.is_some());
    }

    fn columns(&self, text: &mut String, columns: &Columns, both: bool) {
        let (ours, theirs) = (self.few(&columns.ours), self.few(&columns.theirs));
        if both && self.width >= TWO {
            let half = (self.width - 5) / 2;
            let (ours, theirs) = (wrap_all(&ours, half), wrap_all(&theirs, half));
            for n in 0..ours.len().max(theirs.len()) {
                let (left, right) = (line(&ours, n), line(&theirs, n));
                let bar = self.ink.dim("│");
                let _ = writeln!(text, "{}", format!("  {left:<half$} {bar} {right}").trim_end());
            }
            return;
        }
        let sides = [(ours, if both { "< " } else { "" }), (theirs, "> ")];
        for (lines, sign) in sides {
            for line in wrap_all(&lines, self.width - 2 - sign.len()) {
                let _ = writeln!(text, "  {}{line}", self.ink.dim(sign));
            }
        }
    }

    /// The first lines, and how many there are more.
    fn few(&self, lines: &[Line]) -> Vec<String> {
        let word = |line: &Line| match line.times {
            1 => line.call.clone(),
            times => format!("{times} x {}", line.call),
        };
        // One more line is no longer than the words that there is one more.
        let shown = if lines.len() <= self.few.saturating_add(1) { lines.len() } else { self.few };
        let mut words: Vec<_> = lines.iter().take(shown).map(word).collect();
        if shown < lines.len() {
            words.push(format!("... {} more (--all)", lines.len() - shown));
        }
        words
    }

    fn numbers(&self, text: &mut String, report: &Report) {
        let sides: Vec<&Side> = [Some(&report.ours), report.theirs.as_ref()].into_iter().flatten().collect();
        let _ = write!(text, "\n{:<14}", "");
        for side in &sides {
            let _ = write!(text, "{:>10}", side.runtime);
        }
        let rows: [(&str, Number); 4] = [
            ("processes", |side| side.processes),
            ("threads", |side| side.threads),
            ("calls above", |side| side.calls),
            ("calls in all", |side| side.calls_in_all),
        ];
        for (name, number) in rows {
            let _ = write!(text, "\n{name:<14}");
            for side in &sides {
                let _ = write!(text, "{:>10}", number(side));
            }
        }
        text.push('\n');
    }

    fn paragraph(&self, text: &mut String, words: &str, indent: usize, paint: impl Fn(Ink, &str) -> String) {
        let mut line = String::new();
        let width = self.width.min(TWO) - indent;
        let mut flush = |line: &mut String| {
            if !line.is_empty() {
                let _ = writeln!(text, "{:indent$}{}", "", paint(self.ink, line));
                line.clear();
            }
        };
        for word in words.split(' ') {
            if line.chars().count() + 1 + word.chars().count() > width {
                flush(&mut line);
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        flush(&mut line);
    }

    fn mark(&self, mark: Mark, title: &str) -> String {
        match mark {
            Mark::Same => self.ink.green(title),
            Mark::Ours => self.ink.cyan(title),
            Mark::Theirs => self.ink.yellow(title),
            Mark::Other | Mark::Alone => self.ink.bold(title),
        }
    }
}

fn line(lines: &[String], n: usize) -> &str {
    lines.get(n).map_or("", String::as_str)
}

fn wrap_all(lines: &[String], width: usize) -> Vec<String> {
    lines.iter().flat_map(|line| wrap(line, width)).collect()
}

/// Breaks a call behind a space, a comma or a bar, or anywhere where there is none, and indents what follows.
fn wrap(call: &str, width: usize) -> Vec<String> {
    const INDENT: &str = "    ";
    let mut lines = Vec::new();
    let mut line = String::new();
    for piece in call.split_inclusive([' ', '|', ',']) {
        let length = line.chars().count() + piece.trim_end().chars().count();
        if length > width && !line.trim().is_empty() {
            lines.push(line.trim_end().to_owned());
            line = INDENT.to_owned();
        }
        for letter in piece.chars() {
            if line.chars().count() == width && letter != ' ' {
                lines.push(std::mem::replace(&mut line, INDENT.to_owned()));
            }
            line.push(letter);
        }
    }
    lines.push(line.trim_end().to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn a_long_call_goes_on_in_the_next_line() {
        let call = "move_mount(5</>, \"\", 4<ROOTFS>, \"\", MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH)";
        assert_eq!(wrap(call, 100), [call]);
        let lines = wrap(call, 40);
        assert!(lines.iter().all(|line| line.chars().count() <= 40), "{lines:?}");
        assert_eq!(lines[0], "move_mount(5</>, \"\", 4<ROOTFS>, \"\",");
        assert_eq!(lines[2], "    MOVE_MOUNT_T_EMPTY_PATH)");
        let lines = wrap("mkdir(\"/a/path/that/is/longer/than/a/column/is/wide\")", 20);
        assert!(lines.iter().all(|line| line.chars().count() <= 20), "{lines:?}");
    }
}
