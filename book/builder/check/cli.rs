//! Does a program take these arguments? Its own `--help` tells.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::CommandFactory;

use super::shell::placeholder;
use crate::cli::Arguments;

/// The help texts asked for so far.
#[derive(Default)]
pub(super) struct Cli {
    asked: HashMap<(PathBuf, String), Option<String>>,
}

impl Cli {
    /// As [`Cli::wrong`], for this program itself.
    pub(super) fn own(&mut self, arguments: &[String]) -> Option<String> {
        let name = "book";
        let mut command = Arguments::command();
        let mut tell = |verb: &str, text: String| self.asked.insert((name.into(), verb.into()), Some(text));
        for verb in command.get_subcommands_mut() {
            let text = verb.render_long_help().to_string();
            tell(verb.get_name(), text);
        }
        tell("", command.render_help().to_string());
        self.wrong(Path::new(name), name, arguments)
    }

    /// What is wrong with `program ARGUMENTS`, where `name` is what people type for the program. Verbs and long options
    /// are looked up in the program's help; what stands behind `--` belongs to somebody else.
    pub(super) fn wrong(&mut self, program: &Path, name: &str, arguments: &[String]) -> Option<String> {
        let Some(top) = self.help(program, "") else { return Some(format!("{name} --help says nothing")) };
        let mut help = top.clone();
        let mut verb = None;
        let mut words = arguments.iter().take_while(|word| *word != "--");
        while let Some(word) = words.next() {
            if let Some(option) = word.strip_prefix("--") {
                let (option, glued) =
                    option.split_once('=').map_or((option, false), |(option, _)| (option, true));
                if placeholder(option) {
                    continue;
                }
                let Some(takes_value) = option_of(&help, option).or_else(|| option_of(&top, option)) else {
                    let verb = verb.map(|verb| format!(" {verb}")).unwrap_or_default();
                    return Some(format!("{name}{verb} has no option --{option}"));
                };
                if takes_value && !glued {
                    words.next();
                }
            } else if placeholder(word) || word.starts_with('-') {
                // A short option: not worth guessing whether it takes a value.
                if placeholder(word) && verb.is_none() {
                    return None;
                }
            } else if verb.is_none() && top.contains("\nCommands:") {
                match self.help(program, word) {
                    Some(text) => help = text,
                    None => {
                        return Some(format!(
                            "{name} has no verb {word}. It has: {}",
                            verbs(&top).join(", ")
                        ));
                    }
                }
                verb = Some(word);
            }
        }
        None
    }

    /// The words behind the verb that are neither options nor their values.
    pub(super) fn positional<'w>(&mut self, program: &Path, arguments: &'w [String]) -> Vec<&'w str> {
        let Some((verb, rest)) = arguments.split_first() else { return Vec::new() };
        let help = self.help(program, verb).unwrap_or_default();
        let mut found = Vec::new();
        let mut words = rest.iter().take_while(|word| *word != "--");
        while let Some(word) = words.next() {
            match word.strip_prefix("--") {
                Some(option) if option_of(&help, option) == Some(true) => drop(words.next()),
                None if !word.starts_with('-') => found.push(word.as_str()),
                _ => {}
            }
        }
        found
    }

    fn help(&mut self, program: &Path, verb: &str) -> Option<String> {
        let key = (program.to_path_buf(), verb.to_string());
        let ask = || {
            let verb = (!verb.is_empty()).then_some(verb);
            let output = Command::new(program).args(verb).arg("--help").output().ok()?;
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            (output.status.success() && !text.is_empty()).then_some(text)
        };
        self.asked.entry(key).or_insert_with(ask).clone()
    }
}

/// Whether the help text knows the option, and if so whether it takes a value.
fn option_of(help: &str, option: &str) -> Option<bool> {
    let name = format!("--{option}");
    help.match_indices(&name).find_map(|(at, _)| {
        let rest = &help[at + name.len()..];
        let ends = rest.chars().next().is_none_or(|next| !(next.is_alphanumeric() || next == '-'));
        ends.then(|| rest.starts_with(" <") || rest.starts_with("=<"))
    })
}

/// The verbs a help text lists.
fn verbs(help: &str) -> Vec<&str> {
    let list = help.split_once("\nCommands:\n").map_or("", |(_, list)| list);
    let lines = list.lines().take_while(|line| !line.trim().is_empty());
    lines
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .collect()
}
