//! The root filesystem, its three outputs, and what is refused.
//!
//! Most tests put a static program of a few instructions into the tree; those that ask BusyBox need the real one.

mod command;
mod common;
mod program;
mod tree;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use command::{BUILDER, KINDS, build, builder, earlier, fails, limited, names, run};
use common::{needing, test};
use program::program;
use tempfile::tempdir;
use tree::{look, look_at_tar};

fn main() -> ExitCode {
    let scratch = tempdir().expect("a temporary directory can be made");
    program::write(scratch.path());
    let busybox = common::busybox();
    let dynamic = common::dynamic();
    let mounts = mounts();
    let tests = vec![
        test("the_same_program_gives_the_same_bytes", || same_bytes("probe", program())),
        needing(&busybox, "the_same_busybox_gives_the_same_bytes", |path| same_bytes("busybox", &path)),
        test("a_directory_and_a_tar_hold_the_same_tree", a_directory_and_a_tar_hold_the_same_tree),
        test("the_tree_has_its_directories_modes_and_files", the_tree_has_its_directories_modes_and_files),
        needing(&busybox, "every_applet_is_a_link_that_runs", every_applet_is_a_link_that_runs),
        test("the_image_is_addressed_by_its_digests", the_image_is_addressed_by_its_digests),
        needing(&dynamic, "a_dynamic_program_is_refused", a_dynamic_program_is_refused),
        test("what_cannot_run_here_is_refused", what_cannot_run_here_is_refused),
        test("a_program_that_is_not_busybox_is_refused", a_program_that_is_not_busybox_is_refused),
        test("a_source_without_a_path_names_the_script", a_source_without_a_path_names_the_script),
        test("what_exists_is_replaced_only_with_force", what_exists_is_replaced_only_with_force),
        test("force_does_not_replace_something_else", force_does_not_replace_something_else),
        needing(&mounts, "force_does_not_remove_what_is_mounted", force_does_not_remove_what_is_mounted),
        test("a_failed_write_leaves_nothing", a_failed_write_leaves_nothing),
        test("a_failed_write_leaves_the_old_output", a_failed_write_leaves_the_old_output),
    ];
    common::run(tests, None)
}

fn same_bytes(source: &str, program: &Path) {
    let here = tempdir().unwrap();
    let mut digests = Vec::new();
    for kind in KINDS {
        let (first, second) = (here.path().join(format!("1.{kind}")), here.path().join(format!("2.{kind}")));
        digests.push(build(source, program, kind, &first).rsplit_once(' ').unwrap().1.to_owned());
        // Another umask, another clock and another place to stand must not show.
        let command = builder(source, program, kind, &second);
        let mut shell = Command::new("sh");
        shell.args(["-c", "umask 0077; cd /; exec \"$0\" \"$@\""]).arg(BUILDER).args(command.get_args());
        shell.env_clear().env("TZ", "Asia/Tokyo").env("SOURCE_DATE_EPOCH", "1").env("PATH", "/usr/bin:/bin");
        assert!(run(&mut shell).status.success());
        match kind {
            "tar" => assert_eq!(fs::read(&first).unwrap(), fs::read(&second).unwrap()),
            _ => assert_eq!(look(&first), look(&second)),
        }
    }
    assert!(digests.iter().all(|digest| *digest == digests[0]), "one tree, one digest: {digests:?}");
}

fn a_directory_and_a_tar_hold_the_same_tree() {
    let here = tempdir().unwrap();
    let (root, archive) = (here.path().join("root"), here.path().join("root.tar"));
    build("probe", program(), "dir", &root);
    build("probe", program(), "tar", &archive);
    let mut seen = look(&root);
    assert_eq!(seen.remove(0).path, Path::new(""), "the root itself is no entry of the archive");
    assert_eq!(seen, look_at_tar(&fs::read(&archive).unwrap()));
}

fn the_tree_has_its_directories_modes_and_files() {
    let here = tempdir().unwrap();
    let root = here.path().join("root");
    build("probe", program(), "dir", &root);
    let seen = look(&root);
    let mode = |path: &str| {
        let found = seen.iter().find(|entry| entry.path == Path::new(path));
        format!("{:o}", found.unwrap_or_else(|| panic!("{path} is missing")).mode)
    };
    for path in ["bin", "proc", "sys", "dev", "dev/pts", "dev/mqueue", "etc", "run", "bin/probe"] {
        assert_eq!(mode(path), "755", "{path}");
    }
    assert_eq!([mode("tmp"), mode("dev/shm"), mode("root")], ["1777", "1777", "700"]);
    for file in ["etc/passwd", "etc/group", "etc/hosts", "etc/resolv.conf"] {
        assert_eq!(mode(file), "644", "{file}");
    }
    assert!(seen.iter().all(|entry| entry.mtime == 0));
    assert_eq!(fs::read_link(root.join("probe")).unwrap(), Path::new("bin/probe"));
    assert!(Command::new(root.join("probe")).status().expect("the program runs").success());
    assert!(fs::read_to_string(root.join("etc/passwd")).unwrap().starts_with("root:x:0:0:"));
}

fn every_applet_is_a_link_that_runs(busybox: PathBuf) {
    let here = tempdir().unwrap();
    let root = here.path().join("root");
    build("busybox", &busybox, "dir", &root);
    let list = Command::new(&busybox).arg("--list").output().unwrap().stdout;
    let list = String::from_utf8(list).unwrap();
    for applet in list.lines().filter(|applet| *applet != "busybox") {
        assert_eq!(fs::read_link(root.join("bin").join(applet)).unwrap(), Path::new("busybox"), "{applet}");
    }
    let said = Command::new(root.join("bin/sh")).args(["-c", "echo aboard"]).output().unwrap();
    assert_eq!(said.stdout, b"aboard\n");
}

fn the_image_is_addressed_by_its_digests() {
    let here = tempdir().unwrap();
    let image = here.path().join("image");
    let said = build("probe", program(), "oci", &image);
    tree::image_is_sound(&image, &said);
}

fn a_dynamic_program_is_refused(shell: PathBuf) {
    let here = tempdir().unwrap();
    for source in ["busybox", "probe"] {
        for kind in KINDS {
            let mut command = builder(source, &shell, kind, &here.path().join("out"));
            fails(&mut command, &["/bin/sh", "it is dynamic", "/ld-", "cure:", "scripts/fetch-busybox"]);
        }
    }
    assert!(names(here.path()).is_empty());
}

fn what_cannot_run_here_is_refused() {
    let here = tempdir().unwrap();
    let good = fs::read(program()).unwrap();
    // e_machine is the half word at 18; 22 is s390x. The byte at 4 is the class: 1 is 32 bits.
    let mut foreign = good.clone();
    foreign[18..20].copy_from_slice(&22_u16.to_le_bytes());
    let mut narrow = good.clone();
    narrow[4] = 1;
    for (name, bytes, word) in [
        ("foreign", foreign.as_slice(), "another architecture (s390x)"),
        ("narrow", &narrow, "not a 64-bit ELF program"),
        ("cut", &good[..good.len() - 1], "cut short"),
        ("script", b"#!/bin/sh\n", "not an ELF program"),
        ("empty", b"", "not an ELF program"),
    ] {
        let program = here.path().join(name);
        fs::write(&program, bytes).unwrap();
        for source in ["busybox", "probe"] {
            let mut command = builder(source, &program, "dir", &here.path().join("out"));
            fails(&mut command, &["check the program", name, word, "cure:"]);
        }
        fs::remove_file(program).unwrap();
    }
    let missing = here.path().join("missing");
    fails(
        &mut builder("probe", &missing, "dir", &here.path().join("out")),
        &["read the program", "missing", "cure:"],
    );
    assert!(names(here.path()).is_empty());
}

fn a_program_that_is_not_busybox_is_refused() {
    let here = tempdir().unwrap();
    let output = here.path().join("out");
    // One of them rejects the option --list, the other ends well and lists nothing.
    fails(
        &mut builder("busybox", Path::new(BUILDER), "tar", &output),
        &["list the applets", "it is not BusyBox"],
    );
    fails(&mut builder("busybox", program(), "tar", &output), &["list the applets", "no shell", "cure:"]);
    assert!(names(here.path()).is_empty());
}

fn a_source_without_a_path_names_the_script() {
    let here = tempdir().unwrap();
    let output = format!("dir={}", here.path().join("out").display());
    for source in ["busybox", "busybox="] {
        let mut command = Command::new(BUILDER);
        fails(command.args(["--source", source, "--output", &output]), &["scripts/fetch-busybox"]);
    }
    fails(
        Command::new(BUILDER).args(["--source", "x=y", "--output", &output]),
        &["busybox=PATH or probe=PATH"],
    );
}

fn what_exists_is_replaced_only_with_force() {
    let here = earlier();
    for kind in KINDS {
        let output = here.path().join(kind);
        let mark = if kind == "dir" { output.join("tmp/mark") } else { output.join("index.json") };
        let mark = if kind == "tar" { output.clone() } else { mark };
        fs::write(&mark, "mine").unwrap();
        fails(&mut builder("probe", program(), kind, &output), &["exists already", "--force"]);
        assert_eq!(fs::read(&mark).unwrap(), b"mine");
        assert!(run(builder("probe", program(), kind, &output).arg("--force")).status.success());
        assert!(fs::read(&mark).map_or(true, |bytes| bytes != b"mine"), "{kind} is the old one");
    }
    assert_eq!(names(here.path()), ["dir", "oci", "tar"]);
}

fn force_does_not_replace_something_else() {
    let here = earlier();
    fs::create_dir_all(here.path().join("home/tmp")).unwrap();
    fs::write(here.path().join("home/thesis"), "years").unwrap();
    symlink("home", here.path().join("link")).unwrap();
    for (kind, output, cause) in [
        ("dir", "home", "never makes"),
        ("oci", "home", "never makes"),
        ("oci", "dir", "never makes"),
        ("tar", "home", "not a regular file"),
        ("tar", "link", "not a regular file"),
        ("dir", "tar", "not a directory"),
        ("dir", "link", "not a directory"),
    ] {
        let output = here.path().join(output);
        fails(builder("probe", program(), kind, &output).arg("--force"), &["cannot make", cause, "cure:"]);
    }
    assert_eq!(fs::read(here.path().join("home/thesis")).unwrap(), b"years");
    assert_eq!(names(here.path()), ["dir", "home", "link", "oci", "tar"]);
}

/// Whether this user may mount in a namespace of their own.
fn mounts() -> Result<(), String> {
    let tried = Command::new("unshare").args(["--user", "--map-root-user", "--mount", "true"]).output();
    match tried {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("needs userns: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Err(format!("needs unshare: {error}")),
    }
}

fn force_does_not_remove_what_is_mounted((): ()) {
    let here = earlier();
    // A space, which /proc/self/mountinfo writes as an escape.
    let (root, precious) = (here.path().join("a root"), here.path().join("precious"));
    fs::rename(here.path().join("dir"), &root).unwrap();
    fs::create_dir(&precious).unwrap();
    fs::write(precious.join("thesis"), "years").unwrap();
    let command = builder("probe", program(), "dir", &root);
    let mut shell = Command::new("unshare");
    shell.args(["--user", "--map-root-user", "--mount", "sh", "-c"]);
    shell.arg("mount --bind \"$0\" \"$1/tmp\" && shift && exec \"$@\" --force");
    shell.arg(&precious).arg(&root).arg(BUILDER).args(command.get_args());
    fails(&mut shell, &["is a mount point", "cure: unmount it first"]);
    assert_eq!(fs::read(precious.join("thesis")).unwrap(), b"years");
    assert!(root.join("bin/probe").exists());
}

fn a_failed_write_leaves_nothing() {
    let here = tempdir().unwrap();
    for kind in KINDS {
        let command = builder("probe", program(), kind, &here.path().join("out"));
        fails(&mut limited(&command), &["write", "File too large", "cure:"]);
        assert!(names(here.path()).is_empty(), "{kind} left {:?}", names(here.path()));
    }
    let command = &mut builder("probe", program(), "dir", &here.path().join("no/out"));
    fails(command, &["no/out", "No such file", "mkdir -p"]);
    assert!(names(here.path()).is_empty());
}

fn a_failed_write_leaves_the_old_output() {
    let here = earlier();
    for kind in KINDS {
        let output = here.path().join(kind);
        let contents =
            |path: &Path| if kind == "tar" { Err(fs::read(path).unwrap()) } else { Ok(look(path)) };
        let before = contents(&output);
        let mut command = builder("probe", program(), kind, &output);
        fails(&mut limited(command.arg("--force")), &["File too large"]);
        assert_eq!(contents(&output), before, "{kind}");
    }
    assert_eq!(names(here.path()), ["dir", "oci", "tar"]);
}
