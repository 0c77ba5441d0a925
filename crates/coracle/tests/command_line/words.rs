//! How words become options: where they may stand, and what they look like.

use serde_json::{Value, json};

use crate::common::{Bundle, text};
use crate::{accepted, filled, waiting};

pub(crate) fn options_stand_before_or_behind_the_id() {
    let bundle = waiting();
    accepted(&bundle, "create ID --pid-file @pid --bundle BUNDLE");
    assert!(bundle.path().join("pid").exists(), "--pid-file behind the id is not lost");
    accepted(&bundle, "start ID");
    let error = bundle.must_fail(&["delete", bundle.id(), "another"], 1);
    assert!(error.contains("another"), "{error}");
    accepted(&bundle, "delete ID --force");
    accepted(&bundle, "run ID --bundle BUNDLE -d");
}

pub(crate) fn options_end_at_the_id_where_a_program_follows() {
    let bundle = waiting();
    accepted(&bundle, "create --bundle BUNDLE ID");
    accepted(&bundle, "start ID");
    for program in ["-t", "--help", "--cwd", "--"] {
        let error = bundle.must_fail(&["exec", bundle.id(), program], 255);
        assert!(error.contains(&format!("exec: {program:?}: executable file not found")), "{error}");
    }
    let output = bundle.call(&["exec", bundle.id(), "/probe", "--help"]);
    assert!(text(&output.stdout).contains("usage: probe"), "{}", text(&output.stdout));
    for signal in ["-a", "--all", "--help"] {
        let error = bundle.must_fail(&["kill", bundle.id(), signal], 1);
        assert!(error.contains(&format!("unknown signal {signal:?}")), "{error}");
    }
    for verb in ["exec", "kill", "ps"] {
        let error =
            bundle.must_fail(&[verb, "--nonsense", bundle.id()], if verb == "exec" { 255 } else { 1 });
        assert!(error.contains("--nonsense"), "{error}");
        let error = bundle.must_fail(&[verb], if verb == "exec" { 255 } else { 1 });
        assert!(error.contains("ID") && error.contains(&format!("coracle {verb} [OPTIONS] ID")), "{error}");
    }
    let error = bundle.must_fail(&["kill", bundle.id(), "TERM", "more"], 1);
    assert!(error.contains("more"), "{error}");
    assert_eq!(bundle.state_of(bundle.id())["status"], "running");
}

pub(crate) fn a_switch_may_have_a_value() {
    let bundle = waiting();
    accepted(&bundle, "run --bundle BUNDLE --detach=true --keep=false ID");
    let session = accepted(&bundle, "exec --tty=false --detach=false --no-new-privs=true ID /probe");
    let session: Value = serde_json::from_str(&session).expect("the probe's report");
    assert_eq!(session["no_new_privs"], true);
    let session = accepted(&bundle, "exec --no-new-privs=false ID /probe");
    let session: Value = serde_json::from_str(&session).expect("the probe's report");
    assert_eq!(session["no_new_privs"], false);
    // What is behind the id stays the program's.
    let error = bundle.must_fail(&["exec", "--tty=false", bundle.id(), "--tty=false"], 255);
    assert!(error.contains("exec: \"--tty=false\": executable file not found"), "{error}");
    let error = bundle.must_fail(&["delete", "--force=false", bundle.id()], 1);
    assert!(error.contains("is running"), "{error}");
    let error = bundle.must_fail(&["delete", "--force=perhaps", bundle.id()], 1);
    assert!(error.contains("perhaps"), "{error}");
    accepted(&bundle, "delete --force=true ID");
    assert!(!bundle.must(&["delete", "--help"]).contains("BOOL"), "the help is as short as before");
}

pub(crate) fn the_version_is_in_lines() {
    let bundle = Bundle::new();
    for option in ["--version", "-v", "-V"] {
        let said = bundle.must(&[option]);
        let lines: Vec<_> = said.lines().collect();
        assert_eq!(lines.len(), 3, "{said}");
        assert!(lines[0].starts_with("coracle version ") && lines[1].starts_with("commit: "), "{said}");
        assert_eq!(lines[2], "spec: 1.3.0");
    }
}

/// Go's `flag` package, with which runc and its callers are written, takes one dash or two.
pub(crate) fn a_long_option_may_have_one_dash() {
    let bundle = waiting();
    for row in [
        "-log @log -log-format json create -bundle BUNDLE -pid-file=@pid -no-new-keyring ID",
        "start ID",
        "exec -detach -pid-file @session -env A=b -cwd /tmp -user 0 ID /probe wait-signal TERM",
        "kill -all=false ID 0",
        "delete -force ID",
        "run -no-subreaper -detach -keep=true -bundle=@. ID",
        "delete ID -force",
    ] {
        accepted(&bundle, row);
    }
    for file in ["pid", "session"] {
        let pid = std::fs::read_to_string(bundle.path().join(file)).expect("a pid file");
        assert!(pid.parse::<u32>().is_ok(), "{file}: {pid}");
    }
    accepted(&bundle, "run -detach -bundle BUNDLE ID");
    // Each is a short option with a value as well: -e nv, -c wd, -u ser.
    let report = accepted(&bundle, "exec -env A=b -cwd=/tmp -user 0:0 -e C=-env ID /probe");
    let report: Value = serde_json::from_str(&report).expect("the probe's report");
    assert_eq!((&report["cwd"], &report["env"]["A"]), (&json!("/tmp"), &json!("b")));
    assert_eq!(report["env"]["C"], "-env", "a value is none");
    // What is behind the id stays the program's; so does what is behind two dashes.
    for program in ["-env", "-t"] {
        let error = bundle.must_fail(&["exec", "-tty=false", bundle.id(), program], 255);
        assert!(error.contains(&format!("exec: {program:?}: executable file not found")), "{error}");
    }
    let error = bundle.must_fail(&["delete", "--", "-force"], 1);
    assert!(error.contains("\"-force\" does not exist"), "{error}");
    let error = bundle.must_fail(&["exec", "-nonsense", bundle.id()], 255);
    assert!(error.contains("unexpected argument '-n'"), "{error}");
    let row = filled(&bundle, "-log @wrong -log-format json start");
    bundle.must_fail(&row.iter().map(String::as_str).collect::<Vec<_>>(), 1);
    let log = std::fs::read_to_string(bundle.path().join("wrong")).expect("a log");
    assert!(log.contains("\"level\":\"error\""), "{log}");
}

/// runc's `--rootless` takes the next word; where that is none of its values, it is a switch for us.
pub(crate) fn rootless_may_have_its_value_behind_it() {
    let bundle = Bundle::new();
    for row in [
        "--rootless true list -q",
        "-rootless auto list -q",
        "--rootless=false list -q",
        "--rootless list -q",
    ] {
        assert_eq!(accepted(&bundle, row), "", "{row}");
    }
    let error = bundle.must_fail(&["--rootless", "perhaps", "list"], 1);
    assert!(error.contains("'perhaps'"), "{error}");
}
