//! What a document types, as far as it is to be compared.

/// What is left to the reader in a command of the document, as text that may be anything: `<id>`, `[--option]`,
/// `/path/to/bundle`.
pub(super) fn open(command: &str) -> String {
    let mut text = String::new();
    let mut rest = command;
    while let Some(at) = rest.find(['<', '[']).into_iter().chain(rest.find("/path/to/")).min() {
        text += &rest[..at];
        text += "[..]";
        let end = match &rest[at..=at] {
            // An option that is left out leaves no blank either.
            "[" => rest[at..]
                .find(']')
                .map(|end| at + end + 1)
                .map(|end| end + usize::from(rest[end..].starts_with(' '))),
            "<" => rest[at..].find('>').map(|end| at + end + 1),
            _ => rest[at..].find(' ').map(|end| at + end),
        };
        rest = end.map_or("", |end| &rest[end..]);
    }
    text + rest
}

/// A command in one form: a line, single blanks, no remark.
pub(super) fn normal(command: &str) -> String {
    let lines = command.lines().map(|line| line.trim().trim_end_matches('\\'));
    let text = lines.collect::<Vec<_>>().join(" ");
    let code = text.split("  #").next().unwrap_or_default();
    code.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Which commands these are, in a number (FNV-1a): whoever changes one without a word is noticed where the document is not
/// at hand.
pub(super) fn digest(commands: &[String]) -> u64 {
    let bytes = commands.iter().flat_map(|command| command.bytes().chain([b'\n']));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::open;
    use crate::check::transcript::line_matches;

    #[test]
    fn what_the_document_leaves_to_the_reader_may_be_filled_in() {
        let filled = |theirs, ours| line_matches(&open(theirs), ours);
        assert!(filled("create --bundle=<path> <id>", "create --bundle=my-bundle test1"));
        assert!(filled("start [--attach|--detach] <id>", "start test1"));
        assert!(filled("start [--attach|--detach] <id>", "start --attach test1"));
        assert!(filled("run --bundle=/path/to/bundle temp", "run --bundle=./my-bundle temp"));
        assert!(filled("exec [--exec \"<command>\"] <id>", "exec --exec \"ps\" test1"));
        assert!(!filled("run --bundle=/path/to/bundle temp", "run --bundle=./my-bundle other"));
    }
}
