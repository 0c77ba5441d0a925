//! The places of mounts: a root filesystem that leads them out, by symlinks that lie there, or that come and go.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use serde_json::Value;
use testkit::Test;

use super::attack::{Canary, UNTOUCHED, race, tried, tried_in};
use super::common::is_coracle;
use super::harbour::{Bundle, tmpfs, told};

pub(crate) const TESTS: &[Test] = testkit::tests! {
    cve_2019_18837_no_symlink_of_the_root_filesystem_leads_out(userns),
    cve_2021_30465_a_mount_stays_inside_while_its_place_is_exchanged(userns),
    cve_2024_45310_nothing_is_made_outside_while_a_folder_is_exchanged(userns),
};

/// A config without the namespaces that only cost a race its time.
fn config(mounts: &[Value], action: &[&str]) -> Value {
    let mut config = Bundle::config(mounts, action);
    let needed = |namespace: &Value| ["pid", "mount", "user"].iter().any(|kind| namespace["type"] == *kind);
    config["linux"]["namespaces"].as_array_mut().expect("a list").retain(needed);
    config.as_object_mut().map(|config| config.remove("hostname"));
    config
}

/// `folder` and `link` in the root filesystem: a directory, and a symlink to the canary. Which is which, changes.
fn folder_and_link(bundle: &Bundle, canary: &Canary) -> (PathBuf, PathBuf) {
    let (folder, link) = (bundle.path("rootfs/folder"), bundle.path("rootfs/link"));
    std::fs::create_dir(&folder).expect("a folder");
    symlink(canary.path(), &link).expect("a symlink");
    (folder, link)
}

/// crun before 0.10.5 took the destination of a mount by its path in the root filesystem, where any part may be a symlink to
/// the host. Cure: openat2(2) with `RESOLVE_IN_ROOT`. NVD, CVE-2019-18837.
fn cve_2019_18837_no_symlink_of_the_root_filesystem_leads_out() {
    let bundle = Bundle::new();
    let canary = Canary::new(&bundle, &["file", "below/file"]);
    let up = format!("{}{}", "../".repeat(40), canary.path().display());
    let inside = |name: &str| bundle.path("rootfs").join(name);
    symlink(canary.path(), inside("absolute")).expect("a symlink");
    symlink(&up, inside("relative")).expect("a symlink");
    symlink("/relative/below", inside("chain")).expect("a symlink");
    // What leads to nothing yet is made.
    symlink(canary.file("new"), inside("dangling")).expect("a symlink");
    symlink(canary.file("file"), inside("one")).expect("a symlink");
    for name in ["absolute", "relative", "chain", "dangling"] {
        let (file, folder) = (format!("/{name}/file"), format!("/{name}/made/deep"));
        let mounts = [tmpfs(&folder, &[]), bundle.bind("host/file", &file, &["bind"])];
        let ran = tried(&bundle, &Bundle::config(&mounts, &["open", &file]));
        canary.assert_untouched(name);
        // Others refuse what leads to nothing.
        if is_coracle() {
            assert_eq!(ran.as_ref().map(told), Ok("of the host".into()), "{name}: inside, it is followed");
        }
    }
    let onto = [bundle.bind("host/file", "/one", &["bind"]), bundle.bind("canary", "/seen", &["bind"])];
    let ran = tried(&bundle, &Bundle::config(&onto, &["open", "/seen/file"]));
    canary.assert_untouched("onto a file");
    assert_eq!(ran.as_ref().map(told), Ok(UNTOUCHED.into()));
}

/// runc before 1.0.0-rc95 looked at a mount's destination, and then mounted by its path: two containers share a volume, one
/// makes a symlink of a directory in between, and the mount is made on the host, where the next bind mount finds it as its
/// source. Cure: the place is opened once, below the root, and mounted on by its descriptor. GHSA-c3xm-pvg7-gh7r.
fn cve_2021_30465_a_mount_stays_inside_while_its_place_is_exchanged() {
    let bundle = Bundle::new();
    let canary = Canary::new(&bundle, &["place/file"]);
    bundle.file("evil/file", "escaped");
    let (folder, link) = folder_and_link(&bundle, &canary);
    std::fs::create_dir(folder.join("place")).expect("a folder");
    let mounts = [
        bundle.bind("evil", "/folder/place", &["bind"]),
        // The host's own, and not what was mounted on it.
        bundle.bind("canary/place", "/seen", &["bind"]),
    ];
    let wish = config(&mounts, &["open", "/seen/file"]);
    let seen = tried(&bundle, &wish).expect("while nobody exchanges anything, it runs");
    assert_eq!(told(&seen), UNTOUCHED);
    assert!(seen.mount_at("/folder/place").is_some(), "{:?}", seen.mounts);
    race(&bundle, &folder, &link, |round| match tried_in(round, &bundle, &wish) {
        Ok(report) => {
            assert_eq!(told(&report), UNTOUCHED, "round {round}: a mount was made on the host");
            true
        }
        Err(_) => false,
    });
    canary.assert_untouched("in the end");
}

/// runc before 1.1.14 made the missing parts of a destination by os.MkdirAll on a path that it had looked at before: a symlink
/// that was put there since had empty files and directories made on the host. Cure: mkdirat(2) of one name in a directory that
/// is held open, component by component. GHSA-jfvp-7x6p-h2pv.
fn cve_2024_45310_nothing_is_made_outside_while_a_folder_is_exchanged() {
    let bundle = Bundle::new();
    let canary = Canary::new(&bundle, &[]);
    let (folder, link) = folder_and_link(&bundle, &canary);
    let in_round = |round: u32| {
        let place = |name: &str| format!("/folder/{round}-{name}/deep");
        let [file, one] = ["file", "one"].map(place);
        let mounts = [tmpfs(&one, &[]), bundle.bind("host/file", &file, &["bind"])];
        let ran = tried_in(round, &bundle, &config(&mounts, &["exit", "0"])).is_ok();
        canary.assert_untouched(&format!("round {round}"));
        ran
    };
    assert!(in_round(u32::MAX), "while nobody exchanges anything, it runs");
    assert_eq!(std::fs::read_dir(&folder).expect("a folder").count(), 2, "the places were made inside");
    race(&bundle, &folder, &link, in_round);
}
