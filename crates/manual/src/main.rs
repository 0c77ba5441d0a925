//! Writes the man pages and shell completions of `coracle`, `ns-runtime` and `oci-tool` from their own command lines, laid out as
//! they are installed: `manual DIR` and then `cp -r DIR/. /usr/local/share/`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Command, Parser};
use clap_complete::{Shell, generate_to};

/// Writes man pages and completions.
#[derive(Parser)]
struct Arguments {
    /// The folder, made if it is not there
    folder: PathBuf,
}

fn main() -> Result<()> {
    let folder = Arguments::parse().folder;
    for command in [coracle::cli::command(), ns_runtime::cli::command(), oci_tool::cli::command()] {
        pages(&folder, command.clone())?;
        completions(&folder, command)?;
    }
    Ok(())
}

/// What the pages come from: every page says it at its foot.
const SOURCE: &str = concat!("Coracle ", env!("CARGO_PKG_VERSION"));

/// A page for the program, and one for each verb: `coracle-run.8`.
fn pages(folder: &Path, command: Command) -> Result<()> {
    let folder = made(&folder.join("man/man8"))?;
    for (name, command) in with_verbs(command) {
        let file = folder.join(format!("{name}.8"));
        let mut page = Vec::new();
        clap_mangen::Man::new(command).section("8").source(SOURCE).manual("Coracle").render(&mut page)?;
        fs::write(&file, page).with_context(|| format!("write {}", file.display()))?;
    }
    Ok(())
}

/// The program and its verbs, named as their pages are.
fn with_verbs(command: Command) -> Vec<(String, Command)> {
    // `--help` is on every page; what `--version` prints is for engines.
    let mut command = command.disable_help_subcommand(true).version(env!("CARGO_PKG_VERSION"));
    command.build();
    let name = command.get_name().to_owned();
    let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set());
    let mut all: Vec<_> = verbs
        .map(|verb| {
            let page = format!("{name}-{}", verb.get_name());
            (page.clone(), verb.clone().display_name(page))
        })
        .collect();
    all.push((name, command));
    all
}

/// Each shell looks for them in a place of its own.
fn completions(folder: &Path, mut command: Command) -> Result<()> {
    let name = command.get_name().to_owned();
    for (shell, place) in [
        (Shell::Bash, "bash-completion/completions"),
        (Shell::Zsh, "zsh/site-functions"),
        (Shell::Fish, "fish/vendor_completions.d"),
    ] {
        let folder = made(&folder.join(place))?;
        generate_to(shell, &mut command, &name, &folder)
            .with_context(|| format!("write into {}", folder.display()))?;
    }
    Ok(())
}

fn made(folder: &Path) -> Result<PathBuf> {
    fs::create_dir_all(folder).with_context(|| format!("make the folder {}", folder.display()))?;
    Ok(folder.to_owned())
}
