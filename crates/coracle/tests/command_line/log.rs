//! `--log`: where engines read what went wrong.

use serde_json::Value;

use crate::common::{Bundle, text};
use crate::descriptors::shell;
use crate::filled;

pub(crate) fn an_error_of_the_command_line_is_one_record() {
    for (options, verb, code) in [
        ("--log @log --log-format json", "start --nonsense ID", 1),
        ("--log=@log --log-format=json", "start", 1),
        ("--log-format=json --log @log --cgroup-manager disabled", "create --preserve-fds many ID", 1),
        ("--debug --log @log --log-format json", "exec --nonsense ID", 255),
        ("--nonsense --log @log --log-format json", "exec ID", 255),
        ("--log @log --log-format json", "fly ID", 1),
    ] {
        let bundle = Bundle::new();
        let args = filled(&bundle, &format!("{options} {verb}"));
        let stderr = bundle.must_fail(&args.iter().map(String::as_str).collect::<Vec<_>>(), code);
        let log = std::fs::read_to_string(bundle.path().join("log")).expect("a log");
        assert_eq!(log.lines().count(), 1, "{log}");
        let said: Value = serde_json::from_str(&log).expect("JSON");
        assert_eq!(said["level"], "error", "{said}");
        assert!(said["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{said}");
        let begin = said["msg"].as_str().expect("a text").split(':').next().unwrap_or_default();
        assert!(!begin.is_empty() && stderr.contains(begin), "{said}: {stderr}");
    }
    let bundle = Bundle::new();
    let args = filled(&bundle, "--log @log start");
    bundle.must_fail(&args.iter().map(String::as_str).collect::<Vec<_>>(), 1);
    let log = std::fs::read_to_string(bundle.path().join("log")).expect("a log");
    assert!(log.lines().count() == 1 && log.contains("level=error"), "{log}");
}

pub(crate) fn a_log_behind_the_verb_is_the_programs() {
    let bundle = Bundle::new();
    let args = filled(&bundle, "exec --nonsense ID /probe --log @log");
    bundle.must_fail(&args.iter().map(String::as_str).collect::<Vec<_>>(), 255);
    assert!(!bundle.path().join("log").exists(), "a file that was meant for the program");
}

pub(crate) fn the_log_is_none_of_the_callers_descriptors() {
    let bundle = Bundle::new();
    bundle.args(&["/probe"]);
    let row = "--log @log --log-format json --explain run --bundle BUNDLE --preserve-fds 1 ID";
    let output = shell(&bundle, row, "3<&-").output().expect("a shell starts");
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("descriptor 3 is not open"), "{error}");
    let log = std::fs::read_to_string(bundle.path().join("log")).expect("a log");
    assert_eq!(log.lines().count(), 1, "{log}");
}
