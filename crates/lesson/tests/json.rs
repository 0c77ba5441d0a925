//! What the verbs tell a program.

mod mini;

use mini::Mini;
use serde_json::{Value, json};

const BOAT: &str = "crates/coracle/src/boat.rs";

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("no JSON, {error}: {text}"))
}

#[test]
fn where_the_learner_stands() {
    let mini = Mini::cloned();
    let report = parsed(&mini.does(&["--json"]));
    assert_eq!((&report["course"], &report["next"]), (&json!(false), &json!(null)));
    mini.does(&["start"]);
    mini.edit(BOAT, "    0\n", "    strokes * 2\n");
    let report = parsed(&mini.does(&["--json"]));
    let items =
        [json!({"item": "boat::row", "state": "done"}), json!({"item": "boat::sink", "state": "open"})];
    let rowing = json!({"lesson": 1, "title": "Rowing", "minutes": 10, "stars": 1, "items": items});
    assert_eq!((&report["course"], &report["lessons"][1]), (&json!(true), &rowing));
    assert_eq!(report["lessons"][0]["items"], json!([]), "a lesson to read");
    let line = mini.text(BOAT).lines().position(|line| line.contains("fn sink")).expect("sink") + 1;
    assert_eq!(report["next"], json!({"lesson": 1, "item": "boat::sink", "file": BOAT, "line": line}));
    mini.edit(BOAT, "    true\n", "    true (\n");
    let report = parsed(&mini.does(&["--json"]));
    assert_eq!(report["lessons"][1]["items"][0]["state"], "unreadable");
    assert_eq!(report["next"], json!({"lesson": 1, "item": "boat::row", "file": null, "line": null}));
}

#[test]
fn what_the_tests_say() {
    let mini = Mini::started();
    mini.edit(BOAT, "    0\n", "    strokes * 2\n");
    let said = mini.lesson(&["test", "--json"]);
    let report = parsed(&said.out);
    assert!(!said.ok);
    assert_eq!((&report["lesson"], &report["green"], &report["open"]), (&json!(1), &json!(false), &json!(1)));
    let tests = report["lessons"][0]["tests"].as_array().expect("tests");
    let names: Vec<_> = tests.iter().map(|test| (&test["test"], &test["verdict"], &test["class"])).collect();
    let [floats, moves] = [json!("a_boat_floats"), json!("a_boat_moves")];
    let expected = [(&floats, &json!("fail"), &json!("assertion")), (&moves, &json!("pass"), &json!(null))];
    assert_eq!(names, expected);
    assert_eq!(tests[0]["message"], "the boat is under water");

    mini.does(&["solve", "1", "sink"]);
    let report = parsed(&mini.does(&["test", "1", "--json"]));
    assert_eq!((&report["green"], &report["lints"]), (&json!(true), &json!([])));
    let report = parsed(&mini.does(&["test", "--json"]));
    let lessons: Vec<_> =
        report["lessons"].as_array().expect("lessons").iter().map(|row| &row["lesson"]).collect();
    assert_eq!(lessons, [&json!(2), &json!(1)], "the lesson, then those before it");
}

#[test]
fn the_hints_so_far() {
    let mini = Mini::started();
    let report = parsed(&mini.does(&["hint", "1", "row", "--step", "2", "--json"]));
    let hints = json!({"lesson": 1, "item": "boat::row", "hints": ["How many?", "Multiply."], "steps": 3});
    assert_eq!(report, hints);
}

#[test]
fn what_the_doctor_finds() {
    let mini = Mini::cloned();
    let report = parsed(&mini.lesson(&["doctor", "--json"]).out);
    assert!(report["containers"].is_boolean(), "{report}");
    let lines = report["lines"].as_array().expect("lines");
    let kernel = lines.iter().find(|line| line["name"] == "kernel").expect("a line on the kernel");
    assert!(["ok", "limited", "missing"].contains(&kernel["status"].as_str().expect("a word")), "{kernel}");
}
