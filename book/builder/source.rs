//! Where the book's code comes from: the work tree, and beside it the reference that a learner's branch started from.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use course::{Course, Located, Tree};

/// Where `cargo lesson start` keeps the reference.
const BASE: &str = "refs/coracle/base";

/// The runtime's sources.
#[derive(Debug)]
pub(crate) struct Sources {
    tree: Tree,
    base: Option<Tree>,
}

/// An item of the runtime as the book shows it.
#[derive(Debug)]
pub(crate) struct Found {
    /// From the repository's root.
    pub(crate) file: PathBuf,
    pub(crate) code: String,
}

/// What the learner knows of an item before writing it.
#[derive(Debug)]
pub(crate) struct Contract {
    /// From the repository's root.
    pub(crate) file: PathBuf,
    pub(crate) signature: String,
    /// Markdown, as rustdoc reads it.
    pub(crate) docs: String,
}

impl Sources {
    pub(crate) fn read(course: &Course) -> Result<Self> {
        Ok(Self { tree: Tree::read(&course.source())?, base: base(&course.root)? })
    }

    /// The whole item as it stands in the work tree. On a learner's branch a file may not parse at the moment, or a
    /// private helper may be absent: then it comes from the reference.
    pub(crate) fn item(&self, path: &str) -> Result<Found> {
        self.tree_first(|tree| whole(tree, path))
    }

    /// The contract of an item: its signature, and beside it what its docs say.
    pub(crate) fn contract(&self, path: &str) -> Result<Contract> {
        self.tree_first(|tree| {
            let place = tree.locate(path)?;
            let signature = format!("{};", dedent(&place.signature, place.indent));
            Ok(Contract { file: below_root(&place.file), signature, docs: place.docs })
        })
    }

    /// The finished runtime.
    pub(crate) fn reference(&self) -> &Tree {
        self.base.as_ref().unwrap_or(&self.tree)
    }

    /// The reference's version of an item, also where the learner's own is in the work tree.
    pub(crate) fn solution(&self, path: &str) -> Result<Found> {
        whole(self.reference(), path)
    }

    /// Whether a module of that name is at the top of the runtime's sources.
    pub(crate) fn has_module(&self, name: &str) -> bool {
        let (file, dir) = (PathBuf::from(format!("{name}.rs")), Path::new(name));
        self.tree.files.keys().any(|path| *path == file || path.starts_with(dir))
    }

    fn tree_first<T>(&self, read: impl Fn(&Tree) -> Result<T>) -> Result<T> {
        match (read(&self.tree), &self.base) {
            (Err(error), Some(base)) => read(base).map_err(|_| error),
            (found, _) => found,
        }
    }
}

fn whole(tree: &Tree, path: &str) -> Result<Found> {
    let place = tree.locate(path).or_else(|error| re_exported(tree, path).ok_or(error))?;
    let code = dedent(&file(tree, &place.file)?[place.span.clone()], place.indent);
    Ok(Found { file: below_root(&place.file), code })
}

/// The item of a name that a folder's mod.rs re-exports with all others of a module in it, as `sys` does.
fn re_exported(tree: &Tree, path: &str) -> Option<Located> {
    let (module, rest) = path.split_once("::")?;
    let text = tree.files.get(&Path::new(module).join("mod.rs"))?;
    let inner = text.lines().filter_map(|line| line.strip_prefix("pub use ")?.strip_suffix("::*;"));
    inner.filter_map(|inner| tree.locate(&format!("{module}::{inner}::{rest}")).ok()).next()
}

fn file<'a>(tree: &'a Tree, name: &Path) -> Result<&'a str> {
    tree.files.get(name).map(String::as_str).with_context(|| format!("no file {}", name.display()))
}

fn below_root(file: &Path) -> PathBuf {
    Path::new("crates/coracle/src").join(file)
}

/// Moves code that is `indent` columns deep to the left edge.
fn dedent(code: &str, indent: usize) -> String {
    let lines: Vec<_> = code
        .lines()
        .map(|line| {
            let spaces = line.len() - line.trim_start_matches(' ').len();
            &line[spaces.min(indent)..]
        })
        .collect();
    lines.join("\n")
}

/// The runtime's sources at [`BASE`]; `None` where there is no such ref, or no git.
fn base(root: &Path) -> Result<Option<Tree>> {
    let git = |args: &[&str]| Command::new("git").arg("-C").arg(root).args(args).output();
    match git(&["rev-parse", "--verify", "--quiet", BASE]) {
        Ok(found) if found.status.success() => {}
        _ => return Ok(None),
    }
    let archive = git(&["archive", "--format=tar", &format!("{BASE}:crates/coracle/src")])?;
    if !archive.status.success() {
        bail!("git archive {BASE}: {}", String::from_utf8_lossy(&archive.stderr).trim());
    }
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(archive.stdout.as_slice()).entries()? {
        let mut entry = entry?;
        let name = entry.path()?.into_owned();
        if name.extension().is_some_and(|ext| ext == "rs") {
            let mut text = String::new();
            entry.read_to_string(&mut text)?;
            files.insert(name, text);
        }
    }
    Ok(Some(Tree { files }))
}
