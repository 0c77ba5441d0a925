//! config-linux.md, "Masked Paths" and "Readonly Paths". Row O-27.

use std::os::unix::fs::symlink;

use nix::mount::{MsFlags, mount};
use nix::sys::stat::{Mode, SFlag, mknod};
use probe::Kind;
use serde_json::{Value, json};
use testkit::Test;

use super::common::Finish;
use super::harbour::{Bundle, alone, assert_options, tmpfs, told};

pub(crate) const TESTS: &[Test] = testkit::tests! {
    o27_a_masked_file_reads_as_empty(userns),
    o27_a_masked_directory_is_empty(userns),
    o27_masked_paths_may_be_inside_of_each_other(userns),
    o27_what_is_mounted_can_be_masked(userns),
    o27_a_masked_node_is_dev_null(root),
    o27_a_readonly_path_can_be_read_and_not_written(userns),
    o27_readonly_paths_may_be_inside_of_each_other(userns),
    o27_a_readonly_path_has_its_mounts_below_readonly_too(userns),
    o27_a_readonly_path_in_proc_cannot_be_written(userns),
    o27_a_path_can_be_readonly_and_another_in_it_masked(userns),
    o27_a_missing_path_is_passed_over(userns),
    o27_a_relative_path_is_an_error(userns),
    o27_a_symlink_without_end_is_an_error(userns),
    o27_a_symlink_is_followed_inside(userns),
    o27_nobody_gives_dev_null_away(root),
};

const MASKED: &str = "maskedPaths";
const READ_ONLY: &str = "readonlyPaths";

fn with(which: &str, paths: &[&str], mounts: &[Value], action: &[&str]) -> Value {
    let mut config = Bundle::config(mounts, action);
    config["linux"][which] = json!(paths);
    config
}

/// What the probe says of its action in such a container.
#[track_caller]
fn did(bundle: &Bundle, which: &str, paths: &[&str], action: &[&str]) -> String {
    told(&bundle.0.write(&with(which, paths, &[], action)).report())
}

/// A bundle with a file and a folder to be covered.
fn bundle() -> Bundle {
    let bundle = Bundle::new();
    bundle.file("rootfs/file", "secret");
    bundle.file("rootfs/dir/file", "secret");
    bundle.file("rootfs/dir/sub/file", "secret");
    bundle
}

/// "will mask over the provided paths inside the container so that they cannot be read."
fn o27_a_masked_file_reads_as_empty() {
    let bundle = bundle();
    assert_eq!(did(&bundle, MASKED, &[], &["open", "/file"]), "secret");
    assert_eq!(did(&bundle, MASKED, &["/file"], &["open", "/file"]), "");
    assert_eq!(did(&bundle, MASKED, &["/proc/version"], &["open", "/proc/version"]), "");
    assert_eq!(did(&bundle, MASKED, &["/file", "/dir/file"], &["open", "/dir/file"]), "");
}

fn o27_a_masked_directory_is_empty() {
    let bundle = bundle();
    assert_eq!(did(&bundle, MASKED, &[], &["list", "/dir"]), "file\nsub");
    let config = with(MASKED, &["/dir"], &[], &["list", "/dir"]);
    let report = bundle.0.write(&config).report();
    assert_eq!(told(&report), "");
    assert_options(&report, "/dir", &["ro"], &[], "it cannot be written either");
    assert_eq!(did(&bundle, MASKED, &["/dir"], &["write", "/dir/new", "x"]), "EROFS");
    assert_eq!(did(&bundle, MASKED, &["/dir", "/proc/scsi", "/proc/bus"], &["list", "/proc/bus"]), "");
}

fn o27_masked_paths_may_be_inside_of_each_other() {
    let bundle = bundle();
    for paths in
        [&["/dir", "/dir/sub", "/dir/file", "/dir/sub/file"][..], &["/dir/sub/file", "/dir/sub", "/dir"]]
    {
        assert_eq!(did(&bundle, MASKED, paths, &["list", "/dir"]), "", "{paths:?}");
    }
    assert_eq!(did(&bundle, MASKED, &["/dir/sub"], &["open", "/dir/file"]), "secret", "beside it");
}

/// "inside the container": with what is mounted there.
fn o27_what_is_mounted_can_be_masked() {
    let bundle = bundle();
    let mounts = [bundle.bind("host", "/data", &["rbind"]), bundle.bind("host/file", "/one", &["bind"])];
    for (path, action) in [("/data", ["list", "/data"]), ("/one", ["open", "/one"])] {
        let config = with(MASKED, &[path], &mounts, &action);
        assert_eq!(told(&bundle.0.write(&config).report()), "", "{path}");
    }
}

/// Whatever is no directory.
fn o27_a_masked_node_is_dev_null() {
    for kind in [SFlag::S_IFCHR, SFlag::S_IFBLK, SFlag::S_IFIFO] {
        let bundle = Bundle::new();
        mknod(&bundle.path("rootfs/node"), kind, Mode::from_bits_truncate(0o666), 0).expect("a node");
        let config = with(MASKED, &["/node"], &[], &["stat", "/node"]);
        let file = &bundle.0.write(&config).report().did.expect("an action").files["/node"];
        assert_eq!((file.kind, file.major, file.minor), (Kind::Char, Some(1), Some(3)), "{kind:?}");
        let config = with(READ_ONLY, &["/node"], &[], &["stat", "/node"]);
        let report = bundle.0.write(&config).report();
        assert_options(&report, "/node", &["ro"], &[], "readonly");
    }
}

/// "will set the provided paths as readonly inside the container."
fn o27_a_readonly_path_can_be_read_and_not_written() {
    let bundle = bundle();
    assert_eq!(did(&bundle, READ_ONLY, &["/file"], &["write", "/file", "x"]), "EROFS");
    assert_eq!(did(&bundle, READ_ONLY, &["/file"], &["open", "/file"]), "secret");
    assert_eq!(did(&bundle, READ_ONLY, &["/dir"], &["write", "/dir/new", "x"]), "EROFS");
    assert_eq!(did(&bundle, READ_ONLY, &["/dir"], &["write", "/dir/sub/file", "x"]), "EROFS");
    assert_eq!(did(&bundle, READ_ONLY, &["/dir"], &["open", "/dir/file"]), "secret");
    assert_eq!(did(&bundle, READ_ONLY, &["/dir/sub"], &["write", "/dir/new", "x"]), "", "beside it");
}

fn o27_readonly_paths_may_be_inside_of_each_other() {
    let bundle = bundle();
    let paths = ["/dir", "/file", "/dir/sub", "/dir/file", "/dir/sub/file"];
    for place in ["/dir/new", "/dir/sub/new", "/dir/file", "/dir/sub/file", "/file"] {
        assert_eq!(did(&bundle, READ_ONLY, &paths, &["write", place, "x"]), "EROFS", "{place}");
    }
}

fn o27_a_readonly_path_has_its_mounts_below_readonly_too() {
    let bundle = bundle();
    let mounts = [tmpfs("/dir/sub", &["nodev"]), bundle.bind("host", "/dir/data", &["rbind"])];
    let config = with(READ_ONLY, &["/dir"], &mounts, &["write", "/dir/sub/new", "x"]);
    let report = bundle.0.write(&config).report();
    assert_eq!(told(&report), "EROFS");
    for place in ["/dir", "/dir/sub", "/dir/data"] {
        assert_options(&report, place, &["ro"], &[], place);
    }
    assert_options(&report, "/dir/sub", &["nodev"], &[], "what it was before, it is still");
}

fn o27_a_readonly_path_in_proc_cannot_be_written() {
    let bundle = bundle();
    let file = "/proc/sys/kernel/domainname";
    assert_eq!(did(&bundle, READ_ONLY, &["/proc/sys"], &["write", file, "x"]), "EROFS");
    // Whether it may, the kernel says; it is the path that counts.
    assert_ne!(did(&bundle, READ_ONLY, &["/proc/bus"], &["write", file, "x"]), "EROFS");
}

fn o27_a_path_can_be_readonly_and_another_in_it_masked() {
    let bundle = bundle();
    let mut config = with(READ_ONLY, &["/dir", "/proc/sys"], &[], &["list", "/dir/sub"]);
    config["linux"][MASKED] = json!(["/dir/sub", "/proc/sys/kernel/random"]);
    let report = bundle.0.write(&config).report();
    assert_eq!(told(&report), "");
    for place in ["/dir", "/dir/sub", "/proc/sys", "/proc/sys/kernel/random"] {
        assert_options(&report, place, &["ro"], &[], place);
    }
}

/// As runc has it: engines give every container the same list.
fn o27_a_missing_path_is_passed_over() {
    let bundle = bundle();
    for which in [MASKED, READ_ONLY] {
        let paths = ["/nowhere", "/dir/nowhere/deep", "/file/below", "/proc/nosuch", "/file"];
        let config = with(which, &paths, &[], &["stat", "/nowhere", "/dir/nowhere"]);
        let report = bundle.0.write(&config).report();
        assert!(report.did.as_ref().expect("an action").files.is_empty(), "{which}: nothing is made");
        assert!(report.mount_at("/file").is_some(), "{which}: the last one is there");
    }
}

/// "The values MUST be absolute paths in the container namespace."
fn o27_a_relative_path_is_an_error() {
    let bundle = bundle();
    for which in [MASKED, READ_ONLY] {
        for path in ["file", "./file", ""] {
            let words = format!("/linux/{which}/1: ");
            bundle.must_fail(&with(which, &["/dir", path], &[], &[]), &words);
        }
    }
}

/// It is neither there nor missing.
fn o27_a_symlink_without_end_is_an_error() {
    let bundle = bundle();
    symlink("../loop", bundle.path("rootfs/loop")).expect("a symlink");
    for which in [MASKED, READ_ONLY] {
        bundle.must_fail(&with(which, &["/loop"], &[], &[]), "too many symbolic links");
    }
}

/// And never out.
fn o27_a_symlink_is_followed_inside() {
    let bundle = bundle();
    symlink("/dir", bundle.path("rootfs/link")).expect("a symlink");
    symlink(bundle.path("host"), bundle.path("rootfs/out")).expect("a symlink");
    assert_eq!(did(&bundle, MASKED, &["/link"], &["list", "/dir"]), "");
    assert_eq!(did(&bundle, READ_ONLY, &["/link/sub"], &["write", "/dir/sub/new", "x"]), "EROFS");
    for which in [MASKED, READ_ONLY] {
        let report = bundle.0.write(&with(which, &["/out", "/out/file"], &[], &[])).report();
        let host = bundle.path("host").display().to_string();
        let covered = report.mounts.iter().flatten().any(|mount| mount.root.contains(&host));
        assert!(!covered, "{which}: {:?}", report.mounts);
    }
}

/// CVE-2025-31133: what lies over a masked file must be the null device, whatever is at the host's /dev/null.
fn o27_nobody_gives_dev_null_away() {
    alone(|| {
        let bundle = bundle();
        let bind = |source: &std::path::Path| {
            let flags = MsFlags::MS_BIND;
            mount(Some(source), "/dev/null", None::<&str>, flags, None::<&str>).expect("a bind mount");
        };
        bind(&bundle.path("host/file"));
        // As stdin and the like, the test's own processes want one.
        let mut command =
            bundle.0.write(&with(MASKED, &["/file"], &[], &["open", "/file"])).command(&[], bundle.0.id());
        let output = command.stdin(std::process::Stdio::piped()).finish();
        let said = super::common::text(&output.stdout) + &super::common::text(&output.stderr);
        assert!(!output.status.success(), "{said}");
        assert!(!said.contains("of the host"), "{said}");
    });
}
