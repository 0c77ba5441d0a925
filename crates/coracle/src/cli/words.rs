//! The words of the command line, turned from those of Go's `flag` package into clap's. runc is written with that package,
//! and its callers know it: `-bundle DIR` is `--bundle DIR` there (one dash or two are the same, and short options do not
//! cluster), and `--rootless` takes the next word as its value.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use clap::{Arg, Command, CommandFactory};

use super::args::Cli;

/// The words that this process was called with, the program's name first.
pub(super) fn read() -> Vec<OsString> {
    let words: Vec<OsString> = std::env::args_os().collect();
    // As engines call us, most words are clap's already.
    if words.iter().any(|word| dashes(word) == 1 && word.len() > 2 || word == "--rootless") {
        of_go(words)
    } else {
        words
    }
}

/// Turns `words`, as far as they are the runtime's: what belongs to the container's program stays as it is.
fn of_go(words: Vec<OsString>) -> Vec<OsString> {
    let program = Cli::command();
    let (mut verb, mut turned, mut words) = (None, Vec::new(), words.into_iter().peekable());
    turned.extend(words.next());
    while let Some(mut word) = words.next() {
        if dashes(&word) == 0 {
            let ends = match verb {
                None => {
                    verb = program.find_subcommand(&word);
                    verb.is_none()
                }
                Some(verb) => is_followed_by_a_program(verb),
            };
            turned.push(word);
            if ends {
                break;
            }
            continue;
        }
        let halves = word.as_bytes().splitn(2, |byte| *byte == b'=').map(<[u8]>::to_vec).collect::<Vec<_>>();
        let name = &halves[0][dashes(&word)..];
        if name.is_empty() {
            turned.push(word);
            break;
        }
        let find = |command: &Command| command.get_arguments().find(|arg| is_called(arg, name)).cloned();
        let Some(arg) = verb.and_then(find).or_else(|| find(&program)) else {
            turned.push(word);
            continue;
        };
        if name.len() > 1 && dashes(&word) == 1 {
            word = OsString::from_iter(["-".into(), word]);
        }
        if arg.get_action().takes_values() && halves.len() == 1 {
            if !arg.is_require_equals_set() {
                turned.push(std::mem::replace(&mut word, words.next().unwrap_or_default()));
            } else if let Some(value) =
                words.next_if(|next| ["true", "false", "auto"].iter().any(|one| next == one))
            {
                word = OsString::from_iter([word, "=".into(), value]);
            }
        }
        turned.push(word);
    }
    turned.extend(words);
    turned
}

/// How many dashes `word` begins with, as an option does: 1 or 2. A dash alone is a value.
fn dashes(word: &OsString) -> usize {
    match word.as_bytes() {
        [b'-'] => 0,
        [b'-', b'-', ..] => 2,
        [b'-', ..] => 1,
        _ => 0,
    }
}

fn is_called(arg: &Arg, name: &[u8]) -> bool {
    let long = arg.get_long().is_some_and(|long| long.as_bytes() == name);
    let short = arg.get_short().is_some_and(|short| short.to_string().as_bytes() == name);
    long || short
}

/// Whether the options of `verb` end at its first word that is none.
fn is_followed_by_a_program(verb: &Command) -> bool {
    verb.get_positionals().any(Arg::is_trailing_var_arg_set)
}
