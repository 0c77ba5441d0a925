//! The names in the prose: commands, test targets, packages, verbs, paths, items, tests. Each must exist.

use std::path::Path;

use super::cli::Cli;
use super::printed::Tests;
use super::shell::{commands, placeholder};
use super::{Tools, transcript};
use crate::{Book, Defect, Page, markdown};

/// Where a path that starts so is one of the repository's.
const FOLDERS: [&str; 5] = ["crates/", "lessons/", "scripts/", "book/", "rootfs-builder/"];

/// The subcommands of cargo that a reader may be told to type.
const CARGO: [&str; 13] = [
    "add", "bench", "build", "check", "clean", "clippy", "doc", "fetch", "fmt", "install", "run", "test",
    "update",
];

/// The programs whose verbs and options are looked up.
const PROGRAMS: [&str; 4] = ["coracle", "ns-runtime", "oci-tool", "rootfs-builder"];

/// The prose check, with what it has learnt so far.
pub(super) struct Prose<'a> {
    book: &'a Book<'a>,
    tools: &'a Tools,
    cli: Cli,
    tests: Tests,
}

impl<'a> Prose<'a> {
    pub(super) fn new(book: &'a Book<'a>, tools: &'a Tools) -> Self {
        Self { book, tools, cli: Cli::default(), tests: Tests::read(book.course) }
    }

    /// What is wrong on this page.
    pub(super) fn check(&mut self, page: &Page) -> Vec<Defect> {
        let mut defects = Vec::new();
        for code in markdown::code(page) {
            let language = code.info.as_deref().map(|info| info.split([',', ' ']).next().unwrap_or_default());
            let pieces = match language {
                None | Some("sh" | "bash" | "shell") => vec![(0, code.text.clone())],
                Some("console") => transcript::prompts(&code.text).collect(),
                _ => continue,
            };
            let mut wrong: Vec<(usize, String)> = Vec::new();
            for (start, text) in pieces {
                for (at, words) in commands(&text) {
                    wrong.extend(self.command(&words).map(|what| (start + at, what)));
                }
                if language != Some("console") {
                    wrong.extend(self.paths(&text).into_iter().map(|(at, what)| (start + at, what)));
                }
            }
            if language == Some("console") {
                // What a transcript prints names files and tests as well.
                wrong.extend(self.paths(&code.text));
                wrong.extend(self.tests.check(&code.text));
            }
            if language.is_none() {
                wrong.extend(self.name(&code.text).map(|what| (0, what)));
            }
            defects.extend(wrong.into_iter().map(|(at, what)| code.defect(page, at, what)));
        }
        defects
    }

    fn command(&mut self, words: &[String]) -> Option<String> {
        let (program, arguments) = words.split_first()?;
        match program.as_str() {
            "cargo" => self.cargo(arguments),
            name => self.program(name, arguments),
        }
    }

    /// What is wrong with the arguments of a program of the repository that has verbs or options.
    fn program(&mut self, name: &str, arguments: &[String]) -> Option<String> {
        if !PROGRAMS.contains(&name) {
            return None;
        }
        let program = self.tools.program(name)?;
        self.cli.wrong(program, name, arguments)
    }

    fn cargo(&mut self, arguments: &[String]) -> Option<String> {
        let (verb, rest) = arguments
            .iter()
            .position(|word| !word.starts_with('+'))
            .map(|at| arguments.split_at(at))?
            .1
            .split_first()?;
        if placeholder(verb) || verb.starts_with('-') {
            return None;
        }
        if verb == "lesson" {
            return self.lesson(rest);
        }
        if !CARGO.contains(&verb.as_str()) {
            return Some(format!("cargo has no subcommand {verb} here"));
        }
        let mut package: Option<&str> = None;
        let mut named = Vec::new();
        let mut words = rest.iter().take_while(|word| *word != "--");
        while let Some(word) = words.next() {
            let (option, value) =
                word.split_once('=').map_or((word.as_str(), None), |(option, value)| (option, Some(value)));
            let kind = match option {
                "-p" | "--package" => "package",
                "--test" => "test",
                "--bin" => "bin",
                "--example" => "example",
                _ => continue,
            };
            let Some(value) = value.or_else(|| words.next().map(String::as_str)) else {
                return Some(format!("cargo {verb} {option}: the name is missing"));
            };
            match kind {
                _ if placeholder(value) => {}
                "package" => package = Some(value),
                _ => named.push((kind, value)),
            }
        }
        if let Some(package) = package.filter(|package| !self.tools.packages.contains_key(*package)) {
            let known: Vec<_> = self.tools.packages.keys().map(String::as_str).collect();
            return Some(format!("the workspace has no package {package}. It has: {}", known.join(", ")));
        }
        let targets =
            self.tools.packages.iter().filter(|(name, _)| package.is_none_or(|package| package == *name));
        let targets: Vec<_> = targets.flat_map(|(_, targets)| targets).collect();
        for (kind, name) in named {
            if !targets.iter().any(|(k, n)| k == kind && n == name) {
                let known = targets.iter().filter(|(k, _)| k == kind).map(|(_, n)| n.as_str());
                return Some(format!(
                    "no {kind} target is called {name}. There is: {}",
                    known.collect::<Vec<_>>().join(", ")
                ));
            }
        }
        let behind =
            rest.iter().position(|word| word == "--").map_or(&rest[rest.len()..], |at| &rest[at + 1..]);
        match (verb.as_str(), package?) {
            ("run", "book") => self.cli.own(behind),
            ("run", package) => self.program(package, behind),
            _ => None,
        }
    }

    fn lesson(&mut self, words: &[String]) -> Option<String> {
        let program = self.tools.program("lesson")?;
        if let Some(wrong) = self.cli.wrong(program, "cargo lesson", words) {
            return Some(wrong);
        }
        let verb = words.first()?;
        let named = self.cli.positional(program, words);
        let numbers = named.iter().map_while(|word| word.parse().ok());
        let unknown = numbers.filter_map(|number| self.book.course.lesson(number).err()).next();
        if let Some(error) = unknown {
            return Some(error.to_string());
        }
        let (number, item) = (named.first()?.parse().ok()?, named.get(1).filter(|item| !placeholder(item))?);
        // Only these take a function; for others a second word is one more lesson.
        let takes_item = ["hint", "solve"].contains(&verb.as_str());
        takes_item
            .then(|| self.book.course.lesson(number).ok()?.item(item).err())?
            .map(|error| error.to_string())
    }

    fn paths(&self, text: &str) -> Vec<(usize, String)> {
        let mut missing = Vec::new();
        let mut at = 0;
        for part in text.split_inclusive(|c: char| c.is_whitespace() || "'\"()`;,|=&".contains(c)) {
            let start = at;
            at += part.len();
            let word = part.trim_end_matches(|c: char| c.is_whitespace() || "'\"()`;,|=&.:!?".contains(c));
            let word = word.strip_prefix("./").unwrap_or(word);
            if FOLDERS.iter().any(|folder| word.starts_with(folder)) && !exists(&self.book.course.root, word)
            {
                missing.push((start, format!("the repository has no {word}")));
            }
        }
        missing
    }

    /// An item's path or a test's name that does not exist.
    fn name(&self, text: &str) -> Option<String> {
        let text = text.strip_suffix("()").unwrap_or(text);
        let word =
            |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let lower = |part: &str| word(part) && !part.contains(char::is_uppercase);
        let parts: Vec<_> = text.split("::").collect();
        if parts.len() == 1 && lower(text) && text.matches('_').count() >= 4 {
            let unknown = !self.tests.has(text);
            return unknown.then(|| format!("no lesson has a test called {text}"));
        }
        let item = parts.len() > 1
            && parts.iter().all(|part| word(part))
            && parts.last().is_some_and(|last| lower(last));
        if item && self.book.sources.has_module(parts[0]) {
            let error = self.book.sources.item(text).err()?;
            return Some(format!("the runtime has no item {text}: {error:#}"));
        }
        None
    }
}

/// Whether `path` exists below `root`. A component with a placeholder (`NN-slug`, `*`) stands for any name.
fn exists(root: &Path, path: &str) -> bool {
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    if first.is_empty() {
        return rest.is_empty() && root.is_dir();
    }
    let below = |root: &Path| if rest.is_empty() { root.exists() } else { exists(root, rest) };
    if !placeholder(first) {
        return below(&root.join(first));
    }
    root.read_dir().is_ok_and(|entries| entries.flatten().any(|entry| below(&entry.path())))
}
