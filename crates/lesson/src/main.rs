//! `cargo lesson`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use course::Course;
use lesson::verbs::Trace;
use lesson::{doctor, prove, verbs};

/// The way through a lesson.
const USUAL: &str = "\
Without a verb: where you stand, and the next thing to do. The usual way through a lesson:
  cargo lesson            read the chapter that it names
  cargo lesson watch      write, and see the tests turn green
  cargo lesson hint       when you are stuck
  cargo lesson diff 1     when it is green: how the reference does it
No verb loses your work: what one replaces is kept in git, and it says how to have it back.";

/// What a program reads.
const KEYS: &str = "\
--json prints {course, lessons: [{lesson, title, minutes, stars, items: [{item, state}]}], next: {lesson, item, file,
line} or null}. A state is open, done, or unreadable; course is false on the finished runtime. The keys of a verb's own
--json are in its help.";

/// The companion of the course: where you stand, what comes next, and help on the way.
#[derive(Parser)]
#[command(name = "cargo lesson", bin_name = "cargo lesson", version, disable_help_subcommand = true, after_help = USUAL, after_long_help = format!("{USUAL}\n\n{KEYS}"))]
struct Arguments {
    /// For programs: where you stand
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// Make a branch of your own on which every lesson's functions are open
    Start {
        /// The branch's name; one that is there already is only switched to
        #[arg(long, default_value = "my-coracle")]
        branch: String,
    },
    /// Run the tests of a lesson, then those of every lesson before it
    ///
    /// When all is green, it shows the compiler's lints (an unused variable, say) in the functions you have finished: your
    /// branch hides them, because functions that are still open can't help having some.
    ///
    /// --json: {lesson, green, open, lessons: [{lesson, broke, tests: [{test, kind, verdict, class, message}]}], lints:
    /// [{item, file, line, lint, message}]}. A verdict is pass, fail, or ignored.
    #[command(verbatim_doc_comment)]
    Test {
        /// The lesson; without it, the first one that is open
        lesson: Option<u32>,
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Run a lesson's tests again after every change of a source; q leaves
    ///
    /// In a terminal the page is drawn in place, with a bar over functions and tests and the first failure in full. Elsewhere
    /// each run is a block of plain lines.
    #[command(verbatim_doc_comment)]
    Watch {
        /// The lesson; without it, the first one that is open, and then the next
        lesson: Option<u32>,
    },
    /// A hint for one function: first a question, then the calls to use, then an outline
    ///
    /// Shows one step more each time you ask. Git's configuration remembers how far you are.
    ///
    /// --json: {lesson, item, hints: [...], steps}
    #[command(verbatim_doc_comment)]
    Hint {
        /// The lesson; without it, the first one that is open
        lesson: Option<u32>,
        /// The function, such as set_hostname; without it, the lesson's first one that is open
        item: Option<String>,
        /// How far to go: 1, 2 or 3; without it, one further than the last time
        #[arg(long, value_parser = clap::value_parser!(u8).range(1..=3))]
        step: Option<u8>,
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Your functions against the reference's, once the lesson is green
    Diff {
        /// The lesson
        lesson: u32,
        /// Show the reference before that, and of functions that are still open
        #[arg(long)]
        reveal: bool,
    },
    /// Put the reference's functions in place of yours; your version is kept in git
    Solve {
        /// The lesson
        lesson: u32,
        /// One function of it; without it, all
        item: Option<String>,
    },
    /// Open a lesson's functions again; your version is kept in git
    Reset {
        /// The lesson
        lesson: u32,
    },
    /// Solve what is still open before a lesson; what you wrote stays
    CatchUp {
        /// The lesson you want to begin with
        lesson: u32,
    },
    /// What a lesson's functions ask of the kernel, by strace, beside what another runtime does for the same container
    Trace {
        /// The lesson
        lesson: u32,
        /// The other runtime: runc, crun, or a path
        #[arg(long, value_name = "RUNTIME")]
        against: Option<String>,
        /// Columns of the page; two runtimes stand side by side from 100 on [default: those of the terminal]
        #[arg(long, value_name = "COLUMNS")]
        width: Option<usize>,
        /// Every call, however many do the same
        #[arg(long)]
        all: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// What trace starts in namespaces of its own
    #[command(hide = true)]
    TraceStage {
        /// The folder of the run
        folder: PathBuf,
    },
    /// Bring what the project changed since into your branch; what you wrote stays
    ///
    /// The new reference is the first of origin's default branch and the local `main` that has something new; --from names
    /// another one. Functions are merged one by one: what you wrote stays, what you solved is the new reference's, and new
    /// lessons come open. Everything else is merged line by line. The outcome is one commit on your branch.
    #[command(verbatim_doc_comment)]
    Update {
        /// The branch or commit that holds the finished runtime
        #[arg(long, value_name = "REF")]
        from: Option<String>,
        /// Ask the remote first: git fetch
        #[arg(long)]
        fetch: bool,
        /// Whose lines count where both sides changed the same ones, outside of functions
        #[arg(long)]
        prefer: Option<verbs::Prefer>,
    },
    /// Examine a runtime by the lessons' tests: your own, or any other
    ///
    /// Each test gives a mark: pass, fail, exempt (that runtime does otherwise, for a reason that lesson.toml names),
    /// unsupported (it, or this version of it, has no such thing), ignored (this machine can't run the test, and says why),
    /// locked (an earlier lesson of yours is open). Succeeds if none is fail or locked; with CORACLE_STRICT=1, nor ignored.
    ///
    /// --json: {runtime: {path, name, version} or null for your own, passed, lessons: [{lesson, title, passed, broke, tests:
    /// [{test, kind, mark, why}]}]}
    #[command(verbatim_doc_comment)]
    Grade {
        /// The lessons; without them, all
        lessons: Vec<u32>,
        /// The runtime: a path, or the name of an installed one, such as runc; without it, the runtime of this tree
        #[arg(long, value_name = "PATH")]
        runtime: Option<String>,
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Build the book, and say where it is
    Book {
        /// Show it in the browser
        #[arg(long)]
        open: bool,
        /// Serve it on this machine instead, and build it again when something changes
        #[arg(long, value_name = "PORT", num_args = 0..=1, default_missing_value = "3000")]
        serve: Option<u16>,
    },
    /// What this machine can do for the course, and what to do about the rest
    ///
    /// --json: {containers, lines: [{status, name, found, follows, cures, matters}]}. A status is ok, limited, or missing.
    #[command(verbatim_doc_comment)]
    Doctor {
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// For authors: prove that every lesson is red before and green after
    ///
    /// Lessons in the making, folders of lessons/ with a manifest and no tests.rs, take part with their functions alone:
    /// every starter must build with them blank as well, without a warning, and `coracle sandbox` must run on it. So
    /// must the finished runtime without any single one of them.
    ///
    /// A proof of all lessons writes target/prove/matrix.json, for programs.
    #[command(verbatim_doc_comment)]
    Prove {
        /// The lessons, or lessons in the making; without them, all
        lessons: Vec<u32>,
    },
}

fn run(Arguments { verb, json }: Arguments) -> Result<()> {
    if let Some(Verb::Doctor { json }) = verb {
        return doctor::run(json);
    }
    if let Some(Verb::TraceStage { folder }) = &verb {
        return verbs::trace_stage(folder);
    }
    let course =
        Course::find(&std::env::current_dir().context("the current folder is gone; cd into your clone")?)?;
    match verb {
        None if json => verbs::status_as_json(&course),
        None => verbs::status(&course),
        Some(Verb::Start { branch }) => verbs::start(&course, &branch),
        Some(Verb::Test { lesson, json }) => verbs::test(&course, lesson, json),
        Some(Verb::Watch { lesson }) => verbs::watch(&course, lesson),
        Some(Verb::Hint { lesson, item, step, json }) => {
            verbs::hint(&course, lesson, item.as_deref(), step, json)
        }
        Some(Verb::Diff { lesson, reveal }) => verbs::diff(&course, lesson, reveal),
        Some(Verb::Solve { lesson, item }) => verbs::solve(&course, lesson, item.as_deref()),
        Some(Verb::Reset { lesson }) => verbs::reset(&course, lesson),
        Some(Verb::CatchUp { lesson }) => verbs::catch_up(&course, lesson),
        Some(Verb::Update { from, fetch, prefer }) => verbs::update(&course, from.as_deref(), fetch, prefer),
        Some(Verb::Grade { lessons, runtime, json }) => {
            verbs::grade(&course, runtime.as_deref(), &lessons, json)
        }
        Some(Verb::Prove { lessons }) => prove::run(&course, &lessons),
        Some(Verb::Trace { lesson, against, width, all, json }) => {
            verbs::trace(&course, lesson, &Trace { against, width, all, json })
        }
        Some(Verb::TraceStage { folder }) => verbs::trace_stage(&folder),
        Some(Verb::Book { open, serve }) => verbs::book(&course, open, serve),
        Some(Verb::Doctor { json }) => doctor::run(json),
    }
}

/// Whoever pipes us into `head` has seen enough: no backtrace for them. (println! panics where nobody reads.)
fn end_with_the_reader() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if info.payload_as_str().is_some_and(|text| text.starts_with("failed printing to stdout")) {
            std::process::exit(0);
        }
        usual(info);
    }));
}

fn main() -> ExitCode {
    end_with_the_reader();
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo lesson: {error:#}");
            ExitCode::FAILURE
        }
    }
}
