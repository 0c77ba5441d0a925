//! Reading a page the way mdBook does.

use std::ops::Range;

use mdbook_markdown::pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Tag, TagEnd};
use mdbook_markdown::{MarkdownOptions, new_cmark_parser};

use crate::{Defect, Page};

/// A piece of code on a page.
#[derive(Debug)]
pub(crate) struct Code {
    /// The info string of a fence: `console,root`. `None` for code inside a line.
    pub(crate) info: Option<String>,
    pub(crate) text: String,
    /// Where `text` begins on the page.
    pub(crate) offset: usize,
}

impl Code {
    /// The line of the page's file for byte `within` of this text. Lines are counted, not bytes: a fence in a list has
    /// lost its indentation here.
    pub(crate) fn line(&self, page: &Page, within: usize) -> usize {
        page.line(self.offset, self.text[..within.min(self.text.len())].matches('\n').count())
    }

    /// A defect there.
    pub(crate) fn defect(&self, page: &Page, within: usize, what: impl Into<String>) -> Defect {
        Defect { file: page.file.clone(), line: self.line(page, within), what: what.into() }
    }
}

/// The events of a page with their places.
pub(crate) fn events(text: &str) -> impl Iterator<Item = (Event<'_>, Range<usize>)> {
    new_cmark_parser(text, &MarkdownOptions::default()).into_offset_iter()
}

/// All code of a page, in order.
pub(crate) fn code(page: &Page) -> Vec<Code> {
    let mut found = Vec::new();
    let mut block: Option<Code> = None;
    for (event, place) in events(&page.text) {
        match event {
            Event::Start(Tag::CodeBlock(kind)) => {
                let info = match kind {
                    CodeBlockKind::Fenced(info) => info.to_string(),
                    CodeBlockKind::Indented => String::new(),
                };
                block = Some(Code { info: Some(info), text: String::new(), offset: place.start });
            }
            Event::Text(text) if block.is_some() => {
                if let Some(block) = &mut block {
                    if block.text.is_empty() {
                        block.offset = place.start;
                    }
                    block.text.push_str(&text);
                }
            }
            Event::End(TagEnd::CodeBlock) => found.extend(block.take()),
            Event::Code(text) => {
                found.push(Code { info: None, text: text.to_string(), offset: place.start });
            }
            _ => {}
        }
    }
    found
}

/// The text of the first heading of the first level, and where it is.
pub(crate) fn title(text: &str) -> Option<(String, Range<usize>)> {
    let mut found: Option<(String, Range<usize>)> = None;
    for (event, place) in events(text) {
        match event {
            Event::Start(Tag::Heading { level: HeadingLevel::H1, .. }) => {
                found = Some((String::new(), place))
            }
            Event::End(TagEnd::Heading(HeadingLevel::H1)) => break,
            Event::Text(text) | Event::Code(text) => {
                if let Some((title, _)) = &mut found {
                    title.push_str(&text);
                }
            }
            _ => {}
        }
    }
    found
}

/// The text without its fenced code.
pub(crate) fn prose(text: &str) -> String {
    let mut fence = None;
    let lines = text.lines().filter(|line| {
        let before = fence;
        fence = Fence::after(fence, line);
        before.is_none() && fence.is_none()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// An open code fence.
#[derive(Clone, Copy)]
pub(crate) struct Fence {
    mark: char,
    length: usize,
}

impl Fence {
    /// The fence that is open behind `line`.
    pub(crate) fn after(open: Option<Self>, line: &str) -> Option<Self> {
        let line = line.trim_start();
        let mark = line.chars().next().filter(|c| "`~".contains(*c));
        let length = line.chars().take_while(|c| Some(*c) == mark).count();
        let rest = &line[length.min(line.len())..];
        match (open, mark) {
            (Some(fence), Some(mark))
                if mark == fence.mark && length >= fence.length && rest.trim().is_empty() =>
            {
                None
            }
            (None, Some(mark)) if length >= 3 && !(mark == '`' && rest.contains('`')) => {
                Some(Self { mark, length })
            }
            _ => open,
        }
    }
}
