//! /dev: what is made there stays in the root filesystem, and what is taken from there must be what it is called.

use std::os::unix::fs::symlink;

use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use serde_json::{Value, json};
use testkit::{Terminal, Test};

use super::attack::{Canary, in_round, race, tried, tried_in};
use super::common::is_coracle;
use super::harbour::{Bundle, tmpfs, told};

pub(crate) const TESTS: &[Test] = testkit::tests! {
    cve_2025_31133_nothing_else_covers_a_masked_path(userns),
    cve_2025_62161_nothing_else_covers_it_while_dev_null_is_exchanged(root),
    cve_2025_52565_nothing_else_becomes_the_console(userns),
    cve_2025_52565_nothing_else_becomes_it_while_pts_is_exchanged(userns),
    cve_2026_41579_no_symlink_in_the_place_of_dev_leads_out(userns),
    cve_2026_47766_no_device_is_made_outside_while_dev_is_exchanged(userns),
};

/// A config in which /covered is masked, and read.
fn masking(mounts: &[Value]) -> Value {
    let mut config = Bundle::config(mounts, &["open", "/covered"]);
    config["linux"]["maskedPaths"] = json!(["/covered"]);
    config
}

/// runc before 1.2.8 bound the container's /dev/null over masked files, whatever it was: a symlink to a file of /proc made that
/// writable. Cure: it must be the device 1:3, and what was looked at is what is mounted. GHSA-9493-h29p-rfm2.
fn cve_2025_31133_nothing_else_covers_a_masked_path() {
    let bundle = Bundle::new();
    let canary = Canary::new(&bundle, &["file"]);
    bundle.file("rootfs/covered", "secret");
    let volume = bundle.bind("canary", "/volume", &["bind"]);
    let shown = |config: &Value, row: &str| {
        let mut writing = config.clone();
        writing["process"]["args"] = json!(["/probe", "write", "/covered", "escaped"]);
        drop(tried(&bundle, &writing));
        let ran = tried(&bundle, config);
        canary.assert_untouched(row);
        // To refuse such a /dev is right as well.
        ran.map(|report| told(&report)).unwrap_or_default()
    };
    assert_eq!(told(&tried(&bundle, &masking(&[])).expect("it runs")), "", "it is covered");
    let null = bundle.path("rootfs/dev/null");
    let _ = std::fs::remove_file(&null);
    for to in [canary.file("file"), "/volume/file".into(), "../volume/file".into(), "../covered".into()] {
        // The root filesystem's own /dev, and one that is a volume.
        symlink(&to, &null).expect("a symlink");
        assert_eq!(shown(&masking(std::slice::from_ref(&volume)), &to), "", "{to}");
        std::fs::remove_file(&null).expect("it is there");
        std::fs::create_dir_all(bundle.path("dev")).expect("a folder");
        symlink(&to, bundle.path("dev/null")).expect("a symlink");
        let mounts = [volume.clone(), bundle.bind("dev", "/dev", &["bind"])];
        assert_eq!(shown(&masking(&mounts), &to), "", "{to}, in a volume");
        std::fs::remove_file(bundle.path("dev/null")).expect("it is there");
    }
    bundle.file("dev/null", "secret");
    assert_eq!(shown(&masking(&[bundle.bind("dev", "/dev", &["bind"])]), "a file"), "", "a file");
}

/// youki before 0.5.7 had the same, and for what comes and goes: /dev is a volume, and another container exchanges its null.
/// GHSA-4g74-7cff-xcv8.
fn cve_2025_62161_nothing_else_covers_it_while_dev_null_is_exchanged() {
    let bundle = Bundle::new();
    let canary = Canary::new(&bundle, &["file"]);
    bundle.file("rootfs/covered", "secret");
    bundle.file("dev/folder", "");
    let (null, evil) = (bundle.path("dev/null"), bundle.path("dev/evil"));
    mknod(&null, SFlag::S_IFCHR, Mode::from_bits_truncate(0o666), makedev(1, 3)).expect("a node");
    symlink("../volume/file", &evil).expect("a symlink");
    let mounts = [bundle.bind("canary", "/volume", &["bind"]), bundle.bind("dev", "/dev", &["bind"])];
    let wish = masking(&mounts);
    assert_eq!(told(&tried(&bundle, &wish).expect("it runs")), "", "while nobody exchanges anything");
    race(&bundle, &null, &evil, |round| {
        let Ok(report) = tried_in(round, &bundle, &wish) else { return false };
        assert_eq!(told(&report), "", "round {round}: the canary covers it");
        true
    });
    canary.assert_untouched("in the end");
}

/// A config whose program writes to the console; its /dev is as the root filesystem has it, but for these mounts.
fn with_console(mounts: &[Value]) -> Value {
    let mut config = Bundle::config(mounts, &["write", "/dev/console", "escaped"]);
    config["process"]["terminal"] = json!(true);
    config
}

fn devpts(to: &str) -> Value {
    let options = ["newinstance", "ptmxmode=0666"];
    json!({ "destination": to, "type": "devpts", "source": "devpts", "options": options })
}

/// What is seen at the terminal that it is run at.
fn at_a_terminal(bundle: &Bundle, config: &Value) -> String {
    let mut run = bundle.0.write(config).command(&[], bundle.0.id());
    Terminal::start(&mut run).finish().1
}

/// A symlink to `to`, and the folders on the way.
fn link(bundle: &Bundle, to: &str, name: &str) {
    let place = bundle.path(name);
    std::fs::create_dir_all(place.parent().expect("a folder")).expect("a folder");
    symlink(to, place).expect("a symlink");
}

/// runc before 1.2.8 bound /dev/pts/N of the container, by that path, onto /dev/console: a symlink in its place had a file of the
/// host bound there, which was then open to the container. Cure: the terminal is opened by its master (`TIOCGPTPEER`) and bound
/// by its descriptor. GHSA-qw9x-cqr3-wc7r.
fn cve_2025_52565_nothing_else_becomes_the_console() {
    type Lay<'a> = (&'a str, &'a dyn Fn(&Bundle) -> Vec<Value>);
    let volume = |bundle: &Bundle| bundle.bind("canary", "/volume", &["bind"]);
    let rows: [Lay<'_>; 5] = [
        ("console leads out", &|bundle| {
            link(bundle, &bundle.path("canary/file").display().to_string(), "rootfs/dev/console");
            vec![devpts("/dev/pts")]
        }),
        ("terminals of a volume", &|bundle| {
            let all = (0..50).map(|number| number.to_string()).chain(["ptmx".into()]);
            all.for_each(|name| link(bundle, "../../volume/file", &format!("pts/{name}")));
            vec![volume(bundle), bundle.bind("pts", "/dev/pts", &["bind"])]
        }),
        ("terminals of a volume, with a ptmx that works", &|bundle| {
            let all = (0..50).map(|number| number.to_string());
            all.for_each(|name| link(bundle, "../../volume/file", &format!("pts/{name}")));
            link(bundle, "real/ptmx", "pts/ptmx");
            vec![volume(bundle), bundle.bind("pts", "/dev/pts", &["bind"]), devpts("/dev/pts/real")]
        }),
        ("a covered ptmx", &|bundle| {
            vec![devpts("/dev/pts"), bundle.bind("canary/file", "/dev/pts/ptmx", &["bind"])]
        }),
        ("pts leads elsewhere", &|bundle| {
            link(bundle, "/elsewhere", "rootfs/dev/pts");
            (0..50).for_each(|number| link(bundle, "../volume/file", &format!("rootfs/elsewhere/{number}")));
            vec![volume(bundle)]
        }),
    ];
    for (row, lay) in rows {
        let bundle = Bundle::new();
        let canary = Canary::new(&bundle, &["file"]);
        at_a_terminal(&bundle, &with_console(&lay(&bundle)));
        canary.assert_untouched(row);
    }
    let bundle = Bundle::new();
    let said = at_a_terminal(&bundle, &with_console(&[tmpfs("/dev", &[]), devpts("/dev/pts")]));
    assert!(said.contains("escaped"), "a console is for writing to: {said}");
}

/// The same while /dev/pts is a directory and, by turns, a symlink to one with a ptmx that works.
fn cve_2025_52565_nothing_else_becomes_it_while_pts_is_exchanged() {
    let bundle = Bundle::new();
    let canary = Canary::new(&bundle, &["file"]);
    let (pts, other) = (bundle.path("rootfs/dev/pts"), bundle.path("rootfs/dev/other"));
    std::fs::create_dir(&pts).expect("a folder");
    symlink("../fake", &other).expect("a symlink");
    link(&bundle, "../tmp/ptmx", "rootfs/fake/ptmx");
    (0..50).for_each(|number| link(&bundle, "../volume/file", &format!("rootfs/fake/{number}")));
    let volume = bundle.bind("canary", "/volume", &["bind"]);
    let wish = with_console(&[volume, devpts("/tmp"), devpts("/dev/pts")]);
    race(&bundle, &pts, &other, |round| {
        let said = Terminal::start(&mut in_round(round, &bundle, &wish)).finish().1;
        canary.assert_untouched(&format!("round {round}"));
        said.contains("escaped")
    });
}

/// A config whose /dev is the root filesystem's own, with one more device.
fn with_devices() -> Value {
    let mut config = Bundle::config(&[], &["stat", "/dev/null"]);
    config["linux"]["devices"] = json!([{ "type": "p", "path": "/dev/below/fifo" }]);
    config
}

/// runc before 1.3.6 made links below the path of the container's /dev, and removed its ptmx: it may be a symlink of the image to any
/// directory of the host. Cure: all is made below a descriptor of it, that was opened inside the root. NVD, CVE-2026-41579.
fn cve_2026_41579_no_symlink_in_the_place_of_dev_leads_out() {
    for chain in [false, true] {
        for up in ["", "../../../../../../../../../../../.."] {
            let bundle = Bundle::new();
            let canary = Canary::new(&bundle, &["below/file", "ptmx"]);
            let dev = bundle.path("rootfs/dev");
            std::fs::remove_dir(&dev).expect("an empty folder");
            let to = format!("{up}{}", canary.path().display());
            match chain {
                true => {
                    symlink(&to, bundle.path("rootfs/way")).expect("a symlink");
                    symlink("way", &dev).expect("a symlink");
                }
                false => symlink(&to, &dev).expect("a symlink"),
            }
            drop(tried(&bundle, &with_devices()));
            canary.assert_untouched(&format!("dev -> {to}"));
        }
    }
    let bundle = Bundle::new();
    let canary = Canary::new(&bundle, &[]);
    std::fs::create_dir(bundle.path("rootfs/dev/real")).expect("a folder");
    symlink(canary.path(), bundle.path("rootfs/dev/below")).expect("a symlink");
    drop(tried(&bundle, &with_devices()));
    canary.assert_untouched("a folder in /dev");
    let bundle = Bundle::new();
    let has_devices = |ran: Result<probe::Report, String>| {
        let report = ran.expect("it runs");
        assert!(report.did.is_some_and(|did| did.files.contains_key("/dev/null")), "it has its devices");
    };
    has_devices(tried(&bundle, &with_devices()));
    std::fs::rename(bundle.path("rootfs/dev"), bundle.path("rootfs/real")).expect("another name");
    symlink("/real", bundle.path("rootfs/dev")).expect("a symlink");
    let ran = tried(&bundle, &with_devices());
    // Others refuse one that stays inside as well.
    if is_coracle() {
        has_devices(ran);
    }
}

/// crun had the same, here for what comes and goes. NVD, CVE-2026-47766.
fn cve_2026_47766_no_device_is_made_outside_while_dev_is_exchanged() {
    let bundle = Bundle::new();
    let canary = Canary::new(&bundle, &[]);
    let (dev, link) = (bundle.path("rootfs/dev"), bundle.path("rootfs/link"));
    symlink(canary.path(), &link).expect("a symlink");
    let wish = with_devices();
    let report = tried(&bundle, &wish).expect("while nobody exchanges anything, it runs");
    assert!(report.did.is_some_and(|did| did.files.contains_key("/dev/null")), "it has its devices");
    race(&bundle, &dev, &link, |round| {
        let ran = tried_in(round, &bundle, &wish);
        canary.assert_untouched(&format!("round {round}"));
        ran.is_ok()
    });
}
