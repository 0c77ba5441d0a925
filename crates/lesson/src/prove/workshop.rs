//! The workshop: a copy of the workspace in which one variant of the runtime after the other is built.

mod copy;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use course::{Course, Tree};
use serde::{Deserialize, Serialize};

use super::evidence::{Build, Diagnostic};
use crate::cargo::{self, Rustc, cargo};

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

/// What is kept of a build that succeeded.
#[derive(Serialize, Deserialize)]
struct Known {
    binary: u64,
    warnings: Vec<Diagnostic>,
}

/// `target/prove`.
#[derive(Debug)]
pub(super) struct Workshop {
    folder: PathBuf,
    /// Of everything that goes into the runtime but the sources that the variants differ in.
    base: u64,
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
        let mut workshop = Self { folder, base: 0, used: BTreeSet::new(), _lock: lock };
        let files = copy::workspace(&course.root, &workshop.tree(), &workshop.source())?;
        workshop.base = workshop.hash_base(&files, &packages(&course.root)?)?;
        Ok(workshop)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    fn tree(&self) -> PathBuf {
        self.folder.join("tree")
    }

    fn source(&self) -> PathBuf {
        self.tree().join("crates/coracle/src")
    }

    /// Builds a variant, unless the same sources were built before.
    ///
    /// # Errors
    /// Fails where cargo cannot be run or a file cannot be written; a compile error is a result.
    pub(super) fn build(&mut self, course: &Course, tree: &Tree) -> Result<Built> {
        let key = hash_of(&(self.base, &tree.files));
        let record = self.cached("builds", &format!("{key:016x}.json"));
        if let Ok(known) = fs::read(&record)
            && let Ok(known) = serde_json::from_slice::<Known>(&known)
        {
            let path = self.cached("binaries", &format!("{:016x}", known.binary));
            if path.is_file() {
                let binary = Binary { path, hash: known.binary };
                let build = Build::Built { warnings: known.warnings };
                return Ok(Built { build, binary: Some(binary), took: None });
            }
        }
        let start = Instant::now();
        copy::remove_other_sources(&self.source(), tree)?;
        tree.write(&self.source())?;
        let mut command = self.cargo("build");
        command.args(["--package", "coracle", "--bin", "coracle", "--message-format=json"]);
        let output = command.output().context("running cargo build")?;
        let messages = cargo::messages(&output);
        let mut errors = BTreeSet::new();
        let mut warnings = BTreeSet::new();
        let package = self.tree().join("crates/coracle");
        for message in &messages {
            let ours = message.target.as_ref().is_some_and(|target| target.src_path.starts_with(&package));
            let Some(rustc) = &message.message else {
                continue;
            };
            let Some(diagnostic) = diagnostic(course, tree, rustc) else {
                continue;
            };
            if rustc.is_error() {
                errors.insert(diagnostic);
            } else if ours {
                warnings.insert(diagnostic);
            }
        }
        if !output.status.success() {
            if errors.is_empty() {
                // Not the compiler's: a dependency that cannot be had, a full disk.
                bail!(
                    "cargo build in {}:\n{}",
                    self.tree().display(),
                    String::from_utf8_lossy(&output.stderr)
                );
            }
            let build = Build::Broken { errors: errors.into_iter().collect() };
            return Ok(Built { build, binary: None, took: Some(start.elapsed()) });
        }
        let built = messages.iter().filter(|message| message.is_target("bin").is_some());
        let built = built.filter_map(|message| message.executable.as_ref()).next_back();
        let built = Binary::of(built.context("cargo build named no executable of the package coracle")?)?;
        let path = self.cached("binaries", &format!("{:016x}", built.hash));
        fs::copy(&built.path, &path).with_context(|| format!("keeping {}", path.display()))?;
        let warnings: Vec<Diagnostic> = warnings.into_iter().collect();
        let known = Known { binary: built.hash, warnings: warnings.clone() };
        fs::write(&record, serde_json::to_vec(&known)?)?;
        let binary = Some(Binary { path, hash: built.hash });
        Ok(Built { build: Build::Built { warnings }, binary, took: Some(start.elapsed()) })
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

    /// Cargo in the copy. Offline: building the tests has fetched every dependency.
    fn cargo(&self, verb: &str) -> std::process::Command {
        let mut command = cargo();
        command.arg(verb).arg("--offline").current_dir(self.tree());
        command.env("CARGO_TARGET_DIR", self.folder.join("target"));
        if self.tree().join("Cargo.lock").is_file() {
            command.arg("--locked");
        }
        command
    }

    fn hash_base(&self, files: &BTreeSet<PathBuf>, packages: &BTreeSet<PathBuf>) -> Result<u64> {
        let mut hasher = DefaultHasher::new();
        let rustc = std::process::Command::new("rustc").arg("-vV").current_dir(self.tree()).output();
        rustc.context("running rustc -vV")?.stdout.hash(&mut hasher);
        std::env::var_os("RUSTFLAGS").hash(&mut hasher);
        for file in files {
            let path = self.tree().join(file);
            let root =
                matches!(file.to_str(), Some("Cargo.toml" | "Cargo.lock")) || file.starts_with(".cargo");
            if (root || packages.iter().any(|package| file.starts_with(package))) && path.is_file() {
                file.hash(&mut hasher);
                fs::read(&path).with_context(|| format!("reading {}", path.display()))?.hash(&mut hasher);
            }
        }
        Ok(hasher.finish())
    }
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

/// A message of the compiler, with the item of the course that it is about.
fn diagnostic(course: &Course, tree: &Tree, rustc: &Rustc) -> Option<Diagnostic> {
    let message = rustc.headline()?;
    let Some(span) = rustc.spans.iter().find(|span| span.is_primary) else {
        return Some(Diagnostic { message, place: String::new(), item: None });
    };
    let items = course.with_drafts().into_iter().flat_map(|lesson| &lesson.items);
    let item = span.item(tree, items);
    let place = format!("{}:{}", span.file_name.display(), span.line_start);
    Some(Diagnostic { message, place, item: item.map(|item| item.path.clone()) })
}
