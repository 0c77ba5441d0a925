//! `--no-pivot`: another way to the container's root.

use std::process::Command;

use serde_json::{Value, json};

use crate::common::{Bundle, mounts, text};
use crate::{accepted, filled};

pub(crate) fn a_root_is_changed_without_pivot_root() {
    let bundle = Bundle::new();
    let report = |bundle: &Bundle| -> Value {
        serde_json::from_str(&accepted(bundle, "run --no-pivot --bundle BUNDLE ID")).expect("a report")
    };
    let of = |report: &Value| -> Vec<Value> {
        let mounts = report["mounts"].as_array().expect("mounts");
        // The devices of a user namespace are mounts.
        let points = mounts.iter().map(|mount| mount["mountpoint"].clone());
        points.filter(|point| !point.as_str().is_some_and(|point| point.starts_with("/dev/"))).collect()
    };
    for readonly in [false, true] {
        let mut config = Bundle::config();
        config["root"]["readonly"] = json!(readonly);
        let report = report(bundle.write(&config));
        assert_eq!(report["root_entries"], json!(["dev", "probe", "proc", "tmp"]));
        assert_eq!(of(&report), ["/", "/proc"]);
        assert_eq!(report["mounts"][0]["options"][0], if readonly { "ro" } else { "rw" });
    }
    // Here mounts spread to whoever shares them: not to us.
    let before = mounts();
    let mut config = Bundle::config();
    config["linux"]["rootfsPropagation"] = json!("rshared");
    report(bundle.write(&config));
    assert_eq!(mounts(), before);
}

/// Whoever has a /proc that hides nothing may mount another (mount_namespaces(7)); a container's hides some.
pub(crate) fn what_was_below_a_moved_root_is_off() {
    let bundle = Bundle::new();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/fetch-busybox");
    let busybox = Command::new(script).output().expect("fetch-busybox starts");
    std::fs::copy(text(&busybox.stdout).trim(), bundle.path().join("rootfs/busybox"))
        .expect("a copy of BusyBox");
    let inner = "/busybox mount -t proc proc /tmp && echo mounted";
    for option in ["--no-pivot", "--no-pivot=false"] {
        for (masked, told) in [(json!(["/proc/uptime"]), ""), (json!([]), "mounted\n")] {
            let mut config = Bundle::config();
            config["linux"]["maskedPaths"] = masked.clone();
            let words = ["/busybox", "unshare", "-U", "-r", "-m", "-p", "-f", "/busybox", "sh", "-c", inner];
            config["process"]["args"] = json!(words);
            // Without it, nobody may map id 0 (user_namespaces(7)).
            let one = ["CAP_SETFCAP"];
            config["process"]["capabilities"] =
                json!({ "bounding": one, "permitted": one, "effective": one });
            let words = filled(bundle.write(&config), &format!("run {option} --bundle BUNDLE ID"));
            let output = bundle.call(&words.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(text(&output.stdout), told, "{option} {masked}: {}", text(&output.stderr));
        }
    }
}
