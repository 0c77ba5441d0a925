//! /proc: what the runtime writes there must arrive at the kernel, and nowhere else. The attacks lay something in the way: a
//! symlink, a volume, a mount. A setting (sysctl) is what the runtime writes; labels of AppArmor and SELinux go the same way.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use serde_json::{Value, json};
use testkit::Test;

use super::attack::{Canary, race, tried, tried_in};
use super::common::Finish;
use super::harbour::{Bundle, tmpfs, told};
use super::running::waiting;

pub(crate) const TESTS: &[Test] = testkit::tests! {
    cve_2019_16884_a_volume_in_the_place_of_proc_takes_no_writes(userns),
    cve_2019_19921_a_symlink_in_the_place_of_proc_takes_no_writes(userns),
    cve_2023_27561_proc_stays_where_it_is_while_its_place_is_exchanged(userns),
    cve_2023_28642_no_way_around_leads_a_mount_into_proc(userns),
    cve_2025_52881_what_lies_in_the_way_of_a_write_is_not_written(userns),
    cve_2025_52881_a_write_arrives_while_proc_is_exchanged(userns),
    cve_2025_52881_a_container_cannot_take_the_writes_of_exec(userns),
};

const SETTING: &str = "sys/net/ipv4/ip_forward";

/// What only looks like a /proc: all that a runtime writes.
const FAKE: [&str; 6] = [
    SETTING,
    "self/attr/exec",
    "self/attr/apparmor/exec",
    "self/oom_score_adj",
    "thread-self/attr/exec",
    "thread-self/attr/apparmor/exec",
];

/// A config with these mounts beside /proc, that has the runtime write the setting.
fn config(mounts: &[Value], action: &[&str]) -> Value {
    let mut config = Bundle::config(mounts, action);
    config["linux"]["sysctl"] = json!({ "net.ipv4.ip_forward": "1" });
    config
}

/// Runs that: it is refused, or the kernel's /proc is at `proc` and has the setting.
#[track_caller]
fn refused_or_written(bundle: &Bundle, canary: &Canary, config: &Value, proc: &str, row: &str) -> bool {
    let ran = tried(bundle, config);
    canary.assert_untouched(row);
    let Ok(report) = ran else { return false };
    let kind = report.mount_at(proc).map(|mount| mount.fstype.as_str());
    assert_eq!((kind, told(&report).as_str()), (Some("proc"), "1\n"), "{row}: the write went elsewhere");
    true
}

/// The setting in a /proc that is where it belongs.
const READ: [&str; 2] = ["open", "/proc/sys/net/ipv4/ip_forward"];

/// runc before 1.0.0-rc9 let an image's volume be mounted on /proc, and then wrote the label of AppArmor to a file of it: the
/// container was not confined. Cure: on /proc goes a procfs alone. GHSA-fgv8-vj5c-2ppq.
fn cve_2019_16884_a_volume_in_the_place_of_proc_takes_no_writes() {
    let bundle = Bundle::new();
    let canary = Canary::new(&bundle, &FAKE);
    for options in [&["bind"][..], &["rbind"], &["bind", "ro"]] {
        let mounts = [bundle.bind("canary", "/proc", options)];
        refused_or_written(&bundle, &canary, &config(&mounts, &READ), "/proc", "after the procfs");
        let mut alone = config(&mounts, &READ);
        alone["mounts"].as_array_mut().expect("a list").remove(0);
        refused_or_written(&bundle, &canary, &alone, "/proc", "without a procfs");
    }
    let elsewhere = config(&[bundle.bind("canary", "/data", &["bind"])], &READ);
    assert!(refused_or_written(&bundle, &canary, &elsewhere, "/proc", "elsewhere"), "a volume has its use");
}

/// runc before 1.0.0-rc10 mounted /proc through a symlink of the root filesystem that leads to a volume, so that writes went
/// into that. Cure: proc and sysfs go on a real directory alone. GHSA-fh74-hm69-rqjw.
fn cve_2019_19921_a_symlink_in_the_place_of_proc_takes_no_writes() {
    for to in ["volume", "/volume", "../../volume/../volume"] {
        let bundle = Bundle::new();
        let canary = Canary::new(&bundle, &FAKE);
        std::fs::create_dir(bundle.path("rootfs/volume")).expect("a folder");
        let volume = bundle.bind("canary", "/volume", &["bind"]);
        let mut wish = config(&[], &READ);
        wish["mounts"].as_array_mut().expect("a list").insert(0, volume);
        assert!(refused_or_written(&bundle, &canary, &wish, "/proc", "a real one"), "a directory is right");
        std::fs::remove_dir(bundle.path("rootfs/proc")).expect("no /proc");
        symlink(to, bundle.path("rootfs/proc")).expect("a symlink");
        refused_or_written(&bundle, &canary, &wish, "/proc", to);
    }
}

/// A root filesystem whose /proc is a directory and, by turns, a symlink to a volume; a config that mounts that volume first; and
/// the two places.
fn by_turns(bundle: &Bundle, mut wish: Value) -> (Value, PathBuf, PathBuf) {
    let (proc, link) = (bundle.path("rootfs/proc"), bundle.path("rootfs/link"));
    symlink("volume", &link).expect("a symlink");
    wish["mounts"].as_array_mut().expect("a list").insert(0, bundle.bind("canary", "/volume", &["bind"]));
    (wish, proc, link)
}

/// runc before 1.1.5 had the same again, for what comes and goes: two containers with shared volumes, the place of /proc
/// exchanged between the look at it and the mount. Cure: it is opened once, through no symlink. GHSA-vpvm-3wq2-2wvm.
fn cve_2023_27561_proc_stays_where_it_is_while_its_place_is_exchanged() {
    let bundle = Bundle::new();
    let canary = Canary::new(&bundle, &FAKE);
    let (wish, proc, link) = by_turns(&bundle, Bundle::config(&[], &["exit", "0"]));
    let kind = |report: &probe::Report, place: &str| report.mount_at(place).map(|mount| mount.fstype.clone());
    let report = tried(&bundle, &wish).expect("a directory is right");
    assert_eq!(kind(&report, "/proc").as_deref(), Some("proc"));
    race(&bundle, &proc, &link, |round| {
        let Ok(report) = tried_in(round, &bundle, &wish) else { return false };
        // Where it is now, it was taken to with its directory.
        let mounted = kind(&report, "/volume");
        assert_ne!(mounted.as_deref(), Some("proc"), "round {round}: it was mounted through the symlink");
        true
    });
    canary.assert_untouched("in the end");
}

/// runc before 1.1.5 could be led around its rule that nothing is mounted in /proc, by a /proc that is a symlink and mounts that
/// know its other name: what AppArmor and SELinux are told by was covered. Cure: it is asked of the kernel where an opened place
/// is, and what is written does not go through the container's /proc. GHSA-g2j6-57v7-gm8c.
fn cve_2023_28642_no_way_around_leads_a_mount_into_proc() {
    let bundle = Bundle::new();
    let canary = Canary::new(&bundle, &FAKE);
    symlink("/proc", bundle.path("rootfs/alias")).expect("a symlink");
    symlink("proc/self/attr", bundle.path("rootfs/labels")).expect("a symlink");
    symlink("alias/sys", bundle.path("rootfs/settings")).expect("a symlink");
    let covers = [
        bundle.bind("canary/sys", "/alias/sys", &["bind"]),
        bundle.bind("canary/sys", "/settings", &["bind"]),
        bundle.bind("canary/sys", "/tmp/../proc/sys", &["bind"]),
        bundle.bind("canary/sys/net", "/tmp/../alias/../proc/./sys/net", &["bind"]),
        bundle.bind(&format!("canary/{SETTING}"), &format!("/alias/{SETTING}"), &["bind"]),
        bundle.bind("canary/self/attr", "/labels", &["bind"]),
        tmpfs("/alias/self", &[]),
        tmpfs("/labels", &[]),
    ];
    for cover in covers {
        let row = cover["destination"].to_string();
        let ran = tried(&bundle, &config(&[cover], &READ));
        canary.assert_untouched(&row);
        if let Ok(report) = ran {
            assert_eq!(told(&report), "1\n", "{row}: what was written is not read");
            let covered = |mount: &&probe::Mount| mount.mountpoint.starts_with("/proc/");
            let found = report.mounts.iter().flatten().find(covered);
            assert_eq!(found, None, "{row}: something is mounted in /proc");
        }
    }
    let mounts = [bundle.bind("host/file", "/proc/uptime", &["bind"])];
    let ran = tried(&bundle, &Bundle::config(&mounts, &["open", "/proc/uptime"]));
    assert_eq!(ran.as_ref().map(told), Ok("of the host".into()), "lxcfs covers such files");
    // By its other name, it is no /proc for those who go by words; a second one tells what the kernel has.
    let bundle = Bundle::new();
    let canary = Canary::new(&bundle, &FAKE);
    std::fs::remove_dir(bundle.path("rootfs/proc")).expect("no /proc");
    symlink("other", bundle.path("rootfs/proc")).expect("a symlink");
    let covers = FAKE.iter().filter(|name| name.starts_with("self/attr/exec") || **name == SETTING);
    let cover = |name: &&str| bundle.bind(&format!("canary/{name}"), &format!("/other/{name}"), &["bind"]);
    let mounts: Vec<_> = [proc_at("/second")].into_iter().chain(covers.map(cover)).collect();
    let mut wish = config(&mounts, &["open", &format!("/second/{SETTING}")]);
    wish["mounts"][0]["destination"] = json!("/other");
    refused_or_written(&bundle, &canary, &wish, "/second", "by its other name");
}

fn proc_at(place: &str) -> Value {
    json!({ "destination": place, "type": "proc", "source": "proc" })
}

/// runc before 1.2.8 could be made to write labels and settings to another file of /proc, or to none: by a mount over it, or a
/// tmpfs full of symlinks that was shared with a second container. Cure: all is written through a procfs of the runtime's own,
/// by openat2(2) with `RESOLVE_NO_XDEV` and `RESOLVE_NO_SYMLINKS`. GHSA-cgrx-mc8f-2prm.
fn cve_2025_52881_what_lies_in_the_way_of_a_write_is_not_written() {
    // Mounts of the config.
    let bundle = Bundle::new();
    let canary = Canary::new(&bundle, &FAKE);
    for name in FAKE {
        let mounts = [bundle.bind(&format!("canary/{name}"), &format!("/proc/{name}"), &["bind"])];
        refused_or_written(&bundle, &canary, &config(&mounts, &READ), "/proc", name);
    }
    assert!(refused_or_written(&bundle, &canary, &config(&[], &READ), "/proc", "none"), "it can be written");
    // A volume behind a symlink, and no procfs at all.
    let bundle = Bundle::new();
    let canary = Canary::new(&bundle, &FAKE);
    std::fs::remove_dir(bundle.path("rootfs/proc")).expect("no /proc");
    symlink("volume", bundle.path("rootfs/proc")).expect("a symlink");
    let mut wish = config(&[bundle.bind("canary", "/volume", &["bind"])], &READ);
    wish["mounts"].as_array_mut().expect("a list").remove(0);
    drop(tried(&bundle, &wish));
    canary.assert_untouched("no procfs");
    // A root filesystem with files in the place of /proc's; the kernel's is elsewhere. They are symlinks to a volume, or to
    // another setting.
    for to in [format!("/volume/{SETTING}"), "/tmp/sys/kernel/domainname".to_owned()] {
        let bundle = Bundle::new();
        let canary = Canary::new(&bundle, &FAKE);
        let place = bundle.path("rootfs/proc").join(SETTING);
        std::fs::create_dir_all(place.parent().expect("a folder")).expect("a folder");
        symlink(&to, &place).expect("a symlink");
        let mut wish =
            config(&[bundle.bind("canary", "/volume", &["bind"])], &["open", "/tmp/sys/kernel/domainname"]);
        wish["mounts"][0]["destination"] = json!("/tmp");
        let ran = tried(&bundle, &wish);
        canary.assert_untouched(&to);
        if let Ok(report) = ran {
            assert_ne!(told(&report).trim(), "1", "{to}: it became another setting");
        }
    }
}

/// The same while the container's /proc comes and goes, which is how it was found.
fn cve_2025_52881_a_write_arrives_while_proc_is_exchanged() {
    let bundle = Bundle::new();
    let canary = Canary::new(&bundle, &FAKE);
    let (mut wish, proc, link) = by_turns(&bundle, config(&[], &["open", &format!("/tmp/{SETTING}")]));
    wish["mounts"].as_array_mut().expect("a list").push(proc_at("/tmp"));
    assert!(refused_or_written(&bundle, &canary, &wish, "/tmp", "a real one"), "a directory is right");
    race(&bundle, &proc, &link, |round| {
        let ran = tried_in(round, &bundle, &wish);
        canary.assert_untouched(&format!("round {round}"));
        ran.is_ok_and(|report| {
            assert_eq!(told(&report), "1\n", "round {round}: the write went elsewhere");
            true
        })
    });
}

/// The same of a later process: the container has mounted over its own /proc by then.
fn cve_2025_52881_a_container_cannot_take_the_writes_of_exec() {
    let bundle = waiting(|config| {
        let all = json!(["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"]);
        config["process"]["capabilities"] = json!({ "bounding": all, "effective": all, "permitted": all });
    });
    let fake = bundle.path().join("rootfs/fake");
    for file in FAKE {
        let file = fake.join(file);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        std::fs::write(file, "untouched").expect("a file");
    }
    bundle.must(&["exec", bundle.id(), "/probe", "bind", "/fake", "/proc"]);
    let process = json!({
        "args": ["/probe", "wait-signal", "TERM"], "cwd": "/", "env": ["PATH=/"],
        "user": { "uid": 0, "gid": 0 }, "oomScoreAdj": 123,
    });
    let (file, pid_file) = (bundle.path().join("process.json"), bundle.path().join("pid"));
    std::fs::write(&file, process.to_string()).expect("a file");
    let (file, told) = (file.display().to_string(), pid_file.display().to_string());
    let args = ["exec", "--detach", "--pid-file", &told, "--process", &file, bundle.id()];
    let mut exec = bundle.coracle(&args);
    let null = std::process::Stdio::null;
    let ran = exec.stdout(null()).stderr(null()).finish().status.success();
    for file in FAKE {
        assert_eq!(std::fs::read_to_string(fake.join(file)).expect("a file"), "untouched", "{file}");
    }
    // To refuse a container whose /proc is none is right as well.
    if ran {
        let pid = std::fs::read_to_string(&pid_file).expect("a number");
        let value = std::fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).expect("it runs");
        assert_eq!(value.trim(), "123");
    }
    bundle.must(&["delete", "--force", bundle.id()]);
}
