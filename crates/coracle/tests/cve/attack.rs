//! What the attacks share: a canary, a container that is run whatever becomes of it, and names that change under the
//! runtime's feet.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use serde_json::{Value, json};

use super::common::{Finish, Leaks, mounts, text};
use super::harbour::Bundle;

/// What is in each file of a canary.
pub(crate) const UNTOUCHED: &str = "untouched";

/// A folder of the host that no container has to do with, and how it looked.
pub(crate) struct Canary {
    path: PathBuf,
    before: BTreeMap<PathBuf, String>,
}

impl Canary {
    /// The folder `canary` beside the root filesystem, with these files in it.
    pub(crate) fn new(bundle: &Bundle, files: &[&str]) -> Canary {
        let path = bundle.path("canary");
        std::fs::create_dir_all(&path).expect("a folder");
        files.iter().for_each(|file| bundle.file(&format!("canary/{file}"), UNTOUCHED));
        let before = seen(&path);
        Canary { path, before }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A path in it.
    pub(crate) fn file(&self, name: &str) -> String {
        self.path.join(name).display().to_string()
    }

    /// Nothing in it was made, changed or removed, and nothing is mounted there.
    #[track_caller]
    pub(crate) fn assert_untouched(&self, row: &str) {
        assert_eq!(seen(&self.path), self.before, "{row}: the canary was touched");
        assert!(!mounts().contains(&*self.path.to_string_lossy()), "{row}: the canary was mounted on");
    }
}

/// All that is at `path` and below: its mode, and what is in it.
fn seen(path: &Path) -> BTreeMap<PathBuf, String> {
    let found = std::fs::symlink_metadata(path).expect("it is there");
    let mode = format!("{:o}", found.permissions().mode());
    let content = match found.is_file() {
        true => std::fs::read_to_string(path).unwrap_or_else(|error| error.to_string()),
        false => String::new(),
    };
    let mut all = BTreeMap::from([(path.to_owned(), format!("{mode} {content}"))]);
    if found.is_dir() {
        let entries = std::fs::read_dir(path).expect("a folder").flatten();
        entries.for_each(|entry| all.append(&mut seen(&entry.path())));
    }
    all
}

/// Runs the container to its end, whatever becomes of it, and nothing is left of it: what the probe reports, or the error.
#[track_caller]
pub(crate) fn tried(bundle: &Bundle, config: &Value) -> Result<probe::Report, String> {
    let mut command = bundle.0.write(config).command(&[], bundle.0.id());
    let leaks = Leaks::watch(&mut command, bundle.0.id());
    let ran = told(&mut command);
    leaks.assert_none(&bundle.0, "after the attack");
    ran
}

fn told(run: &mut Command) -> Result<probe::Report, String> {
    let output = run.finish();
    serde_json::from_slice(&output.stdout).map_err(|_| text(&output.stderr))
}

/// The same in one of many rounds: with others at the same time, in the same root filesystem. The race looks in its end for what
/// is left.
#[track_caller]
pub(crate) fn tried_in(round: u32, bundle: &Bundle, config: &Value) -> Result<probe::Report, String> {
    told(&mut in_round(round, bundle, config))
}

/// The run of that.
pub(crate) fn in_round(round: u32, bundle: &Bundle, config: &Value) -> Command {
    let folder = bundle.path(&format!("round-{round}"));
    std::fs::create_dir(&folder).expect("a folder");
    let mut config = config.clone();
    config["root"]["path"] = json!(bundle.path("rootfs"));
    std::fs::write(folder.join("config.json"), config.to_string()).expect("a config");
    let id = format!("{}-{round}", bundle.0.id());
    let mut run = bundle.0.coracle(&["run", "--bundle", &folder.display().to_string(), &id]);
    run.env(Leaks::VARIABLE, bundle.0.id());
    run
}

/// How many rounds are run at the same time: a container's birth and death are mostly waiting.
const AT_ONCE: u32 = 4;

/// Exchanges the names `one` and `other` all the time, by a thread, while `round` is called as often as a race has rounds. It
/// tells whether the container ran, which it must now and then: each time it is refused is no attack.
#[track_caller]
pub(crate) fn race(bundle: &Bundle, one: &Path, other: &Path, round: impl Fn(u32) -> bool + Sync) {
    let asked = std::env::var("CORACLE_ROUNDS").ok().and_then(|number| number.parse().ok());
    let end = asked.is_none().then(|| Instant::now() + Duration::from_secs(12));
    let (all, next, ran) = (asked.unwrap_or(500), AtomicU32::new(0), AtomicU32::new(0));
    let leaks = Leaks::watch(&mut Command::new("true"), bundle.0.id());
    let exchange = Exchange::begin(one, other);
    let work = || {
        while end.is_none_or(|end| Instant::now() < end) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= all {
                break;
            }
            ran.fetch_add(u32::from(round(number)), Ordering::Relaxed);
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            worker.join().unwrap_or_else(|panic| resume_unwind(panic));
        }
    });
    let (times, ran) = (exchange.end(), ran.into_inner());
    assert!(times > all, "only {times} exchanges");
    assert!(ran > 0, "no container ran");
    leaks.assert_none(&bundle.0, "after the race");
}

struct Exchange(Arc<AtomicBool>, Option<JoinHandle<u32>>);

impl Exchange {
    fn begin(one: &Path, other: &Path) -> Exchange {
        let over = Arc::new(AtomicBool::new(false));
        let (one, other, seen) = (one.to_owned(), other.to_owned(), over.clone());
        let exchanging = move || {
            let mut times = 0;
            while !seen.load(Ordering::Relaxed) {
                let flags = RenameFlags::RENAME_EXCHANGE;
                renameat2(AT_FDCWD, &one, AT_FDCWD, &other, flags).expect("an exchange of two names");
                times += 1;
                // Who is to be disturbed must also get on.
                std::thread::yield_now();
            }
            times
        };
        Exchange(over, Some(std::thread::spawn(exchanging)))
    }

    fn end(mut self) -> u32 {
        self.0.store(true, Ordering::Relaxed);
        self.1.take().expect("it runs").join().expect("it exchanges")
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        // Where a test failed, its folder goes next.
        drop(self.1.take().map(JoinHandle::join));
    }
}
