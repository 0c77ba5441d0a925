//! `cargo lesson book`: the book's own program stands in a miniature, a browser is a script that notes what it is shown.

mod mini;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use mini::{Mini, Said};

/// `cargo lesson book` on a desktop: `xdg-open` is there.
fn on_a_desktop(mini: &Mini, arguments: &[&str]) -> (Said, String) {
    let shown = mini.root().join("target/shown");
    mini.write("target/bin/xdg-open", &format!("#!/bin/sh\nprintf %s \"$1\" >'{}'\n", shown.display()));
    let program = mini.root().join("target/bin/xdg-open");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a program");
    let path = std::env::var("PATH").expect("a PATH");
    let folder = program.parent().expect("a folder");
    let mut command = mini.started_by(arguments);
    let output = command.env("PATH", format!("{}:{path}", folder.display())).output().expect("it runs");
    (Said::from(output), fs::read_to_string(shown).unwrap_or_default())
}

#[test]
fn it_is_built_and_shown_where_there_is_a_browser() {
    let mini = Mini::cloned();
    let page = mini.root().join("target/book/index.html").display().to_string();
    let (said, shown) = on_a_desktop(&mini, &["book"]);
    assert!(said.ok && said.out.contains(&format!("Built: {page}\n")), "{said:?}");
    assert!(said.out.contains("cargo lesson book --open") && shown.is_empty(), "{said:?} {shown}");
    let (said, shown) = on_a_desktop(&mini, &["book", "--open"]);
    assert!(said.ok, "{said:?}");
    assert_eq!(shown, page);
    let (said, shown) = on_a_desktop(&mini, &["book", "--open", "--serve", "4321"]);
    assert!(said.ok && said.out.contains("The book: http://127.0.0.1:4321/"), "{said:?}");
    assert_eq!(shown, "http://127.0.0.1:4321/");
    assert!(on_a_desktop(&mini, &["book", "--serve"]).0.out.contains(":3000/"));
}

#[test]
fn where_it_does_not_build_or_nothing_can_show_it_that_is_said() {
    let mini = Mini::cloned();
    mini.write("book/hole.md", "");
    let said = mini.lesson(&["book", "--open"]);
    assert!(
        !said.ok && said.err.contains("a hole in the pages") && said.err.contains("was not built"),
        "{said:?}"
    );

    fs::remove_file(mini.root().join("book/hole.md")).expect("removed");
    mini.does(&["book"]);
    let mut command = mini.started_by(&["book", "--open"]);
    // It is built by now, so that cargo needs a compiler to ask for its version and nothing else of this machine: whatever
    // desktop it has is out of sight.
    let path = std::env::var_os("PATH").expect("a PATH");
    let rustc = std::env::split_paths(&path).map(|folder| folder.join("rustc")).find(|path| path.is_file());
    let cargo = std::env::var("CARGO").expect("tests are run by cargo");
    command
        .env("CARGO", &cargo)
        .env("RUSTC", rustc.expect("a compiler"))
        .env("PATH", mini.root().join("target/none"));
    let built = command.output().expect("it runs");
    let said = Said::from(built);
    assert!(said.ok && said.out.contains("There is no xdg-open here"), "{said:?}");
}
