//! Where the page appears: in place in a terminal, else one below the other.

use std::io::{IsTerminal, Read, Write};
use std::sync::mpsc::Sender;

use anyhow::{Context, Result};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGWINCH};
use signal_hook::iterator::Signals;

use super::Event;
use crate::verbs::ink::Ink;

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Plain,
    Bold,
    Good,
    Bad,
}

/// A line of the page.
pub(super) type Line = (Look, String);

pub(super) struct Terminal {
    ink: Ink,
    /// How the terminal was; `None` where stdout is none.
    before: Option<Termios>,
    in_place: bool,
}

impl Terminal {
    /// Takes the terminal, if there is one: keys arrive at once and unseen. An interrupt is an event in any case, so that
    /// all is as it was when we leave.
    pub(super) fn take(send: &Sender<Event>) -> Result<Self> {
        let in_place = std::io::stdout().is_terminal();
        let mut terminal = Self { ink: Ink::new(), before: None, in_place };
        // Caught, not blocked: a handler ends with execve, a mask would stay with cargo and the tests.
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGWINCH]).context("catching signals")?;
        let sender = send.clone();
        std::thread::spawn(move || {
            for signal in signals.forever() {
                let event = if signal == SIGWINCH { Event::Resized } else { Event::Leave };
                let _ = sender.send(event);
            }
        });
        if !in_place {
            return Ok(terminal);
        }
        let stdin = std::io::stdin();
        if stdin.is_terminal() {
            let before = tcgetattr(&stdin).context("tcgetattr")?;
            let mut now = before.clone();
            now.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO);
            tcsetattr(&stdin, SetArg::TCSANOW, &now).context("tcsetattr")?;
            terminal.before = Some(before);
            let sender = send.clone();
            std::thread::spawn(move || {
                for key in std::io::stdin().lock().bytes().map_while(Result::ok) {
                    if key == b'q' || key == b'Q' {
                        let _ = sender.send(Event::Leave);
                    }
                }
            });
        }
        print!("\x1b[2J");
        Ok(terminal)
    }

    /// Shows a page. Where that can't be in place, only the end of a run is worth its lines.
    pub(super) fn show(&self, page: &[Line], last: bool) {
        let mut text = String::new();
        if self.in_place {
            let (width, height) = terminal_size::terminal_size()
                .map_or((80, 24), |(width, height)| (usize::from(width.0), usize::from(height.0)));
            text += "\x1b[H";
            let page: Vec<Line> = page.iter().flat_map(|line| wrap(line, width)).collect();
            for (look, line) in fit(&page, height) {
                text += &self.paint(look, &line);
                text += "\x1b[K\r\n";
            }
            text += "\x1b[J";
        } else if last {
            for line in page {
                text += &format!("{}\n", self.paint(line.0, &line.1));
            }
            text.push('\n');
        }
        // Nobody sees it where it can't be written.
        let _ = std::io::stdout().write_all(text.as_bytes()).and_then(|()| std::io::stdout().flush());
    }

    fn paint(&self, look: Look, text: &str) -> String {
        match look {
            Look::Plain => text.to_owned(),
            Look::Bold => self.ink.bold(text),
            Look::Good => self.ink.green(text),
            Look::Bad => self.ink.red(text),
        }
    }
}

/// A line that is too long goes on below, indented as it is.
fn wrap((look, line): &Line, width: usize) -> Vec<Line> {
    let text: Vec<char> = line.chars().collect();
    let indent = text.iter().take_while(|c| **c == ' ').count();
    if text.len() <= width || indent + 8 > width {
        return vec![(*look, text.into_iter().take(width).collect())];
    }
    let rest = text[width..].chunks(width - indent);
    let rest = rest.map(|part| " ".repeat(indent) + &part.iter().collect::<String>());
    std::iter::once(text[..width].iter().collect()).chain(rest).map(|text| (*look, text)).collect()
}

/// As much of the page as the screen takes: from a long one, lines go out of the middle, where the compiler and the
/// tests speak at length.
fn fit(page: &[Line], height: usize) -> Vec<Line> {
    /// What stands at the end of every page: the next step.
    const FOOT: usize = 4;
    let room = height.saturating_sub(1);
    if page.len() <= room || room <= FOOT + 1 {
        return page.iter().take(room).cloned().collect();
    }
    let (head, foot) = (room - FOOT - 1, page.len() - FOOT);
    let more = (Look::Plain, format!("  ... {} more lines", foot - head));
    page[..head].iter().chain([&more]).chain(&page[foot..]).cloned().collect()
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = tcsetattr(std::io::stdin(), SetArg::TCSANOW, before);
        }
    }
}
