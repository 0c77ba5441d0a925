//! `/linux/mountLabel`: SELinux's label of the files in the container's file systems (runtime-spec, config-linux.md, "Mount
//! Label"; mount(8), `context=`).

use std::ffi::CString;

use super::wrong;
use crate::error::Result;
use crate::mount::{Mount, What};

const POINTER: &str = "/linux/mountLabel";

/// Those that SELinux labels by its policy alone.
const LABELLED_BY_POLICY: [&[u8]; 3] = [b"proc", b"sysfs", b"mqueue"];

/// Adds the option `context=` to each of `mounts` that is a new file system, unless it says its own. Bind mounts show files
/// of the host, which keep their labels; empty: nothing is asked for.
///
/// # Errors
/// Where SELinux is not enabled: no file has a label then, and a policy that somebody counts on does not hold.
pub(super) fn label(mounts: &mut [Mount], label: &str) -> Result<()> {
    if label.is_empty() {
        return Ok(());
    }
    let label = CString::new(label).map_err(|_| wrong(POINTER, "has a NUL byte in it"))?;
    if !is_enabled() {
        return Err(wrong(
            POINTER,
            "needs SELinux, which is not enabled on this machine; take it out of the config",
        ));
    }
    for mount in mounts {
        let What::New { kind, .. } = &mount.what else { continue };
        if !LABELLED_BY_POLICY.contains(&kind.to_bytes()) && !mount.options.has(b"context") {
            mount.options.data.push((c"context".to_owned(), Some(label.clone())));
        }
    }
    Ok(())
}

/// Whether the kernel runs SELinux: it knows the file system of its controls then, and only then.
fn is_enabled() -> bool {
    std::fs::read_to_string("/proc/filesystems")
        .is_ok_and(|all| all.lines().any(|line| line.ends_with("selinuxfs")))
}
