//! Labels: what AppArmor and SELinux know the container's program by (apparmor(7), selinux(8)).
//!
//! Both take the label beforehand, in a file of /proc, and give it to the process when it becomes its program.

use nix::errno::Errno;
use nix::sys::statfs::{SELINUX_MAGIC, statfs};

use crate::error::Result;
use crate::procfs::{self, Procfs};

/// AppArmor's name for "no profile".
pub const UNCONFINED: &str = "unconfined";

/// The labels that a process asks for; `None` leaves what the runtime's label leads to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels {
    /// AppArmor's profile (runtime-spec, config.md, "apparmorProfile").
    pub apparmor: Option<String>,
    /// SELinux's context (runtime-spec, config.md, "selinuxLabel").
    pub selinux: Option<String>,
}

impl Labels {
    /// Whether there is none to set.
    pub fn are_empty(&self) -> bool {
        self.apparmor.is_none() && self.selinux.is_none()
    }
}

/// Whether AppArmor runs here.
pub fn apparmor_is_enabled() -> bool {
    procfs::read_small("/sys/module/apparmor/parameters/enabled").is_ok_and(|said| said.starts_with('Y'))
}

/// Whether SELinux runs here: its file system is mounted then (selinux(8)).
pub fn selinux_is_enabled() -> bool {
    statfs("/sys/fs/selinux").is_ok_and(|fs| fs.filesystem_type() == SELINUX_MAGIC)
}

/// Gives this process its labels for the next execve(2). `procfs` is one that the container cannot have changed.
///
/// # Errors
/// `ENOENT` for a profile that is not loaded, `EINVAL` for a context that the policy does not know, `EACCES` for one that
/// it does not allow from ours.
pub fn set_on_exec(labels: &Labels, procfs: &Procfs) -> Result<()> {
    let own = procfs.own_folder()?;
    if let Some(profile) = &labels.apparmor {
        set_apparmor(procfs, &own, profile).map_err(|error| {
            error
                .with_cure(Errno::ENOENT, "load the AppArmor profile first: apparmor_parser --replace FILE")
                .with_cure(Errno::EACCES, "AppArmor does not let the runtime change to this profile")
        })?;
    }
    if let Some(label) = &labels.selinux {
        set_selinux(procfs, &format!("{own}/attr/exec"), label)?;
    }
    Ok(())
}

fn set_selinux(procfs: &Procfs, file: &str, label: &str) -> Result<()> {
    procfs.write(file, label).map_err(|error| {
        error
            .with_cure(Errno::EINVAL, "SELinux's policy knows no such context")
            .with_cure(Errno::EACCES, "SELinux does not let the runtime change to this context")
    })
}

/// With several security modules, `attr/exec` is the first one's; a kernel of our time has a folder for this one.
fn set_apparmor(procfs: &Procfs, own: &str, profile: &str) -> Result<()> {
    let text = format!("exec {profile}");
    match procfs.write(&format!("{own}/attr/apparmor/exec"), &text) {
        Err(error) if error.errno() == Some(Errno::ENOENT) => {
            // The folder is missing, or the profile; the older file answers for the latter as well.
            procfs.write(&format!("{own}/attr/exec"), &text)
        }
        written => written,
    }
}

/// Says with which SELinux label this process makes keys from now on (`attr/keycreate`); empty: with its own.
///
/// # Errors
/// As [`set_on_exec`].
pub fn set_on_keys(label: &str, procfs: &Procfs) -> Result<()> {
    set_selinux(procfs, &format!("{}/attr/keycreate", procfs.own_folder()?), label)
}
