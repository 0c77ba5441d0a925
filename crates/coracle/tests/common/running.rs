//! What several rooms need: a config that is run, and one that is refused, a container that waits, and what exec sees in it.

use serde_json::{Value, json};

use super::{Bundle, Finish, Leaks, is_coracle, says, text};

/// What is changed in a good config, and words of the error.
pub(crate) type Row = (fn(&mut Value), &'static str);

/// Each is refused before anything is made, and the error has these words.
#[track_caller]
pub(crate) fn each_is_refused(rows: &[Row]) {
    for (change, words) in rows {
        let mut config = Bundle::config();
        change(&mut config);
        let said = refused(&config);
        says(&said, words);
    }
}

/// The config is refused with an error, its program does not run, and nothing is left. Returns the error.
#[track_caller]
pub(crate) fn refused(config: &Value) -> String {
    let bundle = Bundle::new();
    let mut run = bundle.write(config).command(&[], bundle.id());
    let leaks = Leaks::watch(&mut run, bundle.id());
    let output = run.finish();
    let said = text(&output.stderr);
    assert!(!output.status.success(), "it is taken: {config}");
    assert_eq!(text(&output.stdout), "", "{said}");
    assert!(!is_coracle() || output.status.code() == Some(1), "{}: {said}", output.status);
    assert!(!said.is_empty(), "it says why");
    leaks.assert_none(&bundle, &said);
    said
}

/// What the probe reports as the program of a good config that is changed.
#[track_caller]
pub(crate) fn reported(change: impl FnOnce(&mut Value)) -> probe::Report {
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    change(&mut config);
    bundle.write(&config).report()
}

/// A container of this config that waits.
#[track_caller]
pub(crate) fn waiting(change: impl FnOnce(&mut Value)) -> Bundle {
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    config["process"]["args"] = json!(["/probe", "wait-signal", "TERM"]);
    change(&mut config);
    bundle.write(&config).create(bundle.id());
    bundle.must(&["start", bundle.id()]);
    bundle.ready();
    bundle
}

/// What the probe sees that exec runs with these options.
#[track_caller]
pub(crate) fn exec(bundle: &Bundle, options: &[&str]) -> probe::Report {
    let mut args = vec!["exec"];
    args.extend(options);
    args.push(bundle.id());
    if !options.contains(&"--process") {
        args.push("/probe");
    }
    let said = bundle.must(&args);
    serde_json::from_str(said.lines().next().unwrap_or_default()).expect("a report")
}

/// The same with a process file.
#[track_caller]
pub(crate) fn exec_file(bundle: &Bundle, change: impl FnOnce(&mut Value)) -> probe::Report {
    let mut process =
        json!({ "args": ["/probe"], "cwd": "/", "user": { "uid": 0, "gid": 0 }, "env": ["PATH=/"] });
    change(&mut process);
    let file = bundle.path().join("process.json");
    std::fs::write(&file, process.to_string()).expect("a file");
    exec(bundle, &["--process", &file.display().to_string()])
}
