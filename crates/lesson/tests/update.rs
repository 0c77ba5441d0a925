//! `cargo lesson update`, on a miniature course whose project goes on while a learner is half way.

mod mini;

use mini::Mini;

const BOAT: &str = "crates/coracle/src/boat.rs";
const LIB: &str = "crates/coracle/src/lib.rs";
/// The learner's own body of `boat::row`.
const MINE: &str = "strokes + strokes // mine";

/// A learner's branch on which `boat::row` is written and committed.
fn half_done() -> Mini {
    let mini = Mini::started();
    mini.edit(BOAT, "    0\n", &format!("    {MINE}\n"));
    mini.commit("Row");
    mini
}

/// Commits what `change` does to the project's own branch, and comes back.
fn project(mini: &Mini, change: impl FnOnce()) {
    mini.git(&["switch", "--quiet", "main"]);
    change();
    mini.commit("The project goes on");
    mini.git(&["switch", "--quiet", "my-coracle"]);
}

#[test]
fn a_mend_of_an_unrelated_function_comes_and_the_learners_functions_stay() {
    let mini = half_done();
    mini.edit(LIB, "pub mod boat;\n", "pub mod boat;\n\n/// Given.\npub fn depth() -> u32 {\n    4\n}\n");
    mini.commit("Something of my own");
    project(&mini, || {
        mini.edit(BOAT, "water.min(5)", "water.min(6)");
        mini.edit(
            BOAT,
            "//! Boats.",
            "//! Boats, mended.\n\n/// Floats.\npub fn floats() -> bool {\n    true\n}",
        );
        mini.write("book/src/01-rowing.md", "A new chapter.\n");
        mini.edit("lessons/01-rowing/hints.md", "How many?", "How many oars?");
    });
    let said = mini.does(&["update"]);
    assert!(
        said.contains("new commits: 1") && said.contains("as you wrote them:\n  boat::row\nAll"),
        "{said}"
    );
    let boat = mini.text(BOAT);
    assert!(boat.contains(MINE) && boat.contains("Boats, mended") && boat.contains("fn floats"), "{boat}");
    assert!(!boat.contains("water.min") && !boat.contains("fn oars"), "what is open stays open: {boat}");
    assert!(mini.text(LIB).contains("fn depth"), "the learner's own addition is gone");
    assert_eq!(mini.text("book/src/01-rowing.md"), "A new chapter.\n");
    assert!(mini.text("lessons/01-rowing/hints.md").contains("How many oars?"));
    assert_eq!(mini.git(&["status", "--porcelain"]), "", "the update is a commit");
    assert_eq!(mini.git(&["rev-parse", "refs/coracle/base"]), mini.git(&["rev-parse", "main"]));

    // From here on the new reference counts.
    mini.does(&["solve", "2"]);
    mini.does(&["solve", "1"]);
    assert!(mini.text(BOAT).contains("water.min(6)"));
    assert!(mini.does(&["diff", "2"]).contains("boat::bail: the same as the reference's"));
    assert!(mini.does(&["update"]).contains("Nothing new"));
}

#[test]
fn one_update_after_the_other_and_back_again() {
    let mini = half_done();
    let before = mini.git(&["rev-parse", "HEAD"]);
    project(&mini, || mini.edit(BOAT, "//! Boats.", "//! One."));
    mini.does(&["update"]);
    project(&mini, || mini.edit(BOAT, "//! One.", "//! Two."));
    let said = mini.does(&["update"]);
    assert!(mini.text(BOAT).contains("//! Two.") && mini.text(BOAT).contains(MINE));
    let undo =
        said.lines().find_map(|line| line.split_once("To undo the update: git ")).expect("a way back").1;
    mini.git(&undo.split_whitespace().collect::<Vec<_>>());
    assert!(mini.text(BOAT).contains("//! One."));
    mini.git(&["reset", "--keep", &format!("{}^", "HEAD")]);
    assert_eq!(mini.git(&["rev-parse", "HEAD"]), before);
    assert!(mini.does(&["update"]).contains("new commits: 2"), "the base went back as well");
}

#[test]
fn an_open_item_gets_the_new_contract_and_a_written_one_too() {
    let mini = half_done();
    project(&mini, || {
        mini.edit(BOAT, "/// Rows: strokes times oars.", "/// Rows: oars times strokes.");
        mini.edit(BOAT, "/// Sinks.\npub fn sink()", "/// Sinks, or not.\npub(crate) fn sink()");
    });
    let said = mini.does(&["update"]);
    assert!(said.contains("does your body still fit?:\n  boat::row\nAll"), "{said}");
    let boat = mini.text(BOAT);
    assert!(boat.contains("/// Rows: oars times strokes.\npub fn row(strokes: u32) -> u32 {\n"), "{boat}");
    assert!(boat.contains(MINE), "{boat}");
    assert!(
        boat.contains("/// Sinks, or not.\npub(crate) fn sink() -> bool {\n    // Lesson 01, item 2"),
        "{boat}"
    );
}

#[test]
fn what_was_solved_is_the_new_references() {
    let mini = Mini::started();
    mini.does(&["solve", "1"]);
    mini.commit("Solved");
    project(&mini, || {
        mini.edit(BOAT, "    strokes * oars()\n", "    strokes * oars() * arms()\n");
        mini.edit(BOAT, "/// Sinks.", "fn arms() -> u32 {\n    1\n}\n\n/// Sinks.");
        mini.edit(
            "lessons/01-rowing/lesson.toml",
            "\"boat::one_side\"]",
            "\"boat::one_side\", \"boat::arms\"]",
        );
    });
    let said = mini.does(&["update"]);
    assert!(said.contains("Mended in the reference, from where you had them:\n  boat::row\n"), "{said}");
    let boat = mini.text(BOAT);
    assert!(
        boat.contains("oars() * arms()") && boat.contains("fn arms()") && boat.contains("fn one_side"),
        "{boat}"
    );
    mini.does(&["solve", "2"]);
    assert_eq!(mini.git(&["diff", "main", "--stat"]), "", "all solved is the new reference to the byte");
}

#[test]
fn a_new_lesson_comes_open() {
    let mini = Mini::started();
    mini.does(&["solve", "1"]);
    mini.does(&["solve", "2"]);
    mini.commit("Finished");
    assert!(!mini.text(LIB).contains("#![allow"));
    project(&mini, || {
        mini.edit(
            BOAT,
            "/// Bails.",
            "/// Sails.\npub fn sail(wind: u32) -> u32 {\n    wind * 2\n}\n\n/// Bails.",
        );
        mini.edit(LIB, "/// Steers.", "/// Heels.\npub fn heel() -> u32 {\n    tilt()\n}\n\nfn tilt() -> u32 {\n    9\n}\n\n/// Steers.");
        let lesson = "title = \"Sailing\"\nminutes = 1\nstars = 1\nprivate = [\"tilt\"]\n[items]\n\"boat::sail\" = \"0\"\n\"heel\" = \"0\"\n";
        mini.write("lessons/03-sailing/lesson.toml", lesson);
        mini.write("lessons/03-sailing/tests.rs", "#[test]\nfn it_sails() {}\n");
    });
    let said = mini.does(&["update"]);
    assert!(said.contains("New to write:\n  lesson 03: boat::sail\n  lesson 03: heel\n"), "{said}");
    assert!(said.contains("Next: lesson 03, Sailing"), "{said}");
    let (boat, lib) = (mini.text(BOAT), mini.text(LIB));
    assert!(boat.contains("fn sail(wind: u32) -> u32 {\n    // Lesson 03, item 1 of 2"), "{boat}");
    assert!(lib.starts_with("#![allow(") && !lib.contains("fn tilt"), "{lib}");
    assert!(boat.contains("strokes * oars()"), "what was solved stays solved: {boat}");
    mini.does(&["solve", "3"]);
    assert_eq!(mini.git(&["diff", "main", "--stat"]), "");
}

#[test]
fn a_given_function_that_becomes_an_item_is_opened_unless_the_learner_changed_it() {
    for mine in [false, true] {
        let mini = Mini::cloned();
        mini.edit(LIB, "/// Steers.", "/// Moors.\npub fn moor() -> u32 {\n    7\n}\n\n/// Steers.");
        mini.commit("A given function");
        mini.does(&["start"]);
        if mine {
            mini.edit(LIB, "    7\n", "    3 + 4\n");
            mini.commit("My own");
        }
        project(&mini, || {
            mini.edit("lessons/02-bailing/lesson.toml", "\"steer\"", "\"moor\" = \"0\"\n\"steer\"");
        });
        mini.does(&["update"]);
        let lib = mini.text(LIB);
        assert_eq!(lib.contains("3 + 4"), mine, "{lib}");
        assert_eq!(lib.contains("item 2 of 3. Stuck? cargo lesson hint 2 moor"), !mine, "{lib}");
    }
}

#[test]
fn a_room_that_is_split_takes_the_learners_function_along() {
    let mini = half_done();
    project(&mini, || {
        mini.write("crates/coracle/src/boat/mod.rs", &mini.text(BOAT));
        mini.git(&["rm", "--quiet", "--force", BOAT]);
        mini.edit("lessons/01-rowing/tests.rs", "src/boat.rs", "src/boat/mod.rs");
    });
    mini.does(&["update"]);
    assert!(!mini.root().join(BOAT).exists());
    let boat = mini.text("crates/coracle/src/boat/mod.rs");
    assert!(boat.contains(MINE) && boat.contains("Lesson 01, item 2"), "{boat}");
}

#[test]
fn a_function_that_the_project_drops_stays_where_the_learner_wrote_it() {
    let mini = half_done();
    project(&mini, || {
        let row =
            "/// Rows: strokes times oars.\npub fn row(strokes: u32) -> u32 {\n    strokes * oars()\n}\n\n";
        mini.edit(BOAT, row, "");
        mini.edit("lessons/01-rowing/lesson.toml", "\"boat::row\" = \"0\"\n", "");
    });
    let said = mini.does(&["update"]);
    assert!(said.contains("No part of the runtime any more") && said.contains("  boat::row\n"), "{said}");
    assert!(mini.text(BOAT).contains(MINE));
}

#[test]
fn lines_that_both_changed_are_named_and_nothing_is_written() {
    let mini = half_done();
    mini.edit(BOAT, "//! Boats.", "//! My boats.");
    mini.edit(".gitignore", "/target", "/target\n/mine");
    mini.commit("My own words");
    project(&mini, || {
        mini.edit(BOAT, "//! Boats.", "//! Their boats.");
        mini.edit(".gitignore", "/target", "/target\n/theirs");
    });
    let (head, sources) = (mini.git(&["rev-parse", "HEAD"]), mini.sources());
    let said = mini.refuses(&["update"]);
    assert!(
        said.contains(&format!("  .gitignore\n  {BOAT}\n")) && said.contains("--prefer upstream"),
        "{said}"
    );
    assert_eq!((mini.git(&["rev-parse", "HEAD"]), mini.sources()), (head.clone(), sources));
    assert_eq!(mini.git(&["status", "--porcelain"]), "");

    mini.does(&["update", "--prefer", "upstream"]);
    assert!(mini.text(BOAT).contains("Their boats") && mini.text(BOAT).contains(MINE));
    mini.git(&["reset", "--quiet", "--hard", head.trim()]);
    mini.does(&["update", "--prefer", "mine"]);
    assert!(mini.text(BOAT).contains("My boats") && mini.text(".gitignore").contains("/mine"));
}

#[test]
fn what_is_not_committed_or_in_the_way_is_refused() {
    let mini = half_done();
    project(&mini, || mini.write("book/new.md", "theirs\n"));
    mini.write("book/new.md", "mine\n");
    let said = mini.refuses(&["update"]);
    assert!(said.contains("take the place of yours:\n  book/new.md\n"), "{said}");
    assert_eq!(mini.text("book/new.md"), "mine\n");
    mini.write("book/new.md", "theirs\n");
    mini.edit(LIB, "    course\n", "    course % 360\n");
    let said = mini.refuses(&["update"]);
    assert!(said.contains("not committed") && said.contains(LIB) && said.contains("git stash"), "{said}");
    mini.git(&["stash"]);
    mini.does(&["update"]);
    mini.git(&["stash", "pop"]);
    mini.git(&["switch", "--quiet", "--detach"]);
    assert!(mini.refuses(&["update"]).contains("HEAD is on no branch"));
}

#[test]
fn the_project_may_be_named_and_a_learners_branch_is_none() {
    let mini = half_done();
    project(&mini, || mini.edit(BOAT, "//! Boats.", "//! New."));
    mini.git(&["branch", "next", "main"]);
    mini.git(&["branch", "--force", "main", "refs/coracle/base"]);
    assert!(mini.does(&["update"]).contains("Nothing new"));
    assert!(mini.refuses(&["update", "--from", "nowhere"]).contains("git knows no nowhere"));
    assert!(mini.refuses(&["update", "--from", "my-coracle"]).contains("a learner's branch too"));
    assert!(mini.does(&["update", "--from", "next"]).contains("of next"));
    mini.git(&["switch", "--quiet", "main"]);
    assert!(mini.refuses(&["update"]).contains("nothing to do here"));
}

#[test]
fn a_clone_fetches_and_updates_and_a_clone_of_that_one_knows_its_reference() {
    let project = Mini::cloned();
    let mine = Mini::clone_of(&project, "main");
    mine.does(&["start"]);
    project.edit(BOAT, "//! Boats.", "//! New.");
    project.commit("On the server");
    assert!(mine.does(&["update"]).contains("--fetch"));
    assert!(mine.does(&["update", "--fetch"]).contains("of origin/HEAD; new commits: 1"));
    let teachers = Mini::clone_of(&mine, "my-coracle");
    teachers.does(&["solve", "1"]);
    teachers.does(&["solve", "2"]);
    assert_eq!(teachers.sources(), project.sources());
}

#[test]
fn a_file_that_does_not_parse_is_named_before_anything_is_written() {
    let mini = half_done();
    mini.edit(BOAT, MINE, "strokes + (");
    mini.commit("Broken");
    project(&mini, || mini.edit(LIB, "//! A runtime", "//! The runtime"));
    let said = mini.refuses(&["update"]);
    assert!(said.contains("does not parse") && said.contains("Mend it first"), "{said}");
    assert_eq!(mini.git(&["status", "--porcelain"]), "");
}
