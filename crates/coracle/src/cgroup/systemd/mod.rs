//! systemd as the owner of the tree: it makes a container's control group, as a scope of the container's own.
//!
//! Under systemd the tree of version 2 has one writer, systemd. Whoever wants a group asks it for a unit, over D-Bus:
//! `StartTransientUnit` with a name, properties, and the numbers of the processes that it is for. A scope without a process
//! is none: so init is born where we are, waits, and is put into its group before it hears the first word.
//!
//! The scope is delegated: what is in its folder is ours to change. But systemd writes its own idea of the limits there
//! whenever it has a reason to, so it must have the same: all limits that it has words for are properties of the unit as well.
//!
//! Annotations say nothing here. Some runtimes turn `org.systemd.property.*` into properties, and whoever may write a pod's
//! annotations could then have systemd run commands on the host (CVE-2024-3154).

mod address;
mod bus;
mod devices;
mod name;
mod owner;
pub mod properties;

use std::path::{Path, PathBuf};

use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, statfs};
use nix::unistd::Pid;
use oci_spec::runtime::LinuxResources;
use serde::{Deserialize, Serialize};
use zbus::{OwnedObjectPath, Variant};

use super::hierarchy::UNIFIED;
use super::{Cgroup, Folder, Plan, Settings, folder, rules, v2};
use crate::error::{Error, Result};
use address::Address;
use bus::{Bus, Fault, Message, Object};
use properties::Property;

pub use name::Scope;
pub use owner::Owner;

/// Its manager, and the manager's properties.
const MANAGER: Object = Object {
    service: "org.freedesktop.systemd1",
    path: "/org/freedesktop/systemd1",
    interface: "org.freedesktop.systemd1.Manager",
};
const PROPERTIES: Object = Object { interface: "org.freedesktop.DBus.Properties", ..MANAGER };

/// The signals by which we hear that a job has come to its end.
const JOBS: &str = "type='signal',sender='org.freedesktop.systemd1',path='/org/freedesktop/systemd1',\
                    interface='org.freedesktop.systemd1.Manager',member='JobRemoved'";

const UNIT_EXISTS: &str = "org.freedesktop.systemd1.UnitExists";
const NO_SUCH_UNIT: &str = "org.freedesktop.systemd1.NoSuchUnit";

/// There where a machine was booted with systemd (sd_booted(3)).
const BOOTED: &str = "/run/systemd/system";

const WITHOUT: &str = "leave --systemd-cgroup out, and control groups are made as folders";

/// A container's scope, as it is noted: enough to change and to stop it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// Its name, such as `libpod-1.scope`.
    pub name: String,
    /// Whose it is.
    pub owner: Owner,
}

/// systemd's manager, and our connection to it.
#[derive(Debug)]
pub struct Systemd {
    bus: Bus,
    owner: Owner,
    version: u32,
}

/// A scope that is going to be made, when there is a process for it.
#[derive(Debug)]
pub struct Wanted {
    systemd: Systemd,
    slice: String,
    properties: Vec<Property>,
}

impl Systemd {
    /// Connects to the first manager that answers.
    ///
    /// # Errors
    /// [`Error::Usage`] where this machine does not run systemd, or not with version 2 of control groups alone;
    /// [`Error::Systemd`] where nobody answers, with all that was tried.
    pub fn connect() -> Result<Systemd> {
        if !Path::new(BOOTED).is_dir() {
            let problem =
                format!("--systemd-cgroup: this machine does not run systemd (no {BOOTED}): {WITHOUT}");
            return Err(Error::Usage { problem });
        }
        if !statfs(UNIFIED).is_ok_and(|fs| fs.filesystem_type() == CGROUP2_SUPER_MAGIC) {
            let problem = format!(
                "--systemd-cgroup: needs version 2 of control groups alone at {UNIFIED}: boot with \
                 systemd.unified_cgroup_hierarchy=1, or {WITHOUT}"
            );
            return Err(Error::Usage { problem });
        }
        Systemd::reach(Owner::candidates())
    }

    fn reach(owners: &[Owner]) -> Result<Systemd> {
        let mut tried = Vec::new();
        for owner in owners {
            for address in owner.addresses() {
                match Systemd::at(&address, *owner) {
                    Ok(systemd) => return Ok(systemd),
                    Err(fault) => tried.push(format!("{address}: {}", fault.text)),
                }
            }
        }
        let cure = owners.first().map(|owner| owner.cure()).unwrap_or_default();
        Err(Error::Systemd { asked: "connect".into(), problem: format!("{}; {cure}", tried.join("; ")) })
    }

    fn at(address: &Address, owner: Owner) -> Result<Systemd, Fault> {
        let mut bus = Bus::connect(address)?;
        bus.listen(address, JOBS)?;
        // Otherwise it says nothing to the bus.
        bus.call(&MANAGER, "Subscribe", &())?;
        let mut systemd = Systemd { bus, owner, version: 0 };
        systemd.version = version(&systemd.property("Version")?);
        Ok(systemd)
    }

    /// A property of the manager's, which is a text.
    fn property(&mut self, name: &str) -> Result<String, Fault> {
        self.bus.call(&PROPERTIES, "Get", &(MANAGER.interface, name))?.text()
    }

    /// The scope as it is to be made, and where its folder will be: to be noted down before it is made. What is noted down may be
    /// stopped later, so there may be no processes in it now.
    ///
    /// # Errors
    /// `EBUSY` where there are; [`Error::Systemd`].
    pub fn locate(mut self, scope: &Scope, resources: &LinuxResources) -> Result<(Wanted, Cgroup)> {
        let slice = scope.slice.clone().unwrap_or_else(|| self.owner.slice().to_owned());
        // A user's manager has only a part of the tree.
        let own = self.property("ControlGroup").map_err(|fault| fault.when("find its control group"))?;
        let mut path = PathBuf::from(UNIFIED);
        path.extend(own.split('/').filter(|part| !part.is_empty()));
        path.push(name::folders(&slice)?);
        path.push(&scope.unit);
        let folder = Folder { controllers: Vec::new(), mount: UNIFIED.into(), path };
        folder::must_be_empty(&folder)?;
        let unit = Unit { name: scope.unit.clone(), owner: self.owner };
        let cgroup = Cgroup { folders: vec![folder], shared: false, unit: Some(unit) };
        let mut properties = properties::limits(&cgroup.settings(resources)?, self.version);
        if self.owner == Owner::System {
            // A user's manager may not load the program for it.
            properties.extend(devices::properties(&rules(resources)?));
        }
        Ok((Wanted { systemd: self, slice, properties }, cgroup))
    }

    /// Waits for the end of the job that `answer` names.
    fn wait(&mut self, answer: &Message, what: &str) -> Result<()> {
        let failed = |fault: Fault| fault.when(what);
        let (job,): (OwnedObjectPath,) = answer.values().map_err(failed)?;
        loop {
            let signal = self.bus.signal("JobRemoved", answer).map_err(failed)?;
            let (_, ended, _, result): (u32, OwnedObjectPath, String, String) =
                signal.values().map_err(failed)?;
            if ended != job {
                continue;
            }
            return match result.as_str() {
                "done" => Ok(()),
                other => Err(Error::Systemd {
                    asked: what.to_owned(),
                    problem: format!("the job ended as {other:?}; its journal says why: journalctl -b"),
                }),
            };
        }
    }
}

impl Wanted {
    /// Has systemd make the scope of `cgroup`, described by `description`, and put the process `pid` into it. A unit of that
    /// name that has failed, and is still listed, is taken off the list.
    ///
    /// # Errors
    /// [`Error::Systemd`]. Where the unit is somebody else's, `cgroup` has no folder and no unit afterwards.
    pub fn start(mut self, cgroup: &mut Cgroup, pid: Pid, description: &str) -> Result<()> {
        let Some(unit) = cgroup.unit.clone() else { return Ok(()) };
        let what = format!("start {}", unit.name);
        let answer = match self.ask(&unit.name, pid, description) {
            Err(fault) if fault.name == UNIT_EXISTS => {
                // It answers nothing of interest: whether this has helped, the next call tells.
                let _ = self.systemd.bus.call(&MANAGER, "ResetFailedUnit", &(&unit.name,));
                self.ask(&unit.name, pid, description)
            }
            other => other,
        };
        let answer = answer.map_err(|fault| {
            if fault.name != UNIT_EXISTS {
                return fault.when(&what);
            }
            // What is not ours is neither stopped nor removed.
            *cgroup = Cgroup::default();
            let problem = "there is such a unit already; choose another /linux/cgroupsPath, or end it: \
                           systemctl stop UNIT";
            Error::Systemd { asked: what.clone(), problem: problem.to_owned() }
        })?;
        self.systemd.wait(&answer, &what)?;
        let folder = cgroup.folders.first().map(|folder| folder.path.clone()).unwrap_or_default();
        if folder::processes_below(&folder)?.contains(&pid) {
            return Ok(());
        }
        let problem = format!("the container's first process is not in {}", folder.display());
        Err(Error::Systemd { asked: what, problem })
    }

    fn ask(&mut self, unit: &str, pid: Pid, description: &str) -> Result<Message, Fault> {
        let mut properties: Vec<Property> = vec![
            ("Description", description.to_owned().into()),
            ("Slice", self.slice.clone().into()),
            ("PIDs", Variant::new(vec![pid.as_raw() as u32])),
            ("Delegate", true.into()),
            // What systemd orders by itself would end a container before its engine.
            ("DefaultDependencies", false.into()),
            // One whose program was killed for its memory is no failure to be looked at before it goes.
            ("CollectMode", "inactive-or-failed".into()),
        ];
        let accounts = ["CPUAccounting", "IOAccounting", "MemoryAccounting", "TasksAccounting"];
        properties.extend(accounts.map(|account| (account, true.into())));
        properties.extend(copies(&self.properties));
        /// Units that come with it: there are none.
        type Others = Vec<(String, Vec<(String, Variant<'static>)>)>;
        let body = (unit, "fail", properties, Others::new());
        self.systemd.bus.call(&MANAGER, "StartTransientUnit", &body)
    }
}

/// The properties once more. None of them has a descriptor in it, which alone could not be copied.
fn copies(properties: &[Property]) -> Vec<Property> {
    properties.iter().filter_map(|(name, value)| Some((*name, value.try_clone().ok()?))).collect()
}

impl Unit {
    /// Has the process `pid` of ours put into it.
    ///
    /// # Errors
    /// [`Error::Systemd`].
    pub fn attach(&self, pid: Pid) -> Result<()> {
        let mut systemd = Systemd::reach(&[self.owner])?;
        let group_below = "";
        let body = (&self.name, group_below, vec![pid.as_raw() as u32]);
        let attached = systemd.bus.call(&MANAGER, "AttachProcessesToUnit", &body);
        attached.map(drop).map_err(|fault| fault.when(format!("put a process into {}", self.name)))
    }

    /// Stops it. One that is gone is no error: systemd takes off the list by itself what has no process any more.
    ///
    /// # Errors
    /// [`Error::Systemd`].
    pub(super) fn stop(&self) -> Result<()> {
        let mut systemd = Systemd::reach(&[self.owner])?;
        let what = format!("stop {}", self.name);
        match systemd.bus.call(&MANAGER, "StopUnit", &(&self.name, "replace")) {
            Ok(answer) => systemd.wait(&answer, &what)?,
            Err(fault) if fault.name == NO_SUCH_UNIT => return Ok(()),
            Err(fault) => return Err(fault.when(what)),
        }
        // Where it has not failed, there is nothing to reset, and where it is gone, nobody.
        let _ = systemd.bus.call(&MANAGER, "ResetFailedUnit", &(&self.name,));
        Ok(())
    }
}

/// Changes the limits of a running container's scope, as far as systemd has words for them; the rest, and the exact values,
/// are the folder's affair: systemd has written its own there, when this returns. Device rules are none of it: they do not
/// change.
///
/// # Errors
/// [`Error::Systemd`].
pub(super) fn set(unit: &Unit, settings: &Settings) -> Result<()> {
    let mut systemd = Systemd::reach(&[unit.owner])?;
    let what = format!("set limits of {}", unit.name);
    let properties = properties::limits(settings, systemd.version);
    // As long as the unit lives, and no longer.
    let until_its_end = true;
    let body = (&unit.name, until_its_end, properties);
    systemd.bus.call(&MANAGER, "SetUnitProperties", &body).map_err(|fault| fault.when(&what))?;
    // It answers first and writes the files next, before it takes another call.
    systemd.property("Version").map(drop).map_err(|fault| fault.when(&what))
}

/// Sets the limits of `plan` on the folder of the scope, in which there are processes by now; first its controllers, as far
/// as they are missing. Then it is its owner's.
///
/// # Errors
/// As [`Cgroup::create`].
pub fn limit(cgroup: &Cgroup, plan: &Plan) -> Result<()> {
    let settings = cgroup.settings(&plan.resources)?;
    let needed = cgroup.needed_of_v2(&settings);
    cgroup.folders.iter().try_for_each(|folder| v2::enable_above(folder, &needed))?;
    settings.apply(cgroup)?;
    plan.owner.map_or(Ok(()), |owner| cgroup.delegate(owner))
}

/// The number in a version such as `252.39-1~deb12u2` or `v255`; 0 where there is none, which is older than everything.
fn version(text: &str) -> u32 {
    let digits: String = text.trim_start_matches('v').chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}
