//! What a config may ask for and this machine does not have: refused by name.
//!
//! Properties that the specification does not know must be ignored (config.md, "Extensibility").

use super::wrong;
use crate::config::{Config, Linux};
use crate::error::Result;
use crate::intel_rdt;

/// Refuses what is asked for and not done on this machine.
///
/// # Errors
/// The JSON pointer of the first.
pub(super) fn in_config(config: &Config) -> Result<()> {
    refuse("", of_linux(&config.linux))
}

/// Refuses the first of `all` that is asked for: properties of the object at the JSON pointer `at` that cannot be done here,
/// each with its pointer below `at` and whether the config asks for it. To leave it out without a word would be to run a
/// container without the lock that somebody counts on.
///
/// # Errors
/// At the property's pointer; it says what to do.
fn refuse(at: &str, all: impl IntoIterator<Item = (&'static str, bool)>) -> Result<()> {
    for (pointer, is_asked) in all {
        if is_asked {
            let problem = "this machine does not have what it needs; take it out of the config";
            return Err(wrong(format!("{at}{pointer}"), problem));
        }
    }
    Ok(())
}

fn of_linux(linux: &Linux) -> [(&'static str, bool); 1] {
    [("/linux/intelRdt", linux.intel_rdt.is_some() && intel_rdt::mount_point().is_none())]
}
