//! An in-memory copy of the sources, which every edit goes through.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::edit;
use crate::item::Located;
use crate::parse;

/// The first line of `lib.rs` while an item is open: blanked code leaves names unused. Not all of `unused`:
/// `unused_must_use` must still catch a missing `?`.
pub const ALLOW: &str = "#![allow(unused_variables, unused_imports, unused_mut, dead_code)]\n";

/// The Rust files below a source folder, by their path relative to it. Edits touch the item alone: every other byte
/// of a file stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// The text of each file.
    pub files: BTreeMap<PathBuf, String>,
}

impl Tree {
    /// Reads every `.rs` file below `src`.
    ///
    /// # Errors
    /// Fails where the folder or a file cannot be read, or is not UTF-8.
    pub fn read(src: &Path) -> Result<Self> {
        let mut files = BTreeMap::new();
        let mut folders = vec![src.to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let text =
                        fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
                    files.insert(path.strip_prefix(src)?.to_path_buf(), text);
                }
            }
        }
        Ok(Self { files })
    }

    /// Finds an item, as [`crate::item::locate`] does.
    ///
    /// # Errors
    /// As [`crate::item::locate`].
    pub fn locate(&self, item: &str) -> Result<Located> {
        let (file, names) = self.file_of(item)?;
        parse::File::parse(&file, &self.files[&file])?.locate(&names)
    }

    /// The whole text of an item, with docs and attributes.
    ///
    /// # Errors
    /// As [`crate::item::locate`].
    pub fn source_of(&self, item: &str) -> Result<String> {
        let located = self.locate(item)?;
        Ok(self.files[&located.file][located.span].to_owned())
    }

    /// Replaces an item's body. `marker` is the text of a comment line above the new body.
    ///
    /// # Errors
    /// As [`crate::item::locate`].
    pub fn set_body(&mut self, item: &str, body: &str, marker: Option<&str>) -> Result<()> {
        let located = self.locate(item)?;
        let text = edit::block(body, marker, located.indent);
        self.text_mut(&located.file).replace_range(located.body, &text);
        Ok(())
    }

    /// Takes an item out, with the comments directly above it and one blank line.
    ///
    /// # Errors
    /// As [`crate::item::locate`]; and where the item is the only one of its block.
    pub fn remove(&mut self, item: &str) -> Result<()> {
        let (file, names) = self.file_of(item)?;
        let text = edit::without(&parse::File::parse(&file, &self.files[&file])?, &names)?;
        *self.text_mut(&file) = text;
        Ok(())
    }

    /// Gives an item the exact bytes it has in `reference`. An item that is gone is put back behind the nearest
    /// sibling that precedes it in the reference, so that a tree restored in full equals the reference.
    ///
    /// # Errors
    /// Fails where the item is not in the reference, or where this tree's file is gone or does not parse.
    pub fn restore(&mut self, reference: &Tree, item: &str) -> Result<()> {
        let (file, names) = reference.file_of(item)?;
        let wanted = parse::File::parse(&file, &reference.files[&file])?;
        let source = self.files.get(&file).with_context(|| {
            let file = file.display();
            format!(
                "{file} is gone. Bring it back: git checkout refs/coracle/base -- crates/coracle/src/{file}"
            )
        })?;
        let text = edit::with(&parse::File::parse(&file, source)?, &wanted, &names)?;
        *self.text_mut(&file) = text;
        Ok(())
    }

    /// Puts [`ALLOW`] at the head of `lib.rs`, or takes it away.
    pub fn set_allow(&mut self, on: bool) {
        let Some(text) = self.files.get_mut(Path::new("lib.rs")) else { return };
        match (text.find(ALLOW), on) {
            (None, true) => text.insert_str(0, ALLOW),
            (Some(start), false) => text.replace_range(start..start + ALLOW.len(), ""),
            _ => {}
        }
    }

    /// Writes the files that differ from those below `src`, and says which. A file that is not in the tree stays. Each
    /// file is its old self or its new self at any time.
    ///
    /// # Errors
    /// Fails where a file cannot be written.
    pub fn write(&self, src: &Path) -> Result<Vec<PathBuf>> {
        let mut written = Vec::new();
        for (name, text) in &self.files {
            let path = src.join(name);
            if fs::read(&path).is_ok_and(|old| old == text.as_bytes()) {
                // Of a writer that was killed.
                let _ = fs::remove_file(fresh(&path));
                continue;
            }
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
            }
            replace(&path, text).with_context(|| format!("writing {}", path.display()))?;
            written.push(name.clone());
        }
        Ok(written)
    }

    /// The file that holds `item`, and the names to follow inside it.
    pub(crate) fn file_of(&self, item: &str) -> Result<(PathBuf, Vec<String>)> {
        parse::file_of(&self.files, item)
    }

    fn text_mut(&mut self, file: &Path) -> &mut String {
        self.files.entry(file.to_path_buf()).or_default()
    }
}

/// Puts a text in a file's place. The text is complete, and on the disk, before it takes the name: whoever is killed,
/// and whoever reads meanwhile, finds no half of it.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let fresh = fresh(path);
    let mut file = File::create(&fresh)?;
    file.write_all(text.as_bytes())?;
    if let Ok(old) = fs::metadata(path) {
        file.set_permissions(old.permissions())?;
    }
    file.sync_all()?;
    fs::rename(&fresh, path)
}

/// Where the new text of a file waits: beside it, under a name that is no module's.
fn fresh(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".new");
    path.with_file_name(name)
}
