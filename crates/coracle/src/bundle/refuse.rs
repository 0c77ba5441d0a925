//! What a config may ask for and this version does not do: refused by name.
//!
//! An empty value asks for nothing. Properties that the specification does not know must be ignored (config.md,
//! "Extensibility").

use serde_json::Value;

use super::wrong;
use crate::config::{Config, Linux, Process};
use crate::error::Result;

/// Refuses what is asked for and not done, but for the process object.
///
/// # Errors
/// The JSON pointer of the first.
pub(super) fn in_config(config: &Config) -> Result<()> {
    refuse("", of_linux(&config.linux))
}

/// The same for a process object, which is at the JSON pointer `at`.
///
/// # Errors
/// The JSON pointer of the first.
pub(super) fn in_process(process: &Process, at: &str) -> Result<()> {
    let all = [
        ("/apparmorProfile", is_text(&process.apparmor_profile)),
        ("/selinuxLabel", is_text(&process.selinux_label)),
        ("/scheduler", process.scheduler.is_some()),
        ("/ioPriority", process.io_priority.is_some()),
        ("/execCPUAffinity", has_any(&process.exec_cpu_affinity)),
    ];
    refuse(at, all)
}

/// Refuses the first of `all` that is asked for: properties of the object at the JSON pointer `at` that this version does
/// not do, each with its pointer below `at` and whether the config asks for it. To leave it out without a word would be
/// to run a container without the lock that somebody counts on.
///
/// # Errors
/// At the property's pointer; it says what to do.
fn refuse(at: &str, all: impl IntoIterator<Item = (&'static str, bool)>) -> Result<()> {
    for (pointer, is_asked) in all {
        if is_asked {
            let problem = "this version does not do this; take it out of the config";
            return Err(wrong(format!("{at}{pointer}"), problem));
        }
    }
    Ok(())
}

fn of_linux(linux: &Linux) -> [(&'static str, bool); 8] {
    [
        ("/linux/seccomp", linux.seccomp.is_some()),
        ("/linux/sysctl", linux.sysctl.as_ref().is_some_and(is_full)),
        ("/linux/mountLabel", is_text(&linux.mount_label)),
        ("/linux/intelRdt", linux.intel_rdt.is_some()),
        ("/linux/memoryPolicy", linux.memory_policy.is_some()),
        ("/linux/personality", linux.personality.is_some()),
        ("/linux/timeOffsets", linux.time_offsets.as_ref().is_some_and(is_full)),
        ("/linux/netDevices", linux.net_devices.as_ref().is_some_and(is_full)),
    ]
}

fn is_text(asked: &Option<String>) -> bool {
    asked.as_ref().is_some_and(|text| !text.is_empty())
}

/// Whether there is something in it; whatever cannot be empty counts.
fn is_full(asked: &Value) -> bool {
    match asked {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(properties) => !properties.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

/// Whether there is something in any of its properties.
fn has_any(asked: &Option<Value>) -> bool {
    match asked {
        Some(Value::Object(properties)) => properties.values().any(is_full),
        other => other.as_ref().is_some_and(is_full),
    }
}
