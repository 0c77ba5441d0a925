//! A bundle of an engine without root: the engine has made a user namespace, is root in it, and calls the runtime there.

use serde_json::{Value, json};

use crate::common::profile;
use crate::ids::{strs, with_ranges};
use crate::user::{User, must, read, words};

/// A config in the shape of those that rootless podman writes: without a user namespace, and with ids of its own.
fn config(user: &User) -> Value {
    let file = |name: &str| {
        let path = user.path().join(name);
        std::fs::write(&path, name).expect("a file");
        path.display().to_string()
    };
    let flags = ["nosuid", "noexec", "nodev"];
    let with = |options: &[&str]| json!([&flags, options].concat());
    let capabilities = json!(["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_KILL", "CAP_SETGID", "CAP_SETUID"]);
    json!({
        "ociVersion": "1.0.2-dev",
        "process": {
            "user": { "uid": 0, "gid": 0, "umask": 18, "additionalGids": [0, 1, 10] },
            "args": ["/probe", "wait-signal", "TERM"],
            "env": ["PATH=/", "TERM=xterm", "container=podman", "HOME=/root"],
            "cwd": "/",
            "capabilities": { "bounding": capabilities, "effective": capabilities, "permitted": capabilities },
            "rlimits": [{ "type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024 }],
        },
        "root": { "path": user.path().join("rootfs") },
        "hostname": "374c14dbec6d",
        "mounts": [
            { "destination": "/proc", "type": "proc", "source": "proc", "options": flags },
            { "destination": "/dev", "type": "tmpfs", "source": "tmpfs",
              "options": ["nosuid", "noexec", "strictatime", "mode=755", "size=65536k"] },
            { "destination": "/sys", "type": "sysfs", "source": "sysfs", "options": with(&["ro"]) },
            { "destination": "/dev/pts", "type": "devpts", "source": "devpts",
              "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"] },
            { "destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": flags },
            { "destination": "/etc/hosts", "type": "bind", "source": file("hosts"), "options": ["bind", "rprivate"] },
            { "destination": "/run/.containerenv", "type": "bind", "source": file("containerenv"),
              "options": ["bind", "rprivate"] },
            { "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
              "options": ["rprivate", "nosuid", "noexec", "nodev", "relatime", "ro"] },
        ],
        "annotations": { "io.container.manager": "libpod", "org.opencontainers.image.stopSignal": "15" },
        "linux": {
            "sysctl": { "net.ipv4.ping_group_range": "0 0" },
            "resources": {},
            "namespaces": [
                { "type": "pid" }, { "type": "network" }, { "type": "ipc" }, { "type": "uts" }, { "type": "mount" },
            ],
            "seccomp": profile(),
            "maskedPaths": ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
        },
    })
}

/// Its verbs, one after the other, without `--root`.
const CALLS: &str = r#"
set -e
"$0" create --bundle "$1" --pid-file "$1/pid" "$2" >"$1/output"
"$0" start "$2"
"$0" exec "$2" /probe open /proc/sys/net/ipv4/ping_group_range
"$0" exec "$2" /probe open /etc/hosts
"$0" kill "$2" KILL
"$0" delete --force "$2"
"$0" list --quiet
"#;

pub(crate) fn o31_root_of_an_engines_user_namespace_runs_its_bundle() {
    let user = User::new();
    user.0.write(&config(&user));
    // What a test leaves is looked for in the one.
    std::fs::remove_dir(user.state()).expect("it is empty");
    std::os::unix::fs::symlink("run/coracle", user.state()).expect("a symlink");
    let (program, bundle) = (user.program().display().to_string(), user.path().display().to_string());
    let before = with_ranges(&user, "nobody:300000:65535\n");
    let engine = ["unshare", "--user", "--map-root-user", "--map-auto", "--mount", "sh", "-c", CALLS];
    let words_of = [&engine[..], &[&program, &bundle, user.id()]].concat();
    let mut command = user.command(&strs(&before), &words_of);
    command.env("XDG_RUNTIME_DIR", user.path().join("run"));
    let said = must(command);
    let reports: Vec<probe::Report> = said.lines().map(read).collect();
    let [first, second] = &reports[..] else { panic!("two reports, and an empty list: {said}") };
    assert_eq!((words(first), words(second)), (vec!["0".into(), "0".into()], vec!["hosts".to_owned()]));
    assert_eq!((first.uid, &first.groups[..], first.umask), (0, &[0, 1, 10][..], 0o22));
    assert_eq!(first.seccomp, Some(probe::Seccomp::Filter));
    let null = &first.devices.as_ref().expect("a /dev")["null"];
    assert_eq!((null.major, null.minor), (Some(1), Some(3)));
    assert!(first.mount_at("/dev/pts").is_some(), "no terminals");
    assert!(user.path().join("run/coracle").is_dir(), "the state is not the user's");
}
