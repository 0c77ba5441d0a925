//! Where the one program of the tree comes from.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Error, Result, elf};

/// The program that fills the tree.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Source {
    /// A static BusyBox; every applet it lists becomes a link in `/bin`.
    Busybox(PathBuf),
    /// The course's probe, as `/bin/probe` and `/probe`, where no BusyBox can be had.
    Probe(PathBuf),
}

impl Source {
    /// Reads `busybox=PATH` or `probe=PATH`.
    ///
    /// # Errors
    /// A sentence that says what was expected.
    pub fn parse(text: OsString) -> Result<Source, String> {
        match split(&text) {
            (b"busybox", Some(path)) => Ok(Source::Busybox(path)),
            (b"probe", Some(path)) => Ok(Source::Probe(path)),
            (b"busybox", None) => {
                Err("the path is missing: busybox=PATH; scripts/fetch-busybox prints the path of one".into())
            }
            (b"probe", None) => {
                Err("the path is missing: probe=PATH; `cargo build -p probe` makes one".into())
            }
            _ => Err("expected busybox=PATH or probe=PATH".into()),
        }
    }

    /// The program's path on this machine.
    pub fn path(&self) -> &Path {
        match self {
            Source::Busybox(path) | Source::Probe(path) => path,
        }
    }

    /// The program's bytes, after the check that it can run with nothing beside it.
    pub(crate) fn program(&self) -> Result<Vec<u8>> {
        let bytes = fs::read(self.path()).map_err(Error::io("read the program", self.path()))?;
        elf::check(self.path(), &bytes)?;
        Ok(bytes)
    }
}

/// `key=PATH` taken apart; an empty path counts as none.
pub(crate) fn split(text: &OsStr) -> (&[u8], Option<PathBuf>) {
    let bytes = text.as_bytes();
    match bytes.iter().position(|byte| *byte == b'=') {
        Some(at) if at + 1 < bytes.len() => (&bytes[..at], Some(OsStr::from_bytes(&bytes[at + 1..]).into())),
        Some(at) => (&bytes[..at], None),
        None => (bytes, None),
    }
}

/// What this BusyBox can be called as. It is asked, since every build is configured differently.
pub(crate) fn applets(busybox: &Path) -> Result<Vec<String>> {
    const STEP: &str = "list the applets of";
    const CURE: &str = "use a BusyBox with its --list option; scripts/fetch-busybox finds or fetches one";
    let failed = |cause: String| Error::new(STEP, busybox, cause, CURE);

    // An absolute path, so that a name without a slash is not looked up in PATH.
    let program = fs::canonicalize(busybox).map_err(Error::io(STEP, busybox))?;
    let output = Command::new(program)
        // BusyBox obeys the name it is called by, and the file may have any name.
        .arg0("busybox")
        .arg("--list")
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .map_err(Error::io(STEP, busybox))?;
    if !output.status.success() {
        return Err(failed(format!("`busybox --list` ended with {}: it is not BusyBox", output.status)));
    }
    let text = String::from_utf8(output.stdout).map_err(|_| failed("its list is not text".into()))?;
    let names: Vec<String> = text.lines().filter(|name| *name != "busybox").map(str::to_owned).collect();
    // The names become file names: none may lead out of /bin.
    if let Some(name) =
        names.iter().find(|name| matches!(name.as_str(), "" | "." | "..") || name.contains('/'))
    {
        return Err(failed(format!("its list has an entry that is no file name: {name:?}")));
    }
    if !names.iter().any(|name| name == "sh") {
        return Err(failed("it has no shell: `busybox --list` does not name sh".into()));
    }
    Ok(names)
}
