//! Limits that a container is asked for, and its control group as the host sees it.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::container::Container;
use crate::failure::OrHarness;
use crate::session::{Program, Session};

/// The last part of the path of a container's control group; the first is the name of the run's own.
pub(crate) const GROUP: &str = "c";

/// What a container is asked for.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    pids: Option<i64>,
    memory: Option<i64>,
}

impl Container {
    /// With at most so many processes, and a control group and a cgroup namespace of its own.
    #[must_use]
    pub fn pids(mut self, most: i64) -> Container {
        self.limits.pids = Some(most);
        self
    }

    /// With at most so many megabytes of memory, and a control group and a cgroup namespace of its own. The run's own
    /// group keeps it from being swapped out.
    #[must_use]
    pub fn memory(mut self, megabytes: i64) -> Container {
        self.limits.memory = Some(megabytes << 20);
        self
    }
}

impl Limits {
    /// As flags of our own runtime; `name`: that of the run's control groups.
    pub(crate) fn flags(&self, name: &str) -> Vec<String> {
        let flag = |name: &str, value: Option<i64>| value.map(|value| [name.to_owned(), value.to_string()]);
        let flags = [flag("--pids", self.pids), flag("--memory", self.memory)];
        let flags: Vec<String> = flags.into_iter().flatten().flatten().collect();
        if flags.is_empty() {
            return flags;
        }
        flags.into_iter().chain(["--cgroup".to_owned(), format!("/{name}/{GROUP}")]).collect()
    }

    /// Writes them into a config that has the control group's path.
    pub(crate) fn write(&self, config: &mut Value) {
        let linux = &mut config["linux"];
        if let Some(limit) = self.pids {
            linux["resources"]["pids"] = json!({ "limit": limit });
        }
        if let Some(limit) = self.memory {
            linux["resources"]["memory"] = json!({ "limit": limit });
        }
        if let (true, Some(namespaces)) = (linux["resources"].is_object(), linux["namespaces"].as_array_mut())
        {
            namespaces.push(json!({ "type": "cgroup" }));
        }
    }
}

impl Session {
    /// The container's own control group: its folders, one in each hierarchy, that are there.
    pub fn control_group(&self) -> Vec<PathBuf> {
        self.cgroups().iter().map(|folder| folder.join(GROUP)).filter(|folder| folder.is_dir()).collect()
    }

    /// The number behind `key` in the file of the container's control group that is called one of `names`, in whichever
    /// hierarchy has one.
    pub fn counter(&self, names: &[&str], key: &str) -> Option<u64> {
        let folders = self.control_group();
        let mut files = folders.iter().flat_map(|folder| names.iter().map(|name| folder.join(name)));
        files.find_map(|file| {
            let text = std::fs::read_to_string(file).ok()?;
            text.lines().find_map(|line| line.strip_prefix(key)?.trim().parse().ok())
        })
    }
}

impl Program {
    /// Its control groups, one in each hierarchy, as paths from the host's root of it.
    pub fn control_groups(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.proc("cgroup")).or_harness("read its control groups");
        text.lines().map(str::to_owned).collect()
    }
}
