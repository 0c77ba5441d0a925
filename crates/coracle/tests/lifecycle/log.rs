//! Errors and warnings in the log.

use serde_json::{Value, json};

use crate::common::{Bundle, text};

pub(crate) fn an_error_is_one_json_object_in_the_log() {
    let bundle = Bundle::new();
    let log = bundle.path().join("log.json");
    let name = log.display().to_string();
    let stderr = bundle.must_fail(&["--log", &name, "--log-format", "json", "start", "nobody"], 1);
    let lines: Vec<_> = std::fs::read_to_string(&log).expect("a log").lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    let said: Value = serde_json::from_str(&lines[0]).expect("JSON");
    assert_eq!(said["level"], "error");
    assert!(stderr.contains(said["msg"].as_str().expect("a text")), "{stderr}");
    assert!(said["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{said}");
}

pub(crate) fn a_warning_goes_to_the_log_and_not_to_stderr() {
    let (bundle, mut config) = (Bundle::new(), Bundle::config());
    config["process"]["args"] = json!(["/probe"]);
    config["process"]["capabilities"] = json!({ "bounding": ["CAP_MADE_UP"] });
    bundle.write(&config);
    let log = bundle.path().join("log");
    let output =
        bundle.command(&["--log", &log.display().to_string()], bundle.id()).output().expect("it starts");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    let log = std::fs::read_to_string(&log).expect("a log");
    assert!(log.contains("level=warning") && log.contains("CAP_MADE_UP"), "{log}");
}
