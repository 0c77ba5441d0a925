//! `/linux/mountLabel`: SELinux's label of the files in the container's file systems (runtime-spec, config-linux.md, "Mount
//! Label"; mount(8), `context=`).

use std::ffi::CString;

use super::wrong;
use crate::error::Result;
use crate::label;
use crate::mount::{Mount, What};

const POINTER: &str = "/linux/mountLabel";

/// Those that SELinux labels by its policy alone.
const LABELLED_BY_POLICY: [&[u8]; 3] = [b"proc", b"sysfs", b"mqueue"];

/// Adds the option `context=` to each of `mounts` that is a new file system, unless it says its own. Bind mounts show files
/// of the host, which keep their labels; empty: nothing is asked for.
///
/// # Errors
/// Where SELinux is not enabled: no file has a label then, and a policy that somebody counts on does not hold.
pub(super) fn label(mounts: &mut [Mount], asked: &str) -> Result<()> {
    if asked.is_empty() {
        return Ok(());
    }
    let context = CString::new(asked).map_err(|_| wrong(POINTER, "has a NUL byte in it"))?;
    if !label::selinux_is_enabled() {
        return Err(wrong(
            POINTER,
            "needs SELinux, which is not enabled on this machine; take it out of the config",
        ));
    }
    for mount in mounts {
        let What::New { kind, .. } = &mount.what else { continue };
        if !LABELLED_BY_POLICY.contains(&kind.to_bytes()) && !mount.options.has(b"context") {
            mount.options.data.push((c"context".to_owned(), Some(context.clone())));
        }
    }
    Ok(())
}
