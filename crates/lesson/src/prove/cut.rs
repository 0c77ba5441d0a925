//! The cut: the starters of all lessons, drafts included, build, and `coracle sandbox` still runs a program on each.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use course::{Course, Lesson};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use super::Proof;
use super::evidence::{Build, Evidence, Variant};
use super::run::machine;
use super::workshop::{Binary, Workshop, hash_of};
use crate::programs::output_within;
use crate::runtime::installed;

/// A sandbox that runs a program which does nothing ends long before.
const STUCK: Duration = Duration::from_secs(20);

impl Proof<'_> {
    /// Builds the starters with the drafts' items blank, and the drafts' knock-outs, and runs a sandbox on each; on
    /// the starters, the tests of the lessons before as well. Returns what came of it.
    pub(super) fn cut(&mut self, chosen: &BTreeSet<u32>) -> Result<String> {
        println!("Running sandboxes on the cut ...");
        let sandboxes = Sandboxes::open(self.workshop.folder(), self.programs.probe.as_ref())?;
        let cuts = starters(self.course, chosen);
        let drafts = knock_outs(self.course, chosen);
        for variant in [Variant::Reference].iter().chain(&cuts).chain(&drafts) {
            if matches!(self.evidence.builds.get(variant), Some(Build::Broken { .. })) {
                continue;
            }
            let Some(binary) = self.build(variant)? else {
                continue;
            };
            let (ran, took) = sandboxes.run(&mut self.workshop, &binary)?;
            let word = if ran.is_ok() { "runs" } else { "does not run" };
            println!("  sandbox {word} ({})", super::seconds(took));
            self.evidence.sandboxes.insert(variant.clone(), ran);
            if let Variant::Cut(number) = variant {
                for lesson in chosen.range(..number) {
                    self.test(variant, *lesson, &binary)?;
                }
            }
        }
        Ok(summary(&cuts, &drafts, &self.evidence))
    }
}

/// All that the cut looks at.
pub(super) fn variants(course: &Course, chosen: &BTreeSet<u32>) -> impl Iterator<Item = Variant> {
    starters(course, chosen).into_iter().chain(knock_outs(course, chosen))
}

/// The starters to look at. Without drafts they are the learners' own, which are built anyway.
fn starters(course: &Course, chosen: &BTreeSet<u32>) -> Vec<Variant> {
    let variant = if course.drafts.is_empty() { Variant::Snapshot } else { Variant::Cut };
    chosen.iter().copied().map(variant).collect()
}

/// The finished runtime without one item of a draft, for each.
fn knock_outs(course: &Course, chosen: &BTreeSet<u32>) -> Vec<Variant> {
    let drafts = course.drafts.iter().filter(|draft| chosen.contains(&draft.number));
    let items = drafts.flat_map(|draft: &Lesson| &draft.items);
    items.map(|item| Variant::Without(item.path.clone())).collect()
}

/// What came of it, in one line.
fn summary(starters: &[Variant], knock_outs: &[Variant], evidence: &Evidence) -> String {
    let built = |all: &[Variant]| {
        all.iter().filter(|one| matches!(evidence.builds.get(one), Some(Build::Built { .. }))).count()
    };
    let ran = |all: &[Variant]| {
        all.iter().filter(|one| matches!(evidence.sandboxes.get(one), Some(Ok(())))).count()
    };
    let tell = |what: &str, all: &[Variant]| match (all.len(), built(all), ran(all)) {
        (1, 1, 1) => format!("1 {what} builds, sandbox runs on it"),
        (all, built, ran) if built == all && ran == all => {
            format!("{all} {what}s build, sandbox runs on each")
        }
        (all, built, ran) => format!("{built} of {all} {what}s build, sandbox runs on {ran}"),
    };
    let mut text = format!("cut: {}", tell("snapshot", starters));
    if !knock_outs.is_empty() {
        text += &format!("; drafts: {}", tell("knock-out", knock_outs));
    }
    text
}

/// What the sandboxes are made of.
struct Sandboxes {
    /// A program of the host that does nothing and succeeds.
    host: PathBuf,
    /// The probe, under its own path in the root filesystem as well: a starter may not change its root.
    probe: Option<Binary>,
    rootfs: PathBuf,
    state: PathBuf,
}

impl Sandboxes {
    /// Makes the root filesystem below `folder`.
    fn open(folder: &Path, probe: Option<&Binary>) -> Result<Self> {
        let host = installed("true").context("there is no program `true` on this machine")?;
        let (rootfs, state) = (folder.join("rootfs"), folder.join("state"));
        empty(&rootfs)?;
        for part in ["proc", "dev", "sys", "tmp"] {
            fs::create_dir_all(rootfs.join(part)).with_context(|| format!("making {}", rootfs.display()))?;
        }
        if let Some(probe) = probe {
            let inside = rootfs.join(probe.path.strip_prefix("/").unwrap_or(&probe.path));
            fs::create_dir_all(inside.parent().unwrap_or(&rootfs))?;
            fs::copy(&probe.path, &inside).with_context(|| format!("copying to {}", inside.display()))?;
        }
        Ok(Self { host, probe: probe.cloned(), rootfs, state })
    }

    /// Whether `runtime`'s sandbox runs a program, on the host's tree and on a root filesystem; if not, how it failed.
    /// Says how long it took where it was not known.
    fn run(
        &self,
        workshop: &mut Workshop,
        runtime: &Binary,
    ) -> Result<(Result<(), String>, Option<Duration>)> {
        let probe = self.probe.as_ref().map(|probe| (probe.hash, &probe.path));
        let key = hash_of(&("sandbox", runtime.hash, &self.host, probe, machine()));
        let record = workshop.cached("verdicts", &format!("{key:016x}.json"));
        if record.is_file() {
            return Ok((Ok(()), None));
        }
        let start = Instant::now();
        let mut ran = self.sandbox(runtime, &[self.host.as_os_str()])?;
        if let (Ok(()), Some(probe)) = (&ran, &self.probe) {
            let words = ["--root".as_ref(), self.rootfs.as_os_str(), "--".as_ref(), probe.path.as_os_str()];
            ran = self.sandbox(runtime, &[&words[..], &["exit".as_ref(), "0".as_ref()]].concat())?;
        }
        if ran.is_ok() {
            fs::write(&record, "true")?;
        }
        Ok((ran, Some(start.elapsed())))
    }

    fn sandbox(&self, runtime: &Binary, words: &[&std::ffi::OsStr]) -> Result<Result<(), String>> {
        empty(&self.state)?;
        let mut command = Command::new(&runtime.path);
        command.arg("--root").arg(&self.state).arg("sandbox").args(words);
        let shown: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
        let shown = format!("`coracle sandbox {}`", shown.join(" "));
        let output = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                own_mounts()?;
                output_within(command, STUCK)
            });
            thread.join().expect("nothing in there panics")
        })?;
        Ok(match output {
            None => Err(format!("{shown} had not ended after {} s and was killed", STUCK.as_secs())),
            Some(output) if output.status.success() => Ok(()),
            Some(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                let said = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("nothing");
                Err(format!("{shown} ended with {} (it said: {said})", output.status))
            }
        })
    }
}

/// Gives this thread, and what it starts, a copy of the tree of mounts: a runtime that lacks an item may move the root
/// of whoever called it. Whoever may not have a copy may not do that either.
fn own_mounts() -> Result<()> {
    match unshare(CloneFlags::CLONE_NEWNS) {
        Err(Errno::EPERM) => return Ok(()),
        result => result.context("unshare the mount namespace")?,
    }
    let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, flags, None::<&str>).context("mount / as private")
}

fn empty(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    Ok(())
}
