//! The `main` of a test target: which tests run, which are ignored and why, and what became of each.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::OnceLock;

use course::Course;
use libtest_mimic::{Arguments, Trial};
use serde::Serialize;
use tempfile::TempDir;

use crate::failure::{self, Class, judge};
use crate::{in_net, net, tier};

/// What a test is for.
#[allow(non_camel_case_types, reason = "the words of the macros")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Must fail while the lesson's items are blank.
    red,
    /// May pass then; names a wrong body that must turn it red.
    guard,
    /// A test of another suite; in a lesson, one that the proof passes over: it only repeats the others elsewhere.
    plain,
}

/// One test.
#[derive(Debug, Clone, Copy)]
pub struct Test {
    /// Its name: a sentence about a container.
    pub name: &'static str,
    /// What it is for.
    pub kind: Kind,
    /// Tiers it needs beyond its lesson's.
    pub needs: &'static [&'static str],
    /// The test itself: it fails by a panic.
    pub body: fn(),
}

/// A test target.
#[derive(Debug)]
pub struct Plan {
    /// Its name.
    pub suite: &'static str,
    /// The lesson it belongs to.
    pub lesson: Option<u32>,
    /// The runtime under test, where the environment names no other.
    pub runtime: &'static str,
    /// The probe; `None`: the one that cargo built beside this test.
    pub probe: Option<&'static str>,
    /// The tests.
    pub tests: Vec<Test>,
}

struct Setting {
    runtime: PathBuf,
    probe: PathBuf,
    folder: TempDir,
}

const COPY: &str = "probe";

static SETTING: OnceLock<Setting> = OnceLock::new();

fn setting() -> &'static Setting {
    SETTING.get().expect("testkit::main has begun")
}

/// Whether this process runs a test target.
pub(crate) fn is_testing() -> bool {
    SETTING.get().is_some()
}

/// The runtime under test.
pub fn runtime() -> PathBuf {
    setting().runtime.clone()
}

/// The probe's path.
pub fn probe() -> PathBuf {
    setting().probe.clone()
}

/// A copy of the probe in the folder of this process's tests, to be linked into root filesystems.
pub(crate) fn copy_of_probe() -> PathBuf {
    directory().join(COPY)
}

/// The folder of this process's tests.
pub(crate) fn directory() -> PathBuf {
    setting().folder.path().to_owned()
}

/// Whether the runtime under test is ours, and takes our flags.
pub(crate) fn is_coracle() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        let runtime = runtime().display().to_string();
        in_net(&[&runtime, "--version"]).finish().stdout.starts_with("coracle")
    })
}

/// Runs a test target. Called by the macros.
pub fn main(plan: &Plan) -> ExitCode {
    if let Some(code) = net::stage() {
        return code;
    }
    failure::quiet_panics();
    let args = Arguments::from_args();
    let from = |variable, otherwise: &str| std::env::var_os(variable).map_or(otherwise.into(), PathBuf::from);
    let runtime = from("CORACLE_RUNTIME", plan.runtime);
    // Cargo puts a test into DIR/deps and the programs into DIR.
    let exe = std::env::current_exe().unwrap_or_default();
    let beside = exe.parent().and_then(Path::parent).unwrap_or(Path::new("/")).join("probe");
    let probe = from("CORACLE_PROBE", plan.probe.unwrap_or(&beside.to_string_lossy()));
    let folder = match tempfile::Builder::new().prefix("coracle-test-").tempdir() {
        Ok(folder) => folder,
        Err(error) => {
            eprintln!("no temporary directory: {error}; set TMPDIR to a folder that you may write to");
            return ExitCode::FAILURE;
        }
    };
    // Copied before there are threads: a file that is open for writing while another thread forks cannot be executed
    // until that child has let go of it (ETXTBSY).
    if probe.is_file()
        && !args.list
        && let Err(error) = std::fs::copy(&probe, folder.path().join(COPY))
    {
        eprintln!("no copy of {} in {}: {error}", probe.display(), folder.path().display());
        return ExitCode::FAILURE;
    }
    let setting = Setting { runtime, probe, folder };
    let path = setting.folder.path().to_owned();
    assert!(SETTING.set(setting).is_ok(), "testkit::main is called once");
    // A failure is told by its message; where in the tests it was, the message's location says.
    let outcome = libtest_mimic::run(&args, trials(plan, &args));
    // exit() runs no destructors.
    let _ = std::fs::remove_dir_all(path);
    outcome.exit_code()
}

fn trials(plan: &Plan, args: &Arguments) -> Vec<Trial> {
    let suite = plan.lesson.map_or(plan.suite.to_owned(), |number| format!("lesson-{number:02}"));
    let locked = locked(plan);
    let lesson_needs = lesson_needs(plan);
    let strict = std::env::var_os("CORACLE_STRICT").is_some_and(|value| value == "1");
    let trial = |test: &Test| {
        let (test, suite) = (*test, suite.clone());
        // To list tests, or to pass over them, needs no answer from the machine.
        let asked = !args.list && !args.is_filtered_out(&Trial::test(test.name, || Ok(())));
        if let Some(reason) = &locked {
            return ignored(&suite, test, reason, asked);
        }
        let needs = || lesson_needs.iter().map(String::as_str).chain(test.needs.iter().copied());
        let missing = || needs().find_map(|name| tier::check(name).err()).map(|missing| missing.to_string());
        match asked.then(|| probe_missing(plan).or_else(missing)).flatten() {
            Some(reason) if !strict => ignored(&suite, test, &reason, asked),
            missing => Trial::test(test.name, move || {
                let outcome = match &missing {
                    Some(reason) => Err((Class::NoEvidence, reason.clone())),
                    None => judge(test.body),
                };
                record(
                    &suite,
                    test,
                    outcome.as_ref().err().map(|(class, text)| (*class, text.as_str())),
                    None,
                );
                outcome.map_err(|(class, text)| match class {
                    Class::Assertion | Class::NoEvidence | Class::Deadline => text.into(),
                    Class::RuntimePanic => format!("the runtime panicked: {text}").into(),
                    Class::Harness => format!("the test itself is in trouble: {text}").into(),
                })
            }),
        }
    };
    let only = std::env::var("CORACLE_NEEDS").unwrap_or_default();
    plan.tests.iter().filter(|test| is_wanted(test, &only)).map(trial).collect()
}

/// `CORACLE_NEEDS`: only the tests that need one of these tiers, and none of those with a `-` before their name; unset or
/// empty, all.
fn is_wanted(test: &Test, only: &str) -> bool {
    let names = only.split([',', ' ']).filter(|name| !name.is_empty());
    let (without, with): (Vec<&str>, Vec<&str>) = names.partition(|name| name.starts_with('-'));
    let needs = |name: &str| test.needs.contains(&name);
    (with.is_empty() || with.into_iter().any(needs)) && !without.into_iter().any(|name| needs(&name[1..]))
}

fn ignored(suite: &str, test: Test, reason: &str, asked: bool) -> Trial {
    if asked {
        record(suite, test, None, Some(reason));
    }
    // Where somebody asks for what is ignored, it has not passed.
    let why = reason.to_owned();
    Trial::test(test.name, move || Err(why.into()))
        .with_ignored_flag(true)
        .with_kind(format!("ignored: {reason}"))
}

/// Why this target's tests wait, if they do: an earlier lesson is not finished, or, for what tests the whole
/// runtime, any lesson.
fn locked(plan: &Plan) -> Option<String> {
    if std::env::var_os("CORACLE_UNLOCK").is_some_and(|value| value == "all") {
        return None;
    }
    // A package that was unpacked without its course has nothing to lock.
    let course = Course::find(Path::new(env!("CARGO_MANIFEST_DIR"))).ok()?;
    let open = match course.first_open() {
        Ok(open) => open?,
        Err(error) => return Some(format!("the lessons' items cannot be read: {error:#}")),
    };
    match plan.lesson {
        Some(number) if number > open => Some(format!("locked: finish lesson {open:02} first")),
        Some(_) => None,
        None => Some("course in progress".into()),
    }
}

fn lesson_needs(plan: &Plan) -> Vec<String> {
    let course = Course::find(Path::new(env!("CARGO_MANIFEST_DIR")));
    let lesson =
        plan.lesson.and_then(|number| course.ok()?.lesson(number).ok().map(|lesson| lesson.needs.clone()));
    lesson.unwrap_or_default()
}

fn probe_missing(plan: &Plan) -> Option<String> {
    let missing = plan.probe.is_none() && !probe().is_file();
    missing.then(|| "needs the probe: cargo build --package probe".to_owned())
}

/// One line of the verdicts' file.
#[derive(Serialize)]
struct Verdict<'a> {
    suite: &'a str,
    test: &'a str,
    kind: Kind,
    verdict: &'a str,
    class: Option<Class>,
    message: Option<&'a str>,
}

/// Appends a test's verdict to the file that `CORACLE_VERDICTS` names.
fn record(suite: &str, test: Test, failed: Option<(Class, &str)>, ignored: Option<&str>) {
    let Some(path) = std::env::var_os("CORACLE_VERDICTS") else { return };
    let verdict = match (failed, ignored) {
        (Some(_), _) => "fail",
        (None, Some(_)) => "ignored",
        (None, None) => "pass",
    };
    let (class, message) = (failed.map(|(class, _)| class), failed.map(|(_, text)| text).or(ignored));
    let line = Verdict { suite, test: test.name, kind: test.kind, verdict, class, message };
    let text = serde_json::to_string(&line).expect("a verdict is plain data") + "\n";
    // One write each: lines of tests that end at the same time stay whole.
    let written = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .and_then(|mut f| f.write_all(text.as_bytes()));
    if let Err(error) = written {
        eprintln!("the verdict could not be written: {error}");
    }
}
