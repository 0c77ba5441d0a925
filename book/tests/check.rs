//! Each kind of defect is caught, with its file and line, by the check of a tiny book about the real course.

mod common;

use std::fs;
use std::time::Duration;

use book::check::{self, Findings};
use common::{course, tools};

/// Checks a book whose one page is `text`, and returns what was found.
fn findings(text: &str) -> Findings {
    findings_of("page.md", &format!("# Page\n\n{text}\n"))
}

/// Checks a book whose one page besides the preface is `name`.
fn findings_of(name: &str, text: &str) -> Findings {
    let (course, tools) = (course(), tools());
    let dir = tempfile::tempdir().expect("a folder");
    let src = dir.path().join("src");
    fs::create_dir(&src).expect("src");
    fs::write(dir.path().join("book.toml"), "[book]\ntitle = \"Tiny\"\n").expect("book.toml");
    fs::write(src.join("preface.md"), "# Preface\n\nOnly here to link to.\n").expect("preface.md");
    fs::write(src.join(name), text).expect("the page");
    let mut findings = check::run(&course, dir.path(), &tools).expect("the check runs");
    // The tiny book has no chapters.
    findings.defects.retain(|defect| !defect.what.contains("has no chapter"));
    findings
}

/// The page's only defect must be on `line` (its text begins on line 3) and say `what`.
#[track_caller]
fn caught(text: &str, line: usize, what: &str) {
    let found = findings(text).defects;
    let [defect] = found.as_slice() else { panic!("one defect expected, found {found:#?}") };
    assert!(defect.file.ends_with("page.md"), "{defect}");
    assert_eq!(defect.line, line, "{defect}");
    assert!(defect.what.contains(what), "{defect}");
}

#[track_caller]
fn clean(text: &str) -> Findings {
    let found = findings(text);
    assert!(found.defects.is_empty(), "no defect expected, found {:#?}", found.defects);
    found
}

#[test]
fn a_page_without_defects_passes() {
    let found = clean(
        "{{#item rootfs::open_directory}}\n\n{{#command 01}}\n\n[back](preface.md#preface) and `cargo test`, \
         `cargo lesson hint 1`, `cargo lesson hint N ITEM`, `crates/coracle/src/lib.rs`, `lessons/NN-slug/tests.rs`,\n\
         `rootfs::bind`, `youki/crates/libcontainer`, `std::mem::drop`.\n\n\
         ```console\n$ echo \"$((1 + 1)) $0\"; false\n2 [..]\n\n$ echo $?\n1\n```\n",
    );
    assert_eq!(found.ran, 2);
}

#[test]
fn a_missing_item_is_caught() {
    caught("{{#item rootfs::no_such_function}}", 3, "no_such_function");
    caught("{{#solution nowhere::at_all}}", 3, "nowhere::at_all");
    caught("Call `rootfs::no_such_function` here.", 3, "no_such_function");
}

#[test]
fn an_unknown_directive_is_caught() {
    caught("a\n\n{{#include ../book.toml}}", 5, "no such directive");
    caught("{{#item rootfs::bind", 3, "without its closing");
    caught("```rust\n{{#item rootfs::bind}}\n```", 4, "inside a fence");
    clean("`\\{{#item rootfs::bind}}` is how it is written.");
}

#[test]
fn a_broken_link_is_caught() {
    caught("one\n\n[there](nowhere.md)", 5, "nowhere.md");
    caught("[there](preface.md#no-such-heading)", 3, "#no-such-heading");
    caught("[here](#no-such-heading)", 3, "#no-such-heading");
    caught("<a href=\"nowhere.html\">there</a>", 3, "nowhere");
}

#[test]
fn a_picture_from_the_network_or_without_words_is_caught() {
    caught("![a cat](https://example.org/cat.png)", 3, "without a network");
    caught("<script src=\"https://example.org/x.js\"></script>", 3, "without a network");
    caught("<svg viewBox=\"0 0 1 1\"><path d=\"M0 0\"/></svg>", 3, "<title>");
    clean("<svg viewBox=\"0 0 1 1\"><title>A dot</title><path d=\"M0 0\"/></svg>");
}

#[test]
fn an_element_that_is_never_closed_is_caught() {
    let found = findings("<div>\n\ntext\n").defects;
    assert!(found.iter().any(|defect| defect.what.contains("div")), "{found:#?}");
}

#[test]
fn an_unknown_test_target_or_package_is_caught() {
    caught("Run `cargo test --test lesson-99`.", 3, "lesson-99");
    caught("```sh\ncargo build\ncargo test -p nobody\n```", 5, "nobody");
    caught("```sh\ncargo frobnicate\n```", 4, "frobnicate");
    clean("`cargo test --test lesson-NN` and `cargo test -p lessons --test lesson-01 -- --nocapture`");
}

#[test]
fn an_unknown_verb_option_or_lesson_is_caught() {
    caught("Type `cargo lesson frobnicate 3`.", 3, "no verb frobnicate");
    caught("Type `cargo lesson diff 1 --frobnicate`.", 3, "--frobnicate");
    caught("Type `cargo lesson hint 99`.", 3, "no lesson 99");
    caught("Type `cargo lesson hint 1 no_such_item`.", 3, "no_such_item");
    caught("Type `cargo lesson grade 1 99`.", 3, "no lesson 99");
    caught("Type `cargo lesson trace 99 --against runc`.", 3, "no lesson 99");
    clean(
        "`cargo lesson grade 1 2 --runtime runc`, `cargo lesson trace 1 --against runc`, `cargo lesson hint 1 find --step 2`",
    );
}

#[test]
fn an_unknown_verb_or_option_of_the_runtime_is_caught() {
    caught("Type `coracle frobnicate`.", 3, "no verb frobnicate");
    caught("Type `coracle sandbox --frobnicate -- true`.", 3, "no option --frobnicate");
    caught("Type `oci-tool frobnicate`.", 3, "no verb frobnicate");
    caught("Type `cargo run -p coracle -- frobnicate`.", 3, "no verb frobnicate");
    caught("Type `cargo run -p book -- frobnicate`.", 3, "no verb frobnicate");
    caught("Type `cargo run -p book -- serve --frobnicate`.", 3, "no option --frobnicate");
    clean(
        "`sudo coracle --root /tmp/state sandbox --hostname boat -- /bin/sh --frobnicate`, `coracle sandbox PROGRAM`",
    );
}

#[test]
fn a_missing_path_is_caught() {
    caught("Look at `crates/coracle/src/no_such_room.rs`.", 3, "no_such_room.rs");
    caught("```sh\n\n./scripts/no-such-script --now\n```", 5, "no-such-script");
    caught("Look at `crates/coracle/src/lib.rs:17`.", 3, "lib.rs:17");
}

#[test]
fn a_test_that_does_not_exist_is_caught() {
    caught("See `a_test_that_nobody_ever_wrote`.", 3, "a_test_that_nobody_ever_wrote");
}

#[test]
fn a_differing_transcript_is_caught() {
    caught("```console\n$ true\n$ printf 'a\\nb\\n'\na\nc\n```", 5, "- c\n    + b");
    caught("```console\n$ sh -c 'echo oops >&2; exit 3'\n```", 4, "+ oops");
    caught("```console\n$ exit 7\n```", 4, "ended the shell");
}

#[test]
#[ignore = "builds the runtime once more; the chapters' own transcripts do the same in `cargo run -p book -- check`"]
fn a_chapter_shows_the_hole_with_the_runtime_its_lesson_finds() {
    let chapter = "```console,before\n$ coracle sandbox --hostname boat -- /bin/hostname\nboat\n```";
    let text = format!("{{{{#card 01}}}}\n\n{{{{#tests 01}}}}\n\n{{{{#contracts 01}}}}\n\n{chapter}\n");
    let found = findings_of("01-namespaces.md", &text).defects;
    let [defect] = found.as_slice() else { panic!("one defect expected, found {found:#?}") };
    assert!(defect.what.contains("    - boat\n    + "), "{defect}");
}

#[test]
fn what_a_page_makes_of_path_stays() {
    clean("```console\n$ PATH=$PATH:/somewhere\n```\n\n```console\n$ echo \"${PATH##*:}\"\n/somewhere\n```");
}

#[test]
fn what_a_transcript_prints_is_looked_up_as_well() {
    let shown = "console,norun,reason=\"slow\"\n$ cargo test";
    caught(
        &format!("```{shown}\ntest nobody_wrote_it ... ok\n```"),
        5,
        "no lesson has a test called nobody_wrote_it",
    );
    let counted = format!("{shown} --test lesson-01\ntest result: FAILED. 0 passed; 99 failed; [..]");
    caught(&format!("```{counted}\n```"), 5, "lesson-01 has");
    caught(&format!("```{shown}\n  at lessons/99-none/tests.rs:7\n```"), 5, "no lessons/99-none/tests.rs");
}

#[test]
fn a_command_in_the_clone_is_run_there_and_its_answer_may_hold_a_prompt() {
    clean("```console clone\n$ test -d lessons && echo '$ typed' && echo answered\n$ typed\nanswered\n```");
}

#[test]
fn a_transcript_says_why_it_is_not_run() {
    caught("```console,norun\n$ reboot\n```", 4, "says why");
    caught("```console,sometimes\n$ true\n```", 4, "info string");
    caught("```console\nno prompt\n```", 4, "begins with");
    let found = clean("```console,norun,reason=\"slow, and loud\"\n$ reboot\n```");
    assert_eq!(found.ran, 0);
    assert_eq!(found.skipped[0].reason, "slow, and loud");
}

#[test]
fn what_a_transcript_leaves_running_is_ended_with_its_page() {
    let dir = tempfile::tempdir().expect("a folder");
    let lock = dir.path().join("lock");
    // The lock is held as long as the shell or the program in its background lives.
    clean(&format!("```console\n$ exec 7>{}\n$ flock 7\n$ sleep 1000 &\n```", lock.display()));
    let (sender, free) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(fs::File::open(lock).expect("the lock").lock().is_ok()));
    assert_eq!(
        free.recv_timeout(Duration::from_secs(10)),
        Ok(true),
        "the program in the background still runs"
    );
}

#[test]
fn the_programs_are_in_path() {
    clean("```console\n$ coracle --version\ncoracle version [..]\n...\n$ probe | cut -c 1\n{\n```");
}
