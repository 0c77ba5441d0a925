//! What the directives become, and in which order the pages stand: a tiny course of two lessons.

use std::fs;
use std::path::Path;
use std::process::Command;

use book::{Book, Pages, render};
use course::Course;
use tempfile::TempDir;

const SOURCE: &str = r#"//! Anchors.

/// Drops the anchor, see [`weigh`] and [`weigh`](self::weigh), not [this].
///
/// # Errors
/// `EBUSY` where it is down already.
pub fn drop_anchor(depth: u32) -> Result<(), u32> {
    Err(depth)
}

/// Weighs the anchor.
pub fn weigh() -> u32 {
    7
}
"#;

const TESTS: &str = r#"
testkit::lesson! { 1,
    red the_boat_stays_where_it_is,
    red(strace) no_call_is_wasted,
    guard the_boat_floats,
}
/// Also in a current.
fn the_boat_stays_where_it_is() {}
fn no_call_is_wasted() {}
fn the_boat_floats() {}
"#;

/// A course with the chapters that are given.
fn course(chapters: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("the folder");
        fs::write(path, text).expect("the file");
    };
    write("crates/coracle/src/lib.rs", "pub mod anchor;\n");
    write("crates/coracle/src/anchor.rs", SOURCE);
    write("lessons/Cargo.toml", "[[test]]\nname = \"lesson-01\"\npath = \"01-anchor/tests.rs\"\n");
    write("lessons/00-setup/lesson.toml", "title = \"Setting up\"\nminutes = 20\nstars = 1\nneeds = []\n");
    write(
        "lessons/01-anchor/lesson.toml",
        "title = \"The drop_anchor\"\nminutes = 45\nstars = 2\nneeds = [\"userns\"]\n\
         [items]\n\"anchor::drop_anchor\" = \"Ok(())\"\n\
         [guards.the_boat_floats]\nitem = \"anchor::drop_anchor\"\nbody = \"panic!()\"\n",
    );
    write("lessons/01-anchor/tests.rs", TESTS);
    write("book/book.toml", "[book]\ntitle = \"Tiny\"\n");
    write("book/src/preface.md", "# Preface\n");
    for (name, text) in chapters {
        write(&format!("book/src/{name}"), text);
    }
    root
}

fn pages(root: &Path) -> Pages {
    let course = Course::load(root).expect("the course");
    let book = Book::open(&course, &root.join("book")).expect("the book");
    let pages = book.pages().expect("the pages");
    let out = tempfile::tempdir().expect("a folder");
    let warnings = render::html(&book, &pages, out.path()).expect("mdBook renders it");
    assert!(warnings.is_empty(), "mdBook warns: {warnings:#?}");
    pages
}

/// The one chapter of lesson 1.
fn chapter(text: &str) -> (String, Vec<String>) {
    let root = course(&[("01-anchor.md", text)]);
    let pages = pages(root.path());
    let defects = pages.defects.iter().map(ToString::to_string).collect();
    let page = pages.pages.into_iter().find(|page| page.lesson == Some(1)).expect("the chapter");
    (page.text, defects)
}

#[test]
fn the_card_says_what_the_manifest_says() {
    let (text, defects) = chapter("{{#card}}\n\n{{#contracts}}\n");
    assert!(defects.is_empty(), "{defects:#?}");
    assert!(text.starts_with("# 01 · The drop\\_anchor\n"), "{text}");
    for part in ["45 minutes", "★★☆", "userns", "crates/coracle/src/anchor.rs", "cargo test --test lesson-01"]
    {
        assert!(text.contains(part), "no {part} in {text}");
    }
    assert!(text.contains("href=\"#contract-anchor-drop_anchor\""), "{text}");
    assert!(text.contains("id=\"contract-anchor-drop_anchor\""), "{text}");
    assert!(text.contains("pub fn drop_anchor(depth: u32) -> Result<(), u32>;"), "{text}");
    assert!(text.contains("see `weigh` and `weigh`, not [this].") && text.contains("**Errors**"), "{text}");
    assert!(!text.contains("Err(depth)"), "the contract tells the solution: {text}");
}

#[test]
fn the_tests_are_sentences() {
    let (text, defects) = chapter("{{#tests 01}}\n");
    assert!(defects.is_empty(), "{defects:#?}");
    assert!(text.contains("red</span> The boat stays where it is.\\\n  Also in a current.\\\n  `the_boat_stays_where_it_is`\n"), "{text}");
    assert!(
        text.contains("red</span> No call is wasted. (needs strace)\\\n  `no_call_is_wasted`\n"),
        "{text}"
    );
    assert!(text.contains("guard</span> The boat floats.\\\n  `the_boat_floats`\n"), "{text}");
}

#[test]
fn a_lessons_own_item_is_shown_folded_or_not_at_all() {
    let (text, defects) = chapter("text\n\n{{#item anchor::drop_anchor}}\n{{#item anchor::weigh}}\n");
    assert!(text.contains("    7\n"), "{text}");
    assert_eq!(defects.len(), 1, "{defects:#?}");
    assert!(defects[0].starts_with("book/src/01-anchor.md:3: "), "{defects:#?}");
    assert!(defects[0].contains("the learner still has to write it"), "{defects:#?}");
}

#[test]
fn on_a_learners_branch_the_solution_is_the_references() {
    let root = course(&[("01-anchor.md", "{{#solution anchor::drop_anchor}}\n\n{{#item anchor::weigh}}\n")]);
    let git = |args: &[&str]| {
        let status = Command::new("git")
            .current_dir(&root)
            .args(["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"])
            .args(args)
            .status();
        assert!(status.expect("git").success(), "git {args:?}");
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message", "The reference"]);
    git(&["update-ref", "refs/coracle/base", "HEAD"]);
    // In the middle of a thought the file does not even parse.
    let file = root.path().join("crates/coracle/src/anchor.rs");
    fs::write(&file, SOURCE.replace("Err(depth)", "Ok(())").replace("7\n}", "7\n")).expect("the file");
    let pages = pages(root.path());
    assert!(pages.defects.is_empty(), "{:#?}", pages.defects);
    let text = &pages.pages.iter().find(|page| page.lesson == Some(1)).expect("the chapter").text;
    assert!(text.contains("<details class=\"solution\">") && text.contains("Err(depth)"), "{text}");
    assert!(text.contains("    7\n"), "{text}");
}

#[test]
fn the_order_is_the_lessons_order() {
    let root = course(&[
        ("zz-more.md", "# What else\n"),
        ("how-to-use.md", "# How\n"),
        ("01-anchor.md", "{{#card}}\n"),
        ("00-setup.md", "# Setting up\n\n{{#card}}\n"),
    ]);
    let pages = pages(root.path());
    let expected = "# Summary\n\n\n[Preface](preface.md)\n\n\n[How](how-to-use.md)\n\n- [00 · Setting up](00-setup.md)\n\n\
                    # I: The six capabilities\n\n- [01 · The drop\\_anchor](01-anchor.md)\n\n[What else](zz-more.md)\n\n";
    assert_eq!(pages.summary, expected);
}

#[test]
fn a_chapter_that_is_missing_incomplete_or_wrongly_named_is_noted() {
    let root = course(&[("01-anchor.md", "# Another title\n\n{{#card}}\n"), ("02-sail.md", "# Sail\n")]);
    let found = pages(root.path());
    let all: Vec<_> = found.defects.iter().chain(&found.gaps).map(ToString::to_string).collect();
    for expected in [
        "book/src/00-setup.md: lesson 0 has no chapter",
        "book/src/01-anchor.md:1: the heading is \"Another title\"",
        "book/src/01-anchor.md: the chapter lacks {{#tests 01}}",
        "book/src/01-anchor.md: the chapter does not show the contract of anchor::drop_anchor",
        "book/src/02-sail.md: the page is named like a chapter",
    ] {
        assert!(all.iter().any(|line| line.starts_with(expected)), "no \"{expected}\" in {all:#?}");
    }
    assert_eq!(all.len(), 5, "{all:#?}");
}
