//! A container to be run: what is asked for, in words that every runtime understands.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::failure::{Class, OrHarness, fail};
use crate::furniture::Furniture;
use crate::limit::Limits;
use crate::rootfs::{Rootfs, temporary};
use crate::session::{Output, Session};
use crate::{bundle, cgroup::Cgroups, harness, net};

/// A container with namespaces of its own for everything, and the probe as its program.
#[derive(Debug, Default)]
pub struct Container {
    hostname: Option<String>,
    rootfs: Option<Rootfs>,
    env: BTreeMap<String, String>,
    program: Option<Vec<String>>,
    init: bool,
    name_only: bool,
    decoys: bool,
    pub(crate) furniture: Furniture,
    pub(crate) limits: Limits,
}

impl Container {
    /// One on the host's own root directory.
    pub fn new() -> Container {
        Container::default()
    }

    /// With this hostname.
    #[must_use]
    pub fn hostname(mut self, name: &str) -> Container {
        self.hostname = Some(name.to_owned());
        self
    }

    /// With this root directory.
    #[must_use]
    pub fn rootfs(mut self, rootfs: &Rootfs) -> Container {
        self.rootfs = Some(rootfs.clone());
        self
    }

    /// With this variable in the program's environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Container {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// With the runtime's reaper as PID 1.
    #[must_use]
    pub fn init(mut self) -> Container {
        self.init = true;
        self
    }

    /// With the probe called by its bare name, and its folder in PATH.
    #[must_use]
    pub fn name_only(mut self) -> Container {
        self.name_only = true;
        self
    }

    /// With two folders before the probe's in PATH: in one a folder of its name, in the other a text file.
    #[must_use]
    pub fn decoys_first(mut self) -> Container {
        self.decoys = true;
        self
    }

    /// With another program than the probe.
    #[must_use]
    pub fn program(mut self, words: &[&str]) -> Container {
        self.program = Some(words.iter().map(|word| (*word).to_owned()).collect());
        self
    }

    /// Runs it to its end, with these arguments for its program.
    pub fn run(self, args: &[&str]) -> Output {
        self.start(args).finish()
    }

    /// Starts it, with these arguments for its program.
    pub fn start(mut self, args: &[&str]) -> Session {
        let dir = temporary();
        let probe = harness::probe();
        if self.decoys {
            self.make_decoys(dir.path(), &probe);
        } else if self.name_only {
            let folder = probe.parent().unwrap_or(Path::new("/"));
            self.env.insert("PATH".into(), folder.display().to_string());
        }
        let name = if self.name_only { probe.file_name().map(PathBuf::from) } else { Some(probe) };
        let name = name.unwrap_or_default().display().to_string();
        let mut words = self.program.take().unwrap_or_else(|| vec![name]);
        words.extend(args.iter().map(|arg| (*arg).to_owned()));

        let cgroups = Cgroups::new(net::PROCESSES);
        let state = dir.path().join("state").display().to_string();
        let mut command = self.furniture.under.clone();
        command.extend([harness::runtime().display().to_string(), "--root".into(), state]);
        command.extend(if harness::is_coracle() {
            self.sandbox(&words, &cgroups.name)
        } else {
            self.run_bundle(dir.path(), &words, &cgroups.name)
        });
        Session::start(dir, command, cgroups, self.rootfs)
    }

    /// Our own runtime takes a container from flags.
    fn sandbox(&self, words: &[String], cgroup: &str) -> Vec<String> {
        let mut args = vec!["sandbox".to_owned()];
        args.extend(
            self.rootfs.iter().flat_map(|rootfs| ["--root".into(), rootfs.path().display().to_string()]),
        );
        args.extend(self.hostname.iter().flat_map(|name| ["--hostname".into(), name.clone()]));
        args.extend(self.init.then(|| "--init".to_owned()));
        args.extend(self.limits.flags(cgroup));
        args.extend(self.env.iter().flat_map(|(name, value)| ["--env".into(), format!("{name}={value}")]));
        args.extend(self.furniture.flags());
        args.push("--".into());
        args.extend_from_slice(words);
        args
    }

    /// Others take it from a bundle.
    fn run_bundle(&mut self, dir: &Path, words: &[String], cgroup: &str) -> Vec<String> {
        if self.init {
            fail(Class::Harness, "unsupported: a runtime driven by a bundle has no reaper of its own");
        }
        let rootfs = self.rootfs.get_or_insert_with(Rootfs::probe).path();
        let mut env = self.env.clone();
        env.entry("PATH".into()).or_insert_with(|| "/usr/bin:/bin".into());
        let hostname = self.hostname.as_deref();
        bundle::write(dir, &bundle::Contents { rootfs, hostname, env: &env, args: words, cgroup });
        self.furniture.add_to(dir);
        bundle::edit(dir, |config| self.limits.write(config));
        ["run", "--bundle", &dir.display().to_string(), "c"].map(String::from).to_vec()
    }

    fn make_decoys(&mut self, dir: &Path, probe: &Path) {
        let name = probe.file_name().unwrap_or_default();
        let (folder, file) = (dir.join("decoy-folder"), dir.join("decoy-file"));
        std::fs::create_dir_all(folder.join(name)).or_harness("make a decoy");
        std::fs::create_dir_all(&file).or_harness("make a decoy");
        std::fs::write(file.join(name), "no program").or_harness("make a decoy");
        let probes = probe.parent().unwrap_or(Path::new("/")).display();
        self.env.insert("PATH".into(), format!("{}:{}:{probes}", folder.display(), file.display()));
        self.name_only = true;
    }
}
