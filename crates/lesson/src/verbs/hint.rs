//! `cargo lesson hint`: a question, then the calls, then an outline.

use anyhow::{Context, Result, bail};
use course::Course;

/// Prints the hints of an item up to `step`. Without an item: of the first one that is still open.
///
/// # Errors
/// Where the lesson has no such item, or its hints.md no such hint.
pub fn hint(course: &Course, number: u32, name: Option<&str>, step: u8) -> Result<()> {
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
    println!("{} (lesson {number:02})", item.path);
    for n in 1..=step {
        let words = section(&text, &item.path, n)
            .with_context(|| format!("{} has no hint {n} for {}", path.display(), item.path))?;
        println!("\n{n}. {words}");
    }
    let short = lesson.short_name(item);
    match step {
        3 => println!(
            "\nStill stuck? cargo lesson solve {number} {short} puts the reference in its place; yours is kept."
        ),
        _ => println!("\nMore: cargo lesson hint {number} {short} --step {}", step + 1),
    }
    Ok(())
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
