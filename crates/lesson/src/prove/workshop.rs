//! The workshop: a copy of the workspace in which one variant of the runtime after the other is built.

mod ahead;
mod bench;
mod copy;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::Scope;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use course::{Course, Tree};
use serde::Deserialize;

use super::evidence::Build;
use crate::cargo::cargo;
use ahead::{Ahead, Stop};
use bench::{Bench, Shelf};

/// A program that is told apart by its bytes.
#[derive(Debug, Clone)]
pub(super) struct Binary {
    pub path: PathBuf,
    pub hash: u64,
}

impl Binary {
    pub(super) fn of(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        Ok(Self { path: path.to_path_buf(), hash: hash_of(&bytes) })
    }
}

pub(super) fn hash_of(value: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// A variant that was built, now or before.
#[derive(Debug)]
pub(super) struct Built {
    pub build: Build,
    /// `None` where it does not compile.
    pub binary: Option<Binary>,
    /// `None` where it was known.
    pub took: Option<Duration>,
}

/// `target/prove`.
#[derive(Debug)]
pub(super) struct Workshop {
    folder: PathBuf,
    /// What [`hash_base`] says.
    base: u64,
    bench: Bench,
    /// What is built beside us.
    ahead: Arc<Ahead>,
    /// The cache files that this proof looked at.
    used: BTreeSet<PathBuf>,
    /// Held as long as the workshop is in use.
    _lock: File,
}

impl Workshop {
    /// Copies the course's workspace to `target/prove/tree`.
    ///
    /// # Errors
    /// Fails where another proof of this course is under way, or a file cannot be copied.
    pub(super) fn open(course: &Course) -> Result<Self> {
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| course.root.join("target"), PathBuf::from);
        let folder = std::path::absolute(target)?.join("prove");
        for part in ["tree", "builds", "binaries", "verdicts"] {
            fs::create_dir_all(folder.join(part)).with_context(|| format!("making {}", folder.display()))?;
        }
        let lock = File::create(folder.join("lock"))?;
        if lock.try_lock().is_err() {
            bail!("another `cargo lesson prove` works in {}; wait for its end", folder.display());
        }
        let bench = Bench::new(&folder, "");
        let files = bench.fill(&course.root)?;
        let base = hash_base(&bench, &files, &packages(&course.root)?)?;
        let ahead = Arc::new(Ahead::default());
        Ok(Self { folder, base, bench, ahead, used: BTreeSet::new(), _lock: lock })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Builds a variant, unless the same sources were built before.
    ///
    /// # Errors
    /// Fails where cargo cannot be run or a file cannot be written; a compile error is a result.
    pub(super) fn build(&mut self, course: &Course, tree: &Tree) -> Result<Built> {
        let shelf = self.shelf();
        let key = shelf.key(tree);
        self.ahead.take(key);
        let built = match shelf.known(key) {
            Some(known) => known,
            None => shelf.build(&self.bench, course, tree, key)?,
        };
        self.used.insert(shelf.record(key));
        self.used.extend(built.binary.iter().map(|binary| binary.path.clone()));
        Ok(built)
    }

    fn shelf(&self) -> Shelf {
        Shelf { folder: self.folder.clone(), base: self.base }
    }

    /// Has a second bench build the trees that `next` gives, while we are busy with others, until the result is dropped. What we
    /// come to ourselves is passed over.
    pub(super) fn build_ahead<'scope, 'env: 'scope>(
        &self,
        scope: &'scope Scope<'scope, 'env>,
        course: &'env Course,
        trees: impl Iterator<Item = Result<Tree>> + Send + 'scope,
    ) -> Stop {
        let (shelf, ahead, first) = (self.shelf(), Arc::clone(&self.ahead), self.bench.clone());
        scope.spawn(move || {
            // It is help and no more: what cannot be built here, the proof comes to and says why.
            let _ = ahead.work(&shelf, &first, course, trees);
        });
        Stop(Arc::clone(&self.ahead))
    }

    /// A file of the cache, which a full proof keeps only if it asked for it.
    pub(super) fn cached(&mut self, kind: &str, name: &str) -> PathBuf {
        let path = self.folder.join(kind).join(name);
        self.used.insert(path.clone());
        path
    }

    /// Drops what no variant of this proof needed, so that the cache does not grow with every change.
    pub(super) fn prune(&self) -> Result<()> {
        for kind in ["builds", "binaries", "verdicts"] {
            for entry in fs::read_dir(self.folder.join(kind))? {
                let path = entry?.path();
                if !self.used.contains(&path) {
                    fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
                }
            }
        }
        Ok(())
    }
}

/// Of everything that goes into the runtime but the sources that the variants differ in.
fn hash_base(bench: &Bench, files: &BTreeSet<PathBuf>, packages: &BTreeSet<PathBuf>) -> Result<u64> {
    let mut hasher = DefaultHasher::new();
    let rustc = std::process::Command::new("rustc").arg("-vV").current_dir(&bench.tree).output();
    rustc.context("running rustc -vV")?.stdout.hash(&mut hasher);
    std::env::var_os("RUSTFLAGS").hash(&mut hasher);
    for file in files {
        let path = bench.tree.join(file);
        let root = matches!(file.to_str(), Some("Cargo.toml" | "Cargo.lock")) || file.starts_with(".cargo");
        if (root || packages.iter().any(|package| file.starts_with(package))) && path.is_file() {
            file.hash(&mut hasher);
            fs::read(&path).with_context(|| format!("reading {}", path.display()))?.hash(&mut hasher);
        }
    }
    Ok(hasher.finish())
}

/// The folders, relative to the workspace, of the runtime's package and of every package of the workspace that it
/// depends on.
fn packages(root: &Path) -> Result<BTreeSet<PathBuf>> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    #[derive(Deserialize)]
    struct Package {
        manifest_path: PathBuf,
        dependencies: Vec<Dependency>,
    }
    #[derive(Deserialize)]
    struct Dependency {
        kind: Option<String>,
        path: Option<PathBuf>,
    }
    let output =
        cargo().args(["metadata", "--no-deps", "--format-version=1", "--offline"]).current_dir(root).output();
    let output = output.context("running cargo metadata")?;
    if !output.status.success() {
        bail!("cargo metadata in {}:\n{}", root.display(), String::from_utf8_lossy(&output.stderr));
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout)?;
    let mut open = vec![root.join("crates/coracle")];
    let mut packages = BTreeSet::new();
    while let Some(folder) = open.pop() {
        let package =
            metadata.packages.iter().find(|package| package.manifest_path.parent() == Some(&folder));
        // A package outside the workspace is not copied either: cargo builds it where it is.
        let Ok(name) = folder.strip_prefix(root) else {
            continue;
        };
        if packages.insert(name.to_path_buf()) {
            let dependencies = package.into_iter().flat_map(|package| &package.dependencies);
            let needed = dependencies.filter(|dependency| dependency.kind.as_deref() != Some("dev"));
            open.extend(needed.filter_map(|dependency| dependency.path.clone()));
        }
    }
    Ok(packages)
}
