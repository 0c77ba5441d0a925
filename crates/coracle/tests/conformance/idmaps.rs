//! config.md, "Mounts", uidMappings and gidMappings, and "Linux mount options", idmap and ridmap. Row O-10.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;

use nix::mount::MsFlags;
use serde_json::{Value, json};
use testkit::Test;

use super::common::Finish;
use super::harbour::{Bundle, alone, change, tmpfs, tmpfs_at};

pub(crate) const TESTS: &[Test] = testkit::tests! {
    o10_an_idmap_shows_files_with_other_owners(root, idmap),
    o10_an_idmap_counts_in_a_user_namespace(root, idmap),
    o10_what_is_made_through_an_idmap_has_the_inner_owner(root, idmap),
    o10_two_mounts_of_one_source_have_mappings_of_their_own(root, idmap),
    o10_an_id_that_is_not_mapped_is_nobodys(root, idmap),
    o10_idmap_is_of_one_mount_and_ridmap_of_all(root, idmap),
    o10_mappings_need_no_option(root, idmap),
    o10_an_idmap_without_mappings_is_the_user_namespaces(root, idmap),
    o10_an_idmap_goes_with_other_options(root, idmap),
    o10_an_idmap_is_no_peer_of_the_hosts_mount(root, idmap),
    o10_an_idmap_without_any_mappings_is_an_error(root),
    o10_both_mappings_must_be_given(root),
    o10_a_wrong_range_is_an_error(root),
    o10_an_idmap_of_no_bind_is_an_error(root),
    o10_an_ordinary_user_is_told_that_it_takes_privileges(userns, idmap),
};

/// So many ids from `inside` on are those from `outside` on.
fn range(inside: u32, outside: u32, size: u32) -> Value {
    json!({ "containerID": inside, "hostID": outside, "size": size })
}

/// A bind of `host` with mappings for users and groups.
fn mapped(bundle: &Bundle, to: &str, options: &[&str], uids: Value, gids: Value) -> Value {
    let mut mount = bundle.bind("host", to, options);
    mount["uidMappings"] = json!([uids]);
    mount["gidMappings"] = json!([gids]);
    mount
}

/// A bundle with `host/file` of 1:2 and `host/below/file`, on a mount of its own, of 3:4.
fn bundle() -> Bundle {
    let bundle = Bundle::of_mounts(MsFlags::empty());
    bundle.give("host/file", 1, 2);
    bundle.give("host/below/file", 3, 4);
    // What is missing in it, the root of a user namespace makes.
    for place in ["rootfs", "rootfs/dev"] {
        let all = PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(bundle.path(place), all).expect("a change of mode");
    }
    bundle
}

fn owners(report: &probe::Report, path: &str) -> (u32, u32) {
    let files = &report.did.as_ref().expect("an action").files;
    let file = files.get(path).unwrap_or_else(|| panic!("no {path}: {files:?}"));
    (file.uid, file.gid)
}

/// The container has its own user namespace, with these ids from 100000 on.
fn in_user_namespace(mut config: Value) -> Value {
    let linux = &mut config["linux"];
    linux["namespaces"].as_array_mut().expect("a list").push(json!({ "type": "user" }));
    let ids = json!([range(0, 100_000, 65536)]);
    (linux["uidMappings"], linux["gidMappings"]) = (ids.clone(), ids);
    config
}

/// The ids of the file system are those of the container; seen are those of the host.
fn o10_an_idmap_shows_files_with_other_owners() {
    alone(|| {
        let bundle = bundle();
        let mount =
            mapped(&bundle, "/it", &["bind", "idmap"], range(0, 100_000, 65536), range(0, 200_000, 65536));
        let report = bundle.report(&[mount], &["stat", "/it/file"]);
        assert_eq!(owners(&report, "/it/file"), (100_001, 200_002));
        let meta = std::fs::metadata(bundle.path("host/file")).expect("a file");
        assert_eq!((meta.uid(), meta.gid()), (1, 2), "the file itself is as before");
    });
}

fn o10_an_idmap_counts_in_a_user_namespace() {
    alone(|| {
        let bundle = bundle();
        let ids = || range(0, 100_000, 65536);
        let mounts = [
            mapped(&bundle, "/it", &["bind", "idmap"], ids(), ids()),
            bundle.bind("host", "/plain", &["rbind"]),
        ];
        let config = Bundle::config(&mounts, &["stat", "/it/file", "/plain/file"]);
        let report = bundle.0.write(&in_user_namespace(config)).report();
        assert_eq!(owners(&report, "/it/file"), (1, 2), "seen from inside, it is back at its owner");
        assert_eq!(owners(&report, "/plain/file"), (65534, 65534), "without, it is nobody's");
    });
}

fn o10_what_is_made_through_an_idmap_has_the_inner_owner() {
    alone(|| {
        let bundle = bundle();
        let ids = || range(0, 100_000, 65536);
        let mount = mapped(&bundle, "/it", &["bind", "idmap"], ids(), ids());
        let config = Bundle::config(&[mount], &["write", "/it/new", "x"]);
        let report = bundle.0.write(&in_user_namespace(config)).report();
        assert_eq!(super::harbour::told(&report), "");
        let meta = std::fs::metadata(bundle.path("host/new")).expect("the new file");
        assert_eq!((meta.uid(), meta.gid()), (0, 0), "the container's root is the file system's");
    });
}

fn o10_two_mounts_of_one_source_have_mappings_of_their_own() {
    alone(|| {
        let bundle = bundle();
        let mounts = [
            mapped(&bundle, "/one", &["bind", "idmap"], range(1, 1000, 1), range(2, 2000, 1)),
            mapped(&bundle, "/two", &["bind", "idmap"], range(0, 3000, 9), range(0, 4000, 9)),
            bundle.bind("host", "/three", &["bind"]),
        ];
        let report = bundle.report(&mounts, &["stat", "/one/file", "/two/file", "/three/file"]);
        assert_eq!(owners(&report, "/one/file"), (1000, 2000));
        assert_eq!(owners(&report, "/two/file"), (3001, 4002));
        assert_eq!(owners(&report, "/three/file"), (1, 2));
    });
}

/// It is the overflow id's, and nobody without a mapping can make a file there.
fn o10_an_id_that_is_not_mapped_is_nobodys() {
    alone(|| {
        let bundle = bundle();
        let mount = mapped(&bundle, "/it", &["bind", "idmap"], range(5, 1000, 1), range(5, 1000, 1));
        let report = bundle.report(std::slice::from_ref(&mount), &["stat", "/it/file"]);
        assert_eq!(owners(&report, "/it/file"), (65534, 65534));
        let report = bundle.report(&[mount], &["write", "/it/new", "x"]);
        assert_eq!(super::harbour::told(&report), "EOVERFLOW");
    });
}

/// "ridmap: recursively".
fn o10_idmap_is_of_one_mount_and_ridmap_of_all() {
    alone(|| {
        for (option, below) in [("idmap", (3, 4)), ("ridmap", (1003, 1004))] {
            let bundle = bundle();
            let mount = mapped(&bundle, "/it", &["rbind", option], range(0, 1000, 9), range(0, 1000, 9));
            let report = bundle.report(&[mount], &["stat", "/it/file", "/it/below/file"]);
            assert_eq!(owners(&report, "/it/file"), (1001, 1002), "{option}");
            assert_eq!(owners(&report, "/it/below/file"), below, "{option}");
        }
    });
}

/// "the options SHOULD contain either idmap or ridmap": where they do not, the mappings count all the same.
fn o10_mappings_need_no_option() {
    alone(|| {
        let bundle = bundle();
        let mount = mapped(&bundle, "/it", &["rbind"], range(0, 1000, 9), range(0, 1000, 9));
        let report = bundle.report(&[mount], &["stat", "/it/file", "/it/below/file"]);
        assert_eq!(owners(&report, "/it/file"), (1001, 1002));
        assert_eq!(owners(&report, "/it/below/file"), (3, 4), "not those below");
    });
}

/// "If they are not specified, the runtime MAY use the container's user namespace mapping": of a new one, or a joined one.
fn o10_an_idmap_without_mappings_is_the_user_namespaces() {
    alone(|| {
        let bundle = bundle();
        let mounts = [bundle.bind("host", "/it", &["rbind", "ridmap"])];
        let config = Bundle::config(&mounts, &["stat", "/it/file", "/it/below/file"]);
        let report = bundle.0.write(&in_user_namespace(config.clone())).report();
        assert_eq!(owners(&report, "/it/file"), (1, 2), "a new one");
        assert_eq!(owners(&report, "/it/below/file"), (3, 4), "a new one");

        // Another container's.
        let other = self::bundle();
        let waiting = Bundle::config(&[], &["wait-signal", "TERM"]);
        other.0.write(&in_user_namespace(waiting)).create(other.0.id());
        let pid = &other.0.state_of(other.0.id())["pid"];
        let mut joining = config;
        let user = json!({ "type": "user", "path": format!("/proc/{pid}/ns/user") });
        joining["linux"]["namespaces"].as_array_mut().expect("a list").push(user);
        let report = bundle.0.write(&joining).report();
        assert_eq!(owners(&report, "/it/file"), (1, 2), "a joined one");
        assert_eq!(owners(&report, "/it/below/file"), (3, 4), "a joined one");
    });
}

fn o10_an_idmap_goes_with_other_options() {
    alone(|| {
        let bundle = bundle();
        let options = ["ro", "nodev", "idmap", "bind", "shared"];
        let mount = mapped(&bundle, "/it", &options, range(0, 1000, 9), range(0, 1000, 9));
        let report = bundle.report(&[mount], &["stat", "/it/file"]);
        assert_eq!(owners(&report, "/it/file"), (1001, 1002));
        super::harbour::assert_options(&report, "/it", &["ro", "nodev"], &["rw"], "with idmap");
        let optional = &report.mount_at("/it").expect("a mount").optional;
        assert!(optional.iter().any(|field| field.starts_with("shared:")), "{optional:?}");
        let file = bundle.bind("host/file", "/one", &["bind", "idmap"]);
        let mut mount = mapped(&bundle, "/one", &[], range(0, 1000, 9), range(0, 1000, 9));
        (mount["source"], mount["options"]) = (file["source"].clone(), file["options"].clone());
        let report = bundle.report(&[mount], &["stat", "/one"]);
        assert_eq!(owners(&report, "/one"), (1001, 1002), "a file");
    });
}

/// What the container mounts on it stays there, as with every other bind.
fn o10_an_idmap_is_no_peer_of_the_hosts_mount() {
    alone(|| {
        let bundle = bundle();
        change(&bundle.path("host"), MsFlags::MS_SHARED | MsFlags::MS_REC);
        let mount = mapped(&bundle, "/it", &["rbind", "ridmap"], range(0, 1000, 9), range(0, 1000, 9));
        let report = bundle.report(&[mount], &[]);
        for place in ["/it", "/it/below"] {
            let optional = &report.mount_at(place).expect("a mount").optional;
            assert!(matches!(optional.as_slice(), [field] if field.starts_with("master:")), "{optional:?}");
        }
    });
}

/// "If there are no uidMappings and gidMappings specified and the container isn't using user namespaces, an error MUST be
/// returned."
fn o10_an_idmap_without_any_mappings_is_an_error() {
    let bundle = Bundle::new();
    for option in ["idmap", "ridmap"] {
        let config = Bundle::config(&[bundle.bind("host", "/it", &["bind", option])], &[]);
        bundle.must_fail(&config, "/mounts/1/options/1: needs uidMappings and gidMappings");
    }
}

/// "If specified, it MUST be specified along with gidMappings", and the other way round.
fn o10_both_mappings_must_be_given() {
    let bundle = Bundle::new();
    for (given, missing) in [("uidMappings", "gidMappings"), ("gidMappings", "uidMappings")] {
        for options in [&["bind", "idmap"][..], &["bind"]] {
            let mut mount = bundle.bind("host", "/it", options);
            mount[given] = json!([range(0, 1000, 9)]);
            let words = format!("/mounts/1/{missing}: is missing");
            bundle.must_fail(&Bundle::config(&[mount], &[]), &words);
        }
    }
}

fn o10_a_wrong_range_is_an_error() {
    let bundle = Bundle::new();
    for (uids, words) in [
        (json!([range(0, 1000, 0)]), "/mounts/1/uidMappings/0: is empty"),
        (json!([range(0, 1000, 9), range(8, 2000, 9)]), "/mounts/1/uidMappings/1: overlaps"),
        (json!([range(1, u32::MAX - 1, 9)]), "/mounts/1/uidMappings/0: goes beyond"),
    ] {
        let mut mount = mapped(&bundle, "/it", &["bind", "idmap"], range(0, 1000, 9), range(0, 1000, 9));
        mount["uidMappings"] = uids;
        bundle.must_fail(&Bundle::config(&[mount], &[]), words);
    }
}

fn o10_an_idmap_of_no_bind_is_an_error() {
    let bundle = Bundle::new();
    let mut mount = tmpfs("/it", &["idmap"]);
    mount["uidMappings"] = json!([range(0, 1000, 9)]);
    mount["gidMappings"] = json!([range(0, 1000, 9)]);
    let words = "/mounts/1/options/0: id-mapped mounts are only supported for bind mounts";
    bundle.must_fail(&Bundle::config(&[mount], &[]), words);
}

/// The kernel wants the privilege over the file system, which is the host's.
fn o10_an_ordinary_user_is_told_that_it_takes_privileges() {
    if !nix::unistd::geteuid().is_root() {
        let bundle = Bundle::new();
        return is_told_that_it_takes_privileges(idmapped(&bundle));
    }
    alone(|| {
        // On a tmpfs, which knows such mounts: what is below /tmp may not, and is refused for that.
        let bundle = Bundle::new();
        tmpfs_at(&bundle.path("host"), MsFlags::empty());
        // Root in a user namespace is root there, and an ordinary user to the host's file systems.
        let runtime = idmapped(&bundle);
        let mut command = Command::new("unshare");
        command.args(["-U", "-m", "--map-root-user"]).arg(runtime.get_program()).args(runtime.get_args());
        is_told_that_it_takes_privileges(command);
    });
}

/// Runs a container with an id-mapped mount.
fn idmapped(bundle: &Bundle) -> Command {
    let ids = || range(0, 0, 1);
    let mount = mapped(bundle, "/it", &["bind", "idmap"], ids(), ids());
    bundle.0.write(&Bundle::config(&[mount], &[])).command(&[], bundle.0.id())
}

#[track_caller]
fn is_told_that_it_takes_privileges(mut command: Command) {
    let output = command.finish();
    let said = super::common::text(&output.stderr);
    assert!(!output.status.success(), "{said}");
    let words = ["rootless", "belongs to another user namespace"];
    assert!(!super::common::is_coracle() || words.iter().any(|words| said.contains(words)), "{said}");
}
