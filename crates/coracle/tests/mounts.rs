//! What `/mounts` of a bundle owes to its container, and to the host.

mod common;

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Output;

use serde_json::{Value, json};

testkit::suite! { "mounts",
    runtime = env!("CARGO_BIN_EXE_coracle"),
    tests = [
        options_reach_the_mount(userns),
        missing_places_are_made(userns),
        no_symlink_of_the_rootfs_leads_out(userns),
        nothing_covers_proc(userns),
        an_error_says_what_the_file_system_says(userns),
    ]
}

/// A bundle, and a folder and a file of the host to be bound.
struct Bundle(common::Bundle);

impl Bundle {
    fn new() -> Bundle {
        let bundle = Bundle(common::Bundle::new());
        for directory in ["rootfs/here", "host/below"] {
            std::fs::create_dir_all(bundle.path(directory)).expect("a directory");
        }
        std::fs::write(bundle.path("host/file"), "").expect("a file");
        bundle
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn bind(&self, source: &str, to: &str, options: &[&str]) -> Value {
        json!({ "destination": to, "type": "bind", "source": self.path(source), "options": options })
    }

    /// Runs the probe with these mounts beside /proc.
    fn run(&self, mounts: &[Value]) -> Output {
        let mut config = common::Bundle::config();
        config["mounts"].as_array_mut().expect("a list").extend_from_slice(mounts);
        self.0.write(&config).run()
    }

    /// The mount that the probe sees at a place, as it tells it; null where there is none.
    fn seen(&self, mounts: &[Value], place: &str) -> Value {
        let output = self.run(mounts);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{mounts:?}: {stderr}");
        let report: Value = serde_json::from_slice(&output.stdout).expect("the probe's report");
        let all = report["mounts"].as_array().expect("the probe's mounts");
        all.iter().rfind(|mount| mount["mountpoint"] == place).cloned().unwrap_or(Value::Null)
    }

    fn error(&self, mounts: &[Value]) -> String {
        let output = self.run(mounts);
        assert_eq!(output.status.code(), Some(1), "{mounts:?}");
        text(&output.stderr)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn tmpfs(to: &str, options: &[&str]) -> Value {
    json!({ "destination": to, "type": "tmpfs", "source": "tmpfs", "options": options })
}

/// Of a new file system and of a bind alike; of contradictory options, the last counts.
fn options_reach_the_mount() {
    let rows: [(&[&str], &[&str], &[&str]); 8] = [
        (&["nosuid", "nodev", "noexec"], &["nosuid", "nodev", "noexec"], &["ro"]),
        (&["noatime"], &["noatime"], &["relatime"]),
        (&["noatime", "relatime"], &["relatime"], &["noatime"]),
        (&["strictatime", "nodiratime"], &["nodiratime"], &["relatime", "noatime"]),
        (&["noexec", "exec", "nodev"], &["nodev"], &["noexec"]),
        (&["rro", "rnosuid"], &["ro", "nosuid"], &["rw"]),
        (&["rprivate", "noexec", "defaults", "silent"], &["noexec"], &["nosuid"]),
        (&["dev", "suid", "rw"], &["rw"], &["ro", "nodev", "nosuid"]),
    ];
    for (options, there, absent) in rows {
        let bundle = Bundle::new();
        // What the host said of access times is locked for a user namespace's root.
        let locked = !nix::unistd::geteuid().is_root() && options.iter().any(|name| name.contains("atime"));
        let bind = (!locked).then(|| bundle.bind("host", "/here", options));
        for mount in bind.into_iter().chain([tmpfs("/here", options)]) {
            let seen = bundle.seen(&[mount], "/here");
            let has = |name: &&str| seen["options"].as_array().expect("options").contains(&json!(name));
            assert!(there.iter().all(has) && !absent.iter().any(has), "{options:?}: {seen}");
        }
    }
    let bundle = Bundle::new();
    let seen = bundle.seen(&[tmpfs("/here", &["size=64k", "mode=711"])], "/here");
    let options = seen["super_options"].as_array().expect("options of the file system");
    assert!(["size=64k", "mode=711"].iter().all(|option| options.contains(&json!(option))), "{seen}");
}

/// Directories and files, in the rootfs or in a mount before; also what a dangling symlink points at.
fn missing_places_are_made() {
    let bundle = Bundle::new();
    symlink("/run/far/away", bundle.path("rootfs/dangling")).expect("a symlink");
    let mounts = [
        tmpfs("/here", &[]),
        bundle.bind("host", "/here/a/b", &["rbind"]),
        bundle.bind("host/file", "relative/file", &["bind"]),
        bundle.bind("host/file", "/dangling", &["bind"]),
    ];
    for (place, root) in
        [("/here/a/b", "host"), ("/relative/file", "host/file"), ("/run/far/away", "host/file")]
    {
        let seen = bundle.seen(&mounts, place);
        assert!(seen["root"].as_str().is_some_and(|seen| seen.ends_with(root)), "{place}: {seen}");
    }
}

/// CVE-2021-30465 without the race: every way out that a rootfs can lay.
fn no_symlink_of_the_rootfs_leads_out() {
    let bundle = Bundle::new();
    let outside = bundle.path("host").join("below");
    let up = PathBuf::from(format!("{}{}", "../".repeat(40), outside.display()));
    for (name, way) in [("absolute", &outside), ("relative", &up)] {
        symlink(way, bundle.path("rootfs").join(name)).expect("a symlink");
        let place = format!("/{name}/new/place");
        bundle
            .seen(&[tmpfs(&place, &[]), bundle.bind("host/file", &format!("/{name}/file"), &["bind"])], "/");
        let left: Vec<_> = std::fs::read_dir(&outside).expect("the host's folder").collect();
        assert!(left.is_empty(), "{name}: {left:?}");
    }
}

/// What the runtime and the program write to /proc must arrive at the kernel (CVE-2019-16884, CVE-2023-28642).
fn nothing_covers_proc() {
    let bundle = Bundle::new();
    for (mount, words) in [
        (tmpfs("/proc", &[]), "/mounts/1/type"),
        (tmpfs("/proc/self/attr", &[]), "/mounts/1/destination"),
        (tmpfs("here/../proc/sys", &[]), "/mounts/1/destination"),
        (bundle.bind("host", "/proc", &["bind"]), "mount /proc: the source is no procfs"),
    ] {
        let error = bundle.error(&[mount]);
        assert!(error.contains(words), "{words}: {error}");
    }
    symlink("/proc", bundle.path("rootfs/alias")).expect("a symlink");
    let error = bundle.error(&[bundle.bind("host", "/alias/self", &["bind"])]);
    assert!(error.contains("symlinks lead into /proc"), "{error}");
    let seen = bundle.seen(&[bundle.bind("host/file", "/proc/uptime", &["bind"])], "/proc/uptime");
    assert_ne!(seen, Value::Null, "a file that may be covered");
}

fn an_error_says_what_the_file_system_says() {
    let bundle = Bundle::new();
    for (mount, words) in [
        (tmpfs("/here", &["nosuch=1"]), "Unknown parameter 'nosuch'"),
        (tmpfs("/here", &["size=much"]), "option size=much"),
        (bundle.bind("nowhere", "/here", &["bind"]), "no such file or directory (ENOENT)"),
        (bundle.bind("host/file", "/here", &["bind"]), "is a directory, the other is not"),
        (json!({ "destination": "/here", "type": "nosuchfs" }), "knows no such file system"),
    ] {
        let error = bundle.error(&[mount]);
        assert!(error.contains("mount the container's file systems: mount /here: "), "{error}");
        assert!(error.contains(words), "{words}: {error}");
    }
}
