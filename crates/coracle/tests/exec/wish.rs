//! What a session is to be: by the command line, by a file, and else as the container's own program.

use serde_json::json;

use crate::common::{Bundle, text};
use crate::{report, running};

pub(crate) fn a_session_is_what_the_command_line_says() {
    let bundle = running();
    let session = report(
        &bundle,
        &["--cwd", "/tmp", "--env", "A=b", "-e", "C=d", "--no-new-privs", bundle.id(), "/probe"],
    );
    assert_eq!(session["cwd"], "/tmp");
    assert_eq!(session["env"], json!({ "PATH": "/", "A": "b", "C": "d", "HOME": "/" }));
    assert_eq!(session["no_new_privs"], true);
    // What stands behind the id is the program's.
    let output = bundle.call(&["exec", bundle.id(), "/probe", "--help"]);
    assert!(text(&output.stdout).contains("usage: probe"), "{}", text(&output.stdout));
}

pub(crate) fn a_session_is_what_the_file_says() {
    let bundle = running();
    let file = bundle.path().join("process.json");
    let process = json!({
        "args": ["/probe"], "cwd": "/tmp", "env": ["PATH=/", "A=file"], "user": { "uid": 0, "gid": 0, "umask": 63 },
        "rlimits": [{ "type": "RLIMIT_CORE", "soft": 0, "hard": 0 }],
    });
    std::fs::write(&file, process.to_string()).expect("a file");
    let session = report(&bundle, &["--process", &file.display().to_string(), bundle.id()]);
    assert_eq!((&session["cwd"], &session["env"]["A"]), (&json!("/tmp"), &json!("file")));
    assert_eq!(session["umask"], 0o77);
    std::fs::write(&file, json!({ "args": [], "cwd": "/", "user": { "uid": 0, "gid": 0 } }).to_string())
        .expect("a file");
    let error = bundle.must_fail(&["exec", "--process", &file.display().to_string(), bundle.id()], 255);
    assert!(error.contains("process.json") && error.contains("/args"), "{error}");
}

/// crun's CVE-2026-30892: what was half understood became root.
pub(crate) fn a_user_is_one_or_two_numbers() {
    let bundle = running();
    for user in
        ["1:", "x", "-1", ":1", "1:x", "4294967296", "+1", " 1", "1:2:3", "", "4294967295", "0:4294967295"]
    {
        let error = bundle.must_fail(&["exec", "--user", user, bundle.id(), "/probe"], 255);
        assert!(error.contains("--user") && !error.contains("config.json"), "{user}: {error}");
    }
    let session = report(&bundle, &["--user", "0:0", bundle.id(), "/probe"]);
    assert_eq!((&session["uid"], &session["gid"]), (&json!(0), &json!(0)));
}

/// The container's config has nothing to do with it.
pub(crate) fn a_wrong_option_is_blamed_by_its_name() {
    let bundle = running();
    for (option, value, word) in [
        ("--user", "4294967295", "4294967295 is no id"),
        ("--additional-gids", "4294967295", "4294967295 is no id"),
        ("--cwd", "tmp", "absolute"),
        ("--env", "A", "NAME=value"),
    ] {
        let error = bundle.must_fail(&["exec", option, value, bundle.id(), "/probe"], 255);
        assert!(error.contains(&format!("error: {option}")) && error.contains(word), "{error}");
        assert!(!error.contains("config.json"), "{error}");
    }
    let error = bundle.must_fail(&["exec", bundle.id(), ""], 255);
    assert!(error.contains("the command") && !error.contains("config.json"), "{error}");
}

fn running_with_one_capability() -> Bundle {
    let (bundle, mut config) = (Bundle::new(), Bundle::config());
    config["process"]["args"] = json!(["/probe", "wait-signal", "TERM"]);
    let sets = json!(["CAP_KILL"]);
    config["process"]["capabilities"] = json!({ "bounding": sets, "effective": sets, "permitted": sets });
    bundle.write(&config);
    bundle.create(bundle.id());
    bundle.must(&["start", bundle.id()]);
    bundle
}

/// CVE-2022-29162: the inheritable set was filled.
pub(crate) fn what_a_session_may_is_not_handed_on() {
    let bundle = running_with_one_capability();
    let session = report(&bundle, &["--cap", "CAP_NET_BIND_SERVICE", bundle.id(), "/probe"]);
    let caps = &session["caps"];
    for set in ["bounding", "effective", "permitted"] {
        assert!(caps[set].to_string().to_uppercase().contains("NET_BIND_SERVICE"), "{set}: {caps}");
    }
    for set in ["inheritable", "ambient"] {
        assert_eq!(caps[set], json!([]), "{set}");
    }
    let error = bundle.must_fail(&["exec", "--cap", "CAP_MADE_UP", bundle.id(), "/probe"], 255);
    assert!(error.contains("CAP_MADE_UP"), "{error}");
}

/// A file without capabilities gives no more than the container's program has.
pub(crate) fn what_no_file_says_is_the_containers() {
    let bundle = running_with_one_capability();
    let file = bundle.path().join("process.json");
    let process = json!({ "args": ["/probe"], "cwd": "/", "user": { "uid": 0, "gid": 0 } });
    std::fs::write(&file, process.to_string()).expect("a file");
    let session = report(&bundle, &["--process", &file.display().to_string(), bundle.id()]);
    assert!(session["caps"]["effective"].to_string().to_uppercase().contains("KILL"), "{}", session["caps"]);
    assert_eq!(session["caps"]["effective"].as_array().map(Vec::len), Some(1), "{}", session["caps"]);
}

pub(crate) fn a_line_goes_to_a_login_shell() {
    let bundle = running();
    // The probe is no shell; it tells with which arguments it was called by not understanding them.
    std::fs::create_dir(bundle.path().join("rootfs/bin")).expect("a folder");
    std::fs::copy(testkit::probe(), bundle.path().join("rootfs/bin/sh")).expect("a copy");
    let output = bundle.call(&["exec", "--exec", "echo a b", bundle.id()]);
    assert!(text(&output.stderr).contains("usage"), "{}", text(&output.stderr));
    // No line and no command: the shell itself, which here reports.
    let output = bundle.call(&["exec", bundle.id()]);
    assert!(text(&output.stdout).contains("\"pid\""), "{}", text(&output.stdout));
    let both = bundle.call(&["exec", "--exec", "true", bundle.id(), "/probe"]);
    assert_eq!(both.status.code(), Some(255), "{}", text(&both.stderr));
}
