//! The built pages: they fetch nothing from the network, every link leads somewhere, every picture has words.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::Result;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{BufferQueue, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer};

use crate::{Defect, Page, Pages, page};

/// Checks everything below `out`.
pub(super) fn check(pages: &Pages, out: &Path) -> Result<Vec<Defect>> {
    let mut defects = Vec::new();
    let mut built = BTreeMap::new();
    for name in page::files(out)? {
        let extension = name.extension().and_then(|ext| ext.to_str()).unwrap_or_default();
        match extension {
            "html" => drop(built.insert(name.clone(), Elements::read(&fs::read_to_string(out.join(&name))?))),
            "css" => defects.extend(stylesheet(&name, &fs::read_to_string(out.join(&name))?)),
            _ => {}
        }
    }
    for (name, elements) in &built {
        let page = pages.pages.iter().find(|page| page.name.with_extension("html") == *name);
        // index.html, print.html and the like repeat what the pages hold; only what surrounds it is their own.
        for element in elements.0.iter().filter(|element| page.is_some() || !element.main) {
            if let Some((what, fetched)) = element.outside() {
                defects.push(place(page, name, fetched, what));
            }
        }
        let Some(page) = page else { continue };
        for element in elements.0.iter().filter(|element| element.main) {
            if let Some(what) = element.wordless() {
                defects.push(place(Some(page), name, element.source().unwrap_or("<svg"), what));
            }
            if let Some(link) = element.attribute("href").or(element.attribute("src"))
                && let Some(what) = dead(&built, out, name, link)
            {
                defects.push(place(Some(page), name, link, what));
            }
        }
    }
    Ok(defects)
}

/// A defect at the place where `needle` stands in the page's source; links to pages are written with `.md`.
fn place(page: Option<&Page>, name: &Path, needle: &str, what: String) -> Defect {
    let Some(page) = page else { return Defect { file: name.to_path_buf(), line: 0, what } };
    let written = needle.replace(".html", ".md");
    match page.text.find(&written).or_else(|| page.text.find(needle)) {
        Some(offset) => page.defect(offset, what),
        None => Defect { file: page.file.clone(), line: 0, what },
    }
}

/// Why `link` on page `from` leads nowhere.
fn dead(built: &BTreeMap<PathBuf, Elements>, out: &Path, from: &Path, link: &str) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") || link.starts_with("data:") {
        return None;
    }
    let (path, fragment) = link.split_once('#').unwrap_or((link, ""));
    let shown = link.replace(".html", ".md");
    let mut target = from.to_path_buf();
    if !path.is_empty() {
        target.pop();
        for part in Path::new(path).components() {
            match part {
                Component::ParentDir if target.pop() => {}
                Component::Normal(part) => target.push(part),
                Component::CurDir => {}
                _ => return Some(format!("the link {shown} leads out of the book")),
            }
        }
    }
    match built.get(&target) {
        Some(page) if fragment.is_empty() || page.ids().contains(fragment) => None,
        Some(_) => {
            Some(format!("the link {shown} leads nowhere: that page has no heading or anchor #{fragment}"))
        }
        None if out.join(&target).is_file() => None,
        None => Some(format!("the link {shown} leads nowhere: there is no such page or file in the book")),
    }
}

fn stylesheet(name: &Path, text: &str) -> Option<Defect> {
    let outside = ["url(http", "url(\"http", "url('http", "url(//", "@import"];
    let found = outside.iter().find(|outside| text.contains(**outside))?;
    let what =
        format!("the style sheet fetches something ({found}...): the book must work without a network");
    Some(Defect { file: name.to_path_buf(), line: 0, what })
}

struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    /// The text right behind the start tag.
    text: String,
    /// Whether it belongs to the page's own content.
    main: bool,
    /// The name and text of the element that follows: an SVG's `<title>`.
    title: Option<String>,
}

impl Element {
    fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn source(&self) -> Option<&str> {
        self.attribute("src")
    }

    /// Whether the browser would fetch something from the network for it, and what.
    fn outside(&self) -> Option<(String, &str)> {
        if ["a", "area", "base"].contains(&self.name.as_str()) {
            return None;
        }
        let fetched = ["src", "href", "xlink:href", "srcset", "poster", "data"].iter().find_map(|key| {
            self.attribute(key).filter(|value| value.starts_with("http") || value.starts_with("//"))
        })?;
        let what = format!("<{}> fetches {fetched}: the book must work without a network", self.name);
        Some((what, fetched))
    }

    /// Whether it is a picture without a text alternative.
    fn wordless(&self) -> Option<String> {
        let words = |text: Option<&str>| text.is_some_and(|text| !text.trim().is_empty());
        match self.name.as_str() {
            "img" if !words(self.attribute("alt")) => {
                let source = self.source().unwrap_or_default();
                Some(format!("the image {source} has no text alternative: ![what it shows]({source})"))
            }
            "svg" => {
                let hidden = self.attribute("aria-hidden") == Some("true");
                let named = words(self.attribute("aria-label")) || words(self.title.as_deref());
                (!hidden && !named)
                    .then(|| "a diagram has no <title> that says in words what it shows".to_string())
            }
            _ => None,
        }
    }
}

/// The start tags of a page.
struct Elements(Vec<Element>);

impl Elements {
    fn read(text: &str) -> Self {
        let input = BufferQueue::default();
        input.push_back(StrTendril::from(text));
        let tokenizer = Tokenizer::new(Sink::default(), Default::default());
        let _ = tokenizer.feed(&input);
        tokenizer.end();
        let mut found = tokenizer.sink.found.into_inner();
        for at in 0..found.len().saturating_sub(1) {
            if found[at + 1].name == "title" {
                found[at].title = Some(found[at + 1].text.clone());
            }
        }
        Self(found)
    }

    fn ids(&self) -> BTreeSet<&str> {
        self.0.iter().filter_map(|element| element.attribute("id")).collect()
    }
}

#[derive(Default)]
struct Sink {
    found: RefCell<Vec<Element>>,
    main: RefCell<bool>,
    open: RefCell<bool>,
}

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        match token {
            Token::TagToken(tag) => {
                let name = tag.name.to_string();
                if name == "main" {
                    *self.main.borrow_mut() = tag.kind == TagKind::StartTag;
                }
                *self.open.borrow_mut() = tag.kind == TagKind::StartTag;
                if tag.kind == TagKind::StartTag {
                    // Only a tree builder knows that what a script holds is no markup.
                    let raw = match name.as_str() {
                        "script" => Some(RawKind::ScriptData),
                        "style" => Some(RawKind::Rawtext),
                        _ => None,
                    };
                    let attributes = tag
                        .attrs
                        .iter()
                        .map(|pair| (pair.name.local.to_string(), pair.value.to_string()))
                        .collect();
                    let main = *self.main.borrow();
                    let element = Element { name, attributes, text: String::new(), main, title: None };
                    self.found.borrow_mut().push(element);
                    if let Some(raw) = raw {
                        return TokenSinkResult::RawData(raw);
                    }
                }
            }
            Token::CharacterTokens(text) if *self.open.borrow() => {
                if let Some(last) = self.found.borrow_mut().last_mut() {
                    last.text.push_str(&text);
                }
            }
            _ => {}
        }
        TokenSinkResult::Continue
    }
}
