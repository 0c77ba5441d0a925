//! From the words of the command line to its options; and what is done with words that make none.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::error::ErrorKind;
use clap::{ArgAction, Command, CommandFactory, FromArgMatches, Parser, ValueEnum};

use crate::log::{Format, Log};
use crate::sys;

use super::NOT_EXECUTED;
use super::args::Cli;

/// Reads the command line, whose `words` begin with the program's name.
///
/// # Errors
/// clap's: also for `--help` and `--version`, which are to be printed.
pub(super) fn parse(words: &[OsString]) -> Result<Cli, clap::Error> {
    match Cli::try_parse_from(words) {
        Err(told) if matches!(told.kind(), ErrorKind::TooManyValues | ErrorKind::UnknownArgument) => {
            // Only here, so that the help does not show a value at every switch.
            Cli::from_arg_matches(&with_values(Cli::command()).try_get_matches_from(words)?)
        }
        read => read,
    }
}

/// The same command line, with switches that may have a value: `--tty=false`. Go's programs write them so.
fn with_values(command: Command) -> Command {
    let with_value = |arg: clap::Arg| match arg.get_action() {
        ArgAction::SetTrue => arg
            .action(ArgAction::Set)
            .num_args(0..=1)
            .require_equals(true)
            .value_name("BOOL")
            .value_parser(BoolishValueParser::new())
            .default_missing_value("true")
            .default_value("false"),
        _ => arg,
    };
    command.mut_args(with_value).mut_subcommands(with_values)
}

/// Tells what clap has to say: help and the version on standard output; an error on standard error, and as one record
/// in the log, where the `words` name one. Returns the exit code.
pub(super) fn tell(told: &clap::Error, words: &[OsString]) -> u8 {
    // Before the log is opened: it must not become standard error.
    let begun = sys::begin();
    // Where nobody can be told, the exit code still tells.
    let _ = told.print();
    if told.kind() == ErrorKind::InvalidValue && told.to_string().contains("a value is required") {
        // podman looks for this where it asks what restore can do.
        let _ = writeln!(std::io::stderr(), "the option requires an argument");
    }
    if !told.use_stderr() {
        return 0;
    }
    let global = Global::of(words.iter().skip(1).cloned());
    if let (Ok(()), Some(path)) = (begun, global.log)
        && let Ok(log) = Log::open(&path, global.format)
    {
        log.say("error", &sentence(&told.to_string()));
    }
    if global.verb.is_some_and(|verb| verb == "exec") { NOT_EXECUTED } else { 1 }
}

/// The error alone, in one line: behind it clap adds hints and the usage, after an empty line.
fn sentence(text: &str) -> String {
    let error = text.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = error.trim_start_matches("error:").split_whitespace().collect();
    words.join(" ")
}

/// What words that make no command line still say.
#[derive(Debug, Default)]
struct Global {
    log: Option<PathBuf>,
    format: Format,
    verb: Option<OsString>,
}

impl Global {
    /// Reads `words` up to the verb: what follows is the verb's, or even the container's program's.
    fn of(words: impl IntoIterator<Item = OsString>) -> Global {
        let (mut global, command, mut words) = (Global::default(), Cli::command(), words.into_iter());
        while let Some(word) = words.next() {
            let Some(option) = word.as_bytes().strip_prefix(b"--") else {
                if command.get_subcommands().any(|verb| verb.get_name() == word) {
                    global.verb = Some(word);
                    break;
                }
                continue;
            };
            let mut halves = option.splitn(2, |byte| *byte == b'=');
            let name = halves.next().unwrap_or_default();
            let value = halves.next().map(|value| OsString::from_vec(value.to_vec()));
            let value = value.or_else(|| if has_value(&command, name) { words.next() } else { None });
            match name {
                b"log" => global.log = value.map(PathBuf::from),
                b"log-format" => global.format = value.as_deref().map(format).unwrap_or_default(),
                _ => {}
            }
        }
        global
    }
}

/// Whether the next word is the value of the option `name`.
fn has_value(command: &Command, name: &[u8]) -> bool {
    command.get_arguments().any(|arg| {
        arg.get_long().is_some_and(|long| long.as_bytes() == name)
            && arg.get_action().takes_values()
            && !arg.is_require_equals_set()
    })
}

fn format(name: &OsStr) -> Format {
    Format::from_str(&name.to_string_lossy(), false).unwrap_or_default()
}
