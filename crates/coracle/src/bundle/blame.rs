//! Which property of a JSON text a parser stumbled over, and in plain words, why.

use serde_path_to_error::{Path, Segment};

use super::wrong;
use crate::error::Error;

/// The error that `found` in `text` is for a person: a JSON pointer and a sentence.
pub(super) fn blame(text: &str, found: &serde_path_to_error::Error<serde_json::Error>) -> Error {
    if !text.trim_start().starts_with('{') {
        return wrong("all of it", "must be an object");
    }
    let told = found.inner().to_string();
    let words = told.rsplit_once(" at line ").map_or(told.as_str(), |(words, _)| words);
    let pointer = pointer(found.path());
    match quoted(words) {
        Some(("missing field", name)) => wrong(format!("{pointer}/{name}"), "is missing"),
        Some(("duplicate field", name)) => {
            wrong(format!("{pointer}/{name}"), "is there twice; take one of them out")
        }
        // As in a missing field's place.
        _ if words.starts_with("invalid type: null") => wrong(pointer, "is missing: null is nothing"),
        _ => wrong(pointer, plain(words)),
    }
}

/// `field` and what stands behind it in backquotes.
fn quoted(words: &str) -> Option<(&str, &str)> {
    let (before, rest) = words.split_once(" `")?;
    rest.strip_suffix('`').map(|name| (before, name))
}

/// The parser's words without those of Rust.
fn plain(words: &str) -> String {
    let Some((found, wanted)) = words
        .strip_prefix("invalid type: ")
        .or_else(|| words.strip_prefix("invalid value: "))
        .and_then(|rest| rest.rsplit_once(", expected "))
    else {
        return words.to_owned();
    };
    let found = match found {
        "map" => "an object".to_owned(),
        "sequence" => "a list".to_owned(),
        _ => found
            .replace("integer ", "number ")
            .replace("floating point ", "number ")
            .replace("string ", "text "),
    };
    let wanted = match wanted {
        "i8" | "i16" | "i32" | "i64" => "a whole number".to_owned(),
        "u8" | "u16" => "a small number, not negative".to_owned(),
        "u32" => "a number from 0 to 4294967295".to_owned(),
        "u64" | "usize" => "a whole number, not negative".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "an object".to_owned(),
        "path string" | "a string" => "a text".to_owned(),
        "a boolean" => "true or false".to_owned(),
        other if other.starts_with("struct ") => "an object".to_owned(),
        other => other.to_owned(),
    };
    format!("is {found}, but must be {wanted}")
}

/// The JSON pointer (RFC 6901) of the value at the end of `path`: `/process/args/0` for the first element of the list
/// `args` of the object `process`; empty for the text as a whole. In a key, `~` is written `~0` and `/` is written
/// `~1`.
pub fn pointer(path: &Path) -> String {
    let part = |segment: &Segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        Segment::Enum { variant } => format!("/{variant}"),
        Segment::Unknown => String::new(),
    };
    path.iter().map(part).collect()
}
