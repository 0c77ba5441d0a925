//! The picture of the state machine.

use std::fmt::Write;

use anyhow::{Result, ensure};

use super::machine::{EVENT, Machine};
use crate::show;

/// The sizes of the drawing.
const LEFT: usize = 74;
const WIDTH: usize = 270;
const HEIGHT: usize = 96;
const GAP: usize = 60;
const RIGHT: usize = 84;

impl Machine {
    /// The states from top to bottom; what leads further down to the left of them, what leads back to their right.
    pub(super) fn svg(&self) -> Result<String> {
        let top = |state: usize| 12 + state * (HEIGHT + GAP);
        let word = |state: usize| self.states[state].0.as_str();
        let (width, height) = (LEFT + WIDTH + RIGHT, top(self.states.len() - 1) + HEIGHT + 12);
        let mut told = Vec::new();
        let (mut lines, mut words) = (String::new(), String::new());
        for (state, (name, docs)) in self.states.iter().enumerate() {
            let (y, middle) = (top(state), LEFT + WIDTH / 2);
            writeln!(lines, r#"<rect x="{LEFT}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="8"/>"#)?;
            writeln!(
                words,
                r#"<text class="state" x="{middle}" y="{}">{}</text>"#,
                y + 25,
                show::html(name)
            )?;
            for (nth, line) in wrapped(docs, 36).iter().enumerate() {
                let y = y + 46 + nth * 18;
                writeln!(words, r#"<text class="small" x="{middle}" y="{y}">{}</text>"#, show::html(line))?;
            }
            let stays = self.stays(state);
            if !stays.is_empty() {
                let y = y + HEIGHT - 11;
                writeln!(
                    words,
                    r#"<text class="small soft" x="{middle}" y="{y}">no change: {stays}</text>"#
                )?;
            }
        }
        let mut further = 0;
        // What leads back to a state shares the way from the first corner on.
        let mut ways: Vec<usize> = Vec::new();
        for (from, to, by) in self.arrows() {
            told.push(format!("{by} leads from {} to {}", word(from), word(to)));
            let y = top(from) + HEIGHT / 2;
            if to == from + 1 {
                let (x, y) = (LEFT + WIDTH / 2, top(from) + HEIGHT);
                writeln!(lines, r#"<path class="arrow" d="M{x} {y}v{}"/>"#, GAP - 2)?;
                writeln!(words, r#"<text class="by" x="{}" y="{}">{by}</text>"#, x + 12, y + GAP / 2 + 5)?;
            } else if to > from {
                let (x, end) = (LEFT - 18 - 10 * further, top(to) + HEIGHT / 2 - 14);
                writeln!(lines, r#"<path class="arrow" d="M{LEFT} {y}H{x}V{end}H{}"/>"#, LEFT - 2)?;
                writeln!(words, r#"<text class="to" x="{}" y="{}">{by}</text>"#, x - 8, (y + end) / 2)?;
                further += 1;
            } else {
                let nth = ways.iter().position(|other| *other == to).unwrap_or_else(|| {
                    ways.push(to);
                    ways.len() - 1
                });
                let (edge, x, end) = (LEFT + WIDTH, LEFT + WIDTH + 64 + 12 * nth, top(to) + HEIGHT / 2);
                writeln!(lines, r#"<path class="arrow bad" d="M{edge} {y}H{x}V{end}H{}"/>"#, edge + 2)?;
                writeln!(words, r#"<text class="by bad" x="{}" y="{}">{by}</text>"#, edge + 8, y - 7)?;
            }
        }
        let (from, to) = self.event()?;
        told.push(format!("and without a command, when {}, from {} to {}", EVENT.2, word(from), word(to)));
        ensure!(to == from + 1, "{} is not the state after {}", word(to), word(from));
        let (x, y) = (LEFT + WIDTH / 2, top(from) + HEIGHT);
        writeln!(lines, r#"<path class="arrow accent" stroke-dasharray="5 5" d="M{x} {y}v{}"/>"#, GAP - 2)?;
        writeln!(
            words,
            r#"<text class="by accent" x="{}" y="{}">{}</text>"#,
            x + 12,
            y + GAP / 2 + 5,
            EVENT.2
        )?;
        let order: Vec<_> = self.states.iter().map(|(name, _)| name.as_str()).collect();
        Ok(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>The states of \
             a container of ns-runtime as boxes, from top to bottom: {}. Arrows: {}. Every other command is refused, or \
             leaves the state as it is; the table below says which.</title>\n<defs><marker id=\"machine-arrow\" viewBox=\"0 \
             0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\"><path d=\"M0 0 10 5 0 \
             10z\" fill=\"currentColor\"/></marker></defs>\n<g fill=\"none\" stroke=\"currentColor\" \
             stroke-width=\"2\">\n{lines}</g>\n{words}</svg>\n",
            order.join(", "),
            told.join("; ")
        ))
    }
}

/// The text in lines of `most` letters at most.
fn wrapped(text: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= most => *line += &format!(" {word}"),
            _ => lines.push(word.to_string()),
        }
    }
    lines
}
