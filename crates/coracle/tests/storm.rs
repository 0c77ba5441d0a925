//! The runtime is killed at any moment: what it leaves, `delete --force` clears.

mod common;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use common::{Bundle, Leaks, fresh_id};

testkit::suite! { "storm",
    runtime = env!("CARGO_BIN_EXE_coracle"),
    tests = [
        a_create_that_is_killed_can_be_cleared(userns),
        a_start_that_is_killed_can_be_cleared(userns),
        an_exec_that_is_killed_can_be_cleared(userns),
    ]
}

const MOMENTS: u32 = 50;

fn bundle(id: &str) -> Bundle {
    let (bundle, mut config) = (Bundle::new(), Bundle::config());
    config["process"]["args"] = json!(["/probe", "wait-signal", "TERM"]);
    // By this the processes of the container are known again, whoever their parent is.
    config["process"]["env"] = json!(["PATH=/", format!("{}={id}", Leaks::VARIABLE)]);
    bundle.write(&config);
    bundle
}

fn quiet(mut command: Command) -> Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// How long the command takes when nobody kills it.
fn duration(command: Command) -> Duration {
    let begin = Instant::now();
    assert!(quiet(command).status().expect("the runtime starts").success());
    begin.elapsed()
}

/// Kills the command at the moment `n` of [`MOMENTS`], which are spread at random over `whole` and a little more.
fn killed(command: Command, n: u32, whole: Duration) {
    let mut runtime = quiet(command).spawn().expect("the runtime starts");
    let random = std::collections::hash_map::RandomState::new();
    let part = std::hash::BuildHasher::hash_one(&random, n) % 1000;
    // The passing of time is what this is about: there is no event to wait for.
    std::thread::sleep(whole * 11 / 10 / MOMENTS * n + whole / MOMENTS * part as u32 / 1000);
    let _ = runtime.kill();
    runtime.wait().expect("it is our child");
}

/// Clears what is left of the container and asserts that nothing is.
fn clear(bundle: &Bundle, leaks: &Leaks, id: &str, row: &str) {
    bundle.must(&["delete", "--force", id]);
    leaks.assert_none(bundle, row);
}

fn a_create_that_is_killed_can_be_cleared() {
    let id = fresh_id();
    let bundle = bundle(&id);
    let path = bundle.path().display().to_string();
    let create = || bundle.coracle(&["create", "--bundle", &path, &id]);
    let mut first = create();
    let leaks = Leaks::watch(&mut first, &id);
    let whole = duration(first);
    clear(&bundle, &leaks, &id, "unharmed");
    for n in 0..MOMENTS {
        let mut create = create();
        let leaks = Leaks::watch(&mut create, &id);
        killed(create, n, whole);
        clear(&bundle, &leaks, &id, &format!("moment {n}"));
    }
}

fn a_start_that_is_killed_can_be_cleared() {
    let id = fresh_id();
    let bundle = bundle(&id);
    let start = || bundle.coracle(&["start", &id]);
    bundle.create(&id);
    let whole = duration(start());
    bundle.must(&["delete", "--force", &id]);
    for n in 0..MOMENTS {
        let mut start = start();
        let leaks = Leaks::watch(&mut start, &id);
        bundle.create(&id);
        killed(start, n, whole);
        // It waits, or it runs; nothing in between.
        let status = bundle.state_of(&id)["status"].clone();
        assert!(status == "created" || status == "running" || status == "stopped", "moment {n}: {status}");
        clear(&bundle, &leaks, &id, &format!("moment {n}"));
    }
}

fn an_exec_that_is_killed_can_be_cleared() {
    let id = fresh_id();
    let bundle = bundle(&id);
    let exec = || bundle.coracle(&["exec", "--detach", &id, "/probe", "wait-signal", "TERM"]);
    for n in 0..=MOMENTS {
        let mut exec = exec();
        let leaks = Leaks::watch(&mut exec, &id);
        bundle.create(&id);
        bundle.must(&["start", &id]);
        let whole = duration(self::bundle_exec(&bundle, &id));
        killed(exec, n, whole);
        assert_eq!(bundle.state_of(&id)["status"], "running", "moment {n}: a session's end changes nothing");
        clear(&bundle, &leaks, &id, &format!("moment {n}"));
    }
}

fn bundle_exec(bundle: &Bundle, id: &str) -> Command {
    bundle.coracle(&["exec", id, "/probe"])
}
