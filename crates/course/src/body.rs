//! Bodies compared token by token.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Result, anyhow};
use proc_macro2::{TokenStream, TokenTree};

use crate::Tree;
use crate::parse::{Block, Kind, find, parse, with_spans};

/// Parsed files, so that a question about every item parses no file twice.
#[derive(Default)]
pub(crate) struct Cache(BTreeMap<PathBuf, Result<Block, String>>);

impl Cache {
    pub(crate) fn body_is(&mut self, tree: &Tree, path: &str, body: &str) -> Result<bool> {
        let (file, names) = tree.file_of(path)?;
        let text = &tree.files[&file];
        let root = self
            .0
            .entry(file.clone())
            .or_insert_with(|| parse(&file, text).map_err(|error| error.to_string()))
            .as_ref()
            .map_err(|error| anyhow!("{error}"))?;
        let place = find(&file, root, &names)?
            .ok_or_else(|| anyhow!("there is no function {} in {}", names.join("::"), file.display()))?;
        let Kind::Function { body: span, .. } = &place.block.children[place.index].kind else {
            unreachable!("find returns functions alone")
        };
        Ok(tokens(&text[span.clone()])? == tokens(&format!("{{\n{body}\n}}"))?)
    }
}

/// The tokens of a text, without comments and spacing.
fn tokens(text: &str) -> Result<Vec<String>> {
    fn flatten(stream: TokenStream, all: &mut Vec<String>) {
        for token in stream {
            match token {
                TokenTree::Group(group) => {
                    all.push(format!("open {:?}", group.delimiter()));
                    flatten(group.stream(), all);
                    all.push("close".to_owned());
                }
                other => all.push(other.to_string()),
            }
        }
    }
    with_spans(|| {
        let stream: TokenStream = text.parse().map_err(|error| anyhow!("{error}: {text}"))?;
        let mut all = Vec::new();
        flatten(stream, &mut all);
        Ok(all)
    })
}

/// Checks that `body` can stand between a function's braces.
pub(crate) fn check_body(body: &str) -> Result<()> {
    with_spans(|| match syn::parse_str::<syn::Block>(&format!("{{\n{body}\n}}")) {
        Ok(_) => Ok(()),
        Err(error) => Err(anyhow!("`{body}` is not the body of a function: {error}")),
    })
}
