//! `ps`: the lines of ps(1) that are a container's.

use crate::{accepted, waiting};

/// ps(1) has its own options, and its own errors.
pub(crate) fn what_ps_itself_says_is_told() {
    let bundle = waiting();
    accepted(&bundle, "run --bundle BUNDLE --detach ID");
    let pid = bundle.state_of(bundle.id())["pid"].to_string();
    for options in
        [vec![], vec!["-ef"], vec!["aux"], vec!["-e", "-o", "comm,pid"], vec!["-o", "pid", "-p", &pid]]
    {
        let table = bundle.must(&[vec!["ps", bundle.id()], options.clone()].concat());
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 2, "{options:?}: a head, and the one process: {table}");
        assert!(lines[0].contains("PID"), "{options:?}: {table}");
        assert!(lines[1].split_whitespace().any(|word| word == pid), "{options:?}: {table}");
    }
    let error = bundle.must_fail(&["ps", bundle.id(), "--bogus"], 1);
    assert!(error.contains("ps --bogus: ") && error.contains("unknown gnu long option"), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    let error = bundle.must_fail(&["ps", bundle.id(), "-o", "comm"], 1);
    assert!(error.contains("ps -o comm: its table has no column PID"), "{error}");
    let error = bundle.must_fail(&["ps", "--format", "xml", bundle.id()], 1);
    assert!(error.contains("table, json"), "{error}");
}
