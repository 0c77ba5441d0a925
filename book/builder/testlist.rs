//! The tests of a lesson, read from the `testkit::lesson!` list of its tests.rs.

use std::fmt;
use std::fs;

use anyhow::{Context, Result, anyhow, ensure};
use course::{Course, Lesson};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Ident, Item, LitInt, Token, parenthesized};

/// What a test must do on the starter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Red,
    Guard,
    Plain,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Red => "red",
            Kind::Guard => "guard",
            Kind::Plain => "plain",
        })
    }
}

/// One test of a lesson.
#[derive(Debug)]
pub(crate) struct Test {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    /// One more tier that it needs.
    pub(crate) tier: Option<String>,
    /// The doc comment of its function, as one paragraph.
    pub(crate) docs: String,
}

impl Test {
    /// The name as a sentence.
    pub(crate) fn sentence(&self) -> String {
        sentence(&self.name)
    }
}

/// The name of a test as a sentence.
pub(crate) fn sentence(name: &str) -> String {
    // A function's name has no apostrophes.
    let words = name.replace('_', " ").replace("hosts ", "host's ").replace("programs ", "program's ");
    let words = words.replace("runtimes", "runtime's");
    let mut letters = words.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + letters.as_str() + ".")
}

/// The tests of `lesson`, in the order of its list.
pub(crate) fn read(course: &Course, lesson: &Lesson) -> Result<Vec<Test>> {
    let name = format!("lessons/{}/tests.rs", lesson.folder());
    let text = fs::read_to_string(course.root.join(&name)).with_context(|| format!("no {name}"))?;
    let file = syn::parse_file(&text).with_context(|| format!("{name} does not parse"))?;
    let list = file.items.iter().find_map(|item| match item {
        Item::Macro(call) if call.mac.path.segments.last().is_some_and(|last| last.ident == "lesson") => {
            Some(call.mac.parse_body::<List>())
        }
        _ => None,
    });
    let list = list
        .ok_or_else(|| anyhow!("{name} has no testkit::lesson! list"))?
        .with_context(|| format!("the testkit::lesson! list of {name}"))?;
    ensure!(list.number == lesson.number, "{name} says it is lesson {}", list.number);
    let mut tests = Vec::new();
    for entry in list.entries {
        let function = file.items.iter().find_map(|item| match item {
            Item::Fn(function) if function.sig.ident == entry.name => Some(function),
            _ => None,
        });
        let function =
            function.with_context(|| format!("{name} lists {}, and has no such function", entry.name))?;
        tests.push(Test {
            kind: entry.kind,
            name: entry.name.to_string(),
            tier: entry.tier.map(|tier| tier.to_string()),
            docs: docs(&function.attrs),
        });
    }
    Ok(tests)
}

/// The doc comment, as one paragraph.
pub(crate) fn docs(attributes: &[syn::Attribute]) -> String {
    let mut lines = Vec::new();
    for attribute in attributes {
        if let syn::Meta::NameValue(pair) = &attribute.meta
            && pair.path.is_ident("doc")
            && let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &pair.value
        {
            lines.push(text.value().trim().to_string());
        }
    }
    lines.join(" ").trim().to_string()
}

struct List {
    number: u32,
    entries: Vec<Entry>,
}

struct Entry {
    kind: Kind,
    tier: Option<Ident>,
    name: Ident,
}

impl Parse for List {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let number = input.parse::<LitInt>()?.base10_parse()?;
        input.parse::<Token![,]>()?;
        let entries = Punctuated::<Entry, Token![,]>::parse_terminated(input)?;
        Ok(Self { number, entries: entries.into_iter().collect() })
    }
}

impl Parse for Entry {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let word: Ident = input.parse()?;
        let kind = match word.to_string().as_str() {
            "red" => Kind::Red,
            "guard" => Kind::Guard,
            "plain" => Kind::Plain,
            _ => return Err(syn::Error::new(word.span(), "`red`, `guard` or `plain` expected")),
        };
        let mut tier = None;
        if input.peek(syn::token::Paren) {
            let inner;
            parenthesized!(inner in input);
            tier = Some(inner.parse()?);
        }
        Ok(Self { kind, tier, name: input.parse()? })
    }
}
