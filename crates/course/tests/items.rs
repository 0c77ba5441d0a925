//! Items are found, blanked and given back to the byte.

mod common;

use common::{BOAT, HOLD, LIB, course, reference};
use course::{ALLOW, Tree, item, snapshot};

/// Names in an order of their own for every `seed`.
fn shuffled(names: &[String], mut seed: u64) -> Vec<String> {
    let mut left = names.to_vec();
    let mut order = Vec::new();
    while !left.is_empty() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        order.push(left.swap_remove((seed >> 33) as usize % left.len()));
    }
    order
}

#[test]
fn an_item_is_located_with_its_docs_signature_and_body() {
    let (_root, course) = course(&[]);
    let src = course.expect("a course").source();
    let launch = item::locate(&src, "boat::launch").expect("launch");
    assert_eq!(launch.file.to_str(), Some("boat.rs"));
    assert_eq!(launch.docs, "Launches it.\n\n# Errors\nFails where there is no water.");
    assert!(launch.signature.starts_with("pub fn launch<T, E>("), "{}", launch.signature);
    assert!(launch.signature.ends_with("E: fmt::Debug,"), "{}", launch.signature);
    assert!(BOAT[launch.span.clone()].starts_with("/// Launches it.\n"));
    assert!(BOAT[launch.body.clone()].starts_with("{\n    let boat = boat?; // the"));
    assert!(BOAT[launch.span].ends_with("then_some(boat))\n}"));

    let row = item::locate(&src, "boat::Boat::row").expect("row");
    assert_eq!((row.indent, row.signature.as_str()), (4, "pub fn row(&self, strokes: u32) -> u32"));
    assert_eq!(item::locate(&src, "boat::Boat::fmt").expect("fmt").indent, 4);
    let stow = item::source_of(&src, "deep::hold::stow").expect("stow");
    assert_eq!(stow, "/// Stows.\npub unsafe extern \"C\" fn stow() {\n    first();\n    second();\n}");
}

#[test]
fn ranges_are_bytes_behind_letters_of_several_bytes() {
    let (_root, course) = course(&[]);
    let src = course.expect("a course").source();
    let steer = item::locate(&src, "steer").expect("steer");
    assert_eq!(&LIB[steer.body], "{\n    // Grad, nicht Bogenmaß.\n    course % 360\n}");
    let inner = item::source_of(&src, "inline::inner").expect("inner");
    assert!(inner.starts_with("/// Inside, twice: é.\n") && inner.ends_with("{text}é\")\n    }"), "{inner}");
}

#[test]
fn comments_and_spacing_do_not_count_in_a_body() {
    let (_root, course) = course(&[]);
    let src = course.expect("a course").source();
    let is = |path, body| item::body_is(&src, path, body).expect("an item");
    assert!(is("steer", "course%360"));
    assert!(is("steer", "/* so */ course % 360 // so"));
    assert!(!is("steer", "course % 361"));
    assert!(is("deep::hold::first", ""));
    assert!(is("boat::launch", "let boat = boat?; Ok((deep_enough(depth) && calm()).then_some(boat))"));
    assert!(!is("boat::launch", "let boat = boat; Ok((deep_enough(depth) && calm()).then_some(boat))"));
}

#[test]
fn what_is_not_there_or_twice_there_is_an_error_with_its_file() {
    let (_root, course) = course(&[("crates/coracle/src/two.rs", "fn a() {}\n#[cfg(no)]\nfn a() {}\n")]);
    let src = course.expect("a course").source();
    let error = |path| format!("{:#}", item::locate(&src, path).expect_err("no such item"));
    assert_eq!(error("boat::sink"), "there is no function sink in boat.rs");
    assert_eq!(error("two::a"), "two.rs has 2 functions called a: an item must be one");
    assert!(error("boat::").contains("is not the path of a function"));
}

#[test]
fn a_file_that_does_not_parse_names_line_and_column() {
    let (_root, course) = course(&[("crates/coracle/src/boat.rs", "fn a() {}\nfn b( {}\n")]);
    let course = course.expect("a course");
    let error = item::locate(&course.source(), "boat::launch").expect_err("a broken file");
    assert!(error.to_string().starts_with("boat.rs:2:"), "{error}");
    assert!(course.open_items().is_err());
    let states = course.states().expect("states are there all the same");
    assert_eq!(states.len(), 6);
    assert_eq!(
        states.iter().filter(|(_, _, state)| matches!(state, course::State::Unreadable(_))).count(),
        3
    );
}

#[test]
fn the_starter_is_blank_clean_and_without_private_helpers() {
    let (_root, course) = course(&[]);
    let course = course.expect("a course");
    let reference = reference(&course);
    let starter = snapshot(&course, &reference, 0).expect("a starter");
    let lib = &starter.files[std::path::Path::new("lib.rs")];
    assert!(lib.starts_with(ALLOW));
    assert!(
        lib.contains("{\n    // Lesson 01, item 1 of 6. Stuck? cargo lesson hint 1 steer\n    course\n}"),
        "{lib}"
    );
    let boat = &starter.files[std::path::Path::new("boat.rs")];
    assert!(
        boat.contains("\n    // Nothing floats.\n    let boat = boat?;\n\n    Ok(Some(boat))\n}"),
        "{boat}"
    );
    assert!(boat.contains("impl Boat {\n    /// Rows.\n"), "{boat}");
    for gone in ["deep_enough", "calm", "oars", "Water", "wood"] {
        assert!(!boat.contains(gone), "{gone}: {boat}");
    }
    starter.write(&course.source()).expect("written");
    assert_eq!(course.open_items().expect("open").len(), 6);
    assert_eq!(course.first_open().expect("open"), Some(1));
    assert_eq!(snapshot(&course, &reference, 2).expect("the end"), reference);
}

#[test]
fn blanked_files_are_rustfmt_clean() {
    let (root, course) = course(&[("rustfmt.toml", "max_width = 110\n")]);
    let course = course.expect("a course");
    let check = |what: &str| {
        let output = std::process::Command::new("rustfmt")
            .args(["--check", "--edition", "2024", "--config-path"])
            .arg(root.path())
            .arg(course.source().join("lib.rs"))
            .output()
            .expect("rustfmt runs");
        assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stdout));
    };
    check("reference");
    let full = reference(&course);
    snapshot(&course, &full, 0).expect("a starter").write(&course.source()).expect("written");
    check("starter");
    for seed in 0..8 {
        let mut tree = full.clone();
        let private = &course.lessons[1].private;
        for helper in shuffled(private, seed).iter().take(seed as usize) {
            tree.remove(helper).expect("removed");
        }
        tree.write(&course.source()).expect("written");
        check(&format!("without some helpers, {seed}"));
    }
}

#[test]
fn removed_and_restored_in_any_order_is_the_reference() {
    let (_root, course) = course(&[]);
    let course = course.expect("a course");
    let reference = reference(&course);
    let starter = snapshot(&course, &reference, 0).expect("a starter");
    let lesson = &course.lessons[1];
    let items = lesson.items.iter().map(|item| item.path.clone());
    let names: Vec<String> = items.chain(lesson.private.iter().cloned()).collect();
    for seed in 0..60 {
        let mut tree = starter.clone();
        for name in shuffled(&names, seed) {
            tree.restore(&reference, &name).expect("restored");
        }
        tree.set_allow(false);
        assert_eq!(tree, reference, "seed {seed}");

        let mut tree = reference.clone();
        for name in shuffled(&lesson.private, seed) {
            tree.remove(&name).expect("removed");
        }
        for name in shuffled(&lesson.private, seed + 1) {
            tree.restore(&reference, &name).expect("restored");
        }
        assert_eq!(tree, reference, "removed by {seed}");
    }
}

#[test]
fn a_learners_own_code_survives_a_restore() {
    let (_root, course) = course(&[]);
    let course = course.expect("a course");
    let reference = reference(&course);
    let mut tree = snapshot(&course, &reference, 0).expect("a starter");
    let boat = std::path::Path::new("boat.rs");
    let text = tree.files[boat].clone();
    let text =
        text.replace("impl Boat {\n", "// Mine.\nfn mine() {}\n\nimpl Boat {\n    fn own(&self) {}\n\n");
    tree.files.insert(boat.to_owned(), text);
    for item in ["boat::calm", "boat::Boat::oars", "boat::Boat::last", "boat::launch", "boat::deep_enough"] {
        tree.restore(&reference, item).expect("restored");
    }
    let text = &tree.files[boat];
    assert!(
        text.contains("    true\n}\n\n// Mine.\nfn mine() {}\n\nimpl Boat {\n    // First of its block.\n"),
        "{text}"
    );
    assert!(
        text.contains("self.name.len() as u32\n    }\n\n    fn own(&self) {}\n\n    /// Rows.\n"),
        "{text}"
    );
    assert!(text.contains("// Water, in metres.\n/// Whether it floats.\nfn deep_enough"), "{text}");
    tree.locate("boat::mine").expect("it parses");
}

#[test]
fn write_touches_changed_files_alone() {
    let (_root, course) = course(&[]);
    let course = course.expect("a course");
    let mut tree = reference(&course);
    assert!(tree.write(&course.source()).expect("written").is_empty());
    tree.set_body("boat::tail", "\"reed\"", None).expect("set");
    assert_eq!(tree.write(&course.source()).expect("written"), [std::path::PathBuf::from("boat.rs")]);
    assert_eq!(Tree::read(&course.source()).expect("read"), tree);
    assert_eq!(tree.files[std::path::Path::new("deep/hold.rs")], HOLD);
}
