//! `idmap` and `ridmap` of `/mounts/*/options`, with `uidMappings` and `gidMappings`: whose the files are that are seen
//! through a mount (runtime-spec, config.md, "Mounts" and "Linux mount options").

use super::{mapping, wrong};
use crate::config::{self, Config};
use crate::error::Result;
use crate::mapping::{Mappings, is_privileged};
use crate::mount::{IdMap, Mount, What};
use crate::namespace::{Kind, Namespaces};

/// Tells each of `mounts`, read from those of `config`, its mapping, where it has one: its own, else the one of the
/// container's user namespace, which has `mappings`.
///
/// # Errors
/// At `/mounts/N/uidMappings`, `/mounts/N/gidMappings` or `/mounts/N/options/K`: one mapping without the other, a wrong
/// range, none at all where the container has no user namespace either, something else than a bind mount, a caller without
/// the privilege.
pub(super) fn idmaps(
    mounts: &mut [Mount],
    config: &Config,
    namespaces: &Namespaces,
    mappings: &Mappings,
) -> Result<()> {
    for (n, (mount, found)) in mounts.iter_mut().zip(&config.mounts).enumerate() {
        let listed = (found.uid_mappings.as_slice(), found.gid_mappings.as_slice());
        if mount.options.idmap.is_none() && matches!(listed, ([], [])) {
            continue;
        }
        let at = format!("/mounts/{n}");
        check(mount, &asked_at(found, &at))?;
        mount.idmap = Some(IdMap {
            mappings: match listed {
                ([], []) => of_the_container(namespaces, mappings, &asked_at(found, &at))?,
                _ => Some(own(found, &at)?),
            },
            // Without a word of how far it goes, it is the mount alone.
            recursive: mount.options.idmap.unwrap_or(false),
        });
    }
    Ok(())
}

/// The property that asks for a mapping.
fn asked_at(found: &config::Mount, at: &str) -> String {
    let is_asked = |option: &String| matches!(option.as_str(), "idmap" | "ridmap");
    match found.options.iter().rposition(is_asked) {
        Some(k) => format!("{at}/options/{k}"),
        None if found.uid_mappings.is_empty() => format!("{at}/gidMappings"),
        None => format!("{at}/uidMappings"),
    }
}

fn check(mount: &Mount, pointer: &str) -> Result<()> {
    if !matches!(mount.what, What::Bind { .. }) {
        return Err(wrong(
            pointer,
            "id-mapped mounts are only supported for bind mounts: add \"bind\" or \"rbind\"",
        ));
    }
    if !is_privileged() {
        let problem = "id-mapped mounts are not supported for rootless containers: \
                       they take CAP_SYS_ADMIN over the user namespace that the file system was mounted in";
        return Err(wrong(pointer, problem));
    }
    Ok(())
}

fn own(found: &config::Mount, at: &str) -> Result<Mappings> {
    let read = |name: &str, listed: &[config::IdMapping]| {
        let pointer = format!("{at}/{name}");
        match listed {
            [] => Err(wrong(
                pointer,
                "is missing: an id-mapped mount must have both uidMappings and gidMappings",
            )),
            _ => mapping::some(&pointer, listed),
        }
    };
    Ok(Mappings {
        uids: read("uidMappings", &found.uid_mappings)?,
        gids: read("gidMappings", &found.gid_mappings)?,
    })
}

/// The mapping of the container's user namespace; `None`: of the one that it joins.
fn of_the_container(namespaces: &Namespaces, mappings: &Mappings, pointer: &str) -> Result<Option<Mappings>> {
    if namespaces.has(Kind::User) {
        return Ok(Some(mappings.clone()));
    }
    match namespaces.joins(Kind::User) {
        Some(_) => Ok(None),
        None => Err(wrong(
            pointer,
            "needs uidMappings and gidMappings beside it, or a user namespace in /linux/namespaces",
        )),
    }
}
