//! config-linux.md, "Rootfs Mount Propagation" (row O-27), and the mount options that say how a mount spreads (row O-09).

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use serde_json::json;
use testkit::Test;

use super::harbour::{Bundle, alone, change, tmpfs};

pub(crate) const TESTS: &[Test] = testkit::tests! {
    o09_each_kind_of_propagation_is_the_mounts(root),
    o09_propagation_with_r_is_of_the_mounts_below_too(root),
    o09_what_is_mounted_on_a_shared_bind_arrives_on_the_host(root),
    o09_what_the_host_mounts_arrives_in_a_slave(root),
    o27_the_root_is_what_rootfs_propagation_says(root),
    o27_rootfs_propagation_with_r_is_of_the_mounts_below_too(root),
    o27_a_recursively_private_root_hears_of_nothing_but_what_was_asked_for(root),
    o27_a_shared_root_passes_mounts_on(root),
    o27_what_the_host_mounts_in_the_root_arrives_in_a_slave(root),
    o27_an_unbindable_root_cannot_be_bound(root),
    o27_nothing_of_the_container_arrives_on_the_host(root),
    o27_an_unknown_rootfs_propagation_is_an_error(userns),
};

/// What /proc/self/mountinfo says of how a mount spreads, without numbers.
fn kind(report: &probe::Report, place: &str) -> String {
    let mount = report.mount_at(place).unwrap_or_else(|| panic!("nothing at {place}"));
    let word = |field: &String| field.split(':').next().unwrap_or_default().to_owned();
    mount.optional.iter().map(word).collect::<Vec<_>>().join(" ")
}

const KINDS: [(&str, &str); 4] =
    [("private", ""), ("shared", "shared"), ("slave", "master"), ("unbindable", "unbindable")];

/// A bundle whose `host` is shared, and `host/below` as well.
fn of_shared() -> Bundle {
    let bundle = Bundle::of_mounts(MsFlags::empty());
    change(&bundle.path("host"), MsFlags::MS_SHARED | MsFlags::MS_REC);
    bundle
}

fn o09_each_kind_of_propagation_is_the_mounts() {
    alone(|| {
        let bundle = of_shared();
        for (option, seen) in KINDS {
            let report = bundle.report(&[bundle.bind("host", "/it", &["rbind", option])], &[]);
            assert_eq!(kind(&report, "/it"), seen, "{option}");
            assert_eq!(kind(&report, "/it/below"), below_of(option), "{option}, below");
        }
        for option in ["private", "shared", "unbindable"] {
            let report = bundle.report(&[tmpfs("/it", &[option])], &[]);
            let seen = KINDS.iter().find(|(name, _)| *name == option).expect("a row").1;
            assert_eq!(kind(&report, "/it"), seen, "{option} of a tmpfs");
        }
    });
}

/// Below, it is as it came: a slave of the host's, or with `shared` its peer.
fn below_of(option: &str) -> &'static str {
    if option == "shared" { "shared" } else { "master" }
}

fn o09_propagation_with_r_is_of_the_mounts_below_too() {
    alone(|| {
        let bundle = of_shared();
        for (option, seen) in KINDS {
            let option = format!("r{option}");
            let report = bundle.report(&[bundle.bind("host", "/it", &["rbind", &option])], &[]);
            for place in ["/it", "/it/below"] {
                assert_eq!(kind(&report, place), seen, "{option}: {place}");
            }
        }
    });
}

/// mount_namespaces(7): a peer's mount is everybody's.
fn o09_what_is_mounted_on_a_shared_bind_arrives_on_the_host() {
    alone(|| {
        for (option, arrives) in [("rshared", true), ("rslave", false), ("rprivate", false)] {
            let bundle = of_shared();
            std::fs::create_dir(bundle.path("host/new")).expect("a directory");
            let report = bundle
                .report(&[bundle.bind("host", "/it", &["rbind", option])], &["mount", "tmpfs", "/it/new"]);
            assert_eq!(super::harbour::told(&report), "", "{option}");
            let here = std::fs::read_to_string("/proc/thread-self/mountinfo").expect("our mounts");
            let place = bundle.path("host/new").display().to_string();
            assert_eq!(here.contains(&place), arrives, "{option}");
            let _ = umount2(&bundle.path("host/new"), MntFlags::MNT_DETACH);
        }
    });
}

/// Whether what the host mounts at `at` after the container's creation is seen by it at `inside`.
fn arrives(bundle: &Bundle, at: &str, inside: &str) -> bool {
    let id = bundle.0.id();
    bundle.0.create(id);
    let pid = bundle.0.state_of(id)["pid"].clone();
    let place = bundle.path(at);
    mount(Some("tmpfs"), &place, Some("tmpfs"), MsFlags::empty(), None::<&str>).expect("a mount");
    let seen = std::fs::read_to_string(format!("/proc/{pid}/mountinfo")).expect("the container's mounts");
    umount2(&place, MntFlags::MNT_DETACH).expect("an umount");
    bundle.0.must(&["delete", "--force", id]);
    probe::Mount::parse_all(&seen).iter().any(|mount| mount.mountpoint == inside)
}

fn o09_what_the_host_mounts_arrives_in_a_slave() {
    alone(|| {
        for (option, comes) in [("rslave", true), ("rshared", true), ("rprivate", false)] {
            let bundle = of_shared();
            std::fs::create_dir(bundle.path("host/new")).expect("a directory");
            let mounts = [bundle.bind("host", "/it", &["rbind", option])];
            bundle.0.write(&Bundle::config(&mounts, &["wait-signal", "TERM"]));
            assert_eq!(arrives(&bundle, "host/new", "/it/new"), comes, "{option}");
        }
    });
}

/// A bundle whose root filesystem is on a shared mount, with this propagation.
fn of_shared_root(propagation: &str, mounts: &[serde_json::Value], action: &[&str]) -> Bundle {
    let bundle = Bundle::new();
    let root = bundle.path("host");
    super::harbour::tmpfs_at(&root, MsFlags::empty());
    super::harbour::tmpfs_at(&root.join("below"), MsFlags::empty());
    change(&root, MsFlags::MS_SHARED | MsFlags::MS_REC);
    std::fs::copy(bundle.path("rootfs/probe"), root.join("probe")).expect("a copy of the probe");
    for folder in ["proc", "dev", "new", "a", "b"] {
        std::fs::create_dir(root.join(folder)).expect("a directory");
    }
    let mut config = Bundle::config(mounts, action);
    config["root"]["path"] = json!("host");
    config["linux"]["rootfsPropagation"] = json!(propagation);
    bundle.0.write(&config);
    bundle
}

/// "Its value is either shared, slave, private or unbindable."
fn o27_the_root_is_what_rootfs_propagation_says() {
    alone(|| {
        let rows =
            [("shared", "shared master"), ("slave", "master"), ("private", ""), ("unbindable", "unbindable")];
        for (word, seen) in rows {
            let report = of_shared_root(word, &[], &[]).0.report();
            // A shared root is a peer group of its own, which may listen to the host's.
            let kind = kind(&report, "/");
            let is_it = if word == "shared" { kind.starts_with("shared") } else { kind == seen };
            assert!(is_it, "{word}: {kind:?}");
        }
    });
}

/// As runc has it: an r before the word.
fn o27_rootfs_propagation_with_r_is_of_the_mounts_below_too() {
    alone(|| {
        for (word, seen) in [("rprivate", ""), ("runbindable", "unbindable"), ("rshared", "shared")] {
            let report = of_shared_root(word, &[tmpfs("/a", &[])], &[]).0.report();
            for place in ["/", "/below", "/a"] {
                let kind = kind(&report, place);
                let is_it = if seen.is_empty() { kind.is_empty() } else { kind.starts_with(seen) };
                assert!(is_it, "{word}: {place}: {kind:?}");
            }
        }
        let report = of_shared_root("private", &[], &[]).0.report();
        assert_eq!(kind(&report, "/below"), "master", "without r, those below are as they were");
    });
}

/// A mount's own option says how that one spreads; the others are as the root.
fn o27_a_recursively_private_root_hears_of_nothing_but_what_was_asked_for() {
    alone(|| {
        let bundle = of_shared();
        for (option, seen) in [("rslave", "master"), ("nodev", "")] {
            let mut config = Bundle::config(&[bundle.bind("host", "/it", &["rbind", option])], &[]);
            config["linux"]["rootfsPropagation"] = json!("rprivate");
            let report = bundle.0.write(&config).report();
            assert_eq!(kind(&report, "/"), "", "{option}");
            assert_eq!(kind(&report, "/it"), seen, "{option}");
            assert_eq!(kind(&report, "/it/below"), seen, "{option}");
        }
    });
}

/// "further mounts (e.g. nested containers) will also belong to that peer group": a bind of the root sees a mount in it.
fn o27_a_shared_root_passes_mounts_on() {
    alone(|| {
        for (word, passes) in [("shared", true), ("slave", false), ("private", false)] {
            let bundle = of_shared_root(word, &[], &["bind", "/", "/a"]);
            let report = bundle.0.report();
            assert_eq!(super::harbour::told(&report), "", "{word}");
            // Peers have one number.
            let number = |place: &str| {
                let optional = &report.mount_at(place).expect("a mount").optional;
                optional.iter().find(|field| field.starts_with("shared:")).cloned()
            };
            assert_eq!(
                number("/").is_some() && number("/") == number("/a"),
                passes,
                "{word}: {:?}",
                report.mounts
            );
        }
    });
}

/// "slave: the rootfs mount receives propagation events from the host"; "private: ... doesn't receive".
fn o27_what_the_host_mounts_in_the_root_arrives_in_a_slave() {
    alone(|| {
        for (word, comes) in [("slave", true), ("private", false), ("unbindable", false)] {
            let bundle = of_shared_root(word, &[], &["wait-signal", "TERM"]);
            assert_eq!(arrives(&bundle, "host/new", "/new"), comes, "{word}");
        }
    });
}

/// "unbindable: the rootfs mount is a private mount that cannot be bind-mounted."
fn o27_an_unbindable_root_cannot_be_bound() {
    alone(|| {
        let report = of_shared_root("unbindable", &[], &["bind", "/", "/a"]).0.report();
        assert_eq!(super::harbour::told(&report), "EINVAL");
    });
}

/// "but not the other way around"; and "this does not mean that it's shared with the host".
fn o27_nothing_of_the_container_arrives_on_the_host() {
    alone(|| {
        for word in ["shared", "rshared", "slave", "private"] {
            let before = std::fs::read_to_string("/proc/thread-self/mountinfo").expect("our mounts");
            let bundle = of_shared_root(word, &[tmpfs("/a", &[])], &["mount", "tmpfs", "/b"]);
            let made = std::fs::read_to_string("/proc/thread-self/mountinfo").expect("our mounts");
            assert_eq!(super::harbour::told(&bundle.0.report()), "", "{word}");
            let after = std::fs::read_to_string("/proc/thread-self/mountinfo").expect("our mounts");
            assert_eq!(after, made, "{word}");
            assert_ne!(before, made);
        }
    });
}

fn o27_an_unknown_rootfs_propagation_is_an_error() {
    let bundle = Bundle::new();
    for word in ["public", "r", "rrslave", "Shared"] {
        let mut config = Bundle::config(&[], &[]);
        config["linux"]["rootfsPropagation"] = json!(word);
        bundle.must_fail(&config, "/linux/rootfsPropagation");
    }
}
