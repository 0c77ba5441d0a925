//! The directives of a page, and their expansion.

use anyhow::{Context, Result, anyhow, bail, ensure};
use course::Lesson;

use crate::markdown::{self, Fence};
use crate::{Book, Defect, Page, Pages, conformance, document, glossary, matrix, show, trouble, workshop};

const OPEN: &str = "{{#";
const CLOSE: &str = "}}";

/// Expands the directives of one page and adds it to `found`. What cannot be resolved is a defect, never a hole.
pub(crate) fn expand(
    book: &Book<'_>,
    found: &mut Pages,
    mut page: Page,
    lesson: Option<&Lesson>,
    source: &str,
) {
    let mut used = Vec::new();
    let mut fence: Option<Fence> = None;
    let body = heading(&mut page, lesson, source, &mut found.defects);
    for (number, line) in source.lines().enumerate().skip(body) {
        let inside = fence.is_some();
        fence = Fence::after(fence, line);
        let expanded = if inside && line.replace("\\{{#", "").contains(OPEN) {
            Err(anyhow!("a directive inside a fence: it makes its own, so put it outside (or write \\{{{{#)"))
        } else {
            expand_line(book, lesson, line, &mut used)
        };
        match expanded {
            Ok(text) => page.push(number + 1, &text),
            Err(error) => {
                found.defects.push(Defect {
                    file: page.file.clone(),
                    line: number + 1,
                    what: format!("{error:#}"),
                });
            }
        }
    }
    if let Some(lesson) = lesson {
        found.gaps.extend(missing(lesson, &used).map(|what| Defect {
            file: page.file.clone(),
            line: 0,
            what,
        }));
    }
    found.pages.push(page);
}

/// Makes the page's title. A chapter's heading comes from its lesson; a heading of its own must say the same.
/// Returns how many lines of the source are used up.
fn heading(page: &mut Page, lesson: Option<&Lesson>, source: &str, defects: &mut Vec<Defect>) -> usize {
    let own = markdown::title(source);
    let at = |offset: usize| source[..offset].matches('\n').count();
    let Some(lesson) = lesson else {
        page.title = own.map(|(title, _)| title).unwrap_or_default();
        if page.title.is_empty() {
            defects.push(Defect {
                file: page.file.clone(),
                line: 1,
                what: "the page has no heading `# ...`".into(),
            });
        }
        return 0;
    };
    page.title = format!("{:02} · {}", lesson.number, lesson.title);
    page.push(1, &format!("# {}\n\n", show::escape(&page.title)));
    match own {
        Some((title, place)) if source[..place.start].trim().is_empty() => {
            let bare = title.trim_start_matches(|c: char| c.is_ascii_digit() || " ·.:-".contains(c));
            if bare != lesson.title && title != lesson.title {
                let what = format!(
                    "the heading is \"{title}\", lesson.toml says \"{}\": drop the heading, the builder makes it",
                    lesson.title
                );
                defects.push(Defect { file: page.file.clone(), line: at(place.start) + 1, what });
            }
            at(place.end.saturating_sub(1)) + 1
        }
        _ => 0,
    }
}

fn expand_line(
    book: &Book<'_>,
    lesson: Option<&Lesson>,
    line: &str,
    used: &mut Vec<String>,
) -> Result<String> {
    let mut done = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(OPEN) {
        if rest[..at].ends_with('\\') {
            done.push_str(&rest[..at - 1]);
            done.push_str(OPEN);
            rest = &rest[at + OPEN.len()..];
            continue;
        }
        done.push_str(&rest[..at]);
        let end = rest[at..].find(CLOSE).context("a directive without its closing }}")? + at;
        let call = rest[at + OPEN.len()..end].trim();
        let (name, argument) = call.split_once(char::is_whitespace).unwrap_or((call, ""));
        let alone = line.trim().len() == end + CLOSE.len() - at && line.trim().starts_with(OPEN);
        let text = resolve(book, lesson, name, argument.trim(), alone)
            .with_context(|| format!("{OPEN}{call}{CLOSE}"))?;
        used.push(format!("{name} {}", argument.trim()));
        // In a list, every line of the expansion belongs to the list's item.
        let indent = if alone { done.clone() } else { String::new() };
        done.push_str(&text.trim_end().replace('\n', &format!("\n{indent}")));
        rest = &rest[end + CLOSE.len()..];
    }
    done.push_str(rest);
    Ok(done)
}

fn resolve(book: &Book<'_>, own: Option<&Lesson>, name: &str, argument: &str, alone: bool) -> Result<String> {
    let lesson = || match (argument, own) {
        ("", Some(own)) => Ok(own),
        ("", None) => bail!("name the lesson: this page belongs to none"),
        (number, _) => book.course.lesson(number.parse().with_context(|| format!("{number} is no number"))?),
    };
    ensure!(alone || name == "command", "this directive stands on a line of its own");
    match name {
        "item" => {
            let owner = book.course.lessons.iter().find(|l| owns(l, argument));
            if let (Some(owner), Some(own)) = (owner, own) {
                ensure!(
                    owner.number < own.number,
                    "the learner still has to write it: show {OPEN}signature ...{CLOSE}, or {OPEN}solution ...{CLOSE} \
                     folded"
                );
            }
            Ok(show::item(&book.sources.item(argument)?))
        }
        "signature" => Ok(show::contract(argument, &book.sources.contract(argument)?)),
        "contracts" => {
            let lesson = lesson()?;
            ensure!(!lesson.items.is_empty(), "lesson {} has no items", lesson.number);
            let each = lesson
                .items
                .iter()
                .map(|item| Ok(show::contract(&item.path, &book.sources.contract(&item.path)?)));
            Ok(each.collect::<Result<Vec<_>>>()?.join("\n"))
        }
        "solution" => Ok(show::solution(argument, &book.sources.solution(argument)?)),
        "card" => show::card(book, lesson()?),
        "tests" => show::tests(book, lesson()?),
        "command" => show::command(book, lesson()?, alone),
        "diagram" => show::diagram(&book.src(), argument),
        "file" => show::whole_file(&book.course.root, argument),
        "documents" => document::page::show(book),
        "machine" => document::machine::show(book),
        "glossary" => glossary::show(book),
        "matrix" => matrix::show(book),
        "conformance" => conformance::show(book),
        "troubles" => trouble::show(book),
        "workshop" => workshop::plan(book, argument),
        "version" => Ok(show::version(book.version.as_deref())),
        _ => bail!(
            "no such directive. There is: item, signature, contracts, solution, card, tests, command, diagram, file, \
             conformance, documents, glossary, machine, matrix, troubles, workshop, version (plain mdBook includes are off: a missing anchor would leave a hole)"
        ),
    }
}

fn owns(lesson: &Lesson, path: &str) -> bool {
    lesson.items.iter().any(|item| item.path == path) || lesson.private.iter().any(|helper| helper == path)
}

/// What a chapter must show and does not: its card, its tests, every contract.
fn missing<'a>(lesson: &'a Lesson, used: &'a [String]) -> impl Iterator<Item = String> + 'a {
    let number = lesson.number;
    let shows = move |name: &str| {
        used.iter().any(|call| {
            let (verb, argument) = call.split_once(' ').unwrap_or((call, ""));
            verb == name && (argument.is_empty() || argument.parse() == Ok(number))
        })
    };
    let tests = (!lesson.items.is_empty()).then_some("tests");
    let parts = ["card"].into_iter().chain(tests).filter(move |name| !shows(name));
    let contracts = lesson
        .items
        .iter()
        .filter(move |item| !shows("contracts") && !used.contains(&format!("signature {}", item.path)))
        .map(|item| {
            format!("the chapter does not show the contract of {}: {OPEN}signature {0}{CLOSE}", item.path)
        });
    parts.map(move |name| format!("the chapter lacks {OPEN}{name} {number:02}{CLOSE}")).chain(contracts)
}
