//! Lesson 06: a bundle, and the plan that its config becomes.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;

use testkit::prelude::*;

testkit::lesson! { 6,
    red a_relative_root_begins_at_the_bundle,
    red the_config_that_spec_writes_runs,
    guard no_symlink_leads_the_root_out_of_the_bundle,
    red the_environment_is_the_one_of_the_config,
    red a_variable_without_a_value_is_refused,
    red a_namespace_with_a_path_is_joined,
    red the_user_namespace_that_one_is_in_may_be_named,
    red namespaces_that_contradict_themselves_are_refused,
    red a_hostname_without_names_of_its_own_never_renames_the_host,
    red a_lock_that_we_cannot_give_is_refused,
    red a_version_that_nobody_knows_is_refused,
    guard a_younger_minor_version_is_taken,
    red a_value_of_the_wrong_type_is_named_by_its_pointer,
    red every_refusal_names_the_property,
    red (runc) runc_makes_the_same_world_of_it,
}

/// The container's name in all these tests.
const ID: &str = "boat";

/// Runs the container of `bundle` to its end; it must run.
#[track_caller]
fn runs(harbour: &Harbour, bundle: &Bundle) -> Done {
    let done = harbour.run(&["run", "--bundle", &bundle.text(), ID]);
    let error = done.stderr.trim_end();
    assert!(!done.stdout.is_empty(), "the container of a good bundle does not run: {error}");
    done
}

/// The same, and it must be refused before its program runs, and leave nothing. Returns the error.
#[track_caller]
fn refused(harbour: &Harbour, bundle: &Bundle, mistake: &str) -> String {
    let done = harbour.run(&["run", "--bundle", &bundle.text(), ID]);
    assert!(done.stdout.is_empty(), "{mistake}: nobody noticed, and the container ran all the same");
    assert_ne!(done.code, Some(0), "{mistake}: it is told as a success");
    assert!(!harbour.state_dir(ID).exists(), "{mistake}: the container's directory is left");
    let groups = groups(harbour);
    assert!(groups.is_empty(), "{mistake}: control groups are left: {groups:?}");
    done.stderr
}

/// The container's control groups that are there: the bundle asks for one called `c` in the test's own.
fn groups(harbour: &Harbour) -> Vec<std::path::PathBuf> {
    harbour.cgroups().iter().map(|group| group.join("c")).filter(|group| group.exists()).collect()
}

/// Has the root filesystem inside of its bundle, as most bundles have it.
fn with_rootfs_inside(bundle: &Bundle) {
    std::fs::rename(bundle.rootfs().path(), bundle.path().join("rootfs")).expect("one folder into another");
    bundle.edit(|config| config["root"]["path"] = json!("rootfs"));
}

/// The runtime is started in another folder. What is left of the container while it runs, is gone afterwards.
fn a_relative_root_begins_at_the_bundle() {
    let harbour = Harbour::new();
    let bundle = harbour.bundle(&["hold"]);
    with_rootfs_inside(&bundle);
    std::fs::write(bundle.path().join("rootfs/marker-of-this-bundle"), "").expect("a file");
    let mut run = harbour.start(&["run", "--bundle", &bundle.text(), ID]);
    let Some(line) = run.line_within(std::time::Duration::from_secs(5)) else {
        let error = run.finish().stderr;
        let error = error.trim_end();
        panic!("\"rootfs\" is not looked for in the bundle, but where the runtime was started: {error}");
    };
    assert!(line.contains("marker-of-this-bundle"), "this is another root directory than the bundle's");
    assert!(harbour.state_dir(ID).exists(), "a container that runs has a directory of state");
    assert_eq!(groups(&harbour).len(), harbour.cgroups().len(), "it has the control groups it asks for");
    run.finish();
    assert!(!harbour.state_dir(ID).exists(), "its directory is left");
    assert_eq!(groups(&harbour).len(), 0, "its control groups are left");
    harbour.finish();
}

/// The default config, for an ordinary user; but for the shell and its terminal.
fn the_config_that_spec_writes_runs() {
    let harbour = Harbour::new();
    let bundle = harbour.bundle(&[]);
    with_rootfs_inside(&bundle);
    let group = bundle.config()["linux"]["cgroupsPath"].take();
    std::fs::remove_file(bundle.path().join("config.json")).expect("it is there");
    harbour.must(&["spec", "--rootless", "--bundle", &bundle.text()]);
    bundle.edit(|config| {
        config["process"]["terminal"] = json!(false);
        config["process"]["args"] = json!(["/probe"]);
        config["linux"]["cgroupsPath"] = group;
    });
    let report = runs(&harbour, &bundle).report();
    assert_eq!(report.pid, 1, "it runs outside of a PID namespace of its own");
    harbour.finish();
}

/// An unpacked archive may hold any symlink. This one leads to a good root filesystem, beside the bundle, in a folder
/// whose name begins as the bundle's.
fn no_symlink_leads_the_root_out_of_the_bundle() {
    let harbour = Harbour::new();
    let bundle = harbour.bundle(&[]);
    let beside = format!("{}-beside", bundle.text());
    std::fs::rename(bundle.rootfs().path(), &beside).expect("one folder beside another");
    symlink(beside, bundle.path().join("way-out")).expect("a symlink");
    bundle.edit(|config| config["root"]["path"] = json!("way-out"));
    refused(&harbour, &bundle, "the root is a symlink that leads out of the bundle");
    harbour.finish();
}

/// setns(2) refuses to join the user namespace that one is in; and there is nothing to do.
fn the_user_namespace_that_one_is_in_may_be_named() {
    let harbour = Harbour::new();
    let bundle = harbour.bundle(&[]);
    bundle.edit(|config| {
        let own = json!({ "type": "user", "path": "/proc/self/ns/user" });
        config["linux"]["namespaces"].as_array_mut().expect("a list").push(own);
    });
    let report = runs(&harbour, &bundle).report();
    assert_eq!(report.ns["user"], harbour.outside().ns["user"], "it has got another user namespace");
    harbour.finish();
}

/// All of it, none of the caller's, and of two values the last.
fn the_environment_is_the_one_of_the_config() {
    let harbour = Harbour::new();
    let bundle = harbour.bundle(&[]);
    let env = ["PATH=/bin", "HOME=/", "PORT=first", "FORMULA=a=b", "EMPTY=", "PORT=last"];
    bundle.edit(|config| config["process"]["env"] = json!(env));
    let inside = runs(&harbour, &bundle).report().env;
    let expected = [("PATH", "/bin"), ("HOME", "/"), ("PORT", "last"), ("FORMULA", "a=b"), ("EMPTY", "")];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    assert_eq!(inside, expected, "the program's environment is not the config's");
    harbour.finish();
}

fn a_variable_without_a_value_is_refused() {
    let harbour = Harbour::new();
    let bundle = harbour.bundle(&[]);
    for env in ["HOME", "=nameless", ""] {
        bundle.edit(|config| config["process"]["env"] = json!(["PATH=/bin", env]));
        refused(&harbour, &bundle, &format!("{env:?} is no NAME=value"));
    }
    harbour.finish();
}

/// Two containers with the same names: the second has no UTS namespace of its own, but the first one's.
fn a_namespace_with_a_path_is_joined() {
    let harbour = Harbour::new();
    let (first, second) = (harbour.bundle(&["hold"]), harbour.bundle(&[]));
    first.edit(|config| {
        if let Some(path) = config["linux"]["cgroupsPath"].as_str() {
            config["linux"]["cgroupsPath"] = json!(format!("{path}-first"));
        }
    });
    let mut run = harbour.start(&["run", "--bundle", &first.text(), "first"]);
    run.report();
    let program = run.program();
    // Its number on this host, whose PID namespace is the second of three.
    let path = format!("/proc/{}/ns/uts", program.nspid()[1]);
    second.edit(|config| {
        config["hostname"] = Value::Null;
        config["linux"]["namespaces"][2]["path"] = json!(path);
    });
    let report = runs(&harbour, &second).report();
    let theirs = (program.ns("uts"), "boat");
    let inside = (report.ns["uts"], report.hostname.as_str());
    assert_eq!(inside, theirs, "it was to join another container's names, and got names of its own");
    run.finish();
    harbour.finish();
}

fn namespaces_that_contradict_themselves_are_refused() {
    let harbour = Harbour::new();
    let namespaces = [
        ("two PID namespaces", json!({ "type": "pid" })),
        ("an unknown kind of namespace", json!({ "type": "place" })),
        (
            "a user namespace's path for one of cgroups",
            json!({ "type": "cgroup", "path": "/proc/self/ns/user" }),
        ),
        (
            "the path of a process that is gone",
            json!({ "type": "cgroup", "path": "/proc/4194305/ns/cgroup" }),
        ),
        ("a path from nowhere", json!({ "type": "cgroup", "path": "ns/cgroup" })),
    ];
    for (mistake, namespace) in namespaces {
        let bundle = harbour.bundle(&[]);
        bundle.edit(|config| {
            config["linux"]["namespaces"].as_array_mut().expect("a list").push(namespace);
        });
        refused(&harbour, &bundle, mistake);
    }
    harbour.finish();
}

/// sethostname(2) names the UTS namespace that one is in.
fn a_hostname_without_names_of_its_own_never_renames_the_host() {
    let harbour = Harbour::new();
    let bundle = harbour.bundle(&[]);
    bundle.edit(without_uts);
    let ran = harbour.run(&["run", "--bundle", &bundle.text(), ID]).stdout.contains("\"pid\"");
    let outside = harbour.finish().outside;
    assert_eq!(outside.hostname_after, outside.hostname, "the config has renamed the host");
    assert!(!ran, "it asks for a hostname, and nobody told it that it has no names of its own");
}

fn without_uts(config: &mut Value) {
    config["linux"]["namespaces"].as_array_mut().expect("a list").retain(|one| one["type"] != "uts");
}

/// Resource Director Technology keeps others out of a share of the processor's cache, on machines that have it.
fn a_lock_that_we_cannot_give_is_refused() {
    let harbour = Harbour::new();
    let bundle = harbour.bundle(&[]);
    bundle.edit(with_a_lock);
    refused(&harbour, &bundle, "it asks for a cache of its own");
    harbour.finish();
}

fn with_a_lock(config: &mut Value) {
    config["linux"]["intelRdt"] = json!({ "closID": "coracle-test", "l3CacheSchema": "L3:0=3" });
}

fn a_version_that_nobody_knows_is_refused() {
    let harbour = Harbour::new();
    let bundle = harbour.bundle(&[]);
    for version in ["9.0.0", "1.0", "v1.0.2", "one", ""] {
        bundle.edit(|config| config["ociVersion"] = json!(version));
        refused(&harbour, &bundle, &format!("a config of version {version:?}"));
    }
    harbour.finish();
}

/// Its new properties are unknown to us, and those are to be ignored.
fn a_younger_minor_version_is_taken() {
    let harbour = Harbour::new();
    let bundle = harbour.bundle(&[]);
    bundle.edit(|config| {
        config["ociVersion"] = json!("1.99.0");
        config["process"]["propertyOfTheFuture"] = json!(true);
    });
    runs(&harbour, &bundle);
    harbour.finish();
}

/// What is changed in a good config, and the words that the error must have.
type Row = (fn(&mut Value), &'static str);

#[track_caller]
fn named(rows: &[Row]) {
    let harbour = Harbour::new();
    for (change, pointer) in rows {
        let bundle = harbour.bundle(&[]);
        bundle.edit(change);
        let error = refused(&harbour, &bundle, pointer);
        let (error, place) = (error.trim_end(), pointer.trim_matches([' ', ':']));
        assert!(error.contains(pointer), "the error does not say that {place} is wrong: {error}");
    }
    harbour.finish();
}

/// RFC 6901: in a key, `~` is written `~0` and `/` is written `~1`.
fn a_value_of_the_wrong_type_is_named_by_its_pointer() {
    named(&[
        (|config| config["process"]["args"] = json!(["/probe", 7]), " /process/args/1: "),
        (|config| config["linux"]["namespaces"][2]["type"] = json!(["uts"]), " /linux/namespaces/2/type: "),
        (|config| config["annotations"] = json!({ "a/b~": 1 }), " /annotations/a~1b~0: "),
        (|config| config["process"]["cwd"] = Value::Null, " /process/cwd: "),
    ]);
}

fn every_refusal_names_the_property() {
    named(&[
        (|config| config["root"]["path"] = json!(""), "/root/path"),
        (|config| config["root"]["path"] = json!("nowhere"), "/root/path"),
        (|config| config["root"]["path"] = json!("config.json"), "/root/path"),
        (|config| config["process"]["env"] = json!(["PATH=/bin", "HOME"]), " /process/env/1: "),
        (|config| config["linux"]["namespaces"][2]["type"] = json!("pid"), " /linux/namespaces/2/type: "),
        (|config| config["linux"]["namespaces"][1]["type"] = json!("place"), " /linux/namespaces/1/type: "),
        (|config| config["linux"]["namespaces"][4]["path"] = json!("x"), " /linux/namespaces/4/path: "),
        (without_uts, " /hostname: "),
        (with_a_lock, " /linux/intelRdt: "),
        (|config| config["ociVersion"] = json!("9.0.0"), " /ociVersion: "),
    ]);
}

/// The point of a specification. Compared is what the lessons so far are about.
fn runc_makes_the_same_world_of_it() {
    let harbour = Harbour::new();
    let bundle = harbour.bundle(&["exit", "7"]);
    with_rootfs_inside(&bundle);
    let tmpfs = json!({ "destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "size=64k"] });
    bundle.edit(|config| {
        config["process"]["env"] = json!(["PATH=/bin", "HOME=/", "PORT=1"]);
        config["mounts"].as_array_mut().expect("a list").push(tmpfs);
    });
    let ours = runs(&harbour, &bundle);
    let state = harbour.state_root().join("runc").display().to_string();
    let theirs = harbour.on_it(&["runc", "--root", &state, "run", "--bundle", &bundle.text(), ID]);
    assert!(!theirs.stdout.is_empty(), "runc does not run this bundle: {}", theirs.stderr);
    assert_eq!((ours.code, theirs.code), (Some(7), Some(7)), "its exit status is ours and runc's");
    let outside = harbour.outside().ns;
    let world = |report: probe::Report| {
        let mounts = report.mounts.unwrap_or_default().into_iter();
        // Each runtime has its own order for the devices that every container has.
        let mounts = mounts.filter(|one| !one.mountpoint.starts_with("/dev/"));
        let own: BTreeSet<_> =
            report.ns.into_iter().filter(|(kind, inode)| outside.get(kind) != Some(inode)).collect();
        json!({
            "pid": report.pid,
            "args": report.args,
            "env": report.env,
            "hostname": report.hostname,
            "namespaces of its own": own.into_iter().map(|(kind, _)| kind).collect::<Vec<_>>(),
            "mounts": mounts.map(|one| (one.mountpoint, one.fstype)).collect::<Vec<_>>(),
            "root": report.root_entries,
        })
    };
    assert_eq!(world(ours.report()), world(theirs.report()), "ours and runc's container differ");
    harbour.finish();
}
