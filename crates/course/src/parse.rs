//! A source file as nested blocks of functions, each with its byte range.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use quote::ToTokens;
use syn::spanned::Spanned;

use crate::item::Located;

/// The file that holds `item` by the longest module path, and the names to follow inside it.
pub(crate) fn file_of(files: &BTreeMap<PathBuf, String>, item: &str) -> Result<(PathBuf, Vec<String>)> {
    let names: Vec<String> = item.split("::").map(str::to_owned).collect();
    if names.iter().any(String::is_empty) {
        bail!("`{item}` is not the path of a function, such as rootfs::pivot_root");
    }
    for split in (0..names.len()).rev() {
        let module: PathBuf = names[..split].iter().collect();
        let candidates = match split {
            0 => vec![PathBuf::from("lib.rs")],
            _ => vec![module.with_extension("rs"), module.join("mod.rs")],
        };
        if let Some(file) = candidates.into_iter().find(|file| files.contains_key(file)) {
            return Ok((file, names[split..].to_vec()));
        }
    }
    bail!("no source file for `{item}`: neither its module's file nor lib.rs is there")
}

/// A parsed file beside its text.
pub(crate) struct File<'t> {
    /// Relative to the source folder.
    pub(crate) name: &'t Path,
    pub(crate) text: &'t str,
    pub(crate) root: Block,
}

/// What stands between two braces, or the whole file.
pub(crate) struct Block {
    /// What a path calls it: the module, or the type of an impl block.
    name: Option<String>,
    /// Where the first child may begin: behind the brace and the inner attributes.
    pub(crate) open: usize,
    /// Where the closing brace is.
    pub(crate) close: usize,
    pub(crate) braces: bool,
    pub(crate) children: Vec<Node>,
}

/// One thing in a block.
pub(crate) struct Node {
    /// Tells it from its siblings, in any version of the file.
    pub(crate) key: String,
    pub(crate) span: Range<usize>,
    pub(crate) kind: Kind,
}

pub(crate) enum Kind {
    Function { name: String, declaration: usize, body: Range<usize>, docs: String },
    Block(Block),
    Other,
}

/// Where a function stands in its file: the blocks around it by key, and its place in the innermost one.
pub(crate) struct Place<'f> {
    pub(crate) keys: Vec<&'f str>,
    pub(crate) block: &'f Block,
    pub(crate) index: usize,
}

impl<'t> File<'t> {
    pub(crate) fn parse(name: &'t Path, text: &'t str) -> Result<Self> {
        Ok(Self { name, text, root: parse(name, text)? })
    }

    /// The one function that `names` leads to.
    pub(crate) fn find(&self, names: &[String]) -> Result<Place<'_>> {
        find(self.name, &self.root, names)?
            .ok_or_else(|| anyhow!("there is no function {} in {}", names.join("::"), self.name.display()))
    }

    /// As [`File::find`], but a function that is not there is no error.
    pub(crate) fn find_if_any(&self, names: &[String]) -> Result<Option<Place<'_>>> {
        find(self.name, &self.root, names)
    }

    /// The block with these keys.
    pub(crate) fn block(&self, keys: &[&str]) -> Option<&Block> {
        keys.iter().try_fold(&self.root, |block, key| {
            block.children.iter().find_map(|node| match &node.kind {
                Kind::Block(inner) if node.key == *key => Some(inner),
                _ => None,
            })
        })
    }

    pub(crate) fn locate(&self, names: &[String]) -> Result<Located> {
        let place = self.find(names)?;
        let node = &place.block.children[place.index];
        let Kind::Function { declaration, body, docs, .. } = &node.kind else {
            unreachable!("find returns functions alone")
        };
        let line = self.text[..node.span.start].rfind('\n').map_or(0, |newline| newline + 1);
        Ok(Located {
            file: self.name.to_path_buf(),
            span: node.span.clone(),
            signature: self.text[*declaration..body.start].trim_end().to_owned(),
            docs: docs.clone(),
            body: body.clone(),
            indent: node.span.start - line,
        })
    }
}

pub(crate) fn find<'f>(file: &Path, root: &'f Block, names: &[String]) -> Result<Option<Place<'f>>> {
    let mut found = Vec::new();
    collect(root, names, &mut Vec::new(), &mut found);
    if found.len() > 1 {
        bail!(
            "{} has {} functions called {}: an item must be one",
            file.display(),
            found.len(),
            names.join("::")
        );
    }
    Ok(found.pop())
}

fn collect<'f>(block: &'f Block, names: &[String], keys: &mut Vec<&'f str>, found: &mut Vec<Place<'f>>) {
    let [wanted, rest @ ..] = names else { return };
    for (index, node) in block.children.iter().enumerate() {
        match &node.kind {
            Kind::Function { name, .. } if rest.is_empty() && name == wanted => {
                found.push(Place { keys: keys.clone(), block, index });
            }
            Kind::Block(inner) if !rest.is_empty() && inner.name.as_ref() == Some(wanted) => {
                keys.push(&node.key);
                collect(inner, rest, keys, found);
                keys.pop();
            }
            _ => {}
        }
    }
}

/// Runs a parser. The crate keeps every text it parses in a thread-local map for its spans; no span leaves a
/// parser, so that map is emptied each time.
pub(crate) fn with_spans<T>(parser: impl FnOnce() -> T) -> T {
    let result = parser();
    proc_macro2::extra::invalidate_current_thread_spans();
    result
}

pub(crate) fn parse(name: &Path, text: &str) -> Result<Block> {
    if text.starts_with('\u{feff}') {
        bail!("{} begins with a byte order mark: save it as plain UTF-8", name.display());
    }
    with_spans(|| {
        let file = syn::parse_file(text).map_err(|error| {
            let place = error.span().start();
            anyhow!("{}:{}:{} does not parse: {error}", name.display(), place.line, place.column + 1)
        })?;
        let open = file.attrs.iter().map(|attribute| bytes(attribute).end).max().unwrap_or(0);
        let children = numbered(file.items.iter().map(node).collect());
        Ok(Block { name: None, open, close: text.len(), braces: false, children })
    })
}

/// Siblings with one key, such as two impl blocks of a type, are told apart by their order.
fn numbered(mut nodes: Vec<Node>) -> Vec<Node> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for node in &mut nodes {
        let count = seen.entry(node.key.clone()).or_default();
        *count += 1;
        if *count > 1 {
            node.key = format!("{} #{count}", node.key);
        }
    }
    nodes
}

fn node(item: &syn::Item) -> Node {
    let kind = match item {
        syn::Item::Fn(function) => {
            return self::function(item, &function.attrs, &function.vis, &function.sig, &function.block);
        }
        syn::Item::Mod(module) => module.content.as_ref().map(|(brace, items)| {
            let children = items.iter().map(node).collect();
            block(module.ident.to_string(), brace, &module.attrs, children)
        }),
        syn::Item::Impl(block) => {
            let name = match block.self_ty.as_ref() {
                syn::Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
                _ => None,
            };
            let children = block.items.iter().map(|member| match member {
                syn::ImplItem::Fn(method) => {
                    function(member, &method.attrs, &method.vis, &method.sig, &method.block)
                }
                other => self::other(other),
            });
            Some(self::block(name.unwrap_or_default(), &block.brace_token, &block.attrs, children.collect()))
        }
        syn::Item::Trait(definition) => {
            let children = definition.items.iter().map(|member| match member {
                syn::TraitItem::Fn(syn::TraitItemFn { attrs, sig, default: Some(body), .. }) => {
                    function(member, attrs, &syn::Visibility::Inherited, sig, body)
                }
                other => self::other(other),
            });
            let children = children.collect();
            Some(block(definition.ident.to_string(), &definition.brace_token, &definition.attrs, children))
        }
        _ => None,
    };
    Node { key: key(item), span: bytes(item), kind: kind.map_or(Kind::Other, Kind::Block) }
}

fn function(
    whole: &impl ToTokens,
    attributes: &[syn::Attribute],
    visibility: &syn::Visibility,
    signature: &syn::Signature,
    body: &syn::Block,
) -> Node {
    let declaration = match visibility {
        syn::Visibility::Inherited => bytes(signature).start,
        stated => bytes(stated).start,
    };
    let name = signature.ident.to_string();
    Node {
        key: format!("fn {name}"),
        span: bytes(whole),
        kind: Kind::Function { name, declaration, body: bytes(body), docs: docs(attributes) },
    }
}

fn other(item: &impl ToTokens) -> Node {
    Node { key: item.to_token_stream().to_string(), span: bytes(item), kind: Kind::Other }
}

fn block(
    name: String,
    brace: &syn::token::Brace,
    attributes: &[syn::Attribute],
    children: Vec<Node>,
) -> Block {
    let inner = attributes.iter().filter(|attribute| matches!(attribute.style, syn::AttrStyle::Inner(_)));
    let open = brace.span.open().byte_range().end;
    Block {
        name: Some(name),
        open: inner.map(|attribute| bytes(attribute).end).max().unwrap_or(open),
        close: brace.span.close().byte_range().start,
        braces: true,
        children: numbered(children),
    }
}

/// What tells a sibling from the others, even after the learner changed what is in it.
fn key(item: &syn::Item) -> String {
    match item {
        syn::Item::Const(item) => format!("const {}", item.ident),
        syn::Item::Enum(item) => format!("enum {}", item.ident),
        syn::Item::Mod(item) => format!("mod {}", item.ident),
        syn::Item::Static(item) => format!("static {}", item.ident),
        syn::Item::Struct(item) => format!("struct {}", item.ident),
        syn::Item::Trait(item) => format!("trait {}", item.ident),
        syn::Item::Type(item) => format!("type {}", item.ident),
        syn::Item::Union(item) => format!("union {}", item.ident),
        syn::Item::Impl(item) => {
            let of = item.trait_.as_ref().map(|(_, path, _)| path.to_token_stream().to_string());
            format!("impl {} for {}", of.unwrap_or_default(), item.self_ty.to_token_stream())
        }
        other => other.to_token_stream().to_string(),
    }
}

fn docs(attributes: &[syn::Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        syn::Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => {
                let text = text.value();
                Some(text.strip_prefix(' ').unwrap_or(&text).to_owned())
            }
            _ => None,
        },
        _ => None,
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn bytes(tokens: &(impl Spanned + ?Sized)) -> Range<usize> {
    tokens.span().byte_range()
}
