//! The tree as an OCI image layout (image-spec, image-layout.md).
//!
//! Content is addressed by its digest: index.json names the manifest, the manifest the config and the layer, and the
//! config says in `diff_ids` what the layer unpacks to. The layer is not compressed: a compressor's version would be
//! one more thing that the bytes depend on.

use std::collections::HashMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::str::FromStr;

use oci_spec::OciSpecError;
use oci_spec::image::{
    Arch, ConfigBuilder, Descriptor, DescriptorBuilder, ImageConfigurationBuilder, ImageIndexBuilder,
    ImageManifestBuilder, MediaType, OciLayoutBuilder, Os, PlatformBuilder, RootFsBuilder, Sha256Digest,
};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::directory::age;
use crate::{Error, Result, Tree};

/// The names at the top of a layout.
pub(super) const TOP: [&str; 3] = ["blobs", "index.json", "oci-layout"];

/// The digest in hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Makes `root`, which must not exist, with the image of `tree`, whose tar is `layer`.
pub(super) fn write(tree: &Tree, layer: &[u8], root: &Path) -> Result<()> {
    let described = |error: OciSpecError| {
        let cure = "this is a defect of rootfs-builder: please report it";
        Error::new("describe the image of", root, error.to_string(), cure)
    };
    let blobs = root.join("blobs/sha256");
    fs::create_dir_all(&blobs).map_err(Error::io("write", &blobs))?;

    let layer = blob(&blobs, MediaType::ImageLayer, layer)?;
    let rootfs = RootFsBuilder::default()
        .typ("layers")
        .diff_ids([layer.digest().to_string()])
        .build()
        .map_err(described)?;
    let config = ConfigBuilder::default()
        .env(["PATH=/bin".to_owned()])
        .cmd([tree.command().to_owned()])
        .working_dir("/")
        .build()
        .map_err(described)?;
    let image = ImageConfigurationBuilder::default()
        .created("1970-01-01T00:00:00Z")
        .architecture(architecture())
        .os(Os::Linux)
        .config(config)
        .rootfs(rootfs)
        .build()
        .map_err(described)?;
    let config = blob(&blobs, MediaType::ImageConfig, &json(&image, root)?)?;
    let manifest = ImageManifestBuilder::default()
        .schema_version(2_u32)
        .media_type(MediaType::ImageManifest)
        .config(config)
        .layers([layer])
        .build()
        .map_err(described)?;
    let manifest = blob(&blobs, MediaType::ImageManifest, &json(&manifest, root)?)?;

    let platform =
        PlatformBuilder::default().architecture(architecture()).os(Os::Linux).build().map_err(described)?;
    let manifest = DescriptorBuilder::default()
        .media_type(manifest.media_type().clone())
        .digest(manifest.digest().clone())
        .size(manifest.size())
        .platform(platform)
        // One annotation, or the order of this map would differ from run to run.
        .annotations(HashMap::from([("org.opencontainers.image.ref.name".to_owned(), "latest".to_owned())]))
        .build()
        .map_err(described)?;
    let index = ImageIndexBuilder::default()
        .schema_version(2_u32)
        .media_type(MediaType::ImageIndex)
        .manifests([manifest])
        .build()
        .map_err(described)?;
    put(&root.join("index.json"), &json(&index, root)?)?;
    let marker = OciLayoutBuilder::default().image_layout_version("1.0.0").build().map_err(described)?;
    put(&root.join("oci-layout"), &json(&marker, root)?)?;

    for directory in [&blobs, &root.join("blobs"), root] {
        fs::set_permissions(directory, Permissions::from_mode(0o755))
            .map_err(Error::io("write", directory))?;
        age(directory)?;
    }
    Ok(())
}

/// Writes one blob under its digest and describes it.
fn blob(blobs: &Path, media_type: MediaType, bytes: &[u8]) -> Result<Descriptor> {
    let digest = sha256(bytes);
    let path = blobs.join(&digest);
    put(&path, bytes)?;
    let digest = Sha256Digest::from_str(&digest).map_err(|error| {
        Error::new("name the blob", &path, error.to_string(), "please report this defect")
    })?;
    Ok(Descriptor::new(media_type, bytes.len() as u64, digest))
}

fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).map_err(Error::io("write", path))?;
    fs::set_permissions(path, Permissions::from_mode(0o644)).map_err(Error::io("write", path))?;
    age(path)
}

fn json(value: &impl Serialize, root: &Path) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| {
        Error::new("describe the image of", root, error.to_string(), "please report this defect")
    })
}

/// This machine's architecture by the name that images use. The program was checked to be of it.
fn architecture() -> Arch {
    match std::env::consts::ARCH {
        "x86_64" => Arch::Amd64,
        "aarch64" => Arch::ARM64,
        other => Arch::Other(other.to_owned()),
    }
}
