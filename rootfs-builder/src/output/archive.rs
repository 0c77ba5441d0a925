//! The tree as a tar archive.

use std::io;

use tar::{Builder, EntryType, Header};

use crate::{Kind, Tree};

/// The whole archive: ustar headers with numeric owners only, so that no user's name and no clock gets in.
pub(super) fn bytes(tree: &Tree) -> io::Result<Vec<u8>> {
    let mut archive = Builder::new(Vec::new());
    for (path, entry) in tree.iter() {
        let mut header = Header::new_ustar();
        header.set_mode(entry.mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(0);
        match &entry.kind {
            Kind::Directory => {
                header.set_entry_type(EntryType::Directory);
                // The slash at the end is how tar writes a directory; a reader of the oldest format needs it.
                archive.append_data(&mut header, format!("{path}/"), io::empty())?;
            }
            Kind::File(bytes) => {
                header.set_entry_type(EntryType::Regular);
                header.set_size(bytes.len() as u64);
                archive.append_data(&mut header, path, bytes.as_slice())?;
            }
            Kind::Link(target) => {
                header.set_entry_type(EntryType::Symlink);
                archive.append_link(&mut header, path, target)?;
            }
        }
    }
    archive.into_inner()
}
