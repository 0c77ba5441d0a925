//! New limits for a group that has processes.

use oci_spec::runtime::LinuxResources;

use super::settings::Settings;
use super::{Cgroup, memory, systemd, v2};
use crate::error::Result;

impl Cgroup {
    /// Sets the limits of `resources`, all of them or none: where the kernel refuses one, those before it are taken back. What
    /// is not asked for stays as it is, and so do the rules about devices.
    ///
    /// # Errors
    /// As [`Cgroup::settings`]; what the kernel refuses, with file and value; `EBUSY` for less memory than is in use, where
    /// the config wants that checked.
    pub fn update(&self, resources: &LinuxResources) -> Result<()> {
        let settings = Settings { devices: None, ..self.settings(resources)? };
        if let (Some(memory), Some(folder)) = (resources.memory(), self.with("memory"))
            && folder.is_v2()
        {
            memory::must_suffice(folder, memory)?;
        }
        // Beside version 1 it has what was asked for at its birth.
        if let Some(folder) = self.v2() {
            v2::enable_above(folder, &self.needed_of_v2(&settings))?;
        }
        let before = settings.present();
        settings.apply(self).inspect_err(|_| {
            // The first error is the one to tell.
            let _ = before.apply(self);
        })?;
        let Some(unit) = &self.unit else { return Ok(()) };
        // What systemd does not know of, it takes back when it is reloaded. It is told what the kernel has: a quota alone leaves the
        // period that was there. Then it writes what it can count, and that is not always the same.
        let now = settings.present();
        systemd::set(unit, &now)?;
        now.apply(self)
    }
}
