//! What a directive becomes: Markdown, with HTML where Markdown has no word for it.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use course::Lesson;

use crate::Book;
use crate::source::{Contract, Found};
use crate::testlist::{self, Kind, Test};

/// An item with its whole source, under the name of its file.
pub(crate) fn item(found: &Found) -> String {
    format!("<figure class=\"source\">\n{}</figure>\n", captioned(&file(&found.file), &found.code))
}

/// The contract of an item: its signature, then its docs as prose. The card links here.
pub(crate) fn contract(path: &str, found: &Contract) -> String {
    let caption = format!("<code>{}</code> in {}", html(path), file(&found.file));
    let code = captioned(&caption, &found.signature);
    format!(
        "<figure class=\"source contract\" id=\"{}\">\n{code}{}\n\n</figure>\n",
        anchor(path),
        prose(&found.docs)
    )
}

/// A doc comment as a piece of a page: its headings do not belong to the page's own, and a link to another item of the
/// program leads nowhere here.
fn prose(docs: &str) -> String {
    let mut fenced = false;
    let lines = docs.lines().map(|line| {
        fenced ^= line.trim_start().starts_with("```");
        match line.trim().trim_start_matches('#').strip_prefix(' ') {
            Some(heading) if !fenced && line.trim().starts_with('#') => format!("**{}**\n", heading.trim()),
            _ => unlinked(line.strip_prefix(' ').unwrap_or(line)),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A line of docs without its links to code: [`a`] and [`a`](b::a).
fn unlinked(line: &str) -> String {
    let mut done = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("[`") {
        let Some((name, after)) = after.split_once("`]") else { break };
        done += &format!("{before}`{name}`");
        let target = after.strip_prefix('(').and_then(|target| target.split_once(')'));
        rest = target.map_or(after, |(_, after)| after);
    }
    done + rest
}

/// An item of the reference, folded.
pub(crate) fn solution(path: &str, found: &Found) -> String {
    let path = html(path);
    format!(
        "<details class=\"solution\">\n<summary>The reference's <code>{path}</code></summary>\n\n{}\n</details>\n",
        item(found)
    )
}

fn file(name: &Path) -> String {
    format!("<code>{}</code>", html(&name.display().to_string()))
}

fn captioned(caption: &str, code: &str) -> String {
    fenced(caption, "rust,noplayground", code)
}

fn fenced(caption: &str, language: &str, text: &str) -> String {
    // Docs may hold fences of their own.
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(3.max(longest + 1));
    format!("<figcaption>{caption}</figcaption>\n\n{fence}{language}\n{text}\n{fence}\n\n")
}

/// A whole file of the repository, under its name. Rust comes by its items, so that a lesson's own are not given away.
pub(crate) fn whole_file(root: &Path, name: &str) -> Result<String> {
    let path = Path::new(name);
    let language = match path.extension().and_then(|extension| extension.to_str()) {
        Some(language @ ("toml" | "json" | "yaml")) => language,
        Some("conf") => "toml",
        other => bail!(
            "{name}: a file to show is toml, conf, json or yaml, and not {}",
            other.unwrap_or("nameless")
        ),
    };
    let text =
        fs::read_to_string(root.join(path)).with_context(|| format!("no file {name} in the repository"))?;
    Ok(format!("<figure class=\"source\">\n{}</figure>\n", fenced(&file(path), language, text.trim_end())))
}

/// The lesson in a box: how long, how hard, what it needs, what to write, how to test.
pub(crate) fn card(book: &Book<'_>, lesson: &Lesson) -> Result<String> {
    let mut rows = vec![("Time", format!("{} minutes", lesson.minutes))];
    rows.push(("Difficulty", stars(lesson)));
    let needs: Vec<_> = lesson.needs.iter().map(|need| tier(need)).collect();
    rows.push(("Needs", if needs.is_empty() { "nothing special".into() } else { needs.join("; ") }));
    if !lesson.items.is_empty() {
        let mut files = BTreeSet::new();
        let mut list = String::from("<ul>");
        for item in &lesson.items {
            let found = book.sources.contract(&item.path)?;
            write!(
                list,
                "<li><a href=\"#{}\"><code>{}</code></a></li>",
                anchor(&item.path),
                html(&item.path)
            )?;
            files.insert(file(&found.file));
        }
        rows.push(("You write", list + "</ul>"));
        rows.push(("In", files.into_iter().collect::<Vec<_>>().join("<br>")));
        rows.push(("Test with", format!("<code>cargo test --test {}</code>", target(book, lesson)?)));
    }
    let rows = rows
        .iter()
        .fold(String::new(), |all, (name, value)| all + &format!("<dt>{name}</dt><dd>{value}</dd>\n"));
    Ok(format!("<dl class=\"card\">\n{rows}</dl>\n"))
}

/// How hard a lesson is.
pub(crate) fn stars(lesson: &Lesson) -> String {
    let stars = lesson.stars.min(3) as usize;
    let drawn = "★".repeat(stars) + &"☆".repeat(3 - stars);
    format!("<span role=\"img\" aria-label=\"{stars} of 3 stars\">{drawn}</span>")
}

/// Which version of the book this is; `None` for one that was built by its reader.
pub(crate) fn version(version: Option<&str>) -> String {
    match version {
        Some(version) => {
            format!(
                "This is the book of version **{}**. <a href=\"../versions.html\">All versions</a>\n",
                escape(version)
            )
        }
        None => "This book was built from your own clone, and tells of just the sources in it.\n".into(),
    }
}

/// What a tier means to the reader.
fn tier(name: &str) -> String {
    let what = match name {
        "userns" => "user namespaces for ordinary users",
        "ids" => "a range of user ids (subuid, newuidmap)",
        "cgroup" => "a cgroup of your own",
        "root" => "root",
        "strace" => "strace",
        "engine" => "Podman, containerd or Docker",
        other => other,
    };
    format!("{what} (<code>{}</code>)", html(name))
}

/// The tests of a lesson as sentences.
pub(crate) fn tests(book: &Book<'_>, lesson: &Lesson) -> Result<String> {
    let mut list = String::from("<div class=\"tests\">\n\n");
    let tests = testlist::read(book.course, lesson)?;
    for test in &tests {
        let Test { kind, tier, docs, .. } = test;
        let needs = tier.as_ref().map(|tier| format!(" (needs {tier})")).unwrap_or_default();
        let docs = if docs.is_empty() { String::new() } else { format!("\\\n  {docs}") };
        let (sentence, name) = (escape(&test.sentence()), &test.name);
        writeln!(list, "- <span class=\"{kind}\">{kind}</span> {sentence}{needs}{docs}\\\n  `{name}`")?;
    }
    list += "\n</div>\n\nA *red* test fails until its capability is there. A *guard* may be green already, and must stay so.\n";
    if tests.iter().any(|test| test.kind == Kind::Plain) {
        list += "A *plain* one repeats the others elsewhere.\n";
    }
    Ok(list)
}

/// The test command: a block where it stands alone, code where it stands in a sentence.
pub(crate) fn command(book: &Book<'_>, lesson: &Lesson, alone: bool) -> Result<String> {
    let command = format!("cargo test --test {}", target(book, lesson)?);
    Ok(if alone { format!("```sh\n{command}\n```\n") } else { format!("`{command}`") })
}

/// The name of the test target that runs the lesson's tests.rs, from the manifest of the package `lessons`.
pub(crate) fn target(book: &Book<'_>, lesson: &Lesson) -> Result<String> {
    let manifest = book.course.root.join("lessons/Cargo.toml");
    let text = fs::read_to_string(&manifest).with_context(|| format!("reading {}", manifest.display()))?;
    let table: toml::Table = text.parse().with_context(|| manifest.display().to_string())?;
    let tests = format!("{}/tests.rs", lesson.folder());
    let targets = table.get("test").and_then(toml::Value::as_array).into_iter().flatten();
    for target in targets {
        if target.get("path").and_then(toml::Value::as_str) == Some(&tests)
            && let Some(name) = target.get("name").and_then(toml::Value::as_str)
        {
            return Ok(name.to_string());
        }
    }
    bail!("lessons/Cargo.toml has no [[test]] with path = \"{tests}\"")
}

/// An SVG of `src/`, put into the page itself: so it takes the colours of the reader's theme.
pub(crate) fn diagram(src: &Path, argument: &str) -> Result<String> {
    let (name, caption) = argument.split_once(char::is_whitespace).unwrap_or((argument, ""));
    let svg = fs::read_to_string(src.join(name)).with_context(|| format!("no file {name} below book/src"))?;
    figure(&svg, name, caption)
}

/// An SVG, put into the page; `name` is for messages.
pub(crate) fn figure(svg: &str, name: &str, caption: &str) -> Result<String> {
    let svg = svg.get(svg.find("<svg").context("the file holds no <svg>")?..).unwrap_or_default();
    let title = svg.split_once("<title").and_then(|(_, rest)| rest.split_once('>'));
    let title = title.and_then(|(_, rest)| rest.split_once("</title>")).map(|(title, _)| title.trim());
    ensure!(
        title.is_some_and(|title| !title.is_empty()),
        "{name} needs a <title> that says in words what it shows"
    );
    let width = svg.split_once("viewBox=\"").and_then(|(_, rest)| rest.split_once('"'));
    let width = width.and_then(|(numbers, _)| numbers.split_whitespace().nth(2));
    let width = width.with_context(|| format!("{name} needs a viewBox=\"0 0 WIDTH HEIGHT\""))?;
    let svg = svg.replacen("<svg", &format!("<svg style=\"--width: {width}px\""), 1);
    // A blank line would end the HTML block.
    let svg: Vec<_> = svg.lines().filter(|line| !line.trim().is_empty()).collect();
    let caption = if caption.is_empty() {
        String::new()
    } else {
        format!("<figcaption>{}</figcaption>\n", html(caption.trim()))
    };
    Ok(format!("<figure class=\"diagram\">\n{}\n{caption}</figure>\n", svg.join("\n")))
}

/// The anchor of an item's contract.
fn anchor(path: &str) -> String {
    format!("contract-{}", path.replace("::", "-"))
}

/// `text` as HTML.
pub(crate) fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// `text` as Markdown that means just these characters.
pub(crate) fn escape(text: &str) -> String {
    text.chars().fold(String::new(), |mut all, c| {
        if "\\`*_{}[]<>#|~".contains(c) {
            all.push('\\');
        }
        all.push(c);
        all
    })
}
