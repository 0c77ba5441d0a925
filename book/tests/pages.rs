//! What the directives become, and in which order the pages stand: a tiny course of two lessons.

use std::fs;
use std::path::Path;
use std::process::Command;

use book::{Book, Pages, publish, readme, render};
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
    write(
        "lessons/00-setup/lesson.toml",
        "title = \"Setting up\"\nlearns = \"nothing yet\"\nminutes = 20\nstars = 1\nneeds = []\n",
    );
    write(
        "lessons/01-anchor/lesson.toml",
        "title = \"The drop_anchor\"\nlearns = \"to stay\"\nminutes = 45\nstars = 2\nneeds = [\"userns\"]\n\
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
                    # I: The six capabilities\n\n- [01 · The drop\\_anchor](01-anchor.md)\n\n# To look things up\n\n- [What else](zz-more.md)\n";
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

#[test]
fn readmes_map_is_made_of_the_manifests_and_a_wrong_one_is_noticed() {
    let root = course(&[]);
    let file = root.path().join("README.md");
    let marks = "<!-- The map of the lessons, from their manifests: cargo run -p book -- readme -->\n\
                 <!-- The map ends. -->\n";
    fs::write(&file, format!("# Tiny\n\n{marks}end\n")).expect("README");
    let course = Course::load(root.path()).expect("the course");
    let book = Book::open(&course, &root.path().join("book")).expect("the book");
    let wrong = |line: usize, words: &str| {
        let found = readme::check(&book).expect("README is read");
        let [defect] = found.as_slice() else { panic!("one defect expected: {found:#?}") };
        assert!(defect.line == line && defect.what.contains(words), "{defect}");
    };
    wrong(4, "cargo run -p book -- readme writes it");
    assert!(readme::write(&book).expect("README is written"));
    let text = fs::read_to_string(&file).expect("README");
    let row =
        "| 01 | [The drop\\_anchor](book/src/01-anchor.md) | to stay | `cargo test --test lesson-01` |\n";
    assert!(text.contains(row) && text.ends_with("<!-- The map ends. -->\nend\n"), "{text}");
    assert!(readme::check(&book).expect("README is read").is_empty());
    assert!(!readme::write(&book).expect("nothing to write"));
    fs::write(&file, text.replace("to stay", "to leave")).expect("README");
    wrong(8, "| to stay |");
    fs::write(&file, "# Tiny\n").expect("README");
    wrong(0, "lacks the line");
}

#[test]
fn only_what_is_proved_is_published() {
    let root = course(&[
        ("00-setup.md", "{{#card}}\n"),
        ("01-anchor.md", "{{#card}}\n\n{{#tests}}\n\n{{#contracts}}\n"),
    ]);
    fs::write(root.path().join("book/src/matrix.md"), "# Matrix\n\n{{#matrix}}\n\n{{#version}}\n")
        .expect("a page");
    let (book, site) = (root.path().join("book"), root.path().join("site"));
    let publish = || {
        let course = Course::load(root.path()).expect("the course");
        publish::run(&course, &book, "v0.2.1", &site)
    };
    let refused = format!("{:#}", publish().expect_err("there is no proof"));
    assert!(refused.contains("There is no target/prove/matrix.json"), "{refused}");
    assert!(!site.exists());
    let cell = r#""starter":"red","green":"green","wrong":"red","notices":["yes"],"oracle":"exempt","exempt":"runc sinks""#;
    let tests = ["the_boat_stays_where_it_is", "no_call_is_wasted", "the_boat_floats"];
    let tests = tests.map(|name| format!(r#"{{"name":"{name}",{cell}}}"#)).join(",");
    let row = format!(r#"{{"number":1,"items":["anchor::drop_anchor"],"tests":[{tests}]}}"#);
    let proof = |row: &str| {
        fs::create_dir_all(root.path().join("target/prove")).expect("a folder");
        let text = format!(r#"{{"lessons":[{row}],"oracle":"runc version 7","defects":[]}}"#);
        fs::write(root.path().join("target/prove/matrix.json"), text).expect("the proof");
    };
    proof("");
    let refused = format!("{:#}", publish().expect_err("a proof of another lesson"));
    assert!(refused.contains("another lesson 1"), "{refused}");
    proof(&row.replace("\"yes\"", "\"no\""));
    let refused = format!("{:#}", publish().expect_err("a function that nobody misses"));
    assert!(refused.contains("no test of lesson 1 misses anchor::drop_anchor"), "{refused}");
    proof(&row.replacen("\"yes\"", "\"no\"", 1).replacen("\"wrong\":\"red\"", "\"wrong\":null", 1));
    let refused = format!("{:#}", publish().expect_err("a test that misses nothing"));
    assert!(refused.contains("the_boat_stays_where_it_is of lesson 1 misses no function"), "{refused}");
    proof(&row);
    assert_eq!(publish().expect("it is published"), "v0.2");
    let page = fs::read_to_string(site.join("v0.2/matrix.html")).expect("the matrix");
    for part in [
        "runc version 7",
        "red, on a wrong body",
        "fails without it",
        "runc sinks",
        "versions.html",
        "v0.2.1",
    ] {
        assert!(page.contains(part), "no {part} in {page}");
    }
    assert!(fs::read_to_string(site.join("versions.html")).expect("the list").contains("v0.2/"));
    // What is younger than its proof is not proved.
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(60);
    let source = fs::File::options().write(true).open(root.path().join("crates/coracle/src/anchor.rs"));
    source.expect("the source").set_modified(later).expect("its time");
    let refused = format!("{:#}", publish().expect_err("the proof is old"));
    assert!(refused.contains("anchor.rs has changed since the last proof"), "{refused}");
}

#[test]
fn the_suite_of_conformance_is_shown_with_what_was_said_of_it() {
    let root = course(&[
        ("00-setup.md", "{{#card}}\n"),
        ("01-anchor.md", "{{#card}}\n\n{{#tests}}\n\n{{#contracts}}\n"),
    ]);
    let write = |name: &str, text: &str| {
        let file = root.path().join(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        fs::write(file, text).expect("a file");
    };
    let suite = "crates/coracle/tests/conformance";
    write("book/src/conformance.md", "# Conformance\n\n{{#conformance}}\n");
    write(&format!("{suite}/main.rs"), "let rooms = [\n    water::TESTS,\n];\n");
    write(
        &format!("{suite}/water.rs"),
        "//! sea.md, \"Water\". Row O-77.\n\
         pub(crate) const TESTS: &[Test] = testkit::tests! { o77_it_is_wet(userns, root), o77_it_is_deep };\n\
         /// \"The water MUST be wet.\"\nfn o77_it_is_wet() {}\nfn o77_it_is_deep() {}\n",
    );
    let page = || {
        let course = Course::load(root.path()).expect("the course");
        let book = Book::open(&course, &root.path().join("book")).expect("the book");
        let mut pages = book.pages().expect("the pages");
        assert!(pages.defects.is_empty(), "{:?}", pages.defects);
        pages.pages.retain(|page| page.name == Path::new("conformance.md"));
        pages.pages.remove(0).text
    };
    let text = page();
    for part in
        ["Not run here", "There is no target/conformance/matrix.json", "## sea.md, \"Water\"\n", "| O-77 |"]
    {
        assert!(text.contains(part), "no {part} in {text}");
    }
    let runtimes =
        r#"[{"name":"coracle","version":"coracle version 7"},{"name":"runc","version":"runc version 1"}]"#;
    let machine = r#"{"kernel":"Linux 7","processor":"oak","cgroup":"version 2","who":"root"}"#;
    let wet = r#"{"coracle":{"verdict":"pass"},"runc":{"verdict":"differs","why":"it floats"}}"#;
    let tests = format!(r#"[{{"name":"o77_it_is_wet","verdicts":{wet}}}]"#);
    let said = |defects: &str| {
        let all =
            format!(r#"{{"machine":{machine},"runtimes":{runtimes},"tests":{tests},"defects":[{defects}]}}"#);
        write("target/conformance/matrix.json", &all);
    };
    said("");
    let text = page();
    for part in [
        "runc version 1, on Linux 7 (oak)",
        "| O-77 | **It is wet.** \"The water MUST be wet.\" | yes | differs |",
        "| O-77 | **It is deep.**  | ? | ? |",
        "- runc, `o77_it_is_wet`: it floats.",
    ] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    said(r#""a leak""#);
    assert!(page().contains("The last run found 1 defects"));
}

/// The document's lessons go from a goal to what comes next, and so does each of ours, from the card on.
#[test]
fn s10_every_lesson_has_the_parts_of_the_documents_lessons() {
    let course = Course::find(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("the course around this package");
    let book = Book::open(&course, &course.root.join("book")).expect("the book");
    let pages = book.pages().expect("the pages");
    let written = course.lessons.iter().filter(|lesson| !lesson.items.is_empty());
    let mut count = 0;
    for (nth, lesson) in written.enumerate() {
        count = nth + 1;
        assert!(!lesson.learns.is_empty(), "lesson {} names no goal", lesson.number);
        let page = pages.pages.iter().find(|page| page.lesson == Some(lesson.number)).expect("its chapter");
        let test = format!("cargo test --test lesson-{:02}", lesson.number);
        // Prerequisites, red, green, verify, clean up (what is done is kept, and the tree is clean for the next one), common
        // errors, what runc really does.
        for part in [
            "<dt>Needs</dt>",
            "\n## Red\n",
            "\n## Your turn\n",
            &test,
            "\n## Green, then look\n",
            "git commit",
            "\n## Errors you may meet\n",
            "\n## How runc, crun and youki do it\n",
        ] {
            assert!(page.text.contains(part), "no {part:?} in {}", page.file.display());
        }
        // Next: the one after it in the table of contents, to which mdBook leads.
        let link = format!("]({}.md)", lesson.folder());
        let behind = pages.summary.split(&link).nth(1).unwrap_or_default();
        assert!(behind.contains("]("), "nothing comes after {}", page.file.display());
    }
    assert!(count >= 8, "only {count} lessons have something to write");
}
