//! What is really on the disk, read with nothing of the builder's.

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use oci_spec::image::{Descriptor, ImageConfiguration, ImageIndex, ImageManifest, MediaType, OciLayout};
use sha2::{Digest, Sha256};

/// One entry with all that should be the same everywhere.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Seen {
    pub(crate) path: PathBuf,
    pub(crate) mode: u32,
    pub(crate) mtime: i64,
    /// `None` for a directory; a link's target; else the file's bytes as their digest.
    pub(crate) content: Option<String>,
}

/// A directory, itself first, sorted by path.
pub(crate) fn look(root: &Path) -> Vec<Seen> {
    let mut seen = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(path) = open.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        let content = if metadata.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            None
        } else if metadata.is_symlink() {
            Some(fs::read_link(&path).unwrap().display().to_string())
        } else {
            Some(sha256(&fs::read(&path).unwrap()))
        };
        let path = path.strip_prefix(root).unwrap().to_owned();
        seen.push(Seen { path, mode: metadata.mode() & 0o7777, mtime: metadata.mtime(), content });
    }
    seen.sort();
    seen
}

/// An archive, in its own order, which must be sorted; its owners must be root without a name.
pub(crate) fn look_at_tar(bytes: &[u8]) -> Vec<Seen> {
    let mut archive = tar::Archive::new(bytes);
    let mut seen = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let header = entry.header().clone();
        assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
        assert_eq!((header.username(), header.groupname()), (Ok(Some("")), Ok(Some(""))));
        let content = match header.entry_type() {
            tar::EntryType::Directory => None,
            tar::EntryType::Symlink => Some(entry.link_name().unwrap().unwrap().display().to_string()),
            _ => {
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes).unwrap();
                Some(sha256(&bytes))
            }
        };
        let path = entry.path().unwrap().components().collect();
        let (mode, mtime) = (header.mode().unwrap(), header.mtime().unwrap() as i64);
        seen.push(Seen { path, mode, mtime, content });
    }
    assert!(seen.is_sorted(), "the archive is sorted by path");
    seen
}

/// Follows an image from its marker to its layer and checks every digest and size on the way.
pub(crate) fn image_is_sound(image: &Path, said: &str) {
    let marker = OciLayout::from_file(image.join("oci-layout")).unwrap();
    assert_eq!(marker.image_layout_version(), "1.0.0");
    let blob = |descriptor: &Descriptor| {
        let bytes = fs::read(image.join("blobs/sha256").join(descriptor.digest().digest())).unwrap();
        assert_eq!(bytes.len() as u64, descriptor.size());
        assert_eq!(sha256(&bytes), descriptor.digest().digest());
        bytes
    };
    let index = ImageIndex::from_file(image.join("index.json")).unwrap();
    let [described] = index.manifests().as_slice() else { panic!("one image: {index:?}") };
    assert_eq!(described.annotations().as_ref().unwrap()["org.opencontainers.image.ref.name"], "latest");
    let manifest = ImageManifest::from_reader(blob(described).as_slice()).unwrap();
    let config = ImageConfiguration::from_reader(blob(manifest.config()).as_slice()).unwrap();
    let [layer] = manifest.layers().as_slice() else { panic!("one layer: {manifest:?}") };
    assert_eq!(layer.media_type(), &MediaType::ImageLayer);
    let bytes = blob(layer);
    assert_eq!(config.rootfs().diff_ids(), &[format!("sha256:{}", sha256(&bytes))]);
    assert!(said.contains(&layer.digest().to_string()), "the digest that is printed is the layer's: {said}");
    let entries = look_at_tar(&bytes);
    let command = &config.config().as_ref().unwrap().cmd().as_ref().unwrap()[0];
    assert!(entries.iter().any(|entry| Path::new("/").join(&entry.path) == Path::new(command)), "{command}");
    let blobs = fs::read_dir(image.join("blobs/sha256")).unwrap().count();
    assert_eq!(blobs, 3, "nothing that no digest leads to");
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
