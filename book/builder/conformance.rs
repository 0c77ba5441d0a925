//! The suite of conformance: each room of it with its section of the specification, and what the runtimes said on the machine
//! where `scripts/conformance` ran.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use serde::Deserialize;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Expr, Ident, Item, Token, parenthesized};

use crate::{Book, matrix, page, show, testlist};

/// Where the suite is.
const SUITE: &str = "crates/coracle/tests/conformance";

/// Where a whole run of all runtimes writes what they said.
const MATRIX: &str = "target/conformance/matrix.json";

/// One file of the suite.
struct Room {
    /// Its documents and sections, from the comment at its head.
    docs: String,
    /// Its tests, in the order of its list.
    tests: Vec<Test>,
}

struct Test {
    name: String,
    docs: String,
}

/// What the builder reads of a run.
#[derive(Deserialize)]
struct Run {
    machine: Machine,
    runtimes: Vec<Runtime>,
    tests: Vec<Said>,
    defects: Vec<String>,
}

#[derive(Deserialize)]
struct Machine {
    kernel: String,
    processor: String,
    cgroup: String,
    who: String,
}

#[derive(Deserialize)]
struct Runtime {
    name: String,
    version: String,
}

#[derive(Deserialize)]
struct Said {
    name: String,
    verdicts: BTreeMap<String, Verdict>,
}

#[derive(Deserialize)]
struct Verdict {
    verdict: String,
    why: Option<String>,
}

/// A table a room, and a word on where the verdicts come from.
pub(crate) fn show(book: &Book<'_>) -> Result<String> {
    let rooms = rooms(book)?;
    let run = run(book);
    let mut text = match &run {
        Ok(run) => {
            let versions: Vec<_> = run.runtimes.iter().map(|one| show::escape(&one.version)).collect();
            let Machine { kernel, processor, cgroup, who } = &run.machine;
            format!(
                "What follows was said by {}, on {} ({processor}), by {who}, with control groups of {cgroup}.\n",
                versions.join(", "),
                show::escape(kernel)
            )
        }
        Err(error) => format!(
            "<div class=\"unproved\">\n\n**Not run here.** {error:#}. So the tables only list the tests. This fills them \
             in:\n\n```sh\nscripts/conformance\ncargo run -p book\n```\n\n</div>\n"
        ),
    };
    for room in rooms.iter().filter(|room| !room.tests.is_empty()) {
        text += &table(room, run.as_ref().ok());
    }
    Ok(text)
}

fn table(room: &Room, run: Option<&Run>) -> String {
    let mut text = format!("\n## {}\n\n<div class=\"matrix\">\n\n| Row | Test |", heading(&room.docs));
    let names: Vec<_> = run.map_or(vec!["coracle", "runc", "crun"], |run| {
        run.runtimes.iter().map(|runtime| runtime.name.as_str()).collect()
    });
    for name in &names {
        let _ = write!(text, " {name} |");
    }
    text += &format!("\n|---|---|{}\n", "---|".repeat(names.len()));
    let mut reasons = String::new();
    for test in &room.tests {
        let (row, sentence) = test.name.split_once('_').unwrap_or(("", &test.name));
        let row = row.to_uppercase().replacen('O', "O-", 1);
        let docs = show::escape(&test.docs);
        let _ = write!(text, "| {row} | **{}** {docs} |", show::escape(&testlist::sentence(sentence)));
        let said = run.and_then(|run| run.tests.iter().find(|said| said.name == test.name));
        for name in &names {
            let verdict = said.and_then(|said| said.verdicts.get(*name));
            let word = match verdict.map(|verdict| verdict.verdict.as_str()) {
                Some("pass") => "yes",
                Some("ignored") => "not tried",
                Some(other) => other,
                None => "?",
            };
            let _ = write!(text, " {word} |");
            let why = verdict.and_then(|verdict| verdict.why.as_deref()).filter(|why| !why.is_empty());
            if let Some(why) = why {
                let _ = writeln!(
                    reasons,
                    "- {name}, `{}`: {}.",
                    test.name,
                    show::escape(why.trim_end_matches('.'))
                );
            }
        }
        text.push('\n');
    }
    text += "\n</div>\n";
    if !reasons.is_empty() {
        let _ = write!(
            text,
            "\n<details>\n<summary>What is not \"yes\", and why</summary>\n\n{reasons}\n</details>\n"
        );
    }
    text
}

/// The first sentence of a room's comment, without the rows, which the tables have.
fn heading(docs: &str) -> String {
    let sections = docs.split(". Row").next().unwrap_or(docs);
    show::escape(sections.trim_end_matches('.'))
}

/// The rooms, in the order of the suite's list.
fn rooms(book: &Book<'_>) -> Result<Vec<Room>> {
    let folder = book.course.root.join(SUITE);
    let main = fs::read_to_string(folder.join("main.rs")).with_context(|| format!("no {SUITE}/main.rs"))?;
    let names = main.lines().filter_map(|line| line.trim().strip_suffix("::TESTS,"));
    let rooms = names.map(|name| room(book, name)).collect::<Result<Vec<_>>>()?;
    ensure!(!rooms.is_empty(), "{SUITE}/main.rs lists no rooms");
    Ok(rooms)
}

/// The files of a room, the one with the list first: `NAME.rs`, or a folder with `mod.rs` and others.
fn files(book: &Book<'_>, name: &str) -> Result<Vec<(String, syn::File)>> {
    let parsed = |path: String| {
        let text = fs::read_to_string(book.course.root.join(&path)).with_context(|| format!("no {path}"))?;
        let file = syn::parse_file(&text).with_context(|| format!("{path} does not parse"))?;
        Ok((path, file))
    };
    let folder = format!("{SUITE}/{name}");
    if !book.course.root.join(&folder).is_dir() {
        return Ok(vec![parsed(format!("{folder}.rs"))?]);
    }
    let mut names = page::files(&book.course.root.join(&folder))?;
    names.sort_by_key(|name| (*name != Path::new("mod.rs"), name.clone()));
    names.iter().map(|name| parsed(format!("{folder}/{}", name.display()))).collect()
}

fn room(book: &Book<'_>, name: &str) -> Result<Room> {
    let files = files(book, name)?;
    let (path, file) = files.first().with_context(|| format!("{SUITE}/{name} is empty"))?;
    let list = file.items.iter().find_map(|item| match item {
        Item::Const(list) if list.ident == "TESTS" => match &*list.expr {
            Expr::Macro(call) => Some(call.mac.parse_body::<List>()),
            _ => None,
        },
        _ => None,
    });
    let list = list
        .ok_or_else(|| anyhow!("{path} has no testkit::tests! list"))?
        .with_context(|| format!("the testkit::tests! list of {path}"))?;
    let test = |name: Ident| {
        let mut items = files.iter().flat_map(|(_, file)| &file.items);
        let function = items.find_map(|item| match item {
            Item::Fn(function) if function.sig.ident == name => Some(function),
            _ => None,
        });
        let function = function.with_context(|| format!("{path} lists {name}, and has no such function"))?;
        Ok(Test { name: name.to_string(), docs: testlist::docs(&function.attrs) })
    };
    let tests = list.0.into_iter().map(test).collect::<Result<_>>()?;
    Ok(Room { docs: testlist::docs(&file.attrs), tests })
}

/// Names, each with the tiers that it needs in parentheses.
struct List(Vec<Ident>);

impl Parse for List {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let entry = |input: ParseStream<'_>| {
            let name: Ident = input.parse()?;
            if input.peek(syn::token::Paren) {
                let tiers;
                parenthesized!(tiers in input);
                Punctuated::<Ident, Token![,]>::parse_terminated(&tiers)?;
            }
            Ok(name)
        };
        let entries = Punctuated::<Ident, Token![,]>::parse_terminated_with(input, entry)?;
        Ok(Self(entries.into_iter().collect()))
    }
}

/// The run, if it is one of these sources.
fn run(book: &Book<'_>) -> Result<Run> {
    let root = &book.course.root;
    let file = root.join(MATRIX);
    let text = fs::read(&file).map_err(|_| anyhow!("There is no {MATRIX}"))?;
    let run: Run = serde_json::from_slice(&text).with_context(|| MATRIX.to_string())?;
    let folders = [
        "crates/coracle/src",
        "crates/testkit/src",
        "crates/probe/src",
        "crates/coracle/tests/common",
        SUITE,
    ];
    if let Some(younger) = matrix::younger(root, fs::metadata(&file)?.modified()?, &folders)? {
        return Err(anyhow!("{} has changed since the last run", younger.display()));
    }
    ensure!(run.defects.is_empty(), "The last run found {} defects", run.defects.len());
    Ok(run)
}
