//! `cargo lesson grade`: an installed runtime, and the learner's own.

#[path = "prover/boat.rs"]
mod boat;
mod mini;

use boat::Boat;
use mini::Mini;
use serde_json::{Value, json};

const RUNC: &str = "bin/runc";
const ROW: &str = "lessons/02-row/lesson.toml";

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("no JSON, {error}: {text}"))
}

#[test]
fn an_installed_runtime_passes_but_for_what_it_is_excused_from() {
    let boat = Boat::new("grade");
    let said = boat.lesson(&["grade", "--runtime", "runc"], &[]);
    assert!(said.success, "{}\n{}", said.output, said.errors);
    assert!(said.output.starts_with("runc version of the fixture"), "{}", said.output);
    assert!(
        said.output.contains("lesson 02, Row: 1 exempt\n  exempt       the_river_is_crossed\n"),
        "{}",
        said.output
    );
    assert!(
        said.output.contains("it drifts") && said.output.contains("passed: 3 pass, 1 exempt"),
        "{}",
        said.output
    );

    // The same program by its path, and one lesson alone.
    let said = boat.lesson(&["grade", "--json", "2", "--runtime", "./bin/runc"], &[]);
    let report = json(&said.output);
    assert_eq!((&report["runtime"]["name"], &report["runtime"]["version"]), (&json!("runc"), &json!(null)));
    let test = json!({"test": "the_river_is_crossed", "kind": "red", "mark": "exempt", "why": "it drifts"});
    let row = json!({"lesson": 2, "title": "Row", "passed": true, "broke": null, "tests": [test]});
    assert_eq!(report["lessons"], json!([row]));
}

#[test]
fn a_version_that_lacks_it_is_excused_and_a_later_one_is_not() {
    let boat = Boat::new("grade-version");
    boat.edit(ROW, "reason  = \"it drifts\"", "before  = \"1.2\"\nreason  = \"no oars\"");
    boat.edit(RUNC, "runc version of the fixture", "runc version 1.1.5+ds1");
    let said = boat.lesson(&["grade", "--runtime", "runc", "2"], &[]);
    assert!(said.success, "{}", said.output);
    assert!(said.output.contains("unsupported  the_river_is_crossed\n"), "{}", said.output);
    assert!(said.output.contains("no oars (since version 1.2)"), "{}", said.output);

    boat.edit(RUNC, "1.1.5+ds1", "1.2.0");
    let said = boat.lesson(&["grade", "--runtime", "runc", "2"], &[]);
    assert!(!said.success, "{}", said.output);
    assert!(said.output.contains("fail         the_river_is_crossed"), "{}", said.output);
    assert!(
        said.output.contains("the boat does not move") && said.output.contains("not passed: 1 fail"),
        "{}",
        said.output
    );
}

#[test]
fn an_exemption_is_for_the_runtime_it_names() {
    let boat = Boat::new("grade-other");
    boat.edit(RUNC, "runc version of the fixture", "raft version 1.0");
    let said = boat.lesson(&["grade", "--runtime", "runc", "2"], &[]);
    assert!(!said.success && said.output.contains("fail         the_river_is_crossed"), "{}", said.output);
    boat.edit(ROW, "runtime = \"runc\"", "runtime = [\"runc\", \"raft\"]");
    assert!(boat.lesson(&["grade", "--runtime", "runc", "2"], &[]).success);
}

#[test]
fn what_this_machine_cannot_run_is_no_pass_under_strict() {
    let boat = Boat::new("grade-ignored");
    boat.edit(
        "lessons/01-float/tests.rs",
        "assert_ne!(says(\"seats\")",
        "harness::ignore(\"no water here\");\n    #[allow(unreachable_code)]\n    assert_ne!(says(\"seats\")",
    );
    let grade = ["grade", "--runtime", "runc", "1"];
    let said = boat.lesson(&grade, &[]);
    assert!(said.success && said.output.contains("no water here"), "{}", said.output);
    assert!(said.output.contains("passed: 2 pass, 1 ignored"), "{}", said.output);
    assert!(!boat.lesson(&grade, &[("CORACLE_STRICT", "1")]).success);
}

#[test]
fn what_is_no_runtime_is_told_so() {
    let boat = Boat::new("grade-none");
    let said = boat.lesson(&["grade", "--runtime", "no-such-runtime"], &[]);
    assert!(
        !said.success && said.errors.contains("no runtime no-such-runtime is installed"),
        "{}",
        said.errors
    );
    let said = boat.lesson(&["grade", "--runtime", "false"], &[]);
    assert!(!said.success && said.errors.contains("does not answer to --version"), "{}", said.errors);
}

#[test]
fn of_ones_own_runtime_what_is_locked_has_failed() {
    let mini = Mini::started();
    mini.edit("crates/coracle/src/boat.rs", "    0\n", "    strokes * 2\n");
    let said = mini.lesson(&["grade"]);
    assert!(!said.ok, "{said:?}");
    assert!(
        said.out.contains("lesson 01, Rowing: 1 pass, 1 fail\n  fail         a_boat_floats\n"),
        "{said:?}"
    );
    assert!(said.out.contains("the boat is under water"), "{said:?}");
    assert!(said.out.contains("lesson 02, Bailing: locked: finish lesson 01 first"), "{said:?}");
    assert!(said.out.contains("not passed: 1 pass, 1 fail; no result for lesson 02"), "{said:?}");

    mini.does(&["solve", "1"]);
    mini.does(&["grade", "1"]);
    let report = json(&mini.does(&["grade", "--json"]));
    assert_eq!((&report["runtime"], &report["passed"]), (&json!(null), &json!(true)));
}
