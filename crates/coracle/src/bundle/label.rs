//! `/process/apparmorProfile` and `/process/selinuxLabel`.

use super::wrong;
use crate::config;
use crate::error::Result;
use crate::label::{self, Labels};

/// The labels that the process object `asked`, which is at the JSON pointer `at`, asks for; an empty one is none.
///
/// # Errors
/// At the property, where this machine does not run what would confine the process: it would run without the lock that
/// somebody counts on.
pub(super) fn labels(asked: &config::Process, at: &str) -> Result<Labels> {
    let text = |name: &str, asked: &Option<String>| match asked.as_deref().unwrap_or_default() {
        text if text.contains(['\0', '\n']) => {
            Err(wrong(format!("{at}/{name}"), "has a NUL byte or a line's end in it"))
        }
        "" => Ok(None),
        text => Ok(Some(text.to_owned())),
    };
    let mut labels = Labels {
        apparmor: text("apparmorProfile", &asked.apparmor_profile)?,
        selinux: text("selinuxLabel", &asked.selinux_label)?,
    };
    if let Some(profile) = &labels.apparmor
        && !label::apparmor_is_enabled()
    {
        if profile != label::UNCONFINED {
            let problem = format!("{profile:?}: apparmor is not enabled on this machine; take it out");
            return Err(wrong(format!("{at}/apparmorProfile"), problem));
        }
        // Nobody is confined here.
        labels.apparmor = None;
    }
    if labels.selinux.is_some() && !label::selinux_is_enabled() {
        let problem =
            "selinux label is specified, but selinux is disabled or not supported here; take it out";
        return Err(wrong(format!("{at}/selinuxLabel"), problem));
    }
    Ok(labels)
}
