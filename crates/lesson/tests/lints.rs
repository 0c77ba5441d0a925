//! What the compiler thinks of functions that are finished, on a branch that allows what open ones can't help.

mod mini;

use mini::Mini;
use serde_json::json;

const BOAT: &str = "crates/coracle/src/boat.rs";

#[test]
fn a_finished_function_with_a_lint_is_told_when_all_is_green() {
    let mini = Mini::started();
    mini.edit(BOAT, "    0\n", "    let mut unused = 1;\n    strokes * 2\n");
    let red = mini.lesson(&["test", "1"]);
    assert!(!red.ok && !red.out.contains("unused"), "lints before the tests are green: {red:?}");

    mini.does(&["solve", "1", "sink"]);
    let said = mini.does(&["test", "1"]);
    assert!(said.contains("The tests are green; the compiler has something to say"), "{said}");
    assert!(
        said.contains("unused variable: `unused`") && said.contains("does not need to be mutable"),
        "{said}"
    );
    assert!(said.contains("boat.rs:6:") && said.contains("Green: lesson 1"), "{said}");
    assert!(
        !said.contains("unused variable: `water`") && !said.contains("`course`"),
        "an open one's: {said}"
    );
    assert!(!said.contains("command line"), "{said}");

    let report: serde_json::Value = serde_json::from_str(&mini.does(&["test", "1", "--json"])).expect("JSON");
    let lint = &report["lints"][0];
    let found = (&lint["item"], &lint["file"], &lint["line"]);
    assert_eq!(found, (&json!("boat::row"), &json!(BOAT), &json!(6)), "{report}");
    assert_eq!(report["lints"].as_array().expect("lints").len(), 2, "{report}");

    mini.edit(BOAT, "    let mut unused = 1;\n", "");
    let said = mini.does(&["test", "1"]);
    assert!(!said.contains("something to say"), "{said}");
}
