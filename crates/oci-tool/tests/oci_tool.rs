//! What `oci-tool` makes, and what other runtimes say to it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

testkit::suite! { "oci-tool",
    runtime = "",
    tests = [
        s07_init_makes_a_config_and_an_empty_rootfs,
        s07_init_takes_its_options,
        s07_the_config_is_the_one_that_runc_spec_writes(runc),
        s07_a_bundle_is_not_overwritten_without_force,
        s07_show_prints_the_bundle,
        s07_a_wrong_config_is_named(userns),
        s07_prepare_makes_a_rootfs_once(busybox),
        s07_prepare_leaves_what_is_not_ours(busybox),
        s07_prepare_follows_no_link_out_of_the_rootfs(busybox),
        s07_a_bundle_runs_under_runc_unchanged(root, busybox, runc),
        s07_a_bundle_runs_under_crun_unchanged(root, busybox, crun),
        s07_a_missing_runtime_is_named,
        s05_a_joining_config_joins_under_runc(root, busybox, runc),
        s05_a_joining_config_joins_under_crun(root, busybox, runc, crun),
        s05_a_user_namespace_is_joined_as_well(root, busybox, runc),
        s05_an_exact_config_names_every_namespace_and_the_group(root, busybox, runc),
        s05_an_unknown_container_is_named(root, runc),
    ]
}

/// A folder for one bundle, and the bundle's name in it. Names are unique on the machine, for they become ids.
struct Bundle {
    folder: TempDir,
    path: PathBuf,
}

impl Bundle {
    fn new() -> Bundle {
        let folder =
            tempfile::Builder::new().prefix("coracle-tool-").tempdir().expect("a temporary directory");
        // The root of a user namespace must get in.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("its mode");
        let path = folder.path().join(folder.path().file_name().expect("its name"));
        Bundle { folder, path }
    }

    /// One whose program says its hostname and ends with status 7.
    fn ready() -> Bundle {
        let bundle = Bundle::new();
        bundle.tool(&["init", "--no-terminal", "--args", "sh /say"]).ok();
        bundle.tool(&["prepare"]).ok();
        fs::write(bundle.path.join("rootfs/say"), "hostname\nexit 7\n").expect("a script");
        bundle
    }

    /// `oci-tool ARGUMENTS BUNDLE`.
    fn tool(&self, arguments: &[&str]) -> Answer {
        tool(arguments.iter().map(PathBuf::from).chain([self.path.clone()]))
    }

    fn config(&self) -> Value {
        let text = fs::read(self.path.join("config.json")).expect("a config");
        serde_json::from_slice(&text).expect("the config is JSON")
    }

    fn write(&self, config: &Value) {
        fs::write(self.path.join("config.json"), config.to_string()).expect("a config");
    }

    fn id(&self) -> String {
        self.path.file_name().expect("its name").to_string_lossy().into_owned()
    }
}

/// How a command ended and what it said.
#[derive(Debug)]
struct Answer {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Answer {
    #[track_caller]
    fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.err);
        self.out
    }

    /// It failed, and said all of `words`.
    #[track_caller]
    fn failed(&self, words: &[&str]) {
        assert_eq!(self.code, Some(1), "{self:?}");
        for word in words {
            assert!(self.err.contains(word), "{word:?} is not in {}", self.err);
        }
    }
}

fn tool(arguments: impl IntoIterator<Item = PathBuf>) -> Answer {
    answer(Command::new(env!("CARGO_BIN_EXE_oci-tool")).args(arguments))
}

fn answer(command: &mut Command) -> Answer {
    let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Answer { code: status.code(), out: text(&stdout), err: text(&stderr) }
}

/// `oci-tool run` with crun, which refuses version 2 beside version 1: it is shown version 1 only.
fn run_under_crun(bundle: &Path, id: &str) -> Answer {
    const HIDE: &str = "umount -l /sys/fs/cgroup/unified 2>/dev/null; exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", HIDE, "sh", env!("CARGO_BIN_EXE_oci-tool")]);
    answer(command.args(["run", "--runtime", "crun"]).arg(bundle).arg(id))
}

fn s07_init_makes_a_config_and_an_empty_rootfs() {
    let bundle = Bundle::new();
    bundle.tool(&["init"]).ok();
    let config = bundle.config();
    assert_eq!(config["process"]["terminal"], true);
    assert_eq!(config["process"]["args"], serde_json::json!(["sh"]));
    assert_eq!(config["process"]["noNewPrivileges"], true);
    assert_eq!(config["root"], serde_json::json!({ "path": "rootfs", "readonly": true }));
    assert_eq!(config["mounts"].as_array().map(Vec::len), Some(7));
    assert_eq!(fs::read_dir(bundle.path.join("rootfs")).expect("a rootfs").count(), 0);
    // No temporary file is left beside them.
    assert_eq!(fs::read_dir(&bundle.path).expect("a bundle").count(), 2);
}

fn s07_init_takes_its_options() {
    let bundle = Bundle::new();
    bundle.tool(&["init", "--no-terminal", "--hostname", "boat", "--args", "ls /", "--rootless"]).ok();
    let config = bundle.config();
    assert_eq!(config["process"]["terminal"], false);
    assert_eq!(config["process"]["args"], serde_json::json!(["ls", "/"]));
    assert_eq!(config["hostname"], "boat");
    assert_eq!(config["linux"]["uidMappings"][0]["hostID"], nix::unistd::geteuid().as_raw());
    assert_eq!(config["linux"]["resources"], Value::Null);
}

/// But for the hostname, the version, what later versions of runc hide as well, and ambient capabilities, which runc 1.1
/// asks for and cannot have, for they are not inheritable (capabilities(7)).
fn s07_the_config_is_the_one_that_runc_spec_writes() {
    for options in [&[] as &[&str], &["--rootless"]] {
        let (bundle, runc) = (Bundle::new(), tempfile::tempdir().expect("a temporary directory"));
        bundle.tool(&[&["init"], options].concat()).ok();
        answer(Command::new("runc").arg("spec").args(options).current_dir(runc.path())).ok();
        let theirs = fs::read(runc.path().join("config.json")).expect("runc's config");
        let mut theirs: Value = serde_json::from_slice(&theirs).expect("JSON");
        theirs["process"]["capabilities"].as_object_mut().expect("capabilities").remove("ambient");
        let ours = bundle.config();
        for pointer in [
            "/process",
            "/root",
            "/mounts",
            "/linux/namespaces",
            "/linux/resources",
            "/linux/uidMappings",
            "/linux/gidMappings",
            "/linux/readonlyPaths",
        ] {
            assert_eq!(ours.pointer(pointer), theirs.pointer(pointer), "{pointer} {options:?}");
        }
    }
}

fn s07_a_bundle_is_not_overwritten_without_force() {
    let bundle = Bundle::new();
    fs::create_dir_all(bundle.path.join("rootfs/etc")).expect("a rootfs");
    bundle.tool(&["init"]).failed(&["rootfs: is there already", "--force"]);
    assert!(!bundle.path.join("config.json").exists(), "half a bundle was made");
    bundle.tool(&["init", "--force"]).ok();
    bundle.tool(&["init", "--hostname", "other"]).failed(&["config.json: is there already"]);
    assert_eq!(bundle.config()["hostname"], "coracle");
    bundle.tool(&["init", "--hostname", "other", "--force"]).ok();
    assert_eq!(bundle.config()["hostname"], "other");
    assert!(bundle.path.join("rootfs/etc").is_dir(), "the rootfs was emptied");
}

fn s07_show_prints_the_bundle() {
    let bundle = Bundle::new();
    bundle.tool(&["init", "--hostname", "boat", "--args", "ls /"]).ok();
    let out = bundle.tool(&["show"]).out;
    for line in ["program     ls /", "hostname    boat", "rootfs      rootfs, read-only"] {
        assert!(out.contains(line), "{line:?} is not in {out}");
    }
    let json = bundle.tool(&["show", "--json"]).out;
    assert_eq!(serde_json::from_str::<Value>(&json).expect("JSON"), bundle.config());
}

fn s07_a_wrong_config_is_named() {
    let bundle = Bundle::new();
    bundle.tool(&["validate"]).failed(&["config.json", "oci-tool init"]);
    bundle.tool(&["init"]).ok();
    let mut config = bundle.config();
    config["process"]["args"] = serde_json::json!([]);
    // What this version of the runtime may not do yet is not this test's matter.
    for name in ["capabilities", "rlimits", "noNewPrivileges", "terminal"] {
        config["process"].as_object_mut().map(|process| process.remove(name));
    }
    for name in ["resources", "maskedPaths", "readonlyPaths"] {
        config["linux"].as_object_mut().map(|linux| linux.remove(name));
    }
    config["root"]["readonly"] = false.into();
    bundle.write(&config);
    bundle.tool(&["validate"]).failed(&["/process/args"]);
    bundle.tool(&["show"]).failed(&["/process/args"]);
    config["process"]["args"] = serde_json::json!(["sh"]);
    bundle.write(&config);
    assert!(bundle.tool(&["validate"]).ok().contains("a valid bundle"));
    fs::write(bundle.path.join("config.json"), "{\n\"process\": }").expect("a config");
    bundle.tool(&["show"]).failed(&["config.json", "line 2 column"]);
}

fn s07_prepare_makes_a_rootfs_once() {
    let bundle = Bundle::new();
    bundle.tool(&["init"]).ok();
    bundle.tool(&["prepare"]).ok();
    let rootfs = bundle.path.join("rootfs");
    for folder in ["bin", "proc", "sys", "dev/pts", "dev/shm", "dev/mqueue", "tmp", "etc", "root", "run"] {
        assert!(rootfs.join(folder).is_dir(), "{folder}");
    }
    assert_eq!(fs::read_link(rootfs.join("bin/sh")).expect("a link"), Path::new("busybox"));
    let mode = |name: &str| rootfs.join(name).metadata().expect("it is there").permissions().mode() & 0o7777;
    assert_eq!((mode("tmp"), mode("bin/busybox")), (0o1777, 0o755));
    assert!(bundle.tool(&["prepare"]).ok().contains(" 0 of them new"));
}

fn s07_prepare_leaves_what_is_not_ours() {
    let bundle = Bundle::new();
    let rootfs = bundle.path.join("rootfs");
    for folder in ["bin", "etc"] {
        fs::create_dir_all(rootfs.join(folder)).expect("a folder");
    }
    for file in ["bin/ls", "etc/hosts"] {
        fs::write(rootfs.join(file), "mine").expect("a file");
    }
    let text = |file: &str| fs::read_to_string(rootfs.join(file)).unwrap_or_default();
    bundle.tool(&["prepare"]).failed(&["bin/ls", "is not ours", "--force"]);
    assert_eq!(text("bin/ls"), "mine");
    assert!(!rootfs.join("bin/busybox").exists(), "half a rootfs was made");
    bundle.tool(&["prepare", "--force"]).ok();
    assert_eq!(fs::read_link(rootfs.join("bin/ls")).expect("a link"), Path::new("busybox"));
    assert_eq!(text("etc/hosts"), "mine");
}

fn s07_prepare_follows_no_link_out_of_the_rootfs() {
    let bundle = Bundle::new();
    let outside = bundle.folder.path().join("outside");
    fs::create_dir_all(&outside).expect("a folder");
    fs::create_dir_all(bundle.path.join("rootfs")).expect("a rootfs");
    symlink(&outside, bundle.path.join("rootfs/bin")).expect("a link");
    bundle.tool(&["prepare", "--force"]).failed(&["rootfs/bin", "must be a folder"]);
    assert_eq!(fs::read_dir(&outside).expect("the folder").count(), 0);
}

fn s07_a_bundle_runs_under_runc_unchanged() {
    let bundle = Bundle::ready();
    let answer = bundle.tool(&["run", "--runtime", "runc"]);
    assert_eq!((answer.code, answer.out.as_str()), (Some(7), "coracle\n"), "{}", answer.err);
}

fn s07_a_bundle_runs_under_crun_unchanged() {
    let bundle = Bundle::ready();
    let answer = run_under_crun(&bundle.path, &bundle.id());
    assert_eq!((answer.code, answer.out.as_str()), (Some(7), "coracle\n"), "{}", answer.err);
}

fn s07_a_missing_runtime_is_named() {
    let bundle = Bundle::new();
    bundle.tool(&["init"]).ok();
    bundle.tool(&["run", "--runtime", "/nowhere/runtime"]).failed(&["/nowhere/runtime", "--runtime runc"]);
}

/// A container of runc's that sleeps, gone with this value.
struct Sleeper(Bundle);

impl Sleeper {
    fn new() -> Sleeper {
        Sleeper::with(|_| ())
    }

    /// With another config.
    fn with(change: fn(&mut Value)) -> Sleeper {
        let bundle = Bundle::new();
        bundle.tool(&["init", "--no-terminal", "--hostname", "sleeper", "--args", "sleep 1000"]).ok();
        bundle.tool(&["prepare"]).ok();
        let mut config = bundle.config();
        // By default runc's group is below our own, which may have another path in each hierarchy.
        config["linux"]["cgroupsPath"] = format!("/{}", bundle.id()).into();
        change(&mut config);
        bundle.write(&config);
        let mut runc = Command::new("runc");
        runc.args(["run", "--detach", "--bundle"]).arg(&bundle.path).arg(bundle.id());
        let sleeper = Sleeper(bundle);
        // With pipes we would wait for the sleeper's own end.
        let log = fs::File::create(sleeper.0.folder.path().join("log")).expect("a log");
        runc.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let status = runc.status().expect("runc starts");
        let log = fs::read_to_string(sleeper.0.folder.path().join("log")).unwrap_or_default();
        assert!(status.success(), "{log}");
        sleeper
    }

    fn state(&self) -> Value {
        let text = answer(Command::new("runc").args(["state", &self.0.id()])).ok();
        serde_json::from_str(&text).expect("a state")
    }

    /// A bundle that joins it.
    fn joined_by(&self, command: &str) -> PathBuf {
        let path = self.0.folder.path().join("joining");
        let arguments = [
            "join",
            "--runtime",
            "runc",
            &self.0.id(),
            "--bundle",
            &path.to_string_lossy(),
            "--",
            "sh",
            "-c",
            command,
        ]
        .map(PathBuf::from);
        tool(arguments).ok();
        path
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        answer(Command::new("runc").args(["delete", "--force", &self.0.id()]));
    }
}

/// What a process that has joined the sleeper says, ending with status 5.
const LOOK: &str = "hostname; cat /proc/1/comm; grep pids: /proc/self/cgroup; exit 5";

#[track_caller]
fn has_joined(answer: &Answer, sleeper: &Sleeper) {
    assert_eq!(answer.code, Some(5), "{answer:?}");
    let group = format!(":/{}/join", sleeper.0.id());
    for words in ["sleeper\n", "sleep\n"] {
        assert!(answer.out.contains(words), "{answer:?}");
    }
    assert!(
        answer.out.lines().filter(|line| line.contains("pids:")).all(|line| line.ends_with(&group)),
        "{answer:?}"
    );
    assert_eq!(sleeper.state()["status"], "running", "the joined container did not survive");
}

fn s05_a_joining_config_joins_under_runc() {
    let sleeper = Sleeper::new();
    let bundle = sleeper.joined_by(LOOK);
    let id = format!("{}-join", sleeper.0.id());
    let arguments = ["run", "--runtime", "runc", &bundle.to_string_lossy(), &id].map(PathBuf::from);
    has_joined(&tool(arguments), &sleeper);
}

fn s05_a_joining_config_joins_under_crun() {
    let sleeper = Sleeper::new();
    let bundle = sleeper.joined_by(LOOK);
    has_joined(&run_under_crun(&bundle, &format!("{}-join", sleeper.0.id())), &sleeper);
}

fn s05_a_user_namespace_is_joined_as_well() {
    let sleeper = Sleeper::with(|config| {
        let linux = &mut config["linux"];
        linux["namespaces"].as_array_mut().expect("a list").push(serde_json::json!({ "type": "user" }));
        linux["uidMappings"] = serde_json::json!([{ "containerID": 0, "hostID": 100_000, "size": 1000 }]);
        linux["gidMappings"] = linux["uidMappings"].clone();
    });
    let bundle = sleeper.joined_by("cat /proc/self/uid_map; exit 5");
    let id = format!("{}-join", sleeper.0.id());
    let arguments = ["run", "--runtime", "runc", &bundle.to_string_lossy(), &id].map(PathBuf::from);
    let answer = tool(arguments);
    let map: Vec<_> = answer.out.split_whitespace().collect();
    assert_eq!((answer.code, map), (Some(5), vec!["0", "100000", "1000"]), "{}", answer.err);
}

fn s05_an_exact_config_names_every_namespace_and_the_group() {
    let sleeper = Sleeper::new();
    let arguments = ["join", "--runtime", "runc", "--exact", &sleeper.0.id()].map(PathBuf::from);
    let config: Value = serde_json::from_str(&tool(arguments).ok()).expect("a config");
    let pid = &sleeper.state()["pid"];
    for (kind, file) in [("pid", "pid"), ("network", "net"), ("ipc", "ipc"), ("uts", "uts"), ("mount", "mnt")]
    {
        let namespace = serde_json::json!({ "type": kind, "path": format!("/proc/{pid}/ns/{file}") });
        let all = config["linux"]["namespaces"].as_array().expect("a list");
        assert!(all.contains(&namespace), "{namespace} is not in {all:?}");
    }
    assert_eq!(config["linux"]["cgroupsPath"], format!("/{}", sleeper.0.id()));
    assert_eq!(config["process"]["args"], serde_json::json!(["sh"]));
    // A user namespace of our own would be none to join.
    assert!(!config["linux"]["namespaces"].to_string().contains("user"));
}

fn s05_an_unknown_container_is_named() {
    let arguments = ["join", "--runtime", "runc", "coracle-tool-nobody"].map(PathBuf::from);
    tool(arguments).failed(&["coracle-tool-nobody", "does not exist", "cure"]);
}
