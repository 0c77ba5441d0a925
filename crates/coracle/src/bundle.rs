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
use crate::program::{self, Process};
use crate::rootfs;
use crate::user::{Mappings, Range};

/// Properties of the specification that this version does not carry out.
const NOT_DONE: [&str; 26] = [
    "/domainname",
    "/hooks",
    "/process/user/umask",
    "/process/user/additionalGids",
    "/process/capabilities",
    "/process/rlimits",
    "/process/apparmorProfile",
    "/process/selinuxLabel",
    "/process/oomScoreAdj",
    "/process/scheduler",
    "/process/ioPriority",
    "/process/execCPUAffinity",
    "/process/consoleSize",
    "/linux/devices",
    "/linux/cgroupsPath",
    "/linux/resources",
    "/linux/seccomp",
    "/linux/maskedPaths",
    "/linux/readonlyPaths",
    "/linux/sysctl",
    "/linux/mountLabel",
    "/linux/intelRdt",
    "/linux/memoryPolicy",
    "/linux/personality",
    "/linux/timeOffsets",
    "/linux/netDevices",
];

const REFUSED: &str = "this version does not do this; take it out of the config";

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
    let invalid = |error: serde_json::Error| Error::Bundle { path: file.clone(), problem: error.to_string() };
    let value: Value = serde_json::from_slice(&text).map_err(invalid)?;
    refuse_what_is_not_done(&value)?;
    plan_of(&serde_json::from_value(value).map_err(invalid)?, bundle, id)
}

fn plan_of(spec: &Spec, bundle: &Path, id: &str) -> Result<Plan> {
    let process = spec.process().as_ref().ok_or_else(|| config("/process", "is missing: nothing to run"))?;
    let root = spec.root().as_ref().ok_or_else(|| config("/root", "is missing: no root filesystem"))?;
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
        return Err(config("/hostname", "needs a new uts namespace in /linux/namespaces"));
    }
    if spec.hostname().as_ref().is_some_and(|name| name.len() > 64) {
        return Err(config("/hostname", "is longer than the 64 bytes that the kernel takes"));
    }
    // Without one, what the program leaves running would outlive its container.
    if !namespaces.has(Kind::Pid) {
        return Err(config("/linux/namespaces", "this version needs a pid namespace"));
    }
    let mappings = Mappings {
        uids: ranges(linux.and_then(|linux| linux.uid_mappings().as_deref())),
        gids: ranges(linux.and_then(|linux| linux.gid_mappings().as_deref())),
    };
    for (pointer, ranges) in [("/linux/uidMappings", &mappings.uids), ("/linux/gidMappings", &mappings.gids)]
    {
        let maps_root = ranges.iter().any(|range| range.inside == 0 && range.size > 0);
        match namespaces.has(Kind::User) {
            true if !maps_root => return Err(config(pointer, "must map the container's id 0")),
            false if !ranges.is_empty() => {
                return Err(config(pointer, "needs a new user namespace in /linux/namespaces"));
            }
            _ => {}
        }
    }
    if !namespaces.has(Kind::Mount) {
        return Err(config("/linux/namespaces", "needs a mount namespace, for the root filesystem"));
    }
    Ok(Plan {
        id: id.to_owned(),
        mappings,
        hostname: spec.hostname().clone(),
        rootfs: Some(rootfs::directory(&bundle.join(root.path()))?),
        mounts: mounts(spec)?,
        process: Process {
            args,
            env: program::environment(texts("/process/env", process.env().as_deref().unwrap_or_default())?),
            cwd: texts("/process/cwd", &[process.cwd().to_string_lossy()])?.remove(0),
        },
        namespaces,
        reaper: false,
    })
}

fn namespaces(spec: &Spec) -> Result<Namespaces> {
    let listed = spec.linux().as_ref().and_then(|linux| linux.namespaces().as_deref()).unwrap_or_default();
    let mut kinds = Vec::new();
    for (n, namespace) in listed.iter().enumerate() {
        let kind = match namespace.typ() {
            LinuxNamespaceType::User => Kind::User,
            LinuxNamespaceType::Pid => Kind::Pid,
            LinuxNamespaceType::Mount => Kind::Mount,
            LinuxNamespaceType::Uts => Kind::Uts,
            LinuxNamespaceType::Ipc => Kind::Ipc,
            LinuxNamespaceType::Network => Kind::Network,
            _ => return Err(config(format!("/linux/namespaces/{n}/type"), REFUSED)),
        };
        if namespace.path().is_some() {
            return Err(config(format!("/linux/namespaces/{n}/path"), REFUSED));
        }
        if kinds.contains(&kind) {
            return Err(config(format!("/linux/namespaces/{n}/type"), "is in the list twice"));
        }
        kinds.push(kind);
    }
    Ok(Namespaces::new(kinds))
}

fn mounts(spec: &Spec) -> Result<Vec<Mount>> {
    let mut mounts = Vec::new();
    for (n, mount) in spec.mounts().as_deref().unwrap_or_default().iter().enumerate() {
        if mount.typ().as_deref() != Some("proc") {
            return Err(config(format!("/mounts/{n}/type"), REFUSED));
        }
        // These three our proc always has.
        let options = mount.options().as_deref().unwrap_or_default();
        if let Some(at) = options.iter().position(|o| !["nosuid", "noexec", "nodev"].contains(&o.as_str())) {
            return Err(config(format!("/mounts/{n}/options/{at}"), REFUSED));
        }
        mounts.push(Mount::Proc { destination: mount.destination().clone() });
    }
    Ok(mounts)
}

fn ranges(listed: Option<&[LinuxIdMapping]>) -> Vec<Range> {
    let range = |m: &LinuxIdMapping| Range { inside: m.container_id(), outside: m.host_id(), size: m.size() };
    listed.unwrap_or_default().iter().map(range).collect()
}

/// Refuses what is asked for and not done. `null` and empty values ask for nothing; unknown properties must be
/// ignored (runtime-spec, config.md, "Extensibility").
fn refuse_what_is_not_done(value: &Value) -> Result<()> {
    let asks = |value: &Value| match value {
        Value::Null => false,
        Value::Object(map) => !map.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::String(text) => !text.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    };
    if let Some(pointer) = NOT_DONE.iter().find(|pointer| value.pointer(pointer).is_some_and(asks)) {
        return Err(config(*pointer, REFUSED));
    }
    let only = [
        ("/process/user/uid", Value::from(0)),
        ("/process/user/gid", Value::from(0)),
        ("/process/terminal", Value::from(false)),
        ("/process/noNewPrivileges", Value::from(false)),
        ("/root/readonly", Value::from(false)),
        ("/linux/rootfsPropagation", Value::from("rslave")),
    ];
    for (pointer, allowed) in only {
        if value.pointer(pointer).is_some_and(|found| asks(found) && *found != allowed) {
            return Err(config(pointer, format!("this version only does {allowed}")));
        }
    }
    let version = value.pointer("/ociVersion").and_then(Value::as_str).unwrap_or_default();
    match version.split_once('.') {
        Some(("1", _)) => Ok(()),
        _ => Err(config("/ociVersion", format!("{version:?} is none we know; it must be 1.x.y"))),
    }
}

fn texts(pointer: &str, list: &[impl AsRef<str>]) -> Result<Vec<CString>> {
    list.iter()
        .map(|text| CString::new(text.as_ref()).map_err(|_| config(pointer, "has a NUL byte in it")))
        .collect()
}

fn config(pointer: impl Into<String>, problem: impl Into<String>) -> Error {
    Error::Config { pointer: pointer.into(), problem: problem.into() }
}
