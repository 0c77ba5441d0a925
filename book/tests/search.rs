//! The built book can be searched: a name with an underscore is one word of the index.

use std::fs;
use std::path::Path;

use book::{Book, render};
use course::Course;
use serde_json::Value;

#[test]
fn the_search_finds_pivot_root() {
    let course = Course::find(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("the course around this package");
    let book = Book::open(&course, &course.root.join("book")).expect("the book");
    let out = tempfile::tempdir().expect("a folder");
    render::html(&book, &book.pages().expect("the pages"), out.path()).expect("mdBook renders it");
    let files = out.path().read_dir().expect("the built book").map(|entry| entry.expect("a file").path());
    let index = files
        .filter(|path| path.extension().is_some_and(|ext| ext == "js"))
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("searchindex")))
        .expect("the search index");
    let text = fs::read_to_string(index).expect("the search index");
    // window.search = Object.assign(window.search, JSON.parse('...'));
    let json =
        text.split_once("JSON.parse('").and_then(|(_, rest)| rest.rsplit_once("')")).expect("JSON in it").0;
    let index: Value =
        serde_json::from_str(&json.replace("\\'", "'").replace("\\\\", "\\")).expect("valid JSON");
    // elasticlunr keeps a word as a way through a tree of letters.
    let node = "pivot_root"
        .chars()
        .try_fold(&index["index"]["index"]["body"]["root"], |node, letter| node.get(letter.to_string()));
    let pages = node.expect("the word")["docs"].as_object().expect("the places that have it");
    let urls: Vec<_> =
        pages.keys().filter_map(|id| index["doc_urls"][id.parse::<usize>().ok()?].as_str()).collect();
    for page in ["03-pivot-root.html", "glossary.html"] {
        assert!(urls.iter().any(|url| url.starts_with(page)), "the search does not lead to {page}: {urls:?}");
    }
}
