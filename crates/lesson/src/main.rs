//! `cargo lesson`: the learner's companion.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use course::Course;
use lesson::{doctor, prove, verbs};

/// The learner's companion: without a verb it shows where you stand and what comes next.
#[derive(Parser)]
#[command(name = "cargo lesson", bin_name = "cargo lesson", version)]
struct Cli {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// Make a branch of your own, with the functions of every lesson emptied
    Start {
        /// The branch's name
        #[arg(long, default_value = "my-coracle")]
        branch: String,
    },
    /// Run a lesson's tests, then those of all before it
    Test {
        /// The lesson [default: the one you are in]
        lesson: Option<u32>,
    },
    /// Give a hint: first a question, then the calls, then an outline
    Hint {
        /// The lesson
        lesson: u32,
        /// The function [default: the first that is still open]
        item: Option<String>,
        /// How far to go: 1, 2 or 3 [default: one further than the last time]
        #[arg(long, value_parser = clap::value_parser!(u8).range(1..=3))]
        step: Option<u8>,
    },
    /// Compare your finished functions with the reference
    Diff {
        /// The lesson
        lesson: u32,
        /// Show the reference of open functions as well
        #[arg(long)]
        reveal: bool,
    },
    /// Put the reference in the place of a function, or of all of a lesson's; yours is kept in git
    Solve {
        /// The lesson
        lesson: u32,
        /// The function [default: all of the lesson's]
        item: Option<String>,
    },
    /// Empty a lesson's functions again; what you wrote is kept in git
    Reset {
        /// The lesson
        lesson: u32,
    },
    /// Solve what is still open in the lessons before this one
    CatchUp {
        /// The lesson you want to begin with
        lesson: u32,
    },
    /// Say what this machine can do, and what to do about the rest
    Doctor,
    /// Prove the course: every lesson red before, green after
    Prove {
        /// The lessons [default: all]
        lessons: Vec<u32>,
    },
}

fn main() -> ExitCode {
    end_with_the_reader();
    match act(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo lesson: {error:#}");
            ExitCode::FAILURE
        }
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

fn act(cli: Cli) -> Result<()> {
    let course = Course::find(&std::env::current_dir()?)?;
    match cli.verb {
        None => verbs::status::show(&course),
        Some(Verb::Start { branch }) => verbs::start::start(&course, &branch),
        Some(Verb::Test { lesson }) => verbs::test::test(&course, lesson),
        Some(Verb::Hint { lesson, item, step }) => verbs::hint::hint(&course, lesson, item.as_deref(), step),
        Some(Verb::Diff { lesson, reveal }) => verbs::diff::diff(&course, lesson, reveal),
        Some(Verb::Solve { lesson, item }) => verbs::solve::solve(&course, lesson, item.as_deref()),
        Some(Verb::Reset { lesson }) => verbs::solve::reset(&course, lesson),
        Some(Verb::CatchUp { lesson }) => verbs::solve::catch_up(&course, lesson),
        Some(Verb::Doctor) => doctor::run(),
        Some(Verb::Prove { lessons }) => prove::run(&course, &lessons),
    }
}
