//! The appendix on troubleshooting: what it says that a test or a command provokes is looked up, or provoked.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Result;
use quote::ToTokens;
use syn::{File, Item, ItemFn};

use super::before::Before;
use super::session::{Ended, PATIENCE, Session};
use super::{Findings, Tools, transcript};
use crate::trouble::{self, Trouble};
use crate::{Book, Defect};

/// Checks every entry of the appendix; nothing where the book has none.
pub(super) fn check(
    book: &Book<'_>,
    tools: &Tools,
    before: &mut Before<'_>,
    findings: &mut Findings,
) -> Result<()> {
    if !trouble::path(book).is_file() {
        return Ok(());
    }
    let (troubles, text) = trouble::read(book)?;
    let mut files = BTreeMap::new();
    for (nth, trouble) in troubles.into_iter().enumerate() {
        let wrong = match (&trouble.test, &trouble.run) {
            (Some(test), None) => asserted(book, &mut files, test, &trouble.message),
            (None, Some(run)) => {
                findings.ran += 1;
                provoked(tools, before, &trouble, run)?
            }
            _ => Some("either a test or a command provokes it: `test = ...` or `run = ...`".into()),
        };
        if let Some(what) = wrong {
            let line = trouble::line(&text, "message", nth);
            let what = format!("{:?}: {what}", trouble.message);
            findings.defects.push(Defect { file: book.display(&trouble::path(book)), line, what });
        }
    }
    Ok(())
}

/// Why `test` does not assert `message`.
fn asserted(
    book: &Book<'_>,
    files: &mut BTreeMap<String, Result<File, String>>,
    test: &str,
    message: &str,
) -> Option<String> {
    let Some((path, name)) = test.rsplit_once("::") else {
        return Some(format!("test = {test:?}: write path/to/tests.rs::name_of_the_test"));
    };
    let root = &book.course.root;
    let file = files.entry(path.to_string()).or_insert_with(|| parse(&root.join(path)));
    let file = match file {
        Ok(file) => file,
        Err(error) => return Some(format!("{path}: {error}")),
    };
    let function = file.items.iter().find_map(|item| match item {
        Item::Fn(function) if function.sig.ident == name => Some(function),
        _ => None,
    });
    let Some(function) = function else { return Some(format!("{path} has no test {name}")) };
    if !runs(function, file, &root.join(path)) {
        return Some(format!("nothing runs {name} of {path}: it is no #[test], and in no suite's list"));
    }
    let mut literals = Vec::new();
    strings(function.block.to_token_stream(), &mut literals);
    let missing =
        message.split("[..]").map(str::trim).find(|piece| !literals.iter().any(|text| text.contains(piece)));
    missing.map(|piece| format!("the test {name} of {path} asserts nothing that contains {piece:?}"))
}

fn parse(path: &Path) -> Result<File, String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    syn::parse_file(&text).map_err(|error| error.to_string())
}

/// Whether `function` is a test: of libtest, or named in a list of `testkit` in its own file or in the main.rs beside it.
pub(crate) fn runs(function: &ItemFn, file: &File, path: &Path) -> bool {
    let marked = |name: &str| function.attrs.iter().any(|attribute| attribute.path().is_ident(name));
    if marked("test") {
        return !marked("ignore");
    }
    let name = function.sig.ident.to_string();
    let named = |file: &File| words(file.to_token_stream()).iter().filter(|word| **word == name).count();
    // Its definition is the first.
    named(file) > 1 || parse(&path.with_file_name("main.rs")).is_ok_and(|main| named(&main) > 0)
}

fn words(tokens: proc_macro2::TokenStream) -> Vec<String> {
    let each = tokens.into_iter().flat_map(|token| match token {
        proc_macro2::TokenTree::Group(group) => words(group.stream()),
        proc_macro2::TokenTree::Ident(word) => vec![word.to_string()],
        _ => Vec::new(),
    });
    each.collect()
}

/// Every string in the code, those in macros as well.
fn strings(tokens: proc_macro2::TokenStream, found: &mut Vec<String>) {
    for token in tokens {
        match token {
            proc_macro2::TokenTree::Group(group) => strings(group.stream(), found),
            proc_macro2::TokenTree::Literal(literal) => {
                if let syn::Lit::Str(text) = syn::Lit::new(literal) {
                    found.push(text.value());
                }
            }
            _ => {}
        }
    }
}

/// Why the command does not print the message.
fn provoked(
    tools: &Tools,
    before: &mut Before<'_>,
    trouble: &Trouble,
    command: &str,
) -> Result<Option<String>> {
    let mut session = Session::start(tools, trouble.before.is_some())?;
    let bin = tools.bin();
    match trouble.before {
        Some(number) => session.prefer(&[before.bin(number)?, &bin]),
        None => session.prefer(&[&bin]),
    }
    let printed = match session.run(command, PATIENCE)? {
        Ok(answer) => answer.text,
        Err(Ended::Shell(printed) | Ended::Late(printed)) => printed,
    };
    let line = format!("[..]{}[..]", trouble.message);
    let said = printed.lines().any(|printed| transcript::line_matches(&line, printed));
    Ok((!said).then(|| format!("`{command}` does not print it, but: {}", printed.trim())))
}
