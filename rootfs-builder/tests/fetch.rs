//! scripts/fetch-busybox: each source, in a world where only that source can serve.

mod common;
mod world;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use common::{needing, test};
use world::{World, empty, find, name, run, sha256};

fn main() -> ExitCode {
    let busybox = common::busybox();
    let dynamic = common::dynamic();
    let ar =
        busybox.clone().and_then(|path| if find("ar").is_some() { Ok(path) } else { Err("needs ar".into()) });
    let tests = vec![
        needing(&busybox, "path_serves_and_nothing_is_stored", path_serves_and_nothing_is_stored),
        needing(&busybox, "the_cache_serves_before_all_else", the_cache_serves_before_all_else),
        needing(&busybox, "the_cache_is_where_the_environment_says", the_cache_is_where_the_environment_says),
        needing(&busybox, "a_damaged_cache_is_passed_over", a_damaged_cache_is_passed_over),
        needing(&dynamic, "what_will_not_do_in_path_is_passed_over", what_will_not_do_in_path_is_passed_over),
        needing(&busybox, "a_url_serves_and_is_stored", a_url_serves_and_is_stored),
        needing(&busybox, "a_wrong_checksum_leaves_nothing", a_wrong_checksum_leaves_nothing),
        needing(&busybox, "a_url_without_a_checksum_is_not_fetched", a_url_without_a_checksum_is_not_fetched),
        needing(
            &busybox,
            "a_download_for_another_machine_is_not_kept",
            a_download_for_another_machine_is_not_kept,
        ),
        needing(
            &busybox,
            "without_a_home_the_target_directory_serves",
            without_a_home_the_target_directory_serves,
        ),
        needing(&busybox, "a_cache_that_cannot_be_written_is_said", a_cache_that_cannot_be_written_is_said),
        needing(&ar, "the_deb_that_apt_downloads_is_unpacked", the_deb_that_apt_downloads_is_unpacked),
        needing(&busybox, "the_apk_that_apk_fetches_is_unpacked", the_apk_that_apk_fetches_is_unpacked),
        needing(&busybox, "after_a_failed_package_the_url_serves", after_a_failed_package_the_url_serves),
        test("where_none_serves_the_probe_is_named", where_none_serves_the_probe_is_named),
        test("a_wrong_argument_is_a_usage_error", a_wrong_argument_is_a_usage_error),
    ];
    // One at a time: a program that a test writes while another test forks would be "text file busy".
    common::run(tests, Some(1))
}

fn path_serves_and_nothing_is_stored(busybox: PathBuf) {
    let world = World::new();
    fs::copy(&busybox, world.at("tools/busybox")).unwrap();
    run(&mut world.command("cache,path,package,url")).served("PATH", &world.at("tools/busybox"));
    assert!(empty(&world.at("home")));
    assert!(!world.at("target").exists());
}

fn the_cache_serves_before_all_else(busybox: PathBuf) {
    let world = World::new();
    fs::create_dir_all(world.at("home/.cache/coracle")).unwrap();
    fs::copy(&busybox, world.cached()).unwrap();
    fs::copy(&busybox, world.at("tools/busybox")).unwrap();
    let mut command = Command::new(world.at("scripts/fetch-busybox"));
    command.env_clear().env("PATH", world.at("tools")).env("HOME", world.at("home"));
    run(&mut command).served("the cache", &world.cached());
}

fn the_cache_is_where_the_environment_says(busybox: PathBuf) {
    let world = World::new();
    let mut command = world.with_url("url", &busybox);
    command.env("XDG_CACHE_HOME", world.at("xdg"));
    run(&mut command).served("the URL", &world.at("xdg/coracle").join(name()));
    run(command.env("CORACLE_CACHE", world.at("own"))).served("the URL", &world.at("own").join(name()));
    // A relative one counts from where the user stands.
    command.current_dir(world.at("home")).env("CORACLE_CACHE", "near");
    run(&mut command).served("the URL", &world.at("home/near").join(name()));
}

fn a_damaged_cache_is_passed_over(busybox: PathBuf) {
    let world = World::new();
    fs::create_dir_all(world.at("home/.cache/coracle")).unwrap();
    let whole = fs::read(&busybox).unwrap();
    fs::write(world.cached(), &whole[..whole.len() / 2]).unwrap();
    fs::set_permissions(world.cached(), Permissions::from_mode(0o755)).unwrap();
    let said = run(&mut world.with_url("cache,url", &busybox));
    said.served("the URL", &world.cached());
    assert!(said.stderr.contains(&format!("passing over {}", world.cached().display())), "{}", said.stderr);
    assert_eq!(fs::read(world.cached()).unwrap(), whole);
}

fn what_will_not_do_in_path_is_passed_over(shell: PathBuf) {
    let world = World::new();
    let shell = fs::read(shell).unwrap();
    let mut foreign = shell.clone();
    foreign[18..20].copy_from_slice(&22_u16.to_le_bytes());
    for (bytes, why) in [
        (shell.as_slice(), "it is dynamic"),
        (&foreign, "it is for another architecture"),
        (b"#!/bin/sh\necho sh\n", "it is not a 64-bit ELF program"),
    ] {
        let file = world.at("tools/busybox");
        fs::write(&file, bytes).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o755)).unwrap();
        let said = run(&mut world.command("path"));
        assert!(said.stderr.contains(&format!("passing over {}: {why}", file.display())), "{}", said.stderr);
        assert_ne!(said.path, file);
    }
}

fn a_url_serves_and_is_stored(busybox: PathBuf) {
    let world = World::new();
    let copy = world.at("elsewhere");
    fs::copy(&busybox, &copy).unwrap();
    fs::set_permissions(&copy, Permissions::from_mode(0o600)).unwrap();
    let mut command = world.with_url("cache,url", &copy);
    run(&mut command).served("the URL", &world.cached());
    assert_eq!(fs::read(world.cached()).unwrap(), fs::read(&busybox).unwrap());
    fs::remove_file(copy).unwrap();
    run(&mut command).served("the cache", &world.cached());
}

fn a_wrong_checksum_leaves_nothing(busybox: PathBuf) {
    let world = World::new();
    let wrong = "0".repeat(64);
    let mut command = world.with_url("cache,url", &busybox);
    let said = run(command.env("CORACLE_BUSYBOX_SHA256", &wrong));
    said.gave_up(&["wrong checksum", &wrong, &sha256(&busybox)]);
    assert!(empty(&world.at("home/.cache/coracle")));
    // An error is an error: what would come after it is not tried.
    fs::copy(&busybox, world.at("tools/busybox")).unwrap();
    let mut command = world.with_url("url,path", &busybox);
    run(command.env("CORACLE_BUSYBOX_SHA256", &wrong)).gave_up(&["wrong checksum"]);
}

fn a_url_without_a_checksum_is_not_fetched(busybox: PathBuf) {
    let world = World::new();
    let mut command = world.with_url("url", &busybox);
    run(command.env_remove("CORACLE_BUSYBOX_SHA256")).gave_up(&["without CORACLE_BUSYBOX_SHA256"]);
    assert!(empty(&world.at("home")));
}

fn a_download_for_another_machine_is_not_kept(busybox: PathBuf) {
    let world = World::new();
    let mut foreign = fs::read(&busybox).unwrap();
    foreign[18..20].copy_from_slice(&22_u16.to_le_bytes());
    fs::write(world.at("foreign"), foreign).unwrap();
    run(&mut world.with_url("url", &world.at("foreign"))).gave_up(&["the URL is for another architecture"]);
    assert!(empty(&world.at("home/.cache/coracle")));
}

fn without_a_home_the_target_directory_serves(busybox: PathBuf) {
    let world = World::new();
    let stored = world.at("target/cache").join(name());
    run(world.with_url("url", &busybox).env_remove("HOME")).served("the URL", &stored);
    run(world.command("cache").env_remove("HOME")).served("the cache", &stored);
    fs::remove_file(&stored).unwrap();
    // A home that is no directory, as services have it.
    let said = run(world.with_url("url", &busybox).env("HOME", "/dev/null"));
    said.served("the URL", &stored);
    assert!(said.stderr.contains("cannot store anything in /dev/null/.cache/coracle"), "{}", said.stderr);
}

fn a_cache_that_cannot_be_written_is_said(busybox: PathBuf) {
    let world = World::new();
    let said = run(world.with_url("url", &busybox).env("CORACLE_CACHE", "/dev/null/cache"));
    said.gave_up(&["cannot store anything in /dev/null/cache", "cure: set CORACLE_CACHE"]);
    assert!(!world.at("target").exists());
}

/// Makes what `tar -cz` makes of the directory `from`.
fn pack(from: &Path, archive: &Path) {
    let done = Command::new("tar").arg("-C").arg(from).arg("-czf").arg(archive).arg(".").status().unwrap();
    assert!(done.success());
}

// In the next tests the package manager is a stand-in: it copies a package instead of downloading it. The package is a
// real archive in its distribution's format.

fn the_deb_that_apt_downloads_is_unpacked(busybox: PathBuf) {
    let world = World::new();
    fs::create_dir_all(world.at("data/usr/bin")).unwrap();
    fs::copy(&busybox, world.at("data/usr/bin/busybox")).unwrap();
    pack(&world.at("data"), &world.at("data.tar.gz"));
    fs::create_dir(world.at("control")).unwrap();
    pack(&world.at("control"), &world.at("control.tar.gz"));
    fs::write(world.at("debian-binary"), "2.0\n").unwrap();
    let mut ar = Command::new("ar");
    ar.current_dir(world.directory.path()).args([
        "rc",
        "package",
        "debian-binary",
        "control.tar.gz",
        "data.tar.gz",
    ]);
    assert!(ar.status().unwrap().success());
    let package = world.at("package");
    world.tool("apt-get", &format!("cp '{}' busybox-static_1%3a1.0_any.deb", package.display()));
    run(&mut world.command("package")).served("the distribution's package", &world.cached());
    if let Some(dpkg) = find("dpkg-deb") {
        symlink(dpkg, world.at("tools/dpkg-deb")).unwrap();
        fs::remove_file(world.at("tools/ar")).unwrap();
        fs::remove_file(world.cached()).unwrap();
        run(&mut world.command("package")).served("the distribution's package", &world.cached());
    }
}

fn the_apk_that_apk_fetches_is_unpacked(busybox: PathBuf) {
    let world = World::new();
    fs::create_dir_all(world.at("data/bin")).unwrap();
    fs::copy(&busybox, world.at("data/bin/busybox.static")).unwrap();
    pack(&world.at("data"), &world.at("package"));
    let package = world.at("package");
    world.tool("apk", &format!("cp '{}' busybox-static-1.0-r0.apk", package.display()));
    run(&mut world.command("package")).served("the distribution's package", &world.cached());
}

fn after_a_failed_package_the_url_serves(busybox: PathBuf) {
    let world = World::new();
    world.tool("apt-get", "echo 'E: Unable to locate package busybox-static' >&2; exit 100");
    let said = run(&mut world.with_url("package,url", &busybox));
    said.served("the URL", &world.cached());
    assert!(said.stderr.contains("Unable to locate package"), "the manager's own words: {}", said.stderr);
}

fn where_none_serves_the_probe_is_named() {
    let world = World::new();
    run(&mut world.command("cache,package")).gave_up(&["no package manager", "cure: install", &name()]);
    let mut command = world.command("url");
    command
        .env("CORACLE_BUSYBOX_URL", "file:///does/not/exist")
        .env("CORACLE_BUSYBOX_SHA256", "0".repeat(64));
    run(&mut command).gave_up(&["could not fetch it"]);
    assert!(empty(&world.at("home/.cache/coracle")));
}

fn a_wrong_argument_is_a_usage_error() {
    let world = World::new();
    for from in ["", "moon", "cache,moon"] {
        let said = run(&mut world.command(from));
        assert_eq!(said.code, Some(2), "{}", said.stderr);
        assert!(said.stderr.contains("usage:"), "{}", said.stderr);
    }
    assert_eq!(run(world.command("cache").arg("--moon")).code, Some(2));
}
