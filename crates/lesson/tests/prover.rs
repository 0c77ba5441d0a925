//! The prover catches what a course can have wrong. Each test breaks a course in miniature in one place.

#[path = "prover/boat.rs"]
mod boat;

use boat::{Boat, Proof};

const NAME: &str = r#"("red", "the_boat_has_a_name", the_boat_has_a_name),"#;

/// Declares one more test of lesson 01, in front of the others.
fn add_test(boat: &Boat, kind: &str, name: &str, body: &str) {
    let tests = "lessons/01-float/tests.rs";
    boat.edit(tests, "fn main()", &format!("fn {name}() {{\n    {body}\n}}\n\nfn main()"));
    boat.edit(tests, NAME, &format!("({kind:?}, {name:?}, {name}),\n{NAME}"));
}

fn assert_one_defect(proof: &Proof, words: &[&str]) {
    let defects = proof.defects();
    assert_eq!(defects.len(), 1, "not one defect:\n{}", proof.output);
    for word in words {
        assert!(defects[0].contains(word), "`{word}` is not in: {}", defects[0]);
    }
    assert!(!proof.success, "a defect, but prove succeeded:\n{}", proof.output);
    assert!(proof.errors.contains("not proved: 1 defect"), "{}", proof.errors);
}

#[test]
fn a_sound_course_proves() {
    let boat = Boat::new("sound");
    let proof = boat.prove(&[]);
    assert!(proof.success, "{}\n{}", proof.output, proof.errors);
    assert_eq!(proof.defects(), Vec::<String>::new());
    assert!(proof.output.contains("proved: 2 lessons, 4 tests, 3 items"), "{}", proof.output);
    let row = "red    the_boat_has_a_name        red      green    -        x  .  green";
    assert!(proof.output.contains(row), "{}", proof.output);
    let row = "guard  there_is_a_seat            green    green    red      .  .  green";
    assert!(proof.output.contains(row), "{}", proof.output);
    let row = "red    the_river_is_crossed  red      green    -        x  exempt";
    assert!(proof.output.contains(row), "{}", proof.output);

    let matrix = boat.read("target/prove/matrix.json");
    let matrix: serde_json::Value = serde_json::from_str(&matrix).expect("matrix.json is no JSON");
    assert_eq!(matrix["oracle"], "runc version of the fixture");
    let test = &matrix["lessons"][0]["tests"][1];
    assert_eq!(test["name"], "there_is_room_for_a_sheep");
    assert_eq!(test["starter"], "red");
    assert_eq!(test["green"], "green");
    assert_eq!(test["notices"], serde_json::json!(["no", "yes"]));
    assert_eq!(matrix["lessons"][1]["tests"][0]["exempt"], "it drifts");

    let again = boat.prove(&[]);
    assert!(again.success, "{}", again.output);
    let steps = |output: &str| output.lines().filter(|line| line.ends_with(" s)")).count();
    assert!(steps(&proof.output) > 10, "{}", proof.output);
    assert_eq!(steps(&again.output), 0, "a second proof did something again:\n{}", again.output);
}

#[test]
fn a_change_is_proved_anew_behind_a_full_cache() {
    let boat = Boat::new("changed");
    assert!(boat.prove(&["1"]).success);
    boat.edit(
        "lessons/01-float/tests.rs",
        r#"assert_ne!(says("seats"), "0""#,
        r#"assert_ne!(says("seats"), "9""#,
    );
    assert_one_defect(&boat.prove(&["1"]), &["lesson 01: unnoticed wrong body: guard `there_is_a_seat`"]);
    boat.edit(
        "lessons/01-float/tests.rs",
        r#"assert_ne!(says("seats"), "9""#,
        r#"assert_ne!(says("seats"), "0""#,
    );
    boat.edit("crates/coracle/src/hull.rs", r#""coracle""#, r#""barge""#);
    let proof = boat.prove(&["1"]);
    assert!(!proof.success);
    assert!(proof.output.contains("never green: `the_boat_has_a_name`"), "{}", proof.output);
}

#[test]
fn a_vacuous_test() {
    let boat = Boat::new("vacuous");
    add_test(&boat, "red", "water_is_wet", "assert!(!says(\"name\").is_empty());");
    let words =
        ["lesson 01: vacuous test", "`water_is_wet`", "green on the lesson's own starter", "make it a guard"];
    assert_one_defect(&boat.prove(&["1"]), &words);
}

#[test]
fn an_unobserved_item() {
    let boat = Boat::new("unobserved");
    boat.edit("lessons/01-float/tests.rs", NAME, "");
    boat.edit(
        "lessons/01-float/tests.rs",
        "fn the_boat_has_a_name",
        "#[allow(dead_code)]\nfn the_boat_has_a_name",
    );
    let proof = boat.prove(&["1"]);
    let words = ["lesson 01: unobserved item", "no test of the lesson fails when `hull::name` is blanked"];
    assert_one_defect(&proof, &words);
}

#[test]
fn a_starter_that_does_not_compile() {
    let boat = Boat::new("broken-starter");
    boat.edit("lessons/01-float/lesson.toml", r#"'"driftwood"'"#, r#""42""#);
    let words = [
        "lesson 01: does not compile: the neutral body of `hull::name`",
        "the starter of lesson 01 and the finished runtime without `hull::name`",
        "error[E0308]: mismatched types at crates/coracle/src/hull.rs:",
        "Mend it in lessons/01-float/lesson.toml",
    ];
    assert_one_defect(&boat.prove(&["1"]), &words);
}

#[test]
fn a_starter_that_misses_a_private_helper() {
    let boat = Boat::new("missing-helper");
    boat.edit("crates/coracle/src/oar.rs", "fn pull", "pub(crate) fn pull");
    boat.edit("crates/coracle/src/hull.rs", "people + 1", "people + 1 + crate::oar::pull(0) - 2");
    let proof = boat.prove(&[]);
    let words = ["lesson 02: does not compile", "the starter of lesson 02", "E0425", "a private helper"];
    assert_one_defect(&proof, &words);
}

#[test]
fn a_starter_with_a_warning() {
    let boat = Boat::new("warning");
    boat.edit("lessons/01-float/lesson.toml", r#"'"driftwood"'"#, r#"'"x".parse::<u32>(); "driftwood"'"#);
    let words = ["lesson 01: warning: the neutral body of `hull::name`", "unused `Result` that must be used"];
    assert_one_defect(&boat.prove(&["1"]), &words);
}

#[test]
fn a_lesson_that_needs_a_later_item() {
    let boat = Boat::new("later-item");
    add_test(&boat, "red", "the_boat_moves", "assert_ne!(says(\"strokes\"), \"0\", \"it does not move\");");
    let exempt = "\n[exempt.the_boat_moves]\nruntime = \"runc\"\nreason = \"it drifts\"\n\n[guards";
    boat.edit("lessons/01-float/lesson.toml", "\n[guards", exempt);
    let words = [
        "lesson 01: needs a later item: `the_boat_moves` fails on the starter of lesson 02",
        "it does not move",
        "green only on the finished runtime",
        "It needs `oar::strokes`: give that to lesson 01",
        "move the test to lesson 02",
    ];
    assert_one_defect(&boat.prove(&[]), &words);
}

#[test]
fn a_guard_whose_wrong_body_goes_unnoticed() {
    let boat = Boat::new("unnoticed");
    boat.edit("lessons/01-float/lesson.toml", r#"body = "0""#, r#"body = "people + 7""#);
    let words = ["lesson 01: unnoticed wrong body: guard `there_is_a_seat`", "`hull::seats`", "people + 7"];
    assert_one_defect(&boat.prove(&["1"]), &words);
}

#[test]
fn a_wrong_body_that_does_not_compile() {
    let boat = Boat::new("broken-guard");
    boat.edit("lessons/01-float/lesson.toml", r#"body = "0""#, r#"body = "None""#);
    let words = ["lesson 01: does not compile: the wrong body that guard `there_is_a_seat` names", "E0308"];
    assert_one_defect(&boat.prove(&["1"]), &words);
}

#[test]
fn a_guard_without_a_wrong_body_and_a_wrong_body_without_a_guard() {
    let boat = Boat::new("unproved-guard");
    boat.edit("lessons/01-float/lesson.toml", "[guards.there_is_a_seat]", "[guards.there_is_a_set]");
    let defects = boat.prove(&["1"]).defects();
    assert_eq!(defects.len(), 2, "{defects:?}");
    assert!(
        defects[0].contains("unproved guard: `there_is_a_seat` has no [guards.there_is_a_seat]"),
        "{defects:?}"
    );
    assert!(defects[1].contains("unknown test: [guards.there_is_a_set]"), "{defects:?}");
}

#[test]
fn red_by_a_deadline() {
    let boat = Boat::new("deadline");
    let body = "if says(\"name\") != \"coracle\" { harness::fail_as(\"deadline\") }";
    add_test(&boat, "red", "the_boat_is_found", body);
    let words =
        ["red for the wrong reason: `the_boat_is_found`", "by the outer deadline", "within(time, fact)"];
    assert_one_defect(&boat.prove(&["1"]), &words);
}

#[test]
fn red_by_a_panic_of_the_starter() {
    let boat = Boat::new("panic");
    boat.edit("lessons/01-float/lesson.toml", r#"'"driftwood"'"#, "'panic!()'");
    let defects = boat.prove(&["1"]).defects();
    let by_panic = |test: &str| {
        let start =
            format!("lesson 01: red for the wrong reason: `{test}` fails on the lesson's starter by a panic");
        defects
            .iter()
            .any(|defect| defect.starts_with(&start) && defect.contains("absence of the capability"))
    };
    for test in ["the_boat_has_a_name", "there_is_room_for_a_sheep", "there_is_a_seat"] {
        assert!(by_panic(test), "{test}: {defects:?}");
    }
    let unobserved = "noticed by no assertion: `the_boat_has_a_name` fails, but by a panic in the runtime";
    assert!(defects.iter().any(|defect| defect.contains(unobserved)), "{defects:?}");
}

#[test]
fn a_test_program_that_dies_has_proved_nothing() {
    let boat = Boat::new("dies");
    add_test(&boat, "red", "the_boat_sinks", "std::process::abort()");
    let proof = boat.prove(&["1"]);
    assert!(!proof.success);
    let words =
        "lesson 01: broken tests: lesson-01 broke on the starter of lesson 01: it ended with signal: 6";
    assert!(proof.defects().iter().any(|defect| defect.starts_with(words)), "{}", proof.output);
}

#[test]
fn what_the_machine_cannot_run_is_told_and_strictly_a_defect() {
    let boat = Boat::new("ignored");
    add_test(&boat, "red", "the_tide_turns", "harness::ignore(\"no moon here\")");
    let proof = boat.prove(&["1"]);
    assert!(proof.success, "{}", proof.output);
    let note = "note: lesson 01: not proven here: `the_tide_turns` was ignored: no moon here";
    assert!(proof.output.contains(note), "{}", proof.output);
    let proof = boat.prove_with(&["1"], &[("CORACLE_STRICT", "1")]);
    assert!(!proof.success);
    let words = "lesson 01: not proven here: `the_tide_turns` was ignored: no moon here";
    assert!(proof.defects().iter().any(|defect| defect.starts_with(words)), "{}", proof.output);
}

#[test]
fn the_oracle_disagrees() {
    let boat = Boat::new("oracle");
    boat.edit("lessons/02-row/lesson.toml", "[exempt.the_river_is_crossed]", "[exempt.the_sea_is_crossed]");
    let defects = boat.prove(&["2"]).defects();
    assert_eq!(defects.len(), 2, "{defects:?}");
    assert!(defects[0].contains("unknown test: [exempt.the_sea_is_crossed]"), "{defects:?}");
    assert!(defects[1].contains("fails on runc: `the_river_is_crossed`"), "{defects:?}");
    assert!(
        defects[1].contains("[exempt.the_river_is_crossed] of lessons/02-row/lesson.toml"),
        "{defects:?}"
    );
}

#[test]
fn an_exemption_that_is_no_longer_needed_is_noted() {
    let boat = Boat::new("exempt");
    let exempt = "\n[exempt.there_is_a_seat]\nruntime = \"runc\"\nreason = \"it is a raft\"\n\n[guards";
    boat.edit("lessons/01-float/lesson.toml", "\n[guards", exempt);
    let proof = boat.prove(&["1"]);
    assert!(proof.success, "{}", proof.output);
    assert!(
        proof.output.contains("`there_is_a_seat` is exempt on runc (it is a raft), but passes"),
        "{}",
        proof.output
    );
}

#[test]
fn a_lesson_without_a_test_target() {
    let boat = Boat::new("no-target");
    let target = "[[test]]\nname = \"lesson-02\"\npath = \"02-row/tests.rs\"\nharness = false\n";
    boat.edit("lessons/Cargo.toml", target, "");
    assert_one_defect(&boat.prove(&["2"]), &["lesson 02: no tests", "no [[test]] named lesson-02"]);
}

/// A neutral body for [`Boat::draft`] that is another than the reference's, and with which the boat moves.
const OARS: &str = "crate::oar::strokes(1) < 100";

#[test]
fn the_cut_is_checked_with_the_drafts_and_shows_nothing_of_them() {
    let boat = Boat::new("draft");
    boat.draft(OARS);
    let proof = boat.prove(&[]);
    assert!(proof.success, "{}\n{}", proof.output, proof.errors);
    assert!(proof.output.contains("proved: 2 lessons, 4 tests, 3 items"), "{}", proof.output);
    let line = "cut: 4 snapshots build, sandbox runs on each; drafts: 1 knock-out builds, sandbox runs on it";
    assert!(proof.output.contains(line), "{}", proof.output);
    assert!(proof.output.contains("the cut at lesson 03 builds"), "{}", proof.output);
    assert!(!proof.output.contains("Sail"), "{}", proof.output);
    assert!(!boat.read("target/prove/matrix.json").contains("Sail"));
    let again = boat.prove(&["3"]);
    assert!(again.success, "{}\n{}", again.output, again.errors);
    assert!(again.output.contains("cut: 1 snapshot builds"), "{}", again.output);
    assert!(!again.output.contains(" s)"), "a second proof did something again:\n{}", again.output);
}

#[test]
fn a_draft_whose_item_does_not_compile_when_blank() {
    let boat = Boat::new("broken-draft");
    boat.draft("42");
    let words = [
        "lesson 03: does not compile: the neutral body of `hull::sails`",
        "the cut at lesson 00, the cut at lesson 01 and 3 more",
        "E0308",
        "Mend it in lessons/03-sail/lesson.toml",
    ];
    let proof = boat.prove(&[]);
    assert_one_defect(&proof, &words);
    assert!(proof.output.contains("cut: 0 of 4 snapshots build, sandbox runs on 0"), "{}", proof.output);
}

#[test]
fn a_draft_whose_item_warns_when_blank() {
    let boat = Boat::new("warning-draft");
    boat.draft("\"x\".parse::<u32>(); 1 + 1 == 2");
    let words =
        ["lesson 03: warning: the neutral body of `hull::sails`", "unused `Result` that must be used"];
    assert_one_defect(&boat.prove(&["3"]), &words);
}

#[test]
fn a_draft_with_whose_item_blank_no_sandbox_runs() {
    let boat = Boat::new("sunk-draft");
    boat.draft("false");
    let proof = boat.prove(&[]);
    let defects = proof.defects();
    assert_eq!(defects.len(), 2, "{defects:?}");
    let knock_out =
        "lesson 03: sandbox does not run on the finished runtime without `hull::sails`: `coracle sandbox ";
    assert!(defects.iter().any(|defect| defect.starts_with(knock_out)), "{defects:?}");
    let cut = "lesson 03: sandbox does not run on the cut at lesson 03 and 3 more: `coracle sandbox ";
    assert!(defects.iter().any(|defect| defect.starts_with(cut)), "{defects:?}");
    assert!(defects.iter().all(|defect| defect.contains("ended with exit status: 101")), "{defects:?}");
    assert!(proof.errors.contains("not proved: 2 defects"), "{}", proof.errors);
}

#[test]
fn a_test_that_needs_a_drafts_item_is_told() {
    let boat = Boat::new("needy-test");
    boat.draft(OARS);
    boat.edit("crates/coracle/src/hull.rs", "people + 1", "people + u32::from(hoisted())");
    let hull = boat.read("crates/coracle/src/hull.rs");
    boat.edit(
        "crates/coracle/src/hull.rs",
        &hull,
        &format!("{hull}\n/// Up.\npub fn hoisted() -> bool {{\n    true\n}}\n"),
    );
    boat.edit("lessons/03-sail/lesson.toml", "[items]\n", "[items]\n\"hull::hoisted\" = \"false\"\n");
    let proof = boat.prove(&[]);
    assert!(proof.success, "{}\n{}", proof.output, proof.errors);
    let note = "note: lesson 01: `there_is_room_for_a_sheep` fails up to the cut at lesson 03 (it said: ";
    assert!(proof.output.contains(note), "{}", proof.output);
}

#[test]
fn a_starter_on_which_no_sandbox_runs() {
    let boat = Boat::new("sunk-starter");
    boat.edit(
        "crates/coracle/src/main.rs",
        "print();",
        "print();\n    assert!(coracle::oar::strokes(1) > 0);",
    );
    let words = [
        "lesson 02: sandbox does not run on the starter of lesson 02",
        "mend it in lessons/02-row/lesson.toml",
    ];
    assert!(boat.prove(&[]).defects().iter().any(|defect| words.iter().all(|word| defect.contains(word))));
}

#[test]
fn a_tree_with_open_items_is_not_the_reference() {
    let boat = Boat::new("open");
    boat.edit("crates/coracle/src/oar.rs", "pull(seats) * 10", "0");
    let proof = boat.prove(&[]);
    assert!(!proof.success);
    for word in ["the finished runtime", "`oar::strokes` of lesson 02", "git worktree add"] {
        assert!(proof.errors.contains(word), "{}", proof.errors);
    }
}

/// The other tests write verdicts themselves. Here the real testkit does, on the same boat.
#[test]
fn the_verdicts_are_those_that_testkit_writes() {
    let boat = Boat::new("testkit");
    boat.take_testkit();
    // testkit and what it stands on take a while to build: kept from one run to the next.
    let target = concat!(env!("CARGO_TARGET_TMPDIR"), "/prover/with-testkit");
    let proof = boat.prove_with(&["1"], &[("CARGO_TARGET_DIR", target)]);
    if proof.output.contains("`the_boat_has_a_name` was ignored") {
        // This machine lacks what the real lesson 01 needs; that much has come through.
        return;
    }
    assert_one_defect(
        &proof,
        &["vacuous test: red test `water_is_wet` is green on the lesson's own starter"],
    );
    let row = "red    the_boat_has_a_name  red      green    -        x  .  green";
    assert!(proof.output.contains(row), "{}", proof.output);
    let row = "guard  there_is_a_seat      red      green    red      .  x  green";
    assert!(proof.output.contains(row), "{}", proof.output);
}
