//! Edits of one file's text.
//!
//! Between two siblings lies a gap: the rest of the first one's last line, then blank lines and the comments above
//! the second one. The first part (`trail`) stays with the sibling before, the second (`lead`) goes with the sibling
//! behind. Taking an item out and putting it back moves these parts alone, so that it is exact in any order.

use anyhow::{Result, bail};

use crate::parse::{Block, File};

/// A function's body in braces, for a function that is indented by `indent` columns.
pub(crate) fn block(body: &str, marker: Option<&str>, indent: usize) -> String {
    let lines: Vec<&str> = body.trim_end().lines().skip_while(|line| line.trim().is_empty()).collect();
    let common =
        lines.iter().filter(|line| !line.trim().is_empty()).map(|line| margin(line)).min().unwrap_or(0);
    if lines.is_empty() && marker.is_none() {
        return "{}".to_owned();
    }
    let mut text = "{\n".to_owned();
    let comment = marker.map(|marker| format!("// {marker}"));
    let lines = lines.iter().map(|line| line.get(common..).unwrap_or("").trim_end());
    for line in comment.as_deref().into_iter().chain(lines) {
        if !line.is_empty() {
            text.extend(std::iter::repeat_n(' ', indent + 4));
            text.push_str(line);
        }
        text.push('\n');
    }
    text.extend(std::iter::repeat_n(' ', indent));
    text.push('}');
    text
}

/// The file's text without the function.
pub(crate) fn without(file: &File, names: &[String]) -> Result<String> {
    let place = file.find(names)?;
    let Sides { start, end } = sides(place.block, place.index, place.index + 1);
    let node = &place.block.children[place.index];
    if place.block.braces && place.block.children.len() == 1 {
        bail!("{} is the only item of its block in {}", names.join("::"), file.name.display());
    }
    let (before, after) = (&file.text[start..node.span.start], &file.text[node.span.end..end]);
    let lead = fitted(lead(after), place.block, place.index == 0);
    Ok([&file.text[..start], trail(before), &lead, &file.text[end..]].concat())
}

/// The file's text with the function as `reference` has it: in place, or put back where it belongs.
pub(crate) fn with(file: &File, reference: &File, names: &[String]) -> Result<String> {
    let wanted = reference.find(names)?;
    let span = wanted.block.children[wanted.index].span.clone();
    let item = &reference.text[span.clone()];
    if let Some(place) = file.find_if_any(names)? {
        let old = place.block.children[place.index].span.clone();
        return Ok([&file.text[..old.start], item, &file.text[old.end..]].concat());
    }
    let Some(block) = file.block(&wanted.keys) else {
        bail!(
            "{} belongs into `{}`, which is gone from {}",
            names.join("::"),
            wanted.keys.join(" / "),
            file.name.display()
        );
    };

    let siblings = &wanted.block.children[..wanted.index];
    let previous =
        siblings.iter().rev().find_map(|s| block.children.iter().position(|child| child.key == s.key));
    let next = previous.map_or(0, |index| index + 1);
    let Sides { start, end } = sides(block, next, next);
    let gap = &file.text[start..end];

    let around = sides(wanted.block, wanted.index, wanted.index + 1);
    let first = previous.is_none();
    let above = fitted(lead(&reference.text[around.start..span.start]), block, first && wanted.index > 0);
    let rest_of_line = trail(&reference.text[span.end..around.end]);
    let below = match block.children.get(next) {
        Some(sibling) => below(gap, reference, wanted.block, &sibling.key, first),
        None => lead(gap).to_owned(),
    };
    Ok([&file.text[..start], trail(gap), &above, item, rest_of_line, &below, &file.text[end..]].concat())
}

/// What stands above the sibling behind an item that is put back: as in the reference, unless the learner changed
/// it there.
fn below(gap: &str, reference: &File, wanted: &Block, key: &str, first: bool) -> String {
    let here = lead(gap);
    if let Some(index) = wanted.children.iter().position(|child| child.key == key) {
        let Sides { start, end } = sides(wanted, index, index);
        let there = lead(&reference.text[start..end]);
        if there.trim_start_matches('\n') == here.trim_start_matches('\n') {
            return there.to_owned();
        }
    }
    if first { format!("\n{here}") } else { here.to_owned() }
}

/// The end of the child before `from` and the start of the child `to`; the block's own ends where there is none.
fn sides(block: &Block, from: usize, to: usize) -> Sides {
    Sides {
        start: from.checked_sub(1).map_or(block.open, |index| block.children[index].span.end),
        end: block.children.get(to).map_or(block.close, |child| child.span.start),
    }
}

struct Sides {
    start: usize,
    end: usize,
}

/// No blank line stands behind an opening brace, and nothing at all at the head of a file.
fn fitted(lead: &str, block: &Block, first: bool) -> String {
    match (first, block.braces, block.open) {
        (true, true, _) => format!("\n{}", lead.trim_start_matches('\n')),
        (true, false, 0) => lead.trim_start_matches('\n').to_owned(),
        _ => lead.to_owned(),
    }
}

fn trail(gap: &str) -> &str {
    &gap[..gap.find('\n').unwrap_or(gap.len())]
}

fn lead(gap: &str) -> &str {
    &gap[gap.find('\n').unwrap_or(gap.len())..]
}

fn margin(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}
