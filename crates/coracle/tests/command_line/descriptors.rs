//! The descriptors that a caller hands on.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::common::{Bundle, text};
use crate::filled;

/// `coracle ARGS` from a shell that opens what `redirections` say. The test itself has more descriptors than that.
pub(crate) fn shell(bundle: &Bundle, row: &str, redirections: &str) -> Command {
    let words = filled(bundle, row);
    let call = bundle.coracle(&words.iter().map(String::as_str).collect::<Vec<_>>());
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("exec {redirections}; {}", LISTEN), "sh"]);
    shell.arg(call.get_program()).args(call.get_args()).stdin(Stdio::null());
    shell
}

/// The sockets of a service manager are for one process only, which its number tells.
const LISTEN: &str = "LISTEN_PID=$$; export LISTEN_PID; exec \"$@\"";

pub(crate) fn an_absurd_count_of_descriptors_is_refused() {
    let bundle = Bundle::new();
    bundle.args(&["/probe"]);
    for count in ["1", "4294967292", "4294967293", "4294967295"] {
        for (row, listen, code) in
            [("create --bundle BUNDLE", "", 1), ("run --bundle BUNDLE", "4294967295", 1), ("exec", "", 255)]
        {
            let mut call = shell(&bundle, &format!("{row} --preserve-fds {count} ID"), "3<&-");
            let output = call.env("LISTEN_FDS", listen).output().expect("a shell starts");
            let error = text(&output.stderr);
            assert_eq!(output.status.code(), Some(code), "{row} {count}: {error}");
            assert!(error.contains(&format!("--preserve-fds {count}")), "{row}: {error}");
            assert!(error.contains("descriptor 3 is not open"), "{row} {count}: {error}");
        }
    }
}

pub(crate) fn sockets_and_descriptors_count_together() {
    let bundle = Bundle::new();
    bundle.args(&["/probe"]);
    let row = "run --bundle BUNDLE --preserve-fds 1 ID";
    let mut call = shell(&bundle, row, "3</dev/null 4</dev/zero 5</dev/null");
    let output = call.env("LISTEN_FDS", "1").output().expect("a shell starts");
    let report: Value = serde_json::from_slice(&output.stdout).expect("the probe's report");
    let fds: Vec<_> = report["fds"].as_object().expect("descriptors").keys().collect();
    assert_eq!(fds, ["0", "1", "2", "3", "4"], "{}", report["fds"]);
    assert_eq!((&report["env"]["LISTEN_FDS"], &report["env"]["LISTEN_PID"]), (&json!("1"), &json!("1")));
    // Each count alone would be there.
    let output =
        shell(&bundle, row, "3</dev/null 4<&-").env("LISTEN_FDS", "1").output().expect("a shell starts");
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("LISTEN_FDS=1: descriptor 4 is not open"), "{error}");
}
