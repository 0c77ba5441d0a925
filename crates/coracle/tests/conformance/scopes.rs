//! systemd's scopes, as who asks systemd sees them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::unistd::geteuid;
use serde_json::{Value, json};

use super::common::{Bundle, Finish, fresh_id, text};

pub(super) const SOON: Duration = Duration::from_secs(5);

pub(super) const SYSTEMD: &str = "--systemd-cgroup";

/// A slice that every machine has.
pub(super) const SLICE: &str = "machine.slice";

/// `systemctl WORDS` of our manager.
pub(super) fn systemctl(words: &[&str]) -> String {
    let mut command = Command::new("systemctl");
    if !geteuid().is_root() {
        command.arg("--user");
    }
    text(&command.args(words).output().expect("systemctl starts").stdout)
}

/// The properties of a unit.
pub(super) fn properties(unit: &str) -> BTreeMap<String, String> {
    let said = systemctl(&["show", "--all", unit]);
    let all = said.lines().filter_map(|line| line.split_once('='));
    // A list has a line for each entry.
    all.fold(BTreeMap::new(), |mut map, (name, value)| {
        let known: &mut String = map.entry(name.to_owned()).or_default();
        *known = if known.is_empty() { value.to_owned() } else { format!("{known} {value}") };
        map
    })
}

pub(super) fn exists(unit: &str) -> bool {
    properties(unit)["LoadState"] != "not-found"
}

/// A bundle whose container waits for a signal, in the scope `test-ID.scope` of [`SLICE`]; the unit's name.
pub(super) fn bundle(change: impl FnOnce(&mut Value)) -> (Bundle, String) {
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    config["process"]["args"] = json!(["/probe", "wait-signal", "TERM"]);
    config["linux"]["cgroupsPath"] = json!(format!("{SLICE}:test:{}", bundle.id()));
    change(&mut config);
    bundle.write(&config);
    let unit = format!("test-{}.scope", bundle.id());
    (bundle, unit)
}

/// A slice of the test's own. It outlives what was in it.
pub(super) struct Slice(pub(super) String);

impl Slice {
    pub(super) fn new() -> Slice {
        Slice(format!("{}.slice", fresh_id().replace('-', "_")))
    }
}

impl Drop for Slice {
    fn drop(&mut self) {
        systemctl(&["stop", &self.0]);
    }
}

/// Has the scope of [`bundle`]'s container be in another slice.
pub(super) fn goes_to(config: &mut Value, slice: &str) {
    let path = config["linux"]["cgroupsPath"].as_str().expect("a path").replace(SLICE, slice);
    config["linux"]["cgroupsPath"] = json!(path);
}

/// `OPTIONS create` of the bundle's container. What it says, where it fails.
pub(super) fn try_create(options: &[&str], bundle: &Bundle) -> Result<(), String> {
    let (path, id) = (bundle.path().display().to_string(), bundle.id());
    let mut create = bundle.coracle(&[options, &["create", "--bundle", &path, id]].concat());
    let errors = bundle.path().join("errors");
    let file = |path: PathBuf| std::fs::File::create(path).expect("a file");
    create.stdout(file(bundle.output(id))).stderr(file(errors.clone()));
    let status = create.finish().status;
    let said = std::fs::read_to_string(errors).unwrap_or_default();
    if status.success() { Ok(()) } else { Err(said) }
}

/// A container of this config, whose program waits; the unit's name.
#[track_caller]
pub(super) fn waiting(change: impl FnOnce(&mut Value)) -> (Bundle, String) {
    let (bundle, unit) = bundle(change);
    let created = try_create(&[SYSTEMD], &bundle);
    assert_eq!(created, Ok(()));
    bundle.must(&["start", bundle.id()]);
    bundle.ready();
    (bundle, unit)
}

/// The control group of the process, as `/proc` tells it.
pub(super) fn group_of(pid: &Value) -> String {
    let said = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("a process");
    let line = said.lines().find_map(|line| line.strip_prefix("0::"));
    line.expect("a group of version 2").to_owned()
}

/// The folder of the container's control group.
pub(super) fn folder(bundle: &Bundle) -> PathBuf {
    let group = group_of(&bundle.state_of(bundle.id())["pid"]);
    Path::new("/sys/fs/cgroup").join(group.trim_start_matches('/'))
}
