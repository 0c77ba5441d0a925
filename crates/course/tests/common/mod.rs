//! A miniature course in a temporary folder.

use std::fs;
use std::path::Path;

use course::{Course, Tree};
use tempfile::TempDir;

/// `src/lib.rs`: docs with letters of more than one byte, and an inline module.
pub(crate) const LIB: &str = r#"//! Das Häuschen – a runtime in miniature.

pub mod boat;
pub mod deep;

/// Steers. Übung macht den Meister: 舟.
pub fn steer(course: u32) -> u32 {
    // Grad, nicht Bogenmaß.
    course % 360
}

/// A module in the file.
pub mod inline {
    //! Its docs.

    /// Inside, twice: é.
    pub fn inner(text: &str) -> String {
        format!("{text}é")
    }
}
"#;

/// `src/boat.rs`: methods, private helpers next to each other, first and last in their blocks.
pub(crate) const BOAT: &str = r#"//! Boats.

use std::fmt;

// ---- the boat ----

/// A boat.
pub struct Boat {
    /// Its name.
    pub name: String,
} // a trailing comment

/// Launches it.
///
/// # Errors
/// Fails where there is no water.
#[must_use]
pub fn launch<T, E>(boat: Result<T, E>, depth: u32) -> Result<Option<T>, E>
where
    T: fmt::Debug,
    E: fmt::Debug,
{
    let boat = boat?; // the `?` comes first
    Ok((deep_enough(depth) && calm()).then_some(boat))
}

// Water, in metres.
/// Whether it floats.
fn deep_enough(depth: u32) -> bool {
    depth > 1
}
/// Whether there is no wind: 静.
fn calm() -> bool {
    true
}

impl Boat {
    // First of its block.
    fn oars(&self) -> u32 {
        self.name.len() as u32
    }

    /// Rows.
    pub fn row(&self, strokes: u32) -> u32 {
        strokes * self.oars()
    }

    fn last(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Boat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.last(), tail())
    }
}

fn tail() -> &'static str {
    "wood"
} // the end
"#;

/// `src/deep/hold.rs`: a module in a folder.
pub(crate) const HOLD: &str = r#"fn first() {}

/// Stows.
pub unsafe extern "C" fn stow() {
    first();
    second();
}

fn second() {}
"#;

pub(crate) const MANIFEST: &str = r#"
title = "Boats"
learns = "to float"
minutes = 30
stars = 1
needs = ["userns"]
private = ["boat::deep_enough", "boat::calm", "boat::Boat::oars", "boat::Boat::last", "boat::tail", "deep::hold::first", "deep::hold::second"]
[items]
"steer" = "course"
"inline::inner" = "text.to_owned()"
"boat::launch" = """
    // Nothing floats.
    let boat = boat?;

    Ok(Some(boat))
"""
"boat::Boat::row" = "0"
"boat::Boat::fmt" = "Ok(())"
"deep::hold::stow" = ""
[guards.a_boat_without_oars_rests]
item = "boat::Boat::row"
body = "1"
[[exempt.another_test]]
runtime = ["runc", "crun"]
reason = "it does not row"
[[exempt.another_test]]
runtime = "raft"
before = "1.2"
reason = "it floats since 1.2"
[exempt.a_third_test]
runtime = "runc"
reason = "it does not row"
"#;

/// Makes the miniature course, with `more` as further files below its root.
pub(crate) fn course(more: &[(&str, &str)]) -> (TempDir, anyhow::Result<Course>) {
    let root = tempfile::tempdir().expect("a temporary folder");
    let files = [
        ("crates/coracle/src/lib.rs", LIB),
        ("crates/coracle/src/boat.rs", BOAT),
        ("crates/coracle/src/deep/mod.rs", "pub mod hold;\n"),
        ("crates/coracle/src/deep/hold.rs", HOLD),
        ("lessons/01-boats/lesson.toml", MANIFEST),
        ("lessons/01-boats/tests.rs", ""),
        ("lessons/00-setup/lesson.toml", "title = \"Set-up\"\nminutes = 5\nstars = 1\n"),
        ("lessons/shims/probe.rs", ""),
    ];
    for (name, text) in files.iter().chain(more) {
        write(root.path(), name, text);
    }
    let course = Course::load(root.path());
    (root, course)
}

pub(crate) fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, text).expect("a file");
}

/// The sources of the miniature course.
pub(crate) fn reference(course: &Course) -> Tree {
    Tree::read(&course.source()).expect("the sources")
}
