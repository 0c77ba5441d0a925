//! A bundle: `config.json` and a root filesystem, read into a [`Plan`].
//!
//! What a config asks for and we do not do is refused by name: a container without the lock that somebody asked
//! for is worse than none.

use std::ffi::CString;
use std::path::Path;

use oci_spec::runtime::{LinuxIdMapping, LinuxNamespaceType, Spec};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::mount::Mount;
use crate::namespace::{Kind, Namespaces};
use crate::plan::{self, Plan};
use crate::program::Process;
use crate::rootfs;
use crate::user::{Mappings, Range};

/// The properties that we carry out, as JSON pointers; `*` stands for every element of an array. A property that
/// is there, is not in this list and is not below one in it, is refused. Annotations and versions are for others.
const DONE: [&str; 17] = [
    "/ociVersion",
    "/annotations",
    "/hostname",
    "/root/path",
    "/process/args",
    "/process/env",
    "/process/cwd",
    "/process/user/uid",
    "/process/user/gid",
    "/process/terminal",
    "/process/noNewPrivileges",
    "/root/readonly",
    "/mounts",
    "/linux/namespaces/*/type",
    "/linux/uidMappings",
    "/linux/gidMappings",
    "/linux/rootfsPropagation",
];

/// Reads the bundle in the folder `bundle` into a plan of a container `id`.
///
/// # Errors
/// Names the file, or the property by its JSON pointer.
pub fn load(bundle: &Path, id: &str) -> Result<Plan> {
    plan::check_id(id)?;
    let file = bundle.join("config.json");
    let text = std::fs::read(&file).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Error::Bundle {
            path: file.clone(),
            problem: "no such file or directory; go to a bundle's folder or name it with --bundle".into(),
        },
        _ => Error::io(format!("read {}", file.display()))(error),
    })?;
    let invalid = |error: serde_json::Error| Error::Bundle {
        path: file.clone(),
        problem: error.to_string(),
    };
    let value: Value = serde_json::from_slice(&text).map_err(invalid)?;
    refuse_what_is_not_done(&value, String::new())?;
    refuse_values(&value)?;
    plan_of(&serde_json::from_value(value).map_err(invalid)?, bundle, id)
}

fn plan_of(spec: &Spec, bundle: &Path, id: &str) -> Result<Plan> {
    let process = spec
        .process()
        .as_ref()
        .ok_or_else(|| config("/process", "is missing: nothing to run"))?;
    let root = spec
        .root()
        .as_ref()
        .ok_or_else(|| config("/root", "is missing: no root filesystem"))?;
    let linux = spec.linux().as_ref();
    let args = texts("/process/args", process.args().as_deref().unwrap_or_default())?;
    if args.is_empty() {
        return Err(config("/process/args", "is missing or empty: nothing to run"));
    }
    if !process.cwd().is_absolute() {
        return Err(config("/process/cwd", "must be an absolute path"));
    }
    let namespaces = namespaces(spec)?;
    if spec.hostname().is_some() && !namespaces.has(Kind::Uts) {
        return Err(config(
            "/hostname",
            "needs a new uts namespace in /linux/namespaces",
        ));
    }
    if !namespaces.has(Kind::Mount) {
        return Err(config(
            "/linux/namespaces",
            "needs a mount namespace, for the root filesystem",
        ));
    }
    Ok(Plan {
        id: id.to_owned(),
        mappings: Mappings {
            uids: ranges(linux.and_then(|linux| linux.uid_mappings().as_deref())),
            gids: ranges(linux.and_then(|linux| linux.gid_mappings().as_deref())),
        },
        hostname: spec.hostname().clone(),
        rootfs: Some(rootfs::directory(&bundle.join(root.path()))?),
        mounts: mounts(spec)?,
        process: Process {
            args,
            env: texts("/process/env", process.env().as_deref().unwrap_or_default())?,
            cwd: texts("/process/cwd", &[process.cwd().to_string_lossy()])?.remove(0),
        },
        namespaces,
        reaper: false,
    })
}

fn namespaces(spec: &Spec) -> Result<Namespaces> {
    let listed = spec
        .linux()
        .as_ref()
        .and_then(|linux| linux.namespaces().as_deref())
        .unwrap_or_default();
    let kinds = listed
        .iter()
        .enumerate()
        .map(|(n, namespace)| match namespace.typ() {
            LinuxNamespaceType::User => Ok(Kind::User),
            LinuxNamespaceType::Pid => Ok(Kind::Pid),
            LinuxNamespaceType::Mount => Ok(Kind::Mount),
            LinuxNamespaceType::Uts => Ok(Kind::Uts),
            LinuxNamespaceType::Ipc => Ok(Kind::Ipc),
            LinuxNamespaceType::Network => Ok(Kind::Network),
            other => Err(config(
                format!("/linux/namespaces/{n}/type"),
                format!("{other:?}: {NOT_DONE}"),
            )),
        });
    let kinds = kinds.collect::<Result<Vec<_>>>()?;
    match kinds
        .iter()
        .enumerate()
        .find(|(n, kind)| kinds[..*n].contains(kind))
    {
        Some((n, kind)) => Err(config(
            format!("/linux/namespaces/{n}/type"),
            format!("{kind:?} is there twice"),
        )),
        None => Ok(Namespaces::new(kinds)),
    }
}

fn mounts(spec: &Spec) -> Result<Vec<Mount>> {
    let listed = spec.mounts().as_deref().unwrap_or_default();
    let one = |(n, mount): (usize, &oci_spec::runtime::Mount)| match mount.typ().as_deref() {
        Some("proc") => Ok(Mount::Proc {
            destination: mount.destination().clone(),
        }),
        other => Err(config(
            format!("/mounts/{n}/type"),
            format!("{other:?}: {NOT_DONE}"),
        )),
    };
    listed.iter().enumerate().map(one).collect()
}

fn ranges(listed: Option<&[LinuxIdMapping]>) -> Vec<Range> {
    let range = |m: &LinuxIdMapping| Range {
        inside: m.container_id(),
        outside: m.host_id(),
        size: m.size(),
    };
    listed.unwrap_or_default().iter().map(range).collect()
}

const NOT_DONE: &str = "this version does not do this; take it out of the config";

/// Refuses properties that are there and not in [`DONE`]. `null` and empty ones ask for nothing.
fn refuse_what_is_not_done(value: &Value, pointer: String) -> Result<()> {
    let done = |one: &&str| {
        let mut wanted = one.split('/');
        let here: Vec<_> = pointer.split('/').collect();
        here.iter()
            .all(|part| wanted.next().is_none_or(|want| want == *part || want == "*"))
    };
    // On the way to something done, or below it.
    if !pointer.is_empty() && !DONE.iter().any(|one| done(one)) {
        let nothing = value.is_null()
            || value.as_object().is_some_and(serde_json::Map::is_empty)
            || value.as_array().is_some_and(Vec::is_empty);
        return if nothing {
            Ok(())
        } else {
            Err(config(pointer, NOT_DONE))
        };
    }
    match value {
        Value::Object(map) => map
            .iter()
            .try_for_each(|(name, value)| refuse_what_is_not_done(value, format!("{pointer}/{name}"))),
        Value::Array(list) => list
            .iter()
            .enumerate()
            .try_for_each(|(n, value)| refuse_what_is_not_done(value, format!("{pointer}/{n}"))),
        _ => Ok(()),
    }
}

/// Refuses the values that we do not carry out, of properties that we read.
fn refuse_values(value: &Value) -> Result<()> {
    let only = [
        ("/process/user/uid", Value::from(0)),
        ("/process/user/gid", Value::from(0)),
        ("/process/terminal", Value::from(false)),
        ("/process/noNewPrivileges", Value::from(false)),
        ("/root/readonly", Value::from(false)),
        ("/linux/rootfsPropagation", Value::from("rslave")),
    ];
    for (pointer, allowed) in only {
        if value.pointer(pointer).is_some_and(|found| *found != allowed) {
            return Err(config(pointer, format!("this version only does {allowed}")));
        }
    }
    let version = value
        .pointer("/ociVersion")
        .and_then(Value::as_str)
        .unwrap_or_default();
    match version.split_once('.') {
        Some(("1", _)) => Ok(()),
        _ => Err(config(
            "/ociVersion",
            format!("{version:?} is none we know; it must be 1.x.y"),
        )),
    }
}

fn texts(pointer: &str, list: &[impl AsRef<str>]) -> Result<Vec<CString>> {
    list.iter()
        .map(|text| CString::new(text.as_ref()).map_err(|_| config(pointer, "has a NUL byte in it")))
        .collect()
}

fn config(pointer: impl Into<String>, problem: impl Into<String>) -> Error {
    Error::Config {
        pointer: pointer.into(),
        problem: problem.into(),
    }
}
