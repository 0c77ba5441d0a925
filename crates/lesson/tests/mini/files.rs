//! The files of the miniature course.

const LIB: &str = r"//! A runtime in miniature.

pub mod boat;

/// Steers.
pub fn steer(course: u32) -> u32 {
    course % 360
}
";

const BOAT: &str = r"//! Boats.

/// Rows: strokes times oars.
pub fn row(strokes: u32) -> u32 {
    strokes * oars()
}

// Both sides.
fn oars() -> u32 {
    one_side() + one_side()
}

fn one_side() -> u32 {
    1
}

/// Sinks.
pub fn sink() -> bool {
    false
}

/// Bails.
pub fn bail(water: u32) -> u32 {
    water - water.min(5)
}
";

const ROWING: &str = r#"title = "Rowing"
minutes = 10
stars = 1
private = ["boat::oars", "boat::one_side"]
[items]
"boat::row" = "0"
"boat::sink" = "true"
"#;

const HINTS: &str = "# Hints\n\n## boat::row\n\n### 1\nHow many?\n\n### 2\nMultiply.\n\n### 3\nStrokes by oars.\n\n\
                     ## boat::sink\n\n### 1\nDoes it?\n\n### 2\nA bool.\n\n### 3\nSay false.\n";

/// The test targets compile the learner's file into themselves: no build of a runtime is needed.
const ROWING_TESTS: &str = r#"#[path = "../harness.rs"]
mod harness;
#[path = "../../crates/coracle/src/boat.rs"]
#[allow(dead_code)]
mod boat;

fn a_boat_moves() {
    assert_eq!(boat::row(3), 6, "the boat does not move");
}

fn a_boat_floats() {
    assert!(!boat::sink(), "the boat is under water");
}

fn main() -> std::process::ExitCode {
    harness::main("lesson-01", &[("red", "a_boat_moves", a_boat_moves), ("red", "a_boat_floats", a_boat_floats)])
}
"#;

const BAILING_TESTS: &str = r#"#[path = "../harness.rs"]
mod harness;

fn it_is_dry() {}

fn main() -> std::process::ExitCode {
    harness::main("lesson-02", &[("guard", "it_is_dry", it_is_dry)])
}
"#;

const CARGO: &str = r#"[package]
name = "lessons"
version = "0.0.0"
edition = "2024"
[[test]]
name = "lesson-01"
path = "01-rowing/tests.rs"
harness = false
[[test]]
name = "lesson-02"
path = "02-bailing/tests.rs"
harness = false
"#;

/// Says what the real one says; a page that holds a hole stops it.
const BOOK: &str = r#"fn main() {
    if std::path::Path::new("book/hole.md").exists() {
        eprintln!("book: a hole in the pages");
        std::process::exit(1);
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => println!("Built: {}", std::env::current_dir().unwrap().join("target/book/index.html").display()),
        [serve, port, number] if serve == "serve" && port == "--port" => {
            println!("The book: http://127.0.0.1:{number}/   (Ctrl-C ends)");
        }
        other => panic!("{other:?}"),
    }
}
"#;

pub(super) const FILES: &[(&str, &str)] = &[
    (".gitignore", "/target\n"),
    ("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"book\", \"crates/coracle\", \"lessons\"]\n"),
    ("crates/coracle/Cargo.toml", "[package]\nname = \"coracle\"\nversion = \"0.0.0\"\nedition = \"2024\"\n"),
    ("book/Cargo.toml", "[package]\nname = \"book\"\nversion = \"0.0.0\"\nedition = \"2024\"\n"),
    ("book/src/main.rs", BOOK),
    ("lessons/Cargo.toml", CARGO),
    ("lessons/src/lib.rs", ""),
    ("lessons/00-setup/lesson.toml", "title = \"Set-up\"\nminutes = 5\nstars = 1\n"),
    ("lessons/01-rowing/lesson.toml", ROWING),
    ("lessons/01-rowing/hints.md", HINTS),
    ("lessons/01-rowing/tests.rs", ROWING_TESTS),
    (
        "lessons/02-bailing/lesson.toml",
        "title = \"Bailing\"\nminutes = 10\nstars = 2\n[items]\n\"boat::bail\" = \"water\"\n\"steer\" = \"course\"\n",
    ),
    ("lessons/02-bailing/tests.rs", BAILING_TESTS),
    ("lessons/harness.rs", include_str!("../fixtures/course/lessons/harness.rs")),
    ("crates/coracle/src/lib.rs", LIB),
    ("crates/coracle/src/boat.rs", BOAT),
];
