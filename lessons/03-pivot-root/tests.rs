//! Lesson 03: a mount namespace, and a root of one's own.

use testkit::prelude::*;

testkit::lesson! { 3,
    red its_mount_namespace_is_its_own,
    red a_mount_made_inside_is_not_seen_outside,
    guard a_container_starts_where_mounts_are_shared,
    red its_root_directory_is_the_root_filesystem,
    red what_it_writes_is_in_the_root_filesystem,
    red the_root_filesystem_is_a_mount,
    red nothing_is_left_of_the_mounts_of_the_host,
    guard what_the_host_mounts_later_arrives,
    red the_chroot_escape_finds_no_way_out,
}

fn its_mount_namespace_is_its_own() {
    let mut session = Container::new().rootfs(&Rootfs::probe()).start(&["hold"]);
    session.report();
    let inside = session.program().ns("mnt");
    assert_ne!(inside, session.outside().ns["mnt"], "the mounts inside are the host's");
    session.finish();
}

/// The host of this test has shared mounts, as every host with systemd.
fn a_mount_made_inside_is_not_seen_outside() {
    let run = Container::new().rootfs(&Rootfs::probe()).run(&["mount", "tmpfs", "/tmp"]);
    let did = run.report().did.expect("the probe tells what it did");
    assert!(did.ok, "the mount inside failed: {did:?}");
    let before = &run.outside.mounts_before;
    let mut new = run.outside.mounts_after.clone();
    new.retain(|mount| before.iter().all(|old| old.id != mount.id));
    assert!(new.is_empty(), "a mount made inside the container is on the host now: {}", listed(&new));
}

/// A namespace of copied mounts is not enough where those are shared, and the root filesystem need not be on the
/// same mount as the host's root.
fn a_container_starts_where_mounts_are_shared() {
    let run = Container::new().rootfs(&Rootfs::probe()).run(&["exit", "0"]);
    assert_eq!(
        run.code,
        Some(0),
        "the container does not start on a host with shared mounts: {}",
        run.stderr
    );
}

fn its_root_directory_is_the_root_filesystem() {
    let rootfs = Rootfs::probe();
    rootfs.write("marker-of-this-rootfs", "here");
    let entries = Container::new().rootfs(&rootfs).run(&[]).report().root_entries;
    assert!(
        entries.iter().any(|name| name == "marker-of-this-rootfs"),
        "the root directory inside is still the host's: {entries:?}"
    );
}

fn what_it_writes_is_in_the_root_filesystem() {
    let rootfs = Rootfs::probe();
    let run = Container::new().rootfs(&rootfs).run(&["write", "/tmp/note", "hello"]);
    let did = run.report().did.expect("the probe tells what it did");
    assert!(
        did.ok,
        "it did not go to the root filesystem, but to the host's, which is read-only in tests: {}",
        did.errno.unwrap_or_default()
    );
    let note = std::fs::read_to_string(rootfs.path().join("tmp/note")).ok();
    assert_eq!(note.as_deref(), Some("hello"), "what was written to /tmp inside went to the host's /tmp");
}

/// mountinfo tells of each mount which directory of its file system is its root: here, that of the root filesystem. And
/// on which mount it stands: what the runtime mounts in the root filesystem must stand on that mount, not on the
/// directory beneath.
fn the_root_filesystem_is_a_mount() {
    let rootfs = Rootfs::probe();
    let mut session = Container::new().rootfs(&rootfs).start(&["hold"]);
    session.report();
    let name = rootfs.path().file_name().expect("it has a name");
    let mounts = session.program().mounts();
    let root = mounts.iter().find(|mount| std::path::Path::new(&mount.root).file_name() == Some(name));
    let root = root
        .expect("the root filesystem is still a plain directory of some mount: no mount has it as its root");
    assert!(
        mounts.iter().any(|mount| mount.fstype == "proc" && mount.parent == root.id),
        "the root filesystem is a mount now, and the container's /proc does not stand on it: it was mounted on the \
         directory beneath"
    );
    session.finish();
}

/// A slave still gets what its master gets: a disk that is plugged in later, under a directory of the container.
fn what_the_host_mounts_later_arrives() {
    let rootfs = Rootfs::probe();
    let mut session = Container::new().rootfs(&rootfs).start(&["hold"]);
    session.report();
    let target = rootfs.path().join("run");
    session.on_the_host(&["mount", "-t", "tmpfs", "plugged-in-later", &target.to_string_lossy()]);
    let mounts = session.program().mounts();
    assert!(
        mounts.iter().any(|mount| mount.source == "plugged-in-later"),
        "what the host mounts below the root filesystem no longer arrives in the container"
    );
    session.finish();
}

/// Under the root there is the root filesystem, and what was mounted in it: one `/`, and no mount of the host.
fn nothing_is_left_of_the_mounts_of_the_host() {
    let mut session = Container::new().rootfs(&Rootfs::probe()).start(&["hold"]);
    session.report();
    let inside = session.program().mounts();
    let roots = inside.iter().filter(|mount| mount.mountpoint == "/").count();
    assert_eq!(roots, 1, "the old root still lies on the container's root: {}", listed(&inside));
    let of_host = session.outside().mounts_before;
    let on_host = |point: &str| of_host.iter().any(|mount| mount.mountpoint == point);
    let left: Vec<_> = inside
        .iter()
        .map(|mount| &mount.mountpoint)
        .filter(|p| !["/", "/proc"].contains(&p.as_str()))
        .collect();
    let left: Vec<_> = left.into_iter().filter(|point| on_host(point)).collect();
    assert!(left.is_empty(), "mounts of the host are in sight: {left:?}");
    session.finish();
}

/// The oldest escape: a root process keeps a directory open, changes its root to a folder below, and climbs.
fn the_chroot_escape_finds_no_way_out() {
    let canary = Canary::new();
    let run = Container::new().rootfs(&Rootfs::probe()).run(&["escape", canary.path()]);
    let did = run.report().did.expect("the probe tells what it did");
    assert!(!did.ok, "it read a file of the host: {:?}", did.detail);
}
