//! `cargo lesson book`.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use course::Course;

use crate::cargo::cargo;

/// Builds the book and says where it is. `serve`: on this port of the loopback instead, built again after changes, until
/// it is interrupted. `open`: in the browser, too.
///
/// # Errors
/// Fails where the book does not build.
pub fn book(course: &Course, open: bool, serve: Option<u16>) -> Result<()> {
    let mut command = cargo();
    command.current_dir(&course.root).args(["run", "--quiet", "--package", "book"]);
    if let Some(port) = serve {
        command.args(["--", "serve", "--port", &port.to_string()]);
    }
    let mut child = command.stdout(Stdio::piped()).spawn().context("cargo does not start")?;
    let stdout = child.stdout.take().context("cargo has no stdout")?;
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        println!("{line}");
        let place = line.strip_prefix("Built: ").or_else(|| line.strip_prefix("The book: "));
        if let Some(place) = place.filter(|_| open) {
            browse(place.split("   ").next().unwrap_or(place));
        }
    }
    if !child.wait()?.success() {
        bail!("the book was not built; see above");
    }
    if serve.is_none() && !open {
        println!("In the browser: cargo lesson book --open");
    }
    Ok(())
}

/// Asks the desktop to show a file or an address. Where there is none, the person has read where it is.
fn browse(place: &str) {
    let opener = Command::new("xdg-open").arg(place).stdin(Stdio::null()).stdout(Stdio::null()).status();
    match opener {
        Ok(status) if status.success() => {}
        Ok(status) => println!("xdg-open could not show it ({status}): open it in a browser yourself."),
        Err(_) => println!("There is no xdg-open here: open it in a browser yourself."),
    }
}
