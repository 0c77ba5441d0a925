//! A real chapter, with one thing of each kind broken in it: the check names each, with its file and line. And the
//! appendices' data, broken likewise.

mod common;

use std::fs;
use std::path::Path;

use common::{course, tools};
use tempfile::TempDir;

const CHAPTER: &str = "01-namespaces.md";

/// A copy of the book with no other chapter than this one, its data and its appendices included.
fn copy() -> TempDir {
    let from = course().root.join("book");
    let dir = tempfile::tempdir().expect("a folder");
    fs::create_dir_all(dir.path().join("src/img")).expect("src");
    let names = ["book.toml", "manpages.txt", "src/how-to-use.md", "src/glossary.md"].map(str::to_string);
    let images = from.join("src/img").read_dir().expect("the diagrams");
    let images =
        images.map(|entry| format!("src/img/{}", entry.expect("a diagram").file_name().to_string_lossy()));
    for name in names.into_iter().chain(images).chain([format!("src/{CHAPTER}")]) {
        fs::copy(from.join(&name), dir.path().join(&name)).expect("a file of the book");
    }
    fs::create_dir(dir.path().join("theme")).expect("theme");
    for name in ["theme/coracle.css", "theme/favicon.svg"] {
        fs::copy(from.join(name), dir.path().join(name)).expect("a file of the theme");
    }
    let term = "[[term]]\nname = \"namespace\"\nmeans = \"A view.\"\nsee = \"namespaces(7)\"\ntaught = 1\n";
    fs::write(dir.path().join("glossary.toml"), term).expect("the glossary");
    dir
}

fn replace(file: &Path, old: &str, new: &str) -> usize {
    let text = fs::read_to_string(file).expect("the file");
    let at = text.find(old).unwrap_or_else(|| panic!("{} does not say {old:?} any more", file.display()));
    fs::write(file, text.replacen(old, new, 1)).expect("the file");
    text[..at].matches('\n').count() + 1
}

/// Leaves that transcript alone to be run: the others need a runtime, and on a learner's branch that is half-done.
fn only(chapter: &Path, transcript: &str) {
    let text = fs::read_to_string(chapter).expect("the chapter");
    let parts = text.split("```console").enumerate().map(|(nth, part)| {
        let runs = nth == 0 || part.starts_with(&format!("\n{transcript}")) || part.starts_with(",norun");
        let rest = part.strip_prefix(",before").unwrap_or(part);
        if runs { part.to_string() } else { format!(",norun,reason=\"not asked here\"{rest}") }
    });
    fs::write(chapter, parts.collect::<Vec<_>>().join("```console")).expect("the chapter");
}

/// Checks the book, and returns what is wrong, apart from pages that the copy leaves out on purpose.
fn defects(dir: &Path) -> Vec<String> {
    let found = book::check::run(&course(), dir, &tools()).expect("the check runs").defects;
    let left_out = ["has no chapter", "troubleshooting.md leads nowhere", "matrix.md leads nowhere"];
    let found = found.into_iter().filter(|defect| !left_out.iter().any(|words| defect.what.contains(words)));
    found.map(|defect| format!("{}:{}: {}", defect.file.display(), defect.line, defect.what)).collect()
}

#[test]
fn one_broken_thing_of_each_kind_in_a_chapter_is_named_with_its_file_and_line() {
    let dir = copy();
    let chapter = dir.path().join("src").join(CHAPTER);
    // What stands there, what takes its place, and what the check must say.
    let broken = [
        (
            "**1. `crates/coracle/src/namespace.rs`",
            "**1. `crates/coracle/src/namespace.md`",
            "the repository has no crates/coracle/src/namespace.md",
        ),
        ("{{#item namespace::at_birth}}", "{{#item namespace::at_death}}", "namespace::at_death"),
        (
            "1. In `namespace::names_and_network`",
            "1. In `namespace::names`",
            "the runtime has no item namespace::names",
        ),
        ("`cargo lesson diff 1`", "`cargo lesson difference 1`", "no verb difference"),
        (
            "cargo build -p coracle -p probe\n",
            "cargo build -p coracle -p prob\n",
            "the workspace has no package prob",
        ),
        (
            "A container is not a thing",
            "A [container](glossary.md#no-container) is",
            "no heading or anchor #no-container",
        ),
        (
            "shows them as links such as",
            "shows them ([so](#no-such-place)) as",
            "no heading or anchor #no-such-place",
        ),
        ("- **waitid(2)**", "- **waitpit(2)**", "waitpit(2) is not in book/manpages.txt"),
        (
            "2. `what_cannot_be_executed_is_passed_over_in_path`",
            "2. `what_cannot_be_executed_is_taken_from_path`",
            "no lesson has a test called what_cannot_be_executed_is_taken_from_path",
        ),
        (
            "---- its_uts_namespace_is_its_own ----",
            "---- its_names_are_its_own ----",
            "no lesson has a test called its_names_are_its_own",
        ),
        ("$ sh -c 'exit 42'; echo $?\n42\n", "$ sh -c 'exit 42'; echo $?\n43\n", "    - 43\n    + 42"),
        ("## Break it", "## Brake it", "no section \"## Break it\""),
    ];
    only(&chapter, "$ sh -c 'exit 42'; echo $?\n42\n");
    let name = chapter.display();
    let wanted: Vec<_> = broken
        .iter()
        .map(|(old, new, what)| {
            let line = replace(&chapter, old, new);
            // A section that is missing has no line.
            let line = if old.starts_with("##") { 0 } else { line };
            (format!("{name}:{line}: "), *what)
        })
        .collect();
    let found = defects(dir.path());
    for (place, what) in &wanted {
        let hit = found.iter().any(|defect| defect.starts_with(place) && defect.contains(what));
        assert!(hit, "no \"{place}... {what}\" in {found:#?}");
    }
    assert_eq!(found.len(), wanted.len(), "and nothing else: {found:#?}");
}

#[test]
fn a_wrong_term_or_an_error_that_nothing_provokes_is_named_with_its_file_and_line() {
    let dir = copy();
    fs::remove_file(dir.path().join("src").join(CHAPTER)).expect("the chapter");
    fs::write(dir.path().join("src/glossary.md"), "# Glossary\n").expect("the page");
    fs::write(dir.path().join("src/how-to-use.md"), "# How\n").expect("the page");
    let term = |name: &str, taught| {
        format!("[[term]]\nname = \"{name}\"\nmeans = \"It.\"\nsee = \"mount(2)\"\ntaught = {taught}\n")
    };
    fs::write(dir.path().join("glossary.toml"), term("mount", 3) + &term("bind mount", 99))
        .expect("the glossary");
    let error = |message: &str, provoked: &str| {
        format!("[[error]]\nat = \"A\"\nmessage = '{message}'\ncause = \"C\"\ncure = \"C\"\n{provoked}\n")
    };
    let test = "test = \"crates/coracle/tests/bad_input/main.rs";
    let errors = [
        error("/root/path: is missing or empty", &format!("{test}::each_wrong_root_filesystem_is_told\"")),
        error("a message of [..] nobody", &format!("{test}::each_wrong_root_filesystem_is_told\"")),
        error("b", &format!("{test}::no_such_test\"")),
        error("must not", &format!("{test}::check\"")),
        error("said [..] found", "run = \"echo it is said and so found, too\""),
        error("never said", "run = \"echo something else\""),
        error("e", ""),
    ];
    fs::write(dir.path().join("troubleshooting.toml"), errors.concat()).expect("the errors");
    let found = defects(dir.path());
    for wanted in [
        "glossary.toml:7: \"bind mount\" stands behind \"mount\"",
        "glossary.toml:7: \"bind mount\" is taught in lesson 99",
        "troubleshooting.toml:9: \"a message of [..] nobody\": the test each_wrong_root_filesystem_is_told of",
        "troubleshooting.toml:15: \"b\": crates/coracle/tests/bad_input/main.rs has no test no_such_test",
        "troubleshooting.toml:21: \"must not\": the test check of",
        "troubleshooting.toml:33: \"never said\": `echo something else` does not print it, but: something else",
        "troubleshooting.toml:39: \"e\": either a test or a command provokes it",
    ] {
        assert!(found.iter().any(|defect| defect.contains(wanted)), "no {wanted:?} in {found:#?}");
    }
    assert_eq!(found.len(), 7, "{found:#?}");
}
