//! Lesson 04: the container's file systems, on paths that cannot leave it.

use std::collections::BTreeSet;
use std::path::Path;

use probe::{Device, Mount, Report};
use testkit::prelude::*;

testkit::lesson! { 4,
    red a_new_file_system_gets_its_name_and_its_options,
    red a_new_mount_has_the_flags_that_were_asked_for,
    guard a_mount_finds_its_place_in_a_read_only_one,
    red a_read_only_tmpfs_takes_no_writes,
    red a_directory_and_a_file_of_the_host_are_seen_inside,
    red a_bind_mount_has_flags_of_its_own,
    red ro_is_for_one_mount_and_rro_for_those_below_as_well,
    guard a_bind_mount_may_keep_access_times_otherwise,
    red the_devices_inside_are_those_of_the_kernel,
    red a_false_device_of_the_host_is_refused,
    red a_symlinked_target_stays_inside,
    red no_symlink_leads_a_mount_into_proc,
    guard a_file_of_proc_that_only_tells_numbers_may_be_covered,
    red a_hostile_symlink_does_not_bring_the_host_in,
}

/// The run of a container that must have started.
#[track_caller]
fn started(container: Container, args: &[&str]) -> Output {
    let run = container.run(args);
    assert_eq!(run.code, Some(0), "the container does not start: {}", run.stderr);
    run
}

/// The mount that is seen at a place inside.
#[track_caller]
fn mounted<'a>(report: &'a Report, place: &str) -> &'a Mount {
    report.mount_at(place).unwrap_or_else(|| panic!("nothing is mounted on {place} inside"))
}

fn set<'a>(words: impl IntoIterator<Item = &'a str>) -> BTreeSet<&'a str> {
    words.into_iter().collect()
}

fn a_new_file_system_gets_its_name_and_its_options() {
    let container = Container::new().rootfs(&Rootfs::probe()).tmpfs("/scratch", &["size=64k", "mode=711"]);
    let report = started(container, &[]).report();
    let mount = mounted(&report, "/scratch");
    let has = |option: &str| mount.super_options.iter().any(|own| own == option);
    assert!(
        has("size=64k") && has("mode=711"),
        "the tmpfs was never told its size and mode: {:?}",
        mount.super_options
    );
    assert_eq!(mount.source, "tmpfs", "the tmpfs was never told the name of its source");
}

fn a_new_mount_has_the_flags_that_were_asked_for() {
    for options in [&["nosuid", "nodev", "noexec", "noatime"][..], &["noexec", "relatime"]] {
        let container = Container::new().rootfs(&Rootfs::probe()).tmpfs("/scratch", options);
        let report = started(container, &[]).report();
        let mount = mounted(&report, "/scratch");
        let has = set(mount.options.iter().map(String::as_str));
        let asked = set(options.iter().copied().chain(["rw"]));
        assert_eq!(has, asked, "the flags of the new mount (left) are not those that were asked for (right)");
    }
}

/// Later mounts need their places in earlier ones, so read-only comes last.
fn a_mount_finds_its_place_in_a_read_only_one() {
    let container = Container::new().rootfs(&Rootfs::probe());
    let run = container.tmpfs("/scratch", &["ro"]).tmpfs("/scratch/inner", &[]).run(&[]);
    assert_eq!(run.code, Some(0), "a later mount has no place in a read-only one: {}", run.stderr);
    mounted(&run.report(), "/scratch/inner");
}

fn a_read_only_tmpfs_takes_no_writes() {
    let container = Container::new().rootfs(&Rootfs::probe()).tmpfs("/scratch", &["ro"]);
    let run = started(container, &["write", "/scratch/note", "hello"]);
    let did = run.report().did.expect("the probe tells what it did");
    assert_eq!(did.errno.as_deref(), Some("EROFS"), "a tmpfs that is to be read-only takes writes: {did:?}");
}

fn a_directory_and_a_file_of_the_host_are_seen_inside() {
    let folder = Folder::new();
    folder.write("note", "hello");
    for (source, destination) in
        [(folder.path().to_owned(), "/data"), (folder.path().join("note"), "/data/note")]
    {
        let container = Container::new().rootfs(&Rootfs::probe()).bind(&source, destination, &[]);
        let did = started(container, &["open", "/data/note"]).report().did;
        let read = did.as_ref().and_then(|did| did.detail.as_deref());
        assert_eq!(read, Some("hello"), "what the host has for {destination} is not seen inside: {did:?}");
    }
}

fn a_bind_mount_has_flags_of_its_own() {
    let folder = Folder::new();
    folder.write("note", "as it was");
    let options = ["ro", "nosuid", "nodev", "noexec"];
    let container = Container::new().rootfs(&Rootfs::probe()).bind(folder.path(), "/data", &options);
    let run = started(container, &["write", "/data/note", "changed"]);
    let report = run.report();
    let mount = mounted(&report, "/data");
    let lacks: Vec<_> = options.iter().filter(|option| !mount.options.iter().any(|o| o == *option)).collect();
    assert!(lacks.is_empty(), "the bind mount lacks {lacks:?}: it has the flags of its source, {mount:?}");
    let did = report.did.expect("the probe tells what it did");
    assert_eq!(did.errno.as_deref(), Some("EROFS"), "the container wrote to the host's file: {did:?}");
    let note = std::fs::read_to_string(folder.path().join("note")).expect("the host's file");
    assert_eq!(note, "as it was", "the host's file was changed through a read-only mount");
    assert_eq!(run.outside.mounts_before, run.outside.mounts_after, "the host's own mounts have changed");
}

/// In a user namespace what the host said of access times is locked, and stays.
fn a_bind_mount_may_keep_access_times_otherwise() {
    let locked = testkit::tier::root().is_err();
    for (option, noatime) in [("noatime", true), ("atime", false)] {
        let folder = Folder::new();
        let container = Container::new().rootfs(&Rootfs::probe()).bind(folder.path(), "/data", &[option]);
        let run = container.run(&[]);
        assert_eq!(run.code, Some(0), "a bind mount with the option {option} is refused: {}", run.stderr);
        let report = run.report();
        let options = &mounted(&report, "/data").options;
        let has = options.contains(&"noatime".to_owned());
        assert!(locked || has == noatime, "access times are not kept as {option} says: {options:?}");
    }
}

/// The host has another mount below the directory.
fn ro_is_for_one_mount_and_rro_for_those_below_as_well() {
    for (option, errno) in [("ro", None), ("rro", Some("EROFS"))] {
        let folder = Folder::new();
        folder.write("below/note", "");
        let mount = format!("mount -t tmpfs below {}/below && exec \"$@\"", folder.path().display());
        let under = ["unshare", "-Urm", "sh", "-c", &mount, "sh"];
        let container = Container::new().rootfs(&Rootfs::probe()).bind(folder.path(), "/data", &[option]);
        let report = started(container.under(&under), &["write", "/data/below/note", "hello"]).report();
        mounted(&report, "/data/below");
        let did = report.did.expect("the probe tells what it did");
        assert_eq!(
            did.errno.as_deref(),
            errno,
            "a write below a bind mount with the option {option}: {did:?}"
        );
    }
}

/// As root the runtime makes nodes. In a user namespace nobody may, so it mounts those of the host.
fn the_devices_inside_are_those_of_the_kernel() {
    let numbers =
        [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];
    for under in [&[][..], &["unshare", "-Ur"]] {
        let container = Container::new().rootfs(&Rootfs::probe()).dev().under(under);
        let report = started(container, &["write", "/dev/null", "gone"]).report();
        let devices = report.devices.as_ref().expect("there is a /dev");
        for (name, major, minor) in numbers {
            let found = devices.get(name);
            assert!(
                found.is_some_and(|device| (device.major, device.minor) == (Some(major), Some(minor))),
                "{}, /dev/{name} inside is {}, and not the kernel's device {major}:{minor}",
                if under.is_empty() { "as we are" } else { "in a user namespace" },
                found.map_or("missing".to_owned(), shown),
            );
        }
        let did = report.did.expect("the probe tells what it did");
        assert!(did.ok, "/dev/null takes nothing: {did:?}");
    }
}

fn shown(device: &Device) -> String {
    match (device.major, device.minor) {
        (Some(major), Some(minor)) => format!("device {major}:{minor}"),
        _ => format!("a {:?}", device.kind).to_lowercase(),
    }
}

/// What the host has at the path of a device need not be the device.
fn a_false_device_of_the_host_is_refused() {
    let lie = "mount --bind /dev/zero /dev/null && exec \"$@\"";
    let under = ["unshare", "-Urm", "sh", "-c", lie, "sh"];
    let run = Container::new().rootfs(&Rootfs::probe()).dev().under(&under).run(&[]);
    assert_ne!(run.code, Some(0), "nobody noticed that the /dev/null of the host is another device");
    assert!(run.stderr.contains("/dev/null"), "the error does not name the device: {}", run.stderr);
}

/// As a process inside would follow it: an absolute symlink begins at the container's root, and `..` ends there.
fn a_symlinked_target_stays_inside() {
    let canary = Folder::new();
    canary.write("canary", "a file of the host");
    let up = format!("{}{}", "../".repeat(30), canary.path().display());
    for (name, to) in [("absolute", canary.path()), ("relative", Path::new(&up))] {
        let rootfs = Rootfs::probe();
        rootfs.link(name, to);
        let container = Container::new().rootfs(&rootfs).tmpfs(&format!("/{name}"), &[]);
        let report = started(container, &[]).report();
        let place = canary.path().display().to_string();
        assert!(
            report.mount_at(&place).is_some_and(|mount| mount.fstype == "tmpfs"),
            "the mount is not where its {name} symlink leads inside: it went to {place} of the host"
        );
        assert_eq!(canary.names(), ["canary"], "something was made in the host's directory");
    }
}

/// What is written to /proc must arrive at the kernel. A destination below /proc is refused by its words, so a rootfs
/// gives it another name.
fn no_symlink_leads_a_mount_into_proc() {
    let rootfs = Rootfs::probe();
    rootfs.link("alias", Path::new("proc"));
    let folder = Folder::new();
    let run = Container::new().rootfs(&rootfs).bind(folder.path(), "/alias/sys", &[]).run(&[]);
    assert_ne!(
        run.code,
        Some(0),
        "a mount on /alias/sys, which is the container's /proc/sys, is not refused"
    );
    assert!(run.stderr.contains("proc"), "the error does not say that it is about /proc: {}", run.stderr);
}

/// Those that lxcfs covers, so that a container sees numbers of its own. /proc/net is a symlink, to self/net.
fn a_file_of_proc_that_only_tells_numbers_may_be_covered() {
    let folder = Folder::new();
    folder.write("dev", "");
    let source = folder.path().join("dev");
    let run = Container::new().rootfs(&Rootfs::probe()).bind(&source, "/proc/net/dev", &[]).run(&[]);
    assert_eq!(run.code, Some(0), "/proc/net/dev may not be covered: {}", run.stderr);
}

/// The lab. The rootfs and one volume are hostile; the host's directory `served` is harmless, and so is what was asked
/// for. If the volume lands on `served`, the next mount is looked up in the volume.
fn a_hostile_symlink_does_not_bring_the_host_in() {
    let (rootfs, volume, served, canary) = (Rootfs::probe(), Folder::new(), Folder::new(), Folder::new());
    canary.write("canary", "a file of the host");
    served.write("data/note", "hello");
    rootfs.link("hook", served.path());
    volume.link("data", canary.path());
    let container = Container::new().rootfs(&rootfs).bind(volume.path(), "/hook", &[]).bind(
        &served.path().join("data"),
        "/data",
        &[],
    );
    let report = started(container, &["open", "/data/canary"]).report();
    mounted(&report, "/data");
    let did = report.did.expect("the probe tells what it did");
    assert_eq!(did.errno.as_deref(), Some("ENOENT"), "it reads what nobody gave it: {:?}", did.detail);
}
