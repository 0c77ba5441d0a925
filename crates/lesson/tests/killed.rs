//! The verbs that write, killed at the changes they make to the disk.
//!
//! strace kills the verb, or the git that it waits for and then the verb, when it is about to make its Nth change. Then
//! every file must be its old self or its new self, the old text must be in the tree or in git, and the same verb again,
//! after the cure that it names itself, must come to the same end as if nothing had happened.

mod mini;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use mini::{Mini, Said};
use testkit::within;

testkit::suite! {
    "killed",
    runtime = "",
    tests = [
        start_goes_on(strace),
        solve_loses_nothing(strace),
        reset_loses_nothing(strace),
        catch_up_loses_nothing(strace),
        update_goes_on(strace),
    ],
}

const BOAT: &str = "crates/coracle/src/boat.rs";
const LIB: &str = "crates/coracle/src/lib.rs";

/// The calls that change what others see on the disk. Names that an architecture lacks are passed over.
const CHANGES: &str =
    "?rename,?renameat,renameat2,?link,linkat,?unlink,unlinkat,?mkdir,mkdirat,?rmdir,?symlink,symlinkat";

/// Stands for git: counts its calls, has strace write down the changes of each, and kills the chosen one.
const GIT: &str = r#"#!/bin/sh
read -r count <"$KILLED/count"
count=$((count + 1))
echo "$count" >"$KILLED/count"
if [ "$count" = "$KILLED_GIT" ]; then
    strace -f -qq -o /dev/null -e trace="$CHANGES" -e inject="$KILLED_AT" "$REAL_GIT" "$@"
    status=$?
    [ "$status" = 137 ] || exit "$status"
    kill -KILL "$PPID"
elif [ "$KILLED_GIT" = 0 ]; then
    exec strace -f -qq -o "$KILLED/git-$count" -e trace="$CHANGES" "$REAL_GIT" "$@"
else
    exec "$REAL_GIT" "$@"
fi
"#;

/// When the verb dies: as it enters a call, as so manieth of that name.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Point {
    /// The git it dies in, counted from one; none for the verb itself.
    git: Option<usize>,
    call: String,
    at: usize,
}

/// What strace is to write down, or to do.
#[derive(Clone, Copy)]
enum Trace<'a> {
    Own,
    Gits,
    Kill(&'a Point),
}

/// The work tree and what the refs say.
#[derive(Debug, PartialEq, Eq)]
struct State {
    files: BTreeMap<PathBuf, String>,
    refs: String,
    head: String,
    status: String,
}

impl State {
    fn of(mini: &Mini) -> Self {
        let read = |arguments: &[&str]| mini.git(arguments);
        // Commits are made at the time of the trial: their trees tell what is in them.
        let trees = "--format=%(refname) %(tree)";
        Self {
            files: files(&mini.root(), Path::new("")),
            refs: read(&[
                "for-each-ref",
                trees,
                "refs/heads",
                "refs/coracle/base",
                "refs/coracle/unfinished",
            ]),
            head: read(&["symbolic-ref", "HEAD"]),
            status: read(&["status", "--porcelain"]),
        }
    }
}

/// Every file of the work tree but git's own.
fn files(root: &Path, below: &Path) -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(root.join(below)).expect("a folder") {
        let name = below.join(entry.expect("an entry").file_name());
        let path = root.join(&name);
        if name == Path::new(".git") || name == Path::new("target") {
            continue;
        } else if path.is_dir() {
            all.extend(files(root, &name));
        } else {
            all.insert(name, fs::read_to_string(path).expect("a text"));
        }
    }
    all
}

/// Kills `verb` at every point, each time in a copy of `mini`.
fn killed_at_every_change(mini: &Mini, verb: &[&str]) {
    let old = State::of(mini);
    let whole = mini.copy();
    whole.does(verb);
    let new = State::of(&whole);
    assert_ne!(old, new, "the verb does nothing, so there is nothing to interrupt");

    let points = points(mini, verb);
    println!("{verb:?}: killed at {} changes", points.len());
    for (own, least) in [(true, 1), (false, 3)] {
        let count = points.iter().filter(|point| point.git.is_none() == own).count();
        assert!(count >= least, "too few changes for a verb that keeps something in git: {points:?}");
    }
    for point in points {
        survives(mini, verb, &point, &old, &new);
    }
}

/// Every change of the verb and of the gits it calls, as one run of it makes them.
fn points(mini: &Mini, verb: &[&str]) -> Vec<Point> {
    let mut points = Vec::new();
    for trace in [Trace::Own, Trace::Gits] {
        let trial = mini.copy();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let said = Said::from(traced(&trial, verb, trace, folder.path()).output().expect("it runs"));
        assert!(said.ok, "{said:?}");
        let calls = |name: String| fs::read_to_string(folder.path().join(name));
        match trace {
            Trace::Own => points.extend(changes(None, &calls("own".to_owned()).expect("calls"))),
            _ => {
                let gits = (1..).map_while(|git| Some((git, calls(format!("git-{git}")).ok()?)));
                points.extend(gits.flat_map(|(git, calls)| changes(Some(git), &calls)));
            }
        }
    }
    points
}

/// The calls that strace wrote down and that changed something in the clone. Its path is in them, or none that is absolute;
/// what lies in a scratch folder is lost without loss.
fn changes(git: Option<usize>, calls: &str) -> Vec<Point> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut points = Vec::new();
    for line in calls.lines() {
        let Some((before, after)) = line.split_once('(') else { continue };
        let call = before.rsplit(' ').next().expect("a word").to_owned();
        let at = seen.entry(call.clone()).or_default();
        *at += 1;
        let here = after.contains("/clone/") || !after.contains("\"/");
        let printed = after.starts_with("1, ") || after.starts_with("2, ");
        if here && !printed && !after.contains(" = -1 ") {
            points.push(Point { git, call, at: *at });
        }
    }
    // A git that writes many objects writes one like the other: the first and the last will do.
    let last = |point: &Point| points.iter().rev().find(|other| other.call == point.call) == Some(point);
    let first = |point: &Point| points.iter().find(|other| other.call == point.call) == Some(point);
    points.iter().filter(|point| git.is_none() || first(point) || last(point)).cloned().collect()
}

/// The verb under strace, or with a git that goes under strace.
fn traced(mini: &Mini, verb: &[&str], trace: Trace, folder: &Path) -> Command {
    let real = in_path("git");
    fs::write(folder.join("count"), "0").expect("a file");
    fs::create_dir_all(folder.join("bin")).expect("a folder");
    let git = folder.join("bin/git");
    fs::write(&git, GIT).expect("a file");
    fs::set_permissions(&git, fs::Permissions::from_mode(0o755)).expect("a program");
    let lesson = mini.started_by(verb);
    let inject = |point: &Point| format!("{}:signal=SIGKILL:when={}", point.call, point.at);
    let own = match trace {
        Trace::Own => Some(None),
        Trace::Kill(point) if point.git.is_none() => Some(Some(inject(point))),
        Trace::Gits | Trace::Kill(_) => None,
    };
    let mut command = match own.clone() {
        Some(kill) => {
            let mut strace = Command::new("strace");
            // A file that is emptied before it is written is seen at the write.
            strace.args(["-qq", "-e", &format!("trace={CHANGES},write"), "-o"]).arg(folder.join("own"));
            strace.args(kill.iter().flat_map(|kill| ["-e".to_owned(), format!("inject={kill}")]));
            strace.arg(lesson.get_program());
            strace
        }
        None => Command::new(lesson.get_program()),
    };
    command.args(lesson.get_args());
    command.current_dir(lesson.get_current_dir().expect("a folder"));
    for (name, value) in lesson.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    // One time, one name of a commit: git makes the same folders for its objects in every run.
    for date in ["GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"] {
        command.env(date, "2026-01-01T00:00:00Z");
    }
    if own.is_none() {
        let path = std::env::var("PATH").expect("a PATH");
        command.env("PATH", format!("{}:{path}", folder.join("bin").display()));
        command.env("REAL_GIT", real).env("KILLED", folder).env("CHANGES", CHANGES);
        let (git, at) = match trace {
            Trace::Kill(point) => (point.git.unwrap_or_default(), inject(point)),
            Trace::Own | Trace::Gits => (0, String::new()),
        };
        command.env("KILLED_GIT", git.to_string()).env("KILLED_AT", at);
    }
    command
}

fn in_path(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").expect("a PATH");
    let found = std::env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{program} is not in PATH"))
}

/// Kills the verb at that point: it must have lost nothing.
fn survives(mini: &Mini, verb: &[&str], point: &Point, old: &State, new: &State) {
    let trial = mini.copy();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = traced(&trial, verb, Trace::Kill(point), folder.path()).output().expect("it runs");
    assert_eq!(output.status.signal(), Some(9), "{point:?}: it was not killed: {:?}", Said::from(output));
    let place = format!("{verb:?} killed at {point:?}");
    let kept = trial.git(&["rev-list", "--all", "--objects"]);
    for (name, text) in files(&trial.root(), Path::new("")) {
        let waiting = name.to_string_lossy().ends_with(".new");
        let is = |state: &State| state.files.get(&name) == Some(&text);
        assert!(waiting || is(old) || is(new), "{place}: {} is neither old nor new: {text}", name.display());
    }
    for (name, text) in &old.files {
        let here = fs::read_to_string(trial.root().join(name)).is_ok_and(|here| here == *text);
        let object = || trial.object_of(text);
        assert!(here || kept.contains(&object()), "{place}: the old {} is lost", name.display());
    }

    // What it says when it is typed again is the way out.
    let mut cures = 0;
    within(std::time::Duration::from_secs(60), "the verb comes to its end when it is typed again", || {
        let said = trial.lesson(verb);
        if said.ok {
            return true;
        }
        let lock = said.err.lines().find_map(|line| line.trim().strip_prefix("rm '")?.strip_suffix('\''));
        let lock = lock.unwrap_or_else(|| panic!("{place}: no way out of {said:?}"));
        fs::remove_file(trial.root().join(lock)).expect("the lock is there");
        cures += 1;
        assert!(cures < 4, "{place}: one lock after the other");
        false
    });
    let end = State::of(&trial);
    assert_eq!(&end, new, "{place}: the second time ended elsewhere");
}

/// A learner with something written, and something not committed.
fn half_done() -> Mini {
    let mini = Mini::started();
    mini.edit(BOAT, "    0\n", "    strokes + strokes // mine\n");
    mini.commit("Row");
    mini.edit(LIB, "    course\n", "    course % 360 // mine, not committed\n");
    mini.write("crates/coracle/src/notes.txt", "mine, and unknown to git\n");
    mini
}

fn start_goes_on() {
    killed_at_every_change(&Mini::cloned(), &["start"]);
}

fn solve_loses_nothing() {
    killed_at_every_change(&half_done(), &["solve", "2"]);
}

fn reset_loses_nothing() {
    let mini = half_done();
    mini.does(&["solve", "2"]);
    mini.edit(BOAT, "water.min(5)", "water.min(4 + 1) // mine, not committed");
    killed_at_every_change(&mini, &["reset", "2"]);
}

fn catch_up_loses_nothing() {
    let mini = half_done();
    mini.edit(BOAT, "    true\n", "    true // thinking about it\n");
    killed_at_every_change(&mini, &["catch-up", "2"]);
}

fn update_goes_on() {
    let mini = half_done();
    mini.commit("All of it");
    mini.git(&["switch", "--quiet", "main"]);
    mini.edit(BOAT, "//! Boats.", "//! Boats, mended.");
    mini.edit(LIB, "//! A runtime", "//! The runtime");
    mini.write("book/src/01-rowing.md", "A new chapter.\n");
    mini.edit("lessons/01-rowing/hints.md", "How many?", "How many oars?");
    mini.git(&["rm", "--quiet", "lessons/src/lib.rs"]);
    mini.commit("The project goes on");
    mini.git(&["switch", "--quiet", "my-coracle"]);
    killed_at_every_change(&mini, &["update"]);
}
