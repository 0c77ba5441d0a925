//! `cargo lesson hint`: a question, then the calls, then an outline.

use anyhow::{Context, Result, bail};
use course::{Course, Item};

use super::git::Git;

/// Prints the hints of an item up to `step`; without a step, one more than the last time. Without an item: of the
/// first one that is still open.
///
/// # Errors
/// Where the lesson has no such item, or its hints.md no such hint.
pub fn hint(course: &Course, number: u32, name: Option<&str>, step: Option<u8>) -> Result<()> {
    let lesson = course.lesson(number)?;
    let item = match name {
        Some(name) => lesson.item(name)?,
        None => {
            // Code that does not parse has no open items; its first one is as good as any.
            let open = course.open_items().unwrap_or_default();
            let first = open.into_iter().find(|(of, _)| of.number == number).map(|(_, item)| item);
            match first.or_else(|| lesson.items.first().filter(|_| course.open_items().is_err())) {
                Some(item) => item,
                None => bail!(
                    "nothing is open in lesson {number}. Name a function for its hints: cargo lesson hint {number} NAME"
                ),
            }
        }
    };
    let path = lesson.dir.join("hints.md");
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let step = step.unwrap_or_else(|| one_more(course, item));
    println!("{} (lesson {number:02})", item.path);
    for n in 1..=step {
        let words = section(&text, &item.path, n)
            .with_context(|| format!("{} has no hint {n} for {}", path.display(), item.path))?;
        println!("\n{n}. {words}");
    }
    let short = lesson.short_name(item);
    match step {
        LAST => println!(
            "\nStill stuck? cargo lesson solve {number} {short} puts the reference in its place; yours is kept."
        ),
        _ => println!("\nMore: cargo lesson hint {number} {short}"),
    }
    Ok(())
}

/// A question, the calls, an outline.
const LAST: u8 = 3;

/// The step after the one that was shown last. Git's own configuration remembers it: the tree stays as it is.
fn one_more(course: &Course, item: &Item) -> u8 {
    let Ok(git) = Git::open(&course.root) else { return 1 };
    let key = format!("coracle.{}.hint", item.path);
    let last = git.run(&["config", "--local", "--get", &key]).ok().and_then(|text| text.parse().ok());
    let step = last.map_or(1, |last: u8| last.saturating_add(1).clamp(1, LAST));
    // Where it cannot be remembered, the first hint comes again.
    let _ = git.run(&["config", "--local", &key, &step.to_string()]);
    step
}

/// The text of `### step` below `## item`.
fn section<'a>(text: &'a str, item: &str, step: u8) -> Option<&'a str> {
    let of_item = text.split("\n## ").skip(1).find_map(|part| part.strip_prefix(item)?.strip_prefix('\n'))?;
    let of_step = of_item
        .split("\n### ")
        .skip(1)
        .find_map(|part| part.strip_prefix(&step.to_string())?.strip_prefix('\n'))?;
    Some(of_step.trim())
}
