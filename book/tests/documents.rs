//! The transcripts of whole documents: what is wrong with one is told, with its line; and the rows of the documents.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use book::check::{self, Walked};
use book::{Book, against};
use common::{course, tools};
use tempfile::TempDir;

testkit::suite! { "book-documents", runtime = "",
    tests = [
        what_is_as_shown_passes_and_is_counted(root, busybox),
        a_wrong_answer_or_exit_status_is_a_defect(root, busybox),
        lines_inside_of_a_container_are_typed_at_its_terminal(root, busybox),
        a_container_that_is_left_behind_is_a_defect(root, busybox),
        who_is_not_root_is_told_that_nothing_was_typed(userns),
        a_difference_without_its_reason_is_a_defect,
        a_command_that_changes_without_a_word_is_a_defect,
        the_commands_are_those_of_the_document,
        a_row_without_a_file_or_a_test_is_a_defect,
        the_page_has_the_rows_their_tests_and_the_differences,
    ]
}

/// A book that has nothing but one document, with this row and this transcript.
fn tiny(row: &str, transcript: &str) -> TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    fs::create_dir_all(dir.path().join("documents")).expect("documents");
    fs::create_dir(dir.path().join("src")).expect("src");
    fs::write(dir.path().join("book.toml"), "[book]\ntitle = \"Tiny\"\n").expect("book.toml");
    fs::write(dir.path().join("src/preface.md"), "# Preface\n\n{{#documents}}\n").expect("preface.md");
    let document = format!(
        "[[document]]\nnumber = \"009\"\ntitle = \"Tiny\"\nabout = \"Little.\"\ntranscript = \"009-tiny.console\"\n{row}\n"
    );
    let row = if row.is_empty() { document + "row = []\n" } else { document };
    fs::write(dir.path().join("documents.toml"), row).expect("documents.toml");
    fs::write(dir.path().join("documents/009-tiny.console"), transcript).expect("the transcript");
    dir
}

/// The transcript with the digest that it asks for.
fn digested(steps: &str) -> String {
    let without = format!("# names: runc=coracle\n# digest: 0\n{steps}");
    let (course, dir) = (course(), tiny("", &without));
    let book = Book::open(&course, dir.path()).expect("the book");
    let wrong = against(&book, "009", &dir.path().join("book.toml")).expect("the transcript is read");
    let told = wrong.iter().find_map(|defect| defect.what.split_once("Now it is `# digest: "));
    let (_, digest) = told.unwrap_or_else(|| panic!("no digest is told: {wrong:#?}"));
    without.replacen("digest: 0", &format!("digest: {}", digest.trim_end_matches('`')), 1)
}

/// What the check of the book in `dir` finds in its documents.
fn defects(dir: &Path) -> Vec<String> {
    let found = check::run(&course(), dir, &tools()).expect("the check runs").defects;
    let strange = |what: &str| what.contains("has no chapter") || what.contains("a row that no document has");
    let found = found.into_iter().filter(|defect| !strange(&defect.what));
    found.map(|defect| format!("{}:{}: {}", defect.file.display(), defect.line, defect.what)).collect()
}

/// Types the steps, which begin on line 3.
fn walked(steps: &str) -> Walked {
    let dir = tiny("", &digested(steps));
    let found = check::walk(&course(), dir.path(), None, || Ok(tools()), &mut |_, _, _, _| {});
    let found = found.expect("the walk begins");
    assert!(found.skipped.is_empty(), "it is not typed: {:#?}", found.skipped);
    found
}

/// The one defect of the steps is on `line`, and says all of `words`.
#[track_caller]
fn caught(steps: &str, line: usize, words: &[&str]) {
    let found = walked(steps);
    let [defect] = found.defects.as_slice() else { panic!("one defect expected: {:#?}", found.defects) };
    assert_eq!(defect.line, line, "{defect}");
    for words in words {
        assert!(defect.what.contains(words), "no {words:?} in {defect}");
    }
}

fn what_is_as_shown_passes_and_is_counted() {
    let steps = "## A group\n# document: $ runc --version\n# document: runc version 1\n# differs: another name\n\
                 $ coracle --version\ncoracle version [..]\n...\n# for: a folder\n$ mkdir a{b,c}; ls\nab\nac\n$ cd ab\n\
                 $ pwd; false\n/[..]/ab\n[exit 1]\n$ echo $?\n1\n";
    let found = walked(steps);
    assert!(found.defects.is_empty(), "{:#?}", found.defects);
    assert_eq!((found.ran, found.ours, found.differ), (5, 1, 1));
}

fn a_wrong_answer_or_exit_status_is_a_defect() {
    caught("$ echo a; echo b\na\nc\n", 3, &["- c", "+ b"]);
    caught("$ true\n\n$ (exit 3)\n[exit 2]\n", 5, &["exit status 3 instead of 2"]);
    caught("$ (exit 3)\n", 3, &["exit status 3 instead of 0", "answers as shown"]);
    caught("$ no-such-program\n[exit 127]\n", 3, &["+ ", "not found"]);
    caught("$ exit 4\n$ true\n", 3, &["ended the shell"]);
}

const BUNDLE: &str = "# for: a bundle\n$ oci-tool init b >/dev/null && oci-tool prepare b &>/dev/null\n";

fn lines_inside_of_a_container_are_typed_at_its_terminal() {
    let steps = format!(
        "{BUNDLE}$ coracle run --bundle b box\n...\n/ # echo $$; tty\n1\n[..]\n/ # cd /etc\n/etc # exit 5\n[exit 5]\n"
    );
    let found = walked(&steps);
    assert!(found.defects.is_empty(), "{:#?}", found.defects);
    assert_eq!(found.ran, 5);
    let wrong = steps.replace("\n1\n", "\n2\n");
    caught(&wrong, 7, &["- 2", "+ 1"]);
    caught(&steps.replace("exit 5\n[exit 5]", "exit 5\n[exit 6]"), 11, &["exit status 5 instead of 6"]);
    caught("$ true\n/ # ls\n", 3, &["not followed by the prompt"]);
    caught("/ # ls\n", 3, &["no command opened its shell"]);
}

fn a_container_that_is_left_behind_is_a_defect() {
    let steps = "# for: a bundle\n$ oci-tool init --no-terminal b >/dev/null && oci-tool prepare b &>/dev/null\n\
                 $ coracle create --bundle b box\n";
    caught(steps, 5, &["leaves a container behind: /run/coracle/box"]);
    assert!(!Path::new("/run/coracle/box").exists(), "it was one of this machine");
}

/// In a user namespace where nobody is mapped, nobody is root.
fn who_is_not_root_is_told_that_nothing_was_typed() {
    let run = |strict: &str| {
        let mut book = Command::new("unshare");
        book.args(["--user", env!("CARGO_BIN_EXE_book"), "documents", "001"]);
        let output =
            book.current_dir(course().root).env("CORACLE_STRICT", strict).output().expect("unshare starts");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains("001-run-a-container.console: not run: needs root"), "{said}");
        assert!(said.contains("\n0 commands"), "{said}");
        output.status.code()
    };
    assert_eq!(run("0"), Some(0));
    assert_eq!(run("1"), Some(1), "CORACLE_STRICT takes it for a defect");
}

/// The one defect of the transcript is on `line`, and says `words`; nothing is typed.
#[track_caller]
fn told(transcript: &str, line: usize, words: &str) {
    let wrong = defects(tiny("", transcript).path());
    let [defect] = wrong.as_slice() else { panic!("one defect expected: {wrong:#?}") };
    assert!(defect.contains(&format!("009-tiny.console:{line}: ")) && defect.contains(words), "{defect}");
}

fn a_difference_without_its_reason_is_a_defect() {
    told(&digested("# document: $ runc list\n$ coracle state x\n"), 4, "no `# differs:` says why");
    told(&digested("# document: ID PID\n$ coracle list\n"), 4, "no `# differs:` says why");
    told(&digested("# differs: better so\n$ coracle list\n"), 4, "no `# document:` says from what");
    told(&digested("answer\n$ true\n"), 3, "an answer without a typed line");
    let filled = digested("# document: $ runc start [--attach] <id>\n$ coracle start box\n");
    assert_eq!(defects(tiny("", &filled).path()), Vec::<String>::new());
}

fn a_command_that_changes_without_a_word_is_a_defect() {
    let good = digested("$ coracle list\n$ coracle state x\n");
    assert_eq!(defects(tiny("", &good).path()), Vec::<String>::new());
    told(&good.replace("list", "list -q"), 1, "digest");
    told(&good.replace("$ coracle state x\n", ""), 1, "digest");
    // With a word it may.
    let changed =
        good.replace("$ coracle list", "# document: $ runc list\n# differs: quietly\n$ coracle list -q");
    assert_eq!(defects(tiny("", &changed).path()), Vec::<String>::new());
}

fn the_commands_are_those_of_the_document() {
    let steps = "$ cd my\\-bundle\n# document: $ runc run <id>\n$ coracle run box\n/ # ls /\n# for: the end\n/ # exit\n\
                 $ for a in b c; do echo $a; done\n";
    let dir = tiny("", &digested(steps));
    let text = dir.path().join("document.md");
    let document = "# Tiny\n\n```bash\n# Go there\ncd my\\-bundle\nrunc run <id>\n```\n\n```\nnot typed\n```\n\n\
                    ```bash\n# Look\nls /\n# bin\n```\n\n```bash\n$ for a in b c; do\n    echo $a\ndone\n```\n";
    let course = course();
    let book = Book::open(&course, dir.path()).expect("the book");
    let found = |document: String| {
        fs::write(&text, document).expect("the document");
        let found = against(&book, "009", &text).expect("both are read");
        found.into_iter().map(|defect| (defect.line, defect.what)).collect::<Vec<_>>()
    };
    assert_eq!(found(document.replace("$ for", "for")), []);
    let more = found(document.replace("$ for", "for").replace("ls /", "ls /\nid"));
    assert_eq!(more, [(6, "after this line, the document has `id`".to_string())]);
    let less = found(document.replace("$ for", "for").replace("ls /\n", ""));
    assert_eq!(less, [(6, "the document has no `ls /`".to_string())]);
}

fn a_row_without_a_file_or_a_test_is_a_defect() {
    let row = |id: &str, lives: &str| {
        format!("[[document.row]]\nid = \"{id}\"\nasks = \"`much`\"\nlives = [\"{lives}\"]\n")
    };
    let transcript = digested("$ true\n");
    let found = |id, lives| defects(tiny(&row(id, lives), &transcript).path());
    assert_eq!(found("S-06", "crates/coracle/src/cli"), Vec::<String>::new());
    let wrong = found("S-06", "crates/coracle/src/no_such_room.rs");
    assert!(
        wrong.len() == 1 && wrong[0].contains("documents.toml:7: S-06: the repository has no crates/"),
        "{wrong:#?}"
    );
    let wrong = found("S-99", "crates");
    assert!(wrong.len() == 1 && wrong[0].contains("S-99: no test holds it"), "{wrong:#?}");
}

fn the_page_has_the_rows_their_tests_and_the_differences() {
    let row = "[[document.row]]\nid = \"S-10\"\nasks = \"`much` & more\"\nlives = [\"book/src\"]\n";
    let steps = "## First steps\n# document: $ runc list\n# differs: it is `quiet`\n$ coracle list -q\nbox\n[exit 1]\n";
    let (course, dir) = (course(), tiny(row, &digested(steps)));
    let pages = Book::open(&course, dir.path()).expect("the book").pages().expect("the pages");
    assert!(pages.defects.is_empty(), "{:#?}", pages.defects);
    let text = &pages.pages[0].text;
    for part in [
        "## 009 · Tiny {#document-009}",
        "<code>much</code> &amp; more",
        "<summary>1 test</summary><p><code>book/tests/pages.rs</code></p>",
        "types the line that the document types",
        "<li>Every lesson has the parts of the document's lessons.<br>",
        "One differs",
        "<p>It is <code>quiet</code>.</p>",
        "First steps</dt>",
        "<code>$ runc list</code>",
        "<code>$ coracle list -q<br>box<br>[exit 1]</code>",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
}
