//! `cargo run -p book` builds the book into `target/book`; `-- serve [--port 3000]` serves it on this machine;
//! `-- check` tries everything that it and README say; `-- documents` types what the documents show; `-- readme` writes README's map of the lessons; `-- publish`
//! builds a version for the web.
//!
//! # For authors
//!
//! A page is a Markdown file in `book/src`. A chapter has the name of its lesson's folder (`03-pivot-root.md`); the
//! builder makes its heading, its place in the table of contents, and previous and next, from `lesson.toml`. Every
//! other page has a `# heading` of its own; the preface and how-to-use.md come first, the others after the lessons, by
//! name. There is no SUMMARY.md. A lesson with functions to write has the sections of `check/template.rs`.
//!
//! ## Directives
//! Each stands on a line of its own, outside fences. `\{{#` is a plain `{{#`. mdBook's own includes are off, because a
//! missing anchor would leave a hole; a directive that finds nothing is an error. In a chapter the number may be
//! left out.
//!
//! | Directive | Becomes |
//! |---|---|
//! | `{{#card 03}}` | the box at the head: minutes, stars, needs, items, files, test command (required) |
//! | `{{#tests 03}}` | the tests as sentences, from the `testkit::lesson!` list and the functions' docs (required) |
//! | `{{#contracts 03}}` | every item's contract: its docs and its signature |
//! | `{{#signature rootfs::bind}}` | one contract (a chapter must show each of its items' contracts) |
//! | `{{#solution rootfs::bind}}` | the reference's version, folded; also on a learner's branch |
//! | `{{#item rootfs::open_directory}}` | any other function of the runtime with its body; a lesson's own item is refused |
//! | `{{#command 03}}` | the test command; the one directive that may also stand in a sentence |
//! | `{{#diagram img/x.svg A caption}}` | the SVG inside the page, so that it takes the theme's colours |
//! | `{{#file crates/x/y.toml}}` | a whole file of the repository, which is no Rust, in a fence |
//! | `{{#glossary}}` | the terms of `book/glossary.toml`, each with its chapters |
//! | `{{#documents}}` | the rows of `book/documents.toml` with their files and tests, and where their transcripts differ |
//! | `{{#machine}}` | the state machine of `ns-runtime`, drawn and tabled from its source |
//! | `{{#troubles}}` | the errors of `book/troubleshooting.toml`, each with what provokes it |
//! | `{{#matrix}}` | lesson x test x item, from the last full `cargo lesson prove` of these sources |
//! | `{{#conformance}}` | the suite of conformance, room by room, with what the runtimes said in the last whole `scripts/conformance` |
//! | `{{#workshop 180}}` | the lessons' minutes with sums, cut into sittings of 180 minutes at most |
//! | `{{#version}}` | which version of the book this is |
//!
//! ## Transcripts
//! A fence `console` holds lines `$ command`, each followed by what it prints; a typed line that ends in `\` goes on in
//! the next (which may begin with `> `). `-- check` types it all again: one shell a page (directory, variables and `$?`
//! carry over, blocks run in order), in an empty folder, stdout and stderr together, the workspace's
//! programs in PATH, `$ROOTFS` a BusyBox root filesystem, 80 columns, 20 seconds a command. In the output,
//! `...` on a line of its own stands for any lines, `[..]` inside a line for any text.
//! - `console,root` runs only where the check runs as root.
//! - `console,before` runs with `coracle` and `ns-runtime` as the chapter's lesson finds them (its items and all later
//!   ones blanked): this shows the hole. These blocks share a shell of their own; where the check runs as root, it is
//!   shut into namespaces.
//! - `console,clone` is one command, run in the root of the clone with its cargo, and it may take longer: for README.
//! - `console,norun,reason="..."` is shown and not run; the check prints the reason.
//!
//! (A space is as good as a comma; GitHub colours only what has a space.)
//!
//! ## Transcripts of whole documents
//! `-- documents [FILE]` types the files of `book/documents`, which hold what a document shows in the form of `console`
//! blocks, at the built programs: as root, in one bash a document, with mounts, /run, processes and control groups of its
//! own, `scripts/` in PATH and `$CLONE` the clone. Beyond those blocks there is:
//! - `[exit N]` as the last line of an answer: the exit status, where it is not 0.
//! - `/ # command`, or another prompt of root's shell: typed inside of the container that the `$ ` line before has opened,
//!   at a terminal.
//! - Lines that begin with `#` are about the next typed line. `## ...` names a group of steps. `# document: ...` is what
//!   the document has there: `$ ` and what it types, or an answer; what it leaves to the reader (`<id>`, `[--option]`,
//!   `/path/to/...`) may be filled in, and all else needs `# differs: ...`, the reason (the page shows it; a line that
//!   begins with `#` goes on with it). `# for: ...` says what a line is typed for that the document does not type.
//! - At the head, `# names: theirs=ours ...`, `# needs: PROGRAM ...`, and `# digest: ...` of what the document types: so
//!   whoever changes a command without a word is told. `-- documents FILE --against DOCUMENT` compares with the document
//!   itself.
//!
//! ## What else is checked
//! In code inside a line, and in `sh` and `console` fences: `cargo ... -p X`, `--test X`, `--bin X`; `cargo lesson VERB`
//! with its options, lesson number and item; the verbs and options of `coracle`, `ns-runtime`, `oci-tool` and `rootfs-builder`, also
//! behind `cargo run -p`; paths below crates/, lessons/, scripts/, book/, rootfs-builder/ (`NN` and `*` stand for any
//! name; another project's path begins with the project: `youki/crates/...`). In code inside a line also: the items of
//! the runtime (`rootfs::bind`), and the names of tests (four underscores or more); so also in what a transcript of
//! `cargo test` shows. Capitals (`N`, `ITEM`) stand for what the reader puts in. Everywhere: man pages (`manpages.txt`),
//! links, anchors, alternative texts of images, elements left open, and that nothing is fetched from the network.
//! README is checked as a page is; so are the glossary's chapters, and what provokes each error of the appendix.
//!
//! ## Diagrams
//! SVG with a `viewBox`, a `<title>` that says in words what it shows, and `currentColor` (or the classes `soft`,
//! `accent`, `good`, `bad` of `theme/coracle.css`) for its colours, so that it reads on light and dark alike.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use book::cli::{Arguments, Verb};
use book::{Book, check, publish, readme, render, serve};
use clap::Parser;
use course::Course;

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("book: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<ExitCode> {
    let course = Course::find(&std::env::current_dir()?)?;
    let dir = course.root.join("book");
    let out = course.root.join("target/book");
    match &arguments.verb {
        None | Some(Verb::Build) => {
            build(&course, &dir, &out)?;
            println!("Built: {}", out.join("index.html").display());
        }
        Some(Verb::Serve { port }) => {
            build(&course, &dir, &out)?;
            // The course's manifests may have changed as well.
            let again = || build(&Course::load(&course.root)?, &dir, &out);
            serve::run(&course, &dir, &out, *port, &again)?;
        }
        Some(Verb::Check) => return check(&course, &dir),
        Some(Verb::Documents { file, against: Some(text) }) => {
            return against(&course, &dir, file.as_deref().unwrap_or_default(), text);
        }
        Some(Verb::Documents { file, against: None }) => return documents(&course, &dir, file.as_deref()),
        Some(Verb::Readme) => {
            let changed = readme::write(&Book::open(&course, &dir)?)?;
            println!("README.md: {}", if changed { "the map is new" } else { "as it should be" });
        }
        Some(Verb::Publish { version, site }) => {
            let folder = publish::run(&course, &dir, version, site)?;
            println!("Published: {}", site.join(folder).join("index.html").display());
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn build(course: &Course, dir: &Path, out: &Path) -> Result<()> {
    let book = Book::open(course, dir)?;
    let pages = book.pages()?;
    for remark in pages.gaps.iter().chain(&pages.defects) {
        eprintln!("{remark}");
    }
    for warning in render::html(&book, &pages, out)? {
        eprintln!("{warning}");
    }
    if !pages.defects.is_empty() {
        bail!("{} defects leave holes in the pages", pages.defects.len());
    }
    Ok(())
}

fn check(course: &Course, dir: &Path) -> Result<ExitCode> {
    let findings = check::run(course, dir, &check::Tools::build(&course.root)?)?;
    for skipped in &findings.skipped {
        println!("{}:{}: transcript not run: {}", skipped.file.display(), skipped.line, skipped.reason);
    }
    for defect in &findings.defects {
        eprintln!("{defect}");
    }
    for (file, words) in &findings.words {
        println!("{}: {words} words outside of what is folded", file.display());
    }
    let (ran, defects) = (findings.ran, findings.defects.len());
    println!(
        "{ran} commands of transcripts run, {} transcripts not run, {defects} defects",
        findings.skipped.len()
    );
    Ok(if defects == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn documents(course: &Course, dir: &Path, only: Option<&str>) -> Result<ExitCode> {
    let mut file = None;
    let tools = || check::Tools::build(&course.root);
    let walked = check::walk(course, dir, only, tools, &mut |now, line, typed, verdict| {
        if file.as_deref() != Some(now) {
            println!("{}", now.display());
            file = Some(now.to_path_buf());
        }
        let (word, more) = match verdict {
            check::Verdict::Same => ("same", None),
            check::Verdict::Ours => ("ours", None),
            check::Verdict::Differs => ("differs", None),
            check::Verdict::Wrong(wrong) => ("DEFECT", Some(wrong)),
        };
        println!("  {word:<8}{line:>4}  {}", typed.lines().next().unwrap_or_default());
        if let Some(wrong) = more {
            println!("{:16}{}", "", wrong.replace('\n', "\n                "));
        }
    })?;
    for skipped in &walked.skipped {
        println!("{}: not run: {}", skipped.file.display(), skipped.reason);
    }
    for defect in &walked.defects {
        eprintln!("{}", defect.to_string().lines().next().unwrap_or_default());
    }
    let (ran, ours, differ, defects) = (walked.ran, walked.ours, walked.differ, walked.defects.len());
    println!(
        "{ran} commands ({ours} of them ours, from one step to the next), {differ} differ from the document, each with its \
         reason; {defects} defects"
    );
    Ok(if defects == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn against(course: &Course, dir: &Path, file: &str, text: &Path) -> Result<ExitCode> {
    let found = book::against(&Book::open(course, dir)?, file, text)?;
    for defect in &found {
        eprintln!("{defect}");
    }
    println!("{} commands are not those of the document", found.len());
    Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
