//! Which property of a JSON text a parser stumbled over, and in plain words, why.

use super::wrong;
use crate::error::Error;

/// The error that `found` in `text` is for a person: a JSON pointer and a sentence.
pub(super) fn blame(text: &str, found: &serde_json::Error) -> Error {
    if !text.trim_start().starts_with('{') {
        return wrong("all of it", "must be an object");
    }
    let told = found.to_string();
    let words = told.rsplit_once(" at line ").map_or(told.as_str(), |(words, _)| words);
    let pointer = pointer_at(text, found.line(), found.column());
    match quoted(words) {
        Some(("missing field", name)) => wrong(format!("{pointer}/{name}"), "is missing"),
        Some(("duplicate field", _)) => wrong(pointer, "is there twice; take one of them out"),
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

/// Where we are in the text: in an object, behind which key; in a list, at which index.
enum Level {
    Object(Option<String>),
    List(usize),
}

/// The JSON pointer (RFC 6901) of the value that is read at `line` and `column`, both counted from 1, the column in
/// bytes: `/process/args/0`; empty for the text as a whole. In a key, `~` is written `~0` and `/` is written `~1`.
/// Everything before that place is valid JSON.
fn pointer_at(text: &str, line: usize, column: usize) -> String {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let (bytes, end) = (text.as_bytes(), (start + column).min(text.len()));
    let (mut levels, mut at) = (Vec::new(), 0);
    while at < end {
        match bytes[at] {
            b'{' => levels.push(Level::Object(None)),
            b'[' => levels.push(Level::List(0)),
            b'}' | b']' => drop(levels.pop()),
            b',' => match levels.last_mut() {
                Some(Level::List(index)) => *index += 1,
                Some(Level::Object(key)) => *key = None,
                None => {}
            },
            b'"' => {
                let string = string_at(&text[at..]);
                at += string.len() - 1;
                if let Some(Level::Object(key @ None)) = levels.last_mut() {
                    *key = serde_json::from_str(string).ok();
                }
            }
            _ => {}
        }
        at += 1;
    }
    let part = |level: &Level| match level {
        Level::Object(key) => {
            key.as_ref().map(|key| format!("/{}", key.replace('~', "~0").replace('/', "~1")))
        }
        Level::List(index) => Some(format!("/{index}")),
    };
    levels.iter().filter_map(part).collect()
}

/// The string that `text` begins with, with its quotes.
fn string_at(text: &str) -> &str {
    let mut escaped = false;
    let end = text.bytes().skip(1).position(|byte| {
        let is_end = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        is_end
    });
    &text[..end.map_or(text.len(), |end| end + 2)]
}
