//! What the verbs share: a bundle's files.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::Value;

use crate::error;

/// The name that a bundle's config has.
pub(crate) const CONFIG: &str = "config.json";

/// Puts a file in its place, whole or not at all. What is there already stays, unless `replace`.
pub(crate) fn put(path: &Path, bytes: &[u8], mode: u32, replace: bool) -> Result<()> {
    const STEP: &str = "write";
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(error::io(STEP, path))?;
    file.write_all(bytes)
        .and_then(|()| fs::set_permissions(file.path(), Permissions::from_mode(mode)))
        .map_err(error::io(STEP, path))?;
    let placed = if replace { file.persist(path) } else { file.persist_noclobber(path) };
    placed.map(drop).map_err(|failed| error::io(STEP, path)(failed.error))
}

/// A bundle's config as JSON.
pub(crate) fn read(bundle: &Path) -> Result<Value> {
    let path = bundle.join(CONFIG);
    let text = fs::read(&path).map_err(error::io("read", &path))?;
    serde_json::from_slice(&text)
        .map_err(|cause| error::about("read", &path, cause, "mend the JSON at this line and column"))
}

/// The root filesystem that a bundle's config names; without a config the usual one.
pub(crate) fn rootfs(bundle: &Path) -> Result<PathBuf> {
    let name = match bundle.join(CONFIG).exists() {
        true => read(bundle)?.pointer("/root/path").and_then(Value::as_str).map(str::to_owned),
        false => None,
    };
    Ok(bundle.join(name.as_deref().unwrap_or("rootfs")))
}
