//! Update: other limits for a container that is there.

use std::io::Read;
use std::path::{Path, PathBuf};

use nix::fcntl::AT_FDCWD;
use oci_spec::runtime::LinuxResources;
use serde_json::{Map, Value, json};

use crate::bundle;
use crate::cgroup;
use crate::config::{self, IntelRdt};
use crate::error::{Error, Result};
use crate::explain::Explain;
use crate::intel_rdt::Group;
use crate::lifecycle::{self, Status};
use crate::state::{Dir, Locked, State};

/// What is asked for. In numbers 0 means what a missing one means, as for everybody who calls us.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// A file with the object `/linux/resources` of a config, `-` for standard input; then `limits` count for nothing.
    pub file: Option<PathBuf>,
    /// The limits, as that object has them.
    pub limits: Value,
    /// Shares of the processor's cache and of its way to memory.
    pub rdt: IntelRdt,
}

/// The verb: sets the limits of the container `id` below `root`, all of them or none, and keeps them with its config. What is
/// not asked for stays as it is; so do the rules about devices, which nobody can change behind a program that has them open.
///
/// # Errors
/// [`Error::NoContainer`], [`Error::NotRunning`], [`Error::Status`]; those of the limits, by file or JSON pointer.
pub fn update(root: &Path, id: &str, wish: &Wish, explain: &Explain) -> Result<()> {
    let (name, asked, understood) = asked(wish)?;
    let rdt = bundle::kernel::intel_rdt_update(&wish.rdt)?;
    let locked = Dir::find(root, id)?.lock()?;
    let state = updatable(&locked, id)?;
    let config = kept(&locked)?;
    let mut resources = bundle::cgroup::resources(&understood, explain)?;
    without_zeros(&mut resources);
    complete(&mut resources, &before(&config, explain)?);
    let blamed = |error| bundle::blamed_on(&name, error);
    cgroup::check(&resources).map_err(blamed)?;
    if resources != LinuxResources::default() {
        in_group(&state, id)?.cgroup.update(&resources)?;
    }
    if let Some(share) = &rdt {
        update_share(&locked, state, share)?;
    }
    keep(&locked, config, asked, &wish.rdt)
}

/// The container's state, where its limits can be changed.
fn updatable(locked: &Locked, id: &str) -> Result<State> {
    match lifecycle::of(&locked.dir)? {
        (_, Status::Stopped) => Err(Error::NotRunning { id: id.to_owned() }),
        (_, Status::Creating) => {
            Err(Error::status("update", id, Status::Creating, "its create was ended before it was there"))
        }
        (state, _) => Ok(state),
    }
}

/// The same state, where the container has a control group of its own.
fn in_group<'a>(state: &'a State, id: &str) -> Result<&'a State> {
    if state.cgroup.shared {
        let cure = "its control group is another container's; update that one";
        return Err(Error::status("update", id, "in company", cure));
    }
    if state.cgroup.folders.is_empty() {
        let cure = "nobody could make one for it; give its config a /linux/cgroupsPath that you may use";
        return Err(Error::status("update", id, "without a control group", cure));
    }
    Ok(state)
}

/// Where the object that is asked for is from; the object, as it was written and as it was understood.
fn asked(wish: &Wish) -> Result<(PathBuf, Value, config::Resources)> {
    let (name, text) = match &wish.file {
        None => (Path::new("the options"), wish.limits.to_string()),
        Some(file) if file == Path::new("-") => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map_err(Error::io("read standard input"))?;
            (Path::new("standard input"), text)
        }
        Some(file) => (file.as_path(), bundle::file::read(AT_FDCWD, file, file)?),
    };
    let understood = bundle::parse::resources(&text, name)?;
    Ok((name.to_owned(), serde_json::from_str(&text).expect("it was JSON"), understood))
}

/// The copy of the container's config, as it was kept; `None` where it never had one (`sandbox`).
fn kept(locked: &Locked) -> Result<Option<Value>> {
    let path = locked.dir.config_path();
    match std::fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        text => {
            let text = text.map_err(Error::io(format!("read {}", path.display())))?;
            let wrong = |error: serde_json::Error| Error::Bundle { path, problem: error.to_string() };
            serde_json::from_slice(&text).map(Some).map_err(wrong)
        }
    }
}

/// The limits that it has, by its config.
fn before(config: &Option<Value>, explain: &Explain) -> Result<LinuxResources> {
    match config
        .as_ref()
        .and_then(|config| config.pointer("/linux/resources"))
        .filter(|found| !found.is_null())
    {
        Some(found) => bundle::cgroup::resources(
            &bundle::parse::resources(&found.to_string(), Path::new("config.json"))?,
            explain,
        ),
        None => Ok(LinuxResources::default()),
    }
}

fn without_zeros(resources: &mut LinuxResources) {
    resources.set_devices(None);
    let pids = resources.pids().filter(|pids| pids.limit() != 0);
    resources.set_pids(pids);
}

/// Adds what a limit is not whole without, as the container has it: a period goes into one file with its quota, and swap is
/// what memory and swap together are more than memory.
fn complete(resources: &mut LinuxResources, before: &LinuxResources) {
    if let (Some(cpu), Some(old)) = (resources.cpu().clone(), before.cpu()) {
        let mut cpu = cpu;
        if cpu.period().unwrap_or(0) != 0 && cpu.quota().unwrap_or(0) == 0 {
            cpu.set_quota(old.quota());
        }
        resources.set_cpu(Some(cpu));
    }
    if let (Some(mut memory), Some(old)) = (*resources.memory(), before.memory()) {
        if memory.swap().unwrap_or(0) > 0 && memory.limit().unwrap_or(0) == 0 {
            memory.set_limit(old.limit());
        }
        resources.set_memory(Some(memory));
    }
}

/// Changes the container's share of the processor's cache; makes one where it has none.
fn update_share(locked: &Locked, mut state: State, wish: &crate::intel_rdt::Wish) -> Result<()> {
    if let Some(group) = &state.intel_rdt {
        return group.set(wish);
    }
    let group = Group::locate(wish, &state.id);
    group.make(wish)?;
    let pid = state.init();
    state.intel_rdt = Some(group.clone());
    group.enter(pid).and_then(|()| locked.dir.save(&state)).inspect_err(|_| {
        // The first error is the one to tell.
        let _ = group.remove();
    })
}

/// Keeps the config with what was asked for.
fn keep(locked: &Locked, config: Option<Value>, asked: Value, rdt: &IntelRdt) -> Result<()> {
    let Some(Value::Object(mut config)) = config else { return Ok(()) };
    let linux = object(config.entry("linux").or_insert_with(|| json!({})));
    if let Value::Object(mut asked) = asked {
        asked.remove("devices");
        merge(linux.entry("resources").or_insert_with(|| json!({})), Value::Object(asked));
    }
    let lines = [("l3CacheSchema", &rdt.l3_cache_schema), ("memBwSchema", &rdt.mem_bw_schema)];
    for (name, line) in lines.into_iter().filter_map(|(name, line)| Some((name, line.as_ref()?))) {
        object(linux.entry("intelRdt").or_insert_with(|| json!({}))).insert(name.into(), json!(line));
    }
    locked.dir.replace_config(Value::Object(config).to_string().as_bytes())
}

fn object(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = json!({});
    }
    value.as_object_mut().expect("it is one now")
}

/// Puts `new` into `old`: what is nothing, or 0, changes nothing; what is about the same thing in a list stands in its place.
fn merge(old: &mut Value, new: Value) {
    match (old, new) {
        (_, Value::Null) => {}
        (Value::Object(old), Value::Object(new)) => {
            for (name, value) in new
                .into_iter()
                .filter(|(name, value)| name == "idle" || name == "burst" || *value != json!(0))
            {
                merge(old.entry(name).or_insert(Value::Null), value);
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            const NAMES: [&str; 4] = ["pageSize", "name", "major", "minor"];
            for one in new {
                let same = |other: &&mut Value| NAMES.iter().all(|name| other.get(name) == one.get(name));
                match old.iter_mut().find(same) {
                    Some(known) => *known = one,
                    None => old.push(one),
                }
            }
        }
        (old, new) => *old = new,
    }
}
