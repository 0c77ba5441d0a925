//! What both test programs need: tests that can be ignored with a reason, and a BusyBox if there is one.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};

/// The script that finds or fetches a BusyBox.
pub(crate) const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/fetch-busybox");

/// A static BusyBox of this machine, or why there is none. Looks without the network.
pub(crate) fn busybox() -> Result<PathBuf, String> {
    let output = Command::new(SCRIPT).args(["--from", "cache,path"]).output().map_err(|e| e.to_string())?;
    match String::from_utf8_lossy(&output.stdout).lines().last() {
        Some(path) if output.status.success() => Ok(path.into()),
        _ => Err("no static BusyBox here: run scripts/fetch-busybox".into()),
    }
}

/// This machine's shell, if it is dynamic as shells mostly are.
pub(crate) fn dynamic() -> Result<PathBuf, String> {
    let shell = Path::new("/bin/sh");
    let bytes = fs::read(shell).map_err(|error| error.to_string())?;
    let loader = ["/ld-linux", "/ld-musl"].iter().any(|loader| {
        bytes[..bytes.len().min(8192)].windows(loader.len()).any(|found| found == loader.as_bytes())
    });
    if loader {
        Ok(shell.into())
    } else {
        Err("/bin/sh names no loader: no dynamic program to try with".into())
    }
}

/// A test that everybody can run.
pub(crate) fn test(name: &str, body: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, move || {
        body();
        Ok(())
    })
}

/// A test that needs what may be missing: then it is shown as ignored, with the reason, and with CORACLE_STRICT=1 it
/// fails.
pub(crate) fn needing<T: Clone + Send + 'static>(
    need: &Result<T, String>,
    name: &str,
    body: impl FnOnce(T) + Send + 'static,
) -> Trial {
    match need.clone() {
        Ok(need) => test(name, move || body(need)),
        Err(why) if env::var_os("CORACLE_STRICT").is_some_and(|value| value == "1") => {
            Trial::test(name, move || Err(Failed::from(why)))
        }
        Err(why) => Trial::test(name, || Ok(())).with_kind(why).with_ignored_flag(true),
    }
}

/// The test program's main. `threads` is how many tests run at once; `None` leaves it to the command line.
pub(crate) fn run(trials: Vec<Trial>, threads: Option<usize>) -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = threads.or(arguments.test_threads);
    // A missing need does not appear by asking for it.
    if arguments.include_ignored || arguments.ignored {
        arguments.include_ignored = false;
        arguments.ignored = false;
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}
