//! The programs the check needs, built as the reader builds them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;

/// The packages whose binaries transcripts and prose name.
const PACKAGES: [&str; 6] = ["coracle", "ns-runtime", "oci-tool", "probe", "rootfs-builder", "lesson"];

/// The built programs in a folder of their own, and a root filesystem.
#[derive(Debug)]
pub struct Tools {
    scratch: TempDir,
    programs: BTreeMap<String, PathBuf>,
    rootfs: Result<PathBuf, String>,
    /// The workspace's packages, each with its targets as (kind, name).
    pub(super) packages: BTreeMap<String, Vec<(String, String)>>,
}

impl Tools {
    /// Builds the programs of the workspace at `root`, and a BusyBox root filesystem with them where BusyBox can be had.
    ///
    /// # Errors
    /// Fails where a program does not build.
    pub fn build(root: &Path) -> Result<Self> {
        let scratch = tempfile::tempdir()?;
        let bin = scratch.path().join("bin");
        fs::create_dir(&bin)?;
        let mut programs = BTreeMap::new();
        let mut build = cargo(root);
        build.args(["build", "--quiet"]).args(PACKAGES.iter().flat_map(|package| ["-p", package]));
        for (name, path) in executables(build)? {
            let link = bin.join(&name);
            symlink(&path, &link)?;
            programs.insert(name, link);
        }
        let rootfs = programs.get("rootfs-builder").context("no rootfs-builder").and_then(|builder| {
            let rootfs = scratch.path().join("rootfs");
            busybox(root, builder, &rootfs)?;
            Ok(rootfs)
        });
        let rootfs = rootfs.map_err(|error| format!("no BusyBox root filesystem: {error:#}"));
        Ok(Self { scratch, programs, rootfs, packages: packages(root)? })
    }

    /// The program of that name.
    pub(super) fn program(&self, name: &str) -> Option<&Path> {
        self.programs.get(name).map(PathBuf::as_path)
    }

    /// The folder that holds just the programs.
    pub(super) fn bin(&self) -> PathBuf {
        self.scratch.path().join("bin")
    }

    /// The BusyBox root filesystem, or why there is none.
    pub(super) fn rootfs(&self) -> Result<&Path, &str> {
        self.rootfs.as_deref().map_err(String::as_str)
    }
}

pub(super) fn cargo(root: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root);
    cargo
}

/// Runs a `cargo build` and returns the programs it made, by name.
pub(super) fn executables(mut build: Command) -> Result<Vec<(String, PathBuf)>> {
    build.arg("--message-format=json-render-diagnostics").stderr(Stdio::inherit());
    let output = build.output().context("cargo build")?;
    ensure!(output.status.success(), "the programs that the transcripts run do not build");
    let mut found = Vec::new();
    for line in output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let message: Value = serde_json::from_slice(line)?;
        if let (Some(name), Some(path)) = (message["target"]["name"].as_str(), message["executable"].as_str())
        {
            found.push((name.to_string(), path.into()));
        }
    }
    Ok(found)
}

fn busybox(root: &Path, builder: &Path, rootfs: &Path) -> Result<()> {
    let script = root.join("scripts/fetch-busybox");
    let fetched =
        Command::new(&script).current_dir(root).output().with_context(|| script.display().to_string())?;
    let said = String::from_utf8_lossy(&fetched.stderr).trim().to_string();
    ensure!(fetched.status.success(), "scripts/fetch-busybox: {said}");
    let stdout = String::from_utf8(fetched.stdout)?;
    let busybox = stdout.lines().last().context("scripts/fetch-busybox printed no path")?;
    let mut build = Command::new(builder);
    build.arg("--source").arg(format!("busybox={busybox}"));
    build.arg("--output").arg(format!("dir={}", rootfs.display()));
    let built = build.output()?;
    if !built.status.success() {
        bail!("rootfs-builder: {}", String::from_utf8_lossy(&built.stderr).trim());
    }
    Ok(())
}

fn packages(root: &Path) -> Result<BTreeMap<String, Vec<(String, String)>>> {
    let output =
        cargo(root).args(["metadata", "--no-deps", "--format-version", "1", "--offline"]).output()?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim());
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let mut packages = BTreeMap::new();
    for package in list(&metadata["packages"]) {
        let targets = list(&package["targets"]);
        let targets = targets.iter().map(|target| (text(&target["kind"][0]), text(&target["name"])));
        packages.insert(text(&package["name"]), targets.collect());
    }
    Ok(packages)
}
