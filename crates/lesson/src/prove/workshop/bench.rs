//! A bench: a copy of the workspace and cargo's folder for it; and the shelf on which what was built is kept.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use course::{Course, Tree};
use serde::{Deserialize, Serialize};

use super::{Binary, Built, copy, hash_of};
use crate::cargo::{self, Rustc, cargo};
use crate::prove::evidence::{Build, Diagnostic};

/// Where one variant after the other is built.
#[derive(Debug, Clone)]
pub(super) struct Bench {
    pub(super) tree: PathBuf,
    pub(super) target: PathBuf,
}

impl Bench {
    /// The bench of this name in `folder`.
    pub(super) fn new(folder: &Path, name: &str) -> Bench {
        Bench { tree: folder.join(format!("tree{name}")), target: folder.join(format!("target{name}")) }
    }

    /// Makes the copy the same as the workspace at `root`, but for the runtime's sources. Returns its other files.
    pub(super) fn fill(&self, root: &Path) -> Result<BTreeSet<PathBuf>> {
        fs::create_dir_all(&self.tree).with_context(|| format!("making {}", self.tree.display()))?;
        copy::workspace(root, &self.tree, &self.source())
    }

    fn source(&self) -> PathBuf {
        self.tree.join("crates/coracle/src")
    }

    /// Cargo in the copy. Offline: building the tests has fetched every dependency.
    fn cargo(&self, verb: &str) -> std::process::Command {
        let mut command = cargo();
        command.arg(verb).arg("--offline").current_dir(&self.tree);
        command.env("CARGO_TARGET_DIR", &self.target);
        if self.tree.join("Cargo.lock").is_file() {
            command.arg("--locked");
        }
        command
    }
}

/// What is kept of a build that succeeded.
#[derive(Serialize, Deserialize)]
struct Known {
    binary: u64,
    warnings: Vec<Diagnostic>,
}

/// `target/prove`, as far as builds are kept there.
#[derive(Debug)]
pub(super) struct Shelf {
    pub(super) folder: PathBuf,
    /// Of everything that goes into the runtime but the sources that the variants differ in.
    pub(super) base: u64,
}

impl Shelf {
    /// What a variant is kept by.
    pub(super) fn key(&self, tree: &Tree) -> u64 {
        hash_of(&(self.base, &tree.files))
    }

    /// The file that tells of the variant.
    pub(super) fn record(&self, key: u64) -> PathBuf {
        self.folder.join("builds").join(format!("{key:016x}.json"))
    }

    fn binary(&self, hash: u64) -> PathBuf {
        self.folder.join("binaries").join(format!("{hash:016x}"))
    }

    /// The variant, where it was built before.
    pub(super) fn known(&self, key: u64) -> Option<Built> {
        let known: Known = serde_json::from_slice(&fs::read(self.record(key)).ok()?).ok()?;
        let path = Some(self.binary(known.binary)).filter(|path| path.is_file())?;
        let binary = Some(Binary { path, hash: known.binary });
        Some(Built { build: Build::Built { warnings: known.warnings }, binary, took: None })
    }

    /// Builds a variant on a bench, and keeps it where it compiles.
    ///
    /// # Errors
    /// Fails where cargo cannot be run or a file cannot be written; a compile error is a result.
    pub(super) fn build(&self, bench: &Bench, course: &Course, tree: &Tree, key: u64) -> Result<Built> {
        let start = Instant::now();
        copy::remove_other_sources(&bench.source(), tree)?;
        tree.write(&bench.source())?;
        let mut command = bench.cargo("build");
        command.args(["--package", "coracle", "--bin", "coracle", "--message-format=json"]);
        let output = command.output().context("running cargo build")?;
        let messages = cargo::messages(&output);
        let mut errors = BTreeSet::new();
        let mut warnings = BTreeSet::new();
        let package = bench.tree.join("crates/coracle");
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
                    bench.tree.display(),
                    String::from_utf8_lossy(&output.stderr)
                );
            }
            let build = Build::Broken { errors: errors.into_iter().collect() };
            return Ok(Built { build, binary: None, took: Some(start.elapsed()) });
        }
        let built = messages.iter().filter(|message| message.is_target("bin").is_some());
        let built = built.filter_map(|message| message.executable.as_ref()).next_back();
        let built = Binary::of(built.context("cargo build named no executable of the package coracle")?)?;
        let path = self.binary(built.hash);
        fs::copy(&built.path, &path).with_context(|| format!("keeping {}", path.display()))?;
        let warnings: Vec<Diagnostic> = warnings.into_iter().collect();
        let known = Known { binary: built.hash, warnings: warnings.clone() };
        fs::write(self.record(key), serde_json::to_vec(&known)?)?;
        let binary = Some(Binary { path, hash: built.hash });
        Ok(Built { build: Build::Built { warnings }, binary, took: Some(start.elapsed()) })
    }
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
