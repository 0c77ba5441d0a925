//! `cargo lesson`.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use course::Course;
use lesson::{doctor, prove, verbs};

/// The companion of the course: where you stand, what comes next, and help on the way.
#[derive(Parser)]
#[command(name = "cargo lesson", bin_name = "cargo lesson", version, disable_help_subcommand = true)]
struct Arguments {
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
    Test {
        /// The lesson; without it, the first one that is open
        lesson: Option<u32>,
    },
    /// Run a lesson's tests again after every change of a source; q leaves
    Watch {
        /// The lesson; without it, the first one that is open, and then the next
        lesson: Option<u32>,
    },
    /// A hint for one function: first a question, then the calls to use, then an outline
    ///
    /// Shows one step more each time you ask. Git's configuration remembers how far you are.
    Hint {
        /// The lesson; without it, the first one that is open
        lesson: Option<u32>,
        /// The function, such as set_hostname; without it, the lesson's first one that is open
        item: Option<String>,
        /// How far to go: 1, 2 or 3; without it, one further than the last time
        #[arg(long, value_parser = clap::value_parser!(u8).range(1..=3))]
        step: Option<u8>,
    },
    /// Your functions against the reference's
    Diff {
        /// The lesson
        lesson: u32,
        /// Show the reference of functions that are still open, too
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
    /// Bring what the project changed since into your branch; what you wrote stays
    ///
    /// The new reference is the first of origin's default branch and the local `main` that has something new; --from names
    /// another one. Functions are merged one by one: what you wrote stays, what you solved is the new reference's, and new
    /// lessons come open. Everything else is merged line by line. The outcome is one commit on your branch.
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
    /// unsupported (it, or this version of it, has no such thing), ignored (this machine can't run the test, and says why), locked (an
    /// earlier lesson of yours is open). Succeeds if none is fail or locked; with CORACLE_STRICT=1, nor ignored.
    ///
    /// --json: {runtime: {path, name, version} or null for your own, passed, lessons: [{lesson, title, passed, broke, tests:
    /// [{test, kind, mark, why}]}]}
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
    /// What this machine can do for the course, and what to do about the rest
    Doctor,
    /// For authors: prove that every lesson is red before and green after
    ///
    /// Lessons in the making, folders of lessons/ with a manifest and no tests.rs, take part with their functions alone:
    /// every starter must build with them blank as well, without a warning, and `coracle sandbox` must run on it. So
    /// must the finished runtime without any single one of them.
    Prove {
        /// The lessons, or lessons in the making; without them, all
        lessons: Vec<u32>,
    },
}

fn run(verb: Option<Verb>) -> Result<()> {
    if let Some(Verb::Doctor) = verb {
        return doctor::run();
    }
    let course =
        Course::find(&std::env::current_dir().context("the current folder is gone; cd into your clone")?)?;
    match verb {
        None => verbs::status(&course),
        Some(Verb::Start { branch }) => verbs::start(&course, &branch),
        Some(Verb::Test { lesson }) => verbs::test(&course, lesson),
        Some(Verb::Watch { lesson }) => verbs::watch(&course, lesson),
        Some(Verb::Hint { lesson, item, step }) => verbs::hint(&course, lesson, item.as_deref(), step),
        Some(Verb::Diff { lesson, reveal }) => verbs::diff(&course, lesson, reveal),
        Some(Verb::Solve { lesson, item }) => verbs::solve(&course, lesson, item.as_deref()),
        Some(Verb::Reset { lesson }) => verbs::reset(&course, lesson),
        Some(Verb::CatchUp { lesson }) => verbs::catch_up(&course, lesson),
        Some(Verb::Update { from, fetch, prefer }) => verbs::update(&course, from.as_deref(), fetch, prefer),
        Some(Verb::Grade { lessons, runtime, json }) => {
            verbs::grade(&course, runtime.as_deref(), &lessons, json)
        }
        Some(Verb::Prove { lessons }) => prove::run(&course, &lessons),
        Some(Verb::Doctor) => doctor::run(),
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
    match run(Arguments::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo lesson: {error:#}");
            ExitCode::FAILURE
        }
    }
}
