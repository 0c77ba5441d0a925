//! The learner's verbs, on a miniature course in a repository of its own.

mod mini;

use std::time::{Duration, Instant};

use mini::Mini;

const BOAT: &str = "crates/coracle/src/boat.rs";
const LIB: &str = "crates/coracle/src/lib.rs";

#[test]
fn start_needs_no_git_identity_and_keeps_the_reference() {
    let mini = Mini::cloned();
    let main = mini.git(&["rev-parse", "HEAD"]);
    let said = mini.does(&["start"]);
    assert!(said.contains("4 functions") && said.contains("git config user.name"), "{said}");
    assert_eq!(mini.git(&["branch", "--show-current"]), "my-coracle\n");
    assert_eq!(mini.git(&["rev-parse", "refs/coracle/base"]), main);
    assert_eq!(mini.git(&["rev-parse", "HEAD^"]), main);
    assert_eq!(mini.git(&["status", "--porcelain"]), "", "everything is committed");
    assert!(mini.text(LIB).starts_with("#![allow(unused_variables"));
    let boat = mini.text(BOAT);
    assert!(
        boat.contains("    // Lesson 01, item 1 of 2. Stuck? cargo lesson hint 1 row\n    0\n"),
        "{boat}"
    );
    assert!(!boat.contains("oars()"), "{boat}");
}

#[test]
fn start_refuses_changes_that_are_not_committed() {
    let mini = Mini::cloned();
    mini.edit(LIB, "360", "400");
    let said = mini.refuses(&["start"]);
    assert!(said.contains("not committed") && said.contains(LIB) && said.contains("git stash"), "{said}");
    assert_eq!(mini.git(&["branch", "--show-current"]), "main\n");
    assert_eq!(mini.git(&["branch", "--list", "my-coracle"]), "");
}

#[test]
fn a_zip_download_is_told_what_to_do() {
    let mini = Mini::unpacked();
    let said = mini.refuses(&["start"]);
    assert!(
        said.contains("no git history")
            && said.contains("git init\n")
            && said.contains("git config user.name"),
        "{said}"
    );
    mini.git(&["init", "--quiet"]);
    assert!(mini.refuses(&["start"]).contains("has no commit yet"));
    mini.commit("Coracle as downloaded");
    mini.does(&["start"]);
}

#[test]
fn a_download_inside_another_repository_is_not_mixed_up_with_it() {
    let mini = Mini::cloned();
    std::fs::rename(mini.root().join(".git"), mini.root().parent().expect("a parent").join(".git"))
        .expect("moved");
    let said = mini.refuses(&["start"]);
    assert!(said.contains("no git history of its own"), "{said}");
}

#[test]
fn start_comes_back_to_a_branch_that_is_there() {
    let mini = Mini::started();
    assert!(mini.does(&["start"]).contains("already"));
    mini.edit(LIB, "    course\n", "    course % 360\n");
    mini.commit("Mine");
    mini.git(&["switch", "--quiet", "main"]);
    assert!(mini.does(&["start"]).contains("Welcome back"));
    assert!(mini.text(LIB).contains("course % 360"), "the learner's work is there");

    mini.does(&["start", "--branch", "second"]);
    assert_eq!(mini.git(&["rev-parse", "HEAD^"]), mini.git(&["rev-parse", "main"]));
    mini.git(&["switch", "--quiet", "main"]);
    mini.git(&["branch", "other"]);
    assert!(mini.refuses(&["start", "--branch", "other"]).contains("branch of something else"));
}

#[test]
fn on_the_reference_there_is_nothing_to_change() {
    let mini = Mini::cloned();
    let check = || {
        for verb in ["solve", "reset", "diff", "catch-up"] {
            let said = mini.refuses(&[verb, "1"]);
            assert!(said.contains("nothing to do here") && said.contains("cargo lesson start"), "{said}");
        }
    };
    check();
    mini.does(&["start"]);
    mini.git(&["switch", "--quiet", "main"]);
    check();
}

#[test]
fn solving_item_after_item_ends_at_the_reference_to_the_byte() {
    for order in [["1 row", "1 sink", "2 bail", "2 steer"], ["2 steer", "1 sink", "2 boat::bail", "1 row"]] {
        let mini = Mini::cloned();
        let reference = mini.sources();
        mini.does(&["start"]);
        for (index, step) in order.iter().enumerate() {
            let (number, item) = step.split_once(' ').expect("two words");
            let said = mini.does(&["solve", number, item]);
            assert!(said.contains("@@") && said.contains("git checkout refs/coracle/backup/"), "{said}");
            assert_eq!(mini.sources() == reference, index == 3, "after {step}");
            assert_eq!(mini.text(LIB).contains("#![allow"), index < 3, "after {step}");
        }
        assert_eq!(mini.git(&["diff", "main", "--stat"]), "");
        assert!(mini.does(&["solve", "1"]).contains("Nothing to change"));
        mini.commit("Finished");
        assert!(mini.does(&["start"]).contains("already"), "a finished course is not blanked again");
        assert_eq!(mini.sources(), reference);
        assert!(mini.does(&["diff", "1"]).contains("boat::row: the same as the reference's"));
    }
}

#[test]
fn a_reset_lesson_is_the_starters_again() {
    let mini = Mini::started();
    let starter = mini.sources();
    mini.does(&["solve", "1"]);
    mini.does(&["solve", "2"]);
    mini.does(&["reset", "1"]);
    assert!(!mini.text(BOAT).contains("fn oars") && mini.text(BOAT).contains("water.min(5)"));
    mini.does(&["reset", "2"]);
    assert_eq!(mini.sources(), starter);
}

#[test]
fn what_solve_and_reset_replace_can_be_had_back() {
    for verb in ["solve", "reset"] {
        let mini = Mini::started();
        mini.edit(BOAT, "    0\n", "    strokes * 7 // mine, not committed\n");
        mini.write("crates/coracle/src/notes.rs", "// a new file\n");
        let mine = mini.sources();
        let said = mini.does(&[verb, "1"]);
        assert_ne!(mini.sources(), mine);
        let cure =
            said.lines().find_map(|line| line.split_once("To have it back: git ")).expect("a way back").1;
        mini.git(&cure.split_whitespace().collect::<Vec<_>>());
        assert_eq!(mini.sources(), mine, "{verb}");
    }
}

#[test]
fn two_backups_in_one_second_are_two() {
    let mini = Mini::started();
    for _ in 0..2 {
        mini.does(&["solve", "1"]);
        mini.does(&["reset", "1"]);
    }
    assert_eq!(mini.git(&["for-each-ref", "refs/coracle/backup"]).lines().count(), 4);
    assert_eq!(mini.git(&["diff", "--cached", "--stat"]), "", "the learner's index stays as it was");
}

#[test]
fn a_learner_may_do_without_the_private_helpers() {
    let mini = Mini::started();
    mini.edit(BOAT, "    0\n", "    strokes * 2\n");
    mini.does(&["solve", "1", "sink"]);
    let boat = mini.text(BOAT);
    assert!(boat.contains("strokes * 2") && !boat.contains("fn oars"), "{boat}");
    let said = mini.does(&["diff", "1"]);
    assert!(said.contains("-    strokes * 2\n") && said.contains("+    strokes * oars()\n"), "{said}");
}

#[test]
fn diff_keeps_open_items_secret() {
    let mini = Mini::started();
    let said = mini.does(&["diff", "1"]);
    assert!(said.contains("boat::row: still open") && !said.contains("oars"), "{said}");
    assert!(mini.does(&["diff", "1", "--reveal"]).contains("+    strokes * oars()"));
}

#[test]
fn diff_keeps_the_reference_secret_until_the_lesson_is_green() {
    let mini = Mini::started();
    mini.edit(BOAT, "    0\n", "    strokes * 3\n");
    mini.edit(BOAT, "    true\n", "    1 > 2\n");
    let said = mini.does(&["diff", "1"]);
    assert!(
        said.contains("boat::row: written, but lesson 1 is not green yet") && !said.contains("oars"),
        "{said}"
    );
    assert!(mini.does(&["diff", "1", "--reveal"]).contains("+    strokes * oars()"));
    mini.edit(BOAT, "strokes * 3", "strokes * 2");
    let said = mini.does(&["diff", "1"]);
    assert!(said.contains("-    strokes * 2\n") && said.contains("+    strokes * oars()\n"), "{said}");
}

#[test]
fn catch_up_solves_what_is_open_and_keeps_what_is_written() {
    let mini = Mini::started();
    mini.edit(BOAT, "    0\n", "    strokes + strokes\n");
    mini.does(&["catch-up", "2"]);
    let boat = mini.text(BOAT);
    assert!(boat.contains("strokes + strokes") && boat.contains("    false\n"), "{boat}");
    assert!(boat.contains("Lesson 02, item 1 of 2"), "lesson 2 is as it was: {boat}");
    let said = mini.does(&[]);
    assert!(said.contains("Next: lesson 02, Bailing") && said.contains("Rowing    10 min  done"), "{said}");
}

#[test]
fn status_shows_the_next_step_within_a_second() {
    let mini = Mini::started();
    mini.edit(BOAT, "    0\n", "    strokes + strokes\n");
    let begin = Instant::now();
    let said = mini.does(&[]);
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
    let line = mini.text(BOAT).lines().position(|line| line.contains("fn sink")).expect("sink") + 1;
    for part in [
        "  01  Rowing    10 min  1 of 2\n",
        "  02  Bailing   10 min  0 of 2\n",
        "Next: lesson 01, Rowing\n",
        "book/src/01-rowing.md",
        &format!("boat::sink in crates/coracle/src/boat.rs:{line}\n"),
        "cargo lesson test 1\n",
        "cargo lesson hint 1 sink\n",
    ] {
        assert!(said.contains(part), "{part:?}: {said}");
    }
    assert!(!said.contains('\x1b'), "no colour outside a terminal: {said:?}");

    mini.does(&["solve", "1"]);
    mini.does(&["solve", "2"]);
    assert!(mini.does(&[]).contains("Every function is written"));
}

#[test]
fn where_no_root_filesystem_can_be_made_status_shows_the_next_step_all_the_same() {
    let mini = Mini::started();
    std::fs::remove_dir_all(mini.root().join("target")).expect("removed");
    let said = mini.lesson(&[]);
    assert!(said.ok && said.out.contains("Next: lesson 01, Rowing\n"), "{said:?}");
    assert!(said.err.contains("root filesystem for the chapters' commands was not made"), "{said:?}");
}

#[test]
fn a_file_that_does_not_parse_stops_neither_status_nor_hints() {
    let mini = Mini::started();
    mini.edit(BOAT, "    0\n", "    strokes * (\n");
    let said = mini.does(&[]);
    assert!(said.contains("mend   crates/coracle/src/boat.rs:") && said.contains("does not parse"), "{said}");
    assert!(mini.does(&["hint", "1", "row"]).contains("How many?"));
    assert!(mini.refuses(&["solve", "1"]).contains("does not parse"));
}

#[test]
fn hints_come_one_by_one() {
    let mini = Mini::started();
    let first = mini.does(&["hint"]);
    assert!(first.contains("boat::row: hint 1 of 3") && first.contains("How many?"), "{first}");
    assert!(!first.contains("Multiply") && first.contains("More: cargo lesson hint 1 row\n"), "{first}");
    assert!(mini.does(&["hint", "1"]).contains("Multiply.\n"), "asked again");
    let last = mini.does(&["hint", "1", "sink", "--step", "3"]);
    assert!(last.contains("Say false.") && last.contains("cargo lesson solve 1 sink"), "{last}");
    assert!(mini.refuses(&["hint", "1", "dive"]).contains("Its items are: boat::row, boat::sink"));
    mini.write("lessons/01-rowing/hints.md", "## boat::row\n### 1\nA\n### 3\nB\n");
    assert!(mini.refuses(&["hint", "1"]).contains("### 3 where ### 2 belongs"));
    mini.write("lessons/01-rowing/hints.md", "## boat::row\n### 1\nA\n### 2\nB\n### 3\nC\n");
    assert!(mini.refuses(&["hint", "1"]).contains("no section ## boat::sink"));
}

#[test]
fn a_lesson_behind_an_open_one_is_locked() {
    let mini = Mini::started();
    let said = mini.refuses(&["test", "2"]);
    assert!(said.contains("lesson 2 is locked: lesson 1 has open functions"), "{said}");
    assert!(mini.refuses(&["test", "9"]).contains("there is no lesson 9"));
}

#[test]
fn test_runs_the_lesson_and_those_before_it() {
    let mini = Mini::started();
    let said = mini.refuses(&["test"]);
    assert!(said.contains("not green yet: lesson-01"), "{said}");
    mini.does(&["solve", "1"]);
    let said = mini.does(&["test", "1"]);
    assert!(said.contains("Green: lesson 1"), "{said}");
    let said = mini.does(&["test"]);
    assert!(said.contains("2 functions of lesson 2 still open"), "{said}");
    mini.edit(BOAT, "strokes * oars()", "strokes * oars() + 1");
    let said = mini.refuses(&["test"]);
    assert!(said.contains("an earlier one is not any more"), "{said}");
}

#[test]
fn a_clone_of_a_learners_branch_knows_its_reference() {
    let mini = Mini::started();
    mini.git(&["update-ref", "-d", "refs/coracle/base"]);
    mini.does(&["solve", "1"]);
    mini.does(&["solve", "2"]);
    assert_eq!(mini.git(&["diff", "main", "--stat"]), "");
    assert!(mini.does(&[]).contains("Every function is written"));
}

#[test]
fn a_lesson_in_the_making_is_nowhere_to_be_seen() {
    let mini = Mini::cloned();
    mini.edit(
        BOAT,
        "/// Bails.",
        "/// Sails.\npub fn sail(wind: u32) -> u32 {\n    wind * 2\n}\n\n/// Bails.",
    );
    let draft = "title = \"Sailing\"\nminutes = 1\nstars = 1\n[items]\n\"boat::sail\" = \"0\"\n";
    mini.write("lessons/03-sailing/lesson.toml", draft);
    mini.commit("A lesson in the making");
    assert!(mini.does(&["start"]).contains("4 functions"));
    assert!(mini.text(BOAT).contains("wind * 2"));
    let status = mini.does(&[]);
    assert!(status.contains("Bailing") && !status.contains("Sailing"), "{status}");
    for arguments in [&["hint", "3"], &["solve", "3"], &["reset", "3"], &["test", "3"]] {
        assert!(mini.refuses(arguments).contains("there is no lesson 3"), "{arguments:?}");
    }
    mini.does(&["solve", "1"]);
    mini.does(&["solve", "2"]);
    assert!(!mini.text(LIB).contains("#![allow"));
}
