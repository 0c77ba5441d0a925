//! config.md, "Linux mount options": the whole table. Row O-09, and `tmpcopyup` of row O-10.

use std::os::unix::fs::{PermissionsExt, symlink};

use nix::mount::MsFlags;
use serde_json::json;
use testkit::Test;

use super::harbour::{Bundle, alone, assert_options, tmpfs, told};

pub(crate) const TESTS: &[Test] = testkit::tests! {
    o09_each_option_reaches_a_new_file_system(userns),
    o09_each_option_reaches_a_bind_mount(root),
    o09_each_option_is_taken_off_a_bind_mount(root),
    o09_a_recursive_option_reaches_the_mounts_below(root),
    o09_a_recursive_option_is_taken_off_the_mounts_below(root),
    o09_an_option_without_r_leaves_the_mounts_below(root),
    o09_a_bind_without_options_keeps_its_attributes(root),
    o09_a_bind_with_options_has_those_alone(root),
    o09_the_last_of_contradicting_options_counts(userns),
    o09_an_option_alone_does_not_hide_another(userns),
    o09_what_nobody_knows_is_the_file_systems(userns),
    o09_what_is_for_fstab_is_no_option_of_the_file_system(userns),
    o09_nofail_passes_over_a_source_that_is_missing(userns),
    o09_remount_changes_what_is_mounted(userns),
    o09_remount_of_nothing_is_an_error(userns),
    o09_a_read_only_tmpfs_has_the_mounts_in_it(userns),
    o10_tmpcopyup_begins_with_what_was_there(userns),
    o09_what_the_host_has_locked_cannot_be_taken_off(root),
};

/// What an option sets, and under which name /proc/self/mountinfo has it; and the one that takes it off.
const PAIRS: [(&str, &str, MsFlags); 6] = [
    ("ro", "rw", MsFlags::MS_RDONLY),
    ("nosuid", "suid", MsFlags::MS_NOSUID),
    ("nodev", "dev", MsFlags::MS_NODEV),
    ("noexec", "exec", MsFlags::MS_NOEXEC),
    ("nodiratime", "diratime", MsFlags::MS_NODIRATIME),
    ("noatime", "atime", MsFlags::MS_NOATIME),
];

/// Every row of the table by itself. `strictatime` is where mountinfo says nothing of access times.
fn o09_each_option_reaches_a_new_file_system() {
    let bundle = Bundle::new();
    let rows: &[(&str, &[&str], &[&str])] = &[
        ("nosymfollow", &["nosymfollow"], &[]),
        ("symfollow", &[], &["nosymfollow"]),
        ("relatime", &["relatime"], &["noatime"]),
        ("norelatime", &["relatime"], &["noatime"]),
        ("strictatime", &[], &["relatime", "noatime"]),
        ("nostrictatime", &["relatime"], &["noatime"]),
        ("sync", &["sync"], &[]),
        ("async", &[], &["sync"]),
        ("dirsync", &["dirsync"], &["sync"]),
        ("lazytime", &["lazytime"], &[]),
        ("nolazytime", &[], &["lazytime"]),
        ("mand", &["mand"], &[]),
        ("nomand", &[], &["mand"]),
        ("iversion", &["rw"], &[]),
        ("noiversion", &["rw"], &[]),
        ("silent", &["rw"], &[]),
        ("loud", &["rw"], &[]),
        ("defaults", &["rw"], &["ro", "nosuid", "nodev", "noexec"]),
    ];
    for (option, there, absent) in rows {
        let report = bundle.report(&[tmpfs("/it", &[option])], &[]);
        assert_options(&report, "/it", there, absent, option);
    }
    for (set, off, _) in PAIRS {
        for option in [set.to_owned(), format!("r{set}")] {
            let report = bundle.report(&[tmpfs("/it", &[&option])], &[]);
            assert_options(&report, "/it", &[set], &[off], &option);
        }
        for option in [off.to_owned(), format!("r{off}")] {
            let report = bundle.report(&[tmpfs("/it", &[&option])], &[]);
            assert_options(&report, "/it", &[], &[set], &option);
        }
    }
}

fn o09_each_option_reaches_a_bind_mount() {
    let bundle = Bundle::new();
    for (set, off, _) in PAIRS {
        for bind in ["bind", "rbind"] {
            let report = bundle.report(&[bundle.bind("host", "/it", &[bind, set])], &[]);
            assert_options(&report, "/it", &[set], &[off], set);
        }
    }
    let report = bundle.report(&[bundle.bind("host", "/it", &["bind", "nosymfollow"])], &[]);
    assert_options(&report, "/it", &["nosymfollow"], &[], "nosymfollow");
    let report = bundle.report(&[bundle.bind("host", "/it", &["bind", "strictatime"])], &[]);
    assert_options(&report, "/it", &[], &["relatime", "noatime"], "strictatime");
    // Those of the file system, which is the host's, change nothing, and are no error: as mount(2) has it.
    for option in ["sync", "async", "dirsync", "lazytime", "mand", "nomand", "iversion", "silent", "loud"] {
        let report = bundle.report(&[bundle.bind("host", "/it", &["bind", option])], &[]);
        assert_options(&report, "/it", &[], &["sync", "dirsync", "mand"], option);
    }
}

/// What the host's mount has, an option can take off: we are not in a user namespace.
fn o09_each_option_is_taken_off_a_bind_mount() {
    alone(|| {
        for (set, off, flag) in PAIRS {
            let bundle = Bundle::of_mounts(flag);
            let report = bundle.report(&[bundle.bind("host", "/it", &["bind", off])], &[]);
            assert_options(&report, "/it", &[], &[set], off);
        }
    });
}

/// "Recursive": the mount and all below it, in one go.
fn o09_a_recursive_option_reaches_the_mounts_below() {
    alone(|| {
        let bundle = Bundle::of_mounts(MsFlags::empty());
        for (set, ..) in PAIRS.into_iter().chain([("nosymfollow", "", MsFlags::empty())]) {
            let option = format!("r{set}");
            let report = bundle.report(&[bundle.bind("host", "/it", &["rbind", &option])], &[]);
            for place in ["/it", "/it/below"] {
                assert_options(&report, place, &[set], &[], &option);
            }
        }
        let report = bundle.report(&[bundle.bind("host", "/it", &["rbind", "rstrictatime"])], &[]);
        for place in ["/it", "/it/below"] {
            assert_options(&report, place, &[], &["relatime", "noatime"], "rstrictatime");
        }
    });
}

fn o09_a_recursive_option_is_taken_off_the_mounts_below() {
    alone(|| {
        for (set, off, flag) in PAIRS {
            let bundle = Bundle::of_mounts(flag);
            let option = format!("r{off}");
            let report = bundle.report(&[bundle.bind("host", "/it", &["rbind", &option])], &[]);
            for place in ["/it", "/it/below"] {
                assert_options(&report, place, &[], &[set], &option);
            }
        }
        for option in ["rrelatime", "rnostrictatime", "rnorelatime", "rsymfollow"] {
            let bundle = Bundle::of_mounts(MsFlags::empty());
            let report = bundle.report(&[bundle.bind("host", "/it", &["rbind", option])], &[]);
            for place in ["/it", "/it/below"] {
                assert_options(&report, place, &["relatime"], &["noatime", "nosymfollow"], option);
            }
        }
    });
}

fn o09_an_option_without_r_leaves_the_mounts_below() {
    alone(|| {
        let bundle = Bundle::of_mounts(MsFlags::empty());
        for (set, ..) in PAIRS {
            let report = bundle.report(&[bundle.bind("host", "/it", &["rbind", set])], &[]);
            assert_options(&report, "/it", &[set], &[], set);
            assert_options(&report, "/it/below", &[], &[set], set);
        }
    });
}

/// mount(8): a bind mount begins with the attributes of what it is a second place of.
fn o09_a_bind_without_options_keeps_its_attributes() {
    alone(|| {
        let flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOATIME;
        let bundle = Bundle::of_mounts(flags);
        let report = bundle.report(&[bundle.bind("host", "/it", &["rbind"])], &[]);
        for place in ["/it", "/it/below"] {
            assert_options(&report, place, &["ro", "nosuid", "nodev", "noatime"], &[], place);
        }
    });
}

/// mount(2), `MS_REMOUNT | MS_BIND`: the flags of the mount are those of the call, but for the access times.
fn o09_a_bind_with_options_has_those_alone() {
    alone(|| {
        let flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOATIME;
        let bundle = Bundle::of_mounts(flags);
        for option in ["noexec", "exec"] {
            let report = bundle.report(&[bundle.bind("host", "/it", &["rbind", option])], &[]);
            let (set, off) = if option == "exec" { (&[][..], "noexec") } else { (&["noexec"][..], "exec") };
            assert_options(&report, "/it", set, &["ro", "nosuid", "nodev", off], option);
            assert_options(&report, "/it", &["noatime"], &[], option);
            let all = ["ro", "nosuid", "nodev", "noatime"];
            assert_options(&report, "/it/below", &all, &["noexec"], "the one below");
        }
    });
}

fn o09_the_last_of_contradicting_options_counts() {
    let bundle = Bundle::new();
    let rows: &[(&[&str], &[&str], &[&str])] = &[
        (&["ro", "rw"], &["rw"], &["ro"]),
        (&["rw", "ro"], &["ro"], &["rw"]),
        (&["noexec", "exec", "nosuid", "suid", "nodev", "dev"], &["rw"], &["noexec", "nosuid", "nodev"]),
        (&["exec", "noexec"], &["noexec"], &[]),
        (&["noatime", "relatime"], &["relatime"], &["noatime"]),
        (&["relatime", "noatime"], &["noatime"], &["relatime"]),
        (&["noatime", "strictatime"], &["rw"], &["noatime", "relatime"]),
        (&["nodiratime", "diratime"], &["rw"], &["nodiratime"]),
        (&["nosymfollow", "symfollow"], &["rw"], &["nosymfollow"]),
        (&["sync", "async"], &["rw"], &["sync"]),
    ];
    for (options, there, absent) in rows {
        let report = bundle.report(&[tmpfs("/it", options)], &[]);
        assert_options(&report, "/it", there, absent, &format!("{options:?}"));
    }
}

/// All together: each counts, in whatever order.
fn o09_an_option_alone_does_not_hide_another() {
    let bundle = Bundle::new();
    let all = ["ro", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "nosymfollow", "sync", "dirsync"];
    let mut list = all.to_vec();
    list.extend(["rprivate", "mode=700", "size=64k"]);
    for options in [list.clone(), list.into_iter().rev().collect()] {
        let report = bundle.report(&[tmpfs("/it", &options)], &[]);
        assert_options(&report, "/it", &all, &[], "all");
        assert_options(&report, "/it", &["mode=700", "size=64k"], &[], "data");
    }
}

/// What is none of the table goes to the file system, which says what it thinks of it.
fn o09_what_nobody_knows_is_the_file_systems() {
    let bundle = Bundle::new();
    let options = ["size=64k", "nr_inodes=7", "mode=711"];
    let report = bundle.report(&[tmpfs("/it", &options)], &[]);
    assert_options(&report, "/it", &options, &[], "data");
    for (option, words) in [
        ("nosuch=1", "Unknown parameter 'nosuch'"),
        ("rnosuch", "Unknown parameter"),
        ("size=much", "size=much"),
    ] {
        bundle.must_fail(&Bundle::config(&[tmpfs("/it", &[option])], &[]), words);
    }
}

/// "If a custom option string is already recognized by mount(8), the runtime SHOULD follow the behavior of mount(8)": what
/// fstab(5) is told is for nobody's file system.
fn o09_what_is_for_fstab_is_no_option_of_the_file_system() {
    let bundle = Bundle::new();
    let words = ["auto", "noauto", "_netdev", "x-systemd.automount", "X-mount.mkdir", "nofail"];
    let report = bundle.report(&[tmpfs("/it", &words)], &[]);
    assert_options(&report, "/it", &["rw"], &["ro"], "tmpfs");
}

/// mount(8): "Do not report errors for this device if it does not exist."
fn o09_nofail_passes_over_a_source_that_is_missing() {
    let bundle = Bundle::new();
    for more in [&["nofail"][..], &["nofail", "shared"]] {
        let bind = |source: &str| bundle.bind(source, "/it", &[&["rbind"], more].concat());
        assert!(bundle.report(&[bind("nowhere")], &[]).mount_at("/it").is_none(), "{more:?}");
        assert!(!bundle.path("rootfs/it").exists(), "{more:?}: what has no mount needs no place");
        assert!(
            bundle.report(&[bind("host")], &[]).mount_at("/it").is_some(),
            "{more:?}: what is there is mounted"
        );
        std::fs::remove_dir(bundle.path("rootfs/it")).expect("the place of the second");
    }
    let config = Bundle::config(&[bundle.bind("nowhere", "/it", &["rbind"])], &[]);
    bundle.must_fail(&config, "nowhere");
}

/// "remount": what is mounted there already, by an entry before.
fn o09_remount_changes_what_is_mounted() {
    let bundle = Bundle::new();
    let remount = |options: &[&str]| {
        let again = json!({ "destination": "/it", "type": "tmpfs", "source": "tmpfs", "options": options });
        let mounts = [tmpfs("/it", &["size=64k"]), again];
        let report = bundle.report(&mounts, &[]);
        let there = report.mounts.iter().flatten().filter(|mount| mount.mountpoint == "/it").count();
        assert_eq!(there, 1, "{options:?}: one mount, changed");
        report
    };
    assert_options(&remount(&["remount", "ro", "noexec"]), "/it", &["ro", "noexec"], &[], "attributes");
    assert_options(&remount(&["remount", "size=128k"]), "/it", &["size=128k"], &[], "data");
    assert_options(&remount(&["remount", "bind", "nodev"]), "/it", &["nodev", "size=64k"], &[], "bind");
}

fn o09_remount_of_nothing_is_an_error() {
    let bundle = Bundle::new();
    std::fs::create_dir(bundle.path("rootfs/it")).expect("a directory");
    let config = Bundle::config(&[tmpfs("/it", &["remount", "ro"])], &[]);
    bundle.must_fail(&config, "nothing is mounted there to be changed");
}

/// As runc has it: it is read-only for the container, not for what is put into it.
fn o09_a_read_only_tmpfs_has_the_mounts_in_it() {
    let bundle = Bundle::new();
    let mounts = [tmpfs("/it", &["ro"]), bundle.bind("host", "/it/data", &["rbind"]), tmpfs("/dev", &["ro"])];
    let report = bundle.report(&mounts, &["write", "/it/new", "x"]);
    assert_eq!(told(&report), "EROFS");
    assert_options(&report, "/it", &["ro"], &[], "tmpfs");
    assert_options(&report, "/dev", &["ro"], &[], "/dev");
    assert!(report.mount_at("/it/data").is_some());
    assert!(report.devices.is_some_and(|devices| devices.contains_key("null")));
}

/// "tmpcopyup: copy up the contents to a tmpfs": with owners, permissions, symlinks, all the way down.
fn o10_tmpcopyup_begins_with_what_was_there() {
    let bundle = Bundle::new();
    bundle.file("rootfs/it/deep/file", "copied");
    symlink("deep/file", bundle.path("rootfs/it/link")).expect("a symlink");
    let mode = PermissionsExt::from_mode(0o4711);
    std::fs::set_permissions(bundle.path("rootfs/it/deep/file"), mode).expect("a change of mode");
    if nix::unistd::geteuid().is_root() {
        bundle.give("rootfs/it/deep/file", 7, 8);
        std::fs::set_permissions(bundle.path("rootfs/it/deep/file"), PermissionsExt::from_mode(0o4711))
            .expect("a change of mode");
    }
    let mounts = [tmpfs("/it", &["tmpcopyup", "rprivate"])];
    let report = bundle.report(&mounts, &["stat", "/it/deep/file", "/it/link"]);
    let files = &report.did.as_ref().expect("an action").files;
    let (file, link) = (&files["/it/deep/file"], &files["/it/link"]);
    assert_eq!(link.target.as_deref(), Some("deep/file"));
    assert_eq!(file.mode, 0o4711);
    let ids = if nix::unistd::geteuid().is_root() { (7, 8) } else { (0, 0) };
    assert_eq!((file.uid, file.gid), ids);
    assert_eq!(told(&bundle.report(&mounts, &["open", "/it/deep/file"])), "copied");
    let option = report.mount_at("/it").expect("a mount").super_options.join(",");
    assert!(!option.contains("copyup"), "{option}");
    bundle.report(&mounts, &["write", "/it/new", "x"]);
    assert!(!bundle.path("rootfs/it/new").exists(), "what is written stays in the tmpfs");
    let report = bundle.report(&[tmpfs("/it", &[])], &["open", "/it/deep/file"]);
    assert_eq!(told(&report), "ENOENT", "without it, nothing is copied");
}

/// mount_namespaces(7), "Restrictions on mount namespaces": in a user namespace, what the host's mount has stays. Where
/// nobody asks for something else it is kept, and where somebody does, that is an error and no container with less.
fn o09_what_the_host_has_locked_cannot_be_taken_off() {
    alone(|| {
        for (set, off, flag) in &PAIRS[..4] {
            let bundle = Bundle::of_mounts(*flag);
            let of_user = |options: &[&str]| {
                let mut config = Bundle::config(&[bundle.bind("host", "/it", options)], &[]);
                let linux = &mut config["linux"];
                linux["namespaces"].as_array_mut().expect("a list").push(json!({ "type": "user" }));
                let ids = json!([{ "containerID": 0, "hostID": 0, "size": 65536 }]);
                (linux["uidMappings"], linux["gidMappings"]) = (ids.clone(), ids);
                config
            };
            let report = bundle.0.write(&of_user(&["rbind", "nosymfollow"])).report();
            assert_options(&report, "/it", &[set, "nosymfollow"], &[], set);
            bundle.must_fail(&of_user(&["rbind", off]), "is locked");
        }
    });
}
