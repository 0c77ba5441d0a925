//! The first container's root filesystem: BusyBox where it can be had, the probe where it can't.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::HOME;
use super::build::Programs;

/// The root filesystem, below the repository.
pub(super) const PATH: &str = "target/coracle/rootfs";

/// What is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rootfs {
    /// A shell and the usual programs.
    Busybox,
    /// The probe alone.
    Probe,
}

/// Makes the root filesystem where there is none; one that holds the probe gives way to BusyBox as soon as there is one.
pub(super) fn make(root: &Path, programs: &Programs) -> Result<Rootfs> {
    let home = root.join(HOME);
    fs::create_dir_all(&home).with_context(|| format!("can't make {}", home.display()))?;
    // Two terminals may do this at once. The lock goes with the process.
    let lock = File::create(home.join("lock"))?;
    lock.lock()?;
    let made = root.join(PATH);
    if made.join("bin/busybox").exists() {
        return Ok(Rootfs::Busybox);
    }
    let (source, rootfs) = match busybox(root, made.exists())? {
        Some(path) => (format!("busybox={path}"), Rootfs::Busybox),
        None if made.join("bin/probe").exists() => return Ok(Rootfs::Probe),
        None => {
            println!("No BusyBox can be had here, so the probe alone is the root filesystem.");
            (format!("probe={}", programs.path("probe")?.display()), Rootfs::Probe)
        }
    };
    let status = Command::new(programs.path("rootfs-builder")?)
        .args(["--source", &source, "--output", &format!("dir={PATH}"), "--force"])
        .current_dir(root)
        .stdin(Stdio::null())
        .status()
        .context("rootfs-builder can't be started")?;
    ensure!(status.success(), "the root filesystem could not be made: {status}");
    Ok(rootfs)
}

/// The path of a static BusyBox. The second time, only what is at hand counts: no waiting for a network on every run.
fn busybox(root: &Path, again: bool) -> Result<Option<String>> {
    let mut command = Command::new(root.join("scripts/fetch-busybox"));
    if again {
        command.args(["--from", "cache,path"]);
    }
    let stderr = if again { Stdio::null() } else { Stdio::inherit() };
    let output = command.stdin(Stdio::null()).stderr(stderr).output();
    let output = output.context("scripts/fetch-busybox can't be started")?;
    match output.status.code() {
        Some(0) => {
            let text = String::from_utf8(output.stdout).context("the path of BusyBox is not UTF-8")?;
            Ok(text.lines().last().map(str::to_owned))
        }
        Some(1) => Ok(None),
        _ => bail!("scripts/fetch-busybox: {}", output.status),
    }
}

impl Rootfs {
    /// The program to run, with its arguments.
    pub(super) fn program(self) -> Vec<&'static str> {
        // The shell echoes each command as if somebody typed it.
        const TYPED: &str = r#"for line; do echo "/ # $line"; eval "$line" || exit; done"#;
        match self {
            Self::Busybox => {
                vec!["/bin/sh", "-c", TYPED, "sh", "hostname", "echo $$", "ps -o pid,user,comm", "ls -C /"]
            }
            Self::Probe => vec!["/probe"],
        }
    }

    /// The program as a person would type it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Busybox => "/bin/sh",
            Self::Probe => "/probe",
        }
    }

    /// What to show of the program's output: of the probe's report, a few lines.
    pub(super) fn transcript(self, output: &[u8]) -> Result<String> {
        let text = String::from_utf8_lossy(output).into_owned();
        if self == Self::Busybox {
            return Ok(text);
        }
        let report: serde_json::Value = serde_json::from_str(&text).context("the probe reported nothing")?;
        let names = ["hostname", "pid", "uid", "root_entries"];
        let lines =
            names.map(|name| format!("{name}: {}\n", report.get(name).unwrap_or(&serde_json::Value::Null)));
        Ok(lines.concat())
    }

    /// Whether what the program saw is a container: a hostname and a process 1 of its own.
    pub(super) fn check(self, transcript: &str) -> Result<()> {
        let facts = match self {
            Self::Busybox => ["/ # hostname\ncoracle\n", "/ # echo $$\n1\n"],
            Self::Probe => ["hostname: \"coracle\"\n", "pid: 1\n"],
        };
        for fact in facts {
            ensure!(transcript.contains(fact), "this should be above: {fact}");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probes_report_is_cut_to_what_matters_here() {
        let report =
            br#"{"pid":1,"ppid":0,"uid":0,"hostname":"coracle","root_entries":["bin","probe"],"env":[]}"#;
        let text = Rootfs::Probe.transcript(report).unwrap();
        assert_eq!(text, "hostname: \"coracle\"\npid: 1\nuid: 0\nroot_entries: [\"bin\",\"probe\"]\n");
        assert!(Rootfs::Probe.check(&text).is_ok());
        assert!(Rootfs::Probe.transcript(b"").is_err());
    }

    #[test]
    fn a_hostname_or_a_process_of_the_hosts_is_no_container() {
        assert!(Rootfs::Busybox.check("/ # hostname\ncoracle\n/ # echo $$\n1\n").is_ok());
        assert!(Rootfs::Busybox.check("/ # hostname\ncoracle\n/ # echo $$\n4711\n").is_err());
        assert!(Rootfs::Busybox.check("/ # hostname\nhost\n/ # echo $$\n1\n").is_err());
    }
}
