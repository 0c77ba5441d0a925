//! The man pages that the prose names: each stands in `manpages.txt`, so that a misspelt one is noticed.

use std::collections::BTreeSet;
use std::fs;

use anyhow::Result;
use mdbook_markdown::pulldown_cmark::{Event, Tag, TagEnd};

use crate::{Book, Defect, Page, markdown};

/// The man pages there are; `None` where the book keeps no list.
pub(super) struct Manual(Option<BTreeSet<String>>);

impl Manual {
    pub(super) fn read(book: &Book<'_>) -> Result<Self> {
        let file = book.dir.join("manpages.txt");
        if !file.is_file() {
            return Ok(Self(None));
        }
        let text = fs::read_to_string(file)?;
        Ok(Self(Some(text.lines().filter(|line| !line.starts_with('#')).map(str::to_string).collect())))
    }

    /// The man pages of this page that are not in the list.
    pub(super) fn check(&self, page: &Page) -> Vec<Defect> {
        let Some(known) = &self.0 else { return Vec::new() };
        let mut defects = Vec::new();
        let mut code = false;
        for (event, place) in markdown::events(&page.text) {
            match event {
                Event::Start(Tag::CodeBlock(_)) => code = true,
                Event::End(TagEnd::CodeBlock) => code = false,
                // Markdown sees `_` as a text of its own: the page's own words are read, where nothing is cut up.
                Event::Start(Tag::Paragraph | Tag::Item | Tag::TableCell) if !code => {
                    let text = &page.text[place.clone()];
                    for (at, name) in cited(text) {
                        if !known.contains(&name) {
                            let what = format!(
                                "{name} is not in book/manpages.txt: is it misspelt? If there is such a page, add it"
                            );
                            defects.push(page.defect(place.start + at, what));
                        }
                    }
                }
                _ => {}
            }
        }
        defects.dedup();
        defects
    }
}

/// What looks like `clone(2)` outside of code, with its place.
fn cited(text: &str) -> Vec<(usize, String)> {
    let part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.-".contains(c);
    let mut found = Vec::new();
    let mut code = false;
    for (at, letter) in text.char_indices() {
        code ^= letter == '`';
        if letter != '(' || code {
            continue;
        }
        let rest = text.as_bytes();
        let section = rest.get(at + 1).filter(|digit| (b'1'..=b'9').contains(*digit));
        if section.is_none() || rest.get(at + 2) != Some(&b')') {
            continue;
        }
        let before = &text[..at];
        let start = before.trim_end_matches(part).len();
        let name = before[start..].replace('\\', "");
        let named = name.starts_with(|c: char| c.is_ascii_lowercase());
        // A name with capitals in it is none of a man page.
        if named && !before[..start].ends_with(char::is_alphanumeric) {
            found.push((start, format!("{name}{}", &text[at..at + 3])));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::cited;

    #[test]
    fn man_pages_are_told_from_other_parentheses() {
        let names = |text| cited(text).into_iter().map(|(_, name)| name).collect::<Vec<_>>();
        assert_eq!(
            names("clone(2), see pid_namespaces(7) and resolv.conf(5)."),
            ["clone(2)", "pid_namespaces(7)", "resolv.conf(5)"]
        );
        assert!(names("`fchdir(5)` is code; f(x), (2), Foo(2), x (2)").is_empty());
    }
}
