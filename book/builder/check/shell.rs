//! Just enough of the shell's grammar to see which programs a line names.

/// The simple commands of `text`, each as its words with the place where it begins: split at newlines, `;`, `|`, `&`
/// and parentheses, with quotes, comments and line continuations understood.
pub(super) fn commands(text: &str) -> Vec<(usize, Vec<String>)> {
    let mut all = vec![(0, Vec::new())];
    let mut word: Option<String> = None;
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                while let Some((_, inner)) = letters.next() {
                    match inner {
                        _ if inner == letter => break,
                        '\\' if letter == '"' => word.extend(letters.next().map(|(_, escaped)| escaped)),
                        _ => word.push(inner),
                    }
                }
            }
            '\\' => match letters.next() {
                Some((_, '\n')) | None => {}
                Some((_, escaped)) => word.get_or_insert_default().push(escaped),
            },
            '#' if word.is_none() => while letters.next_if(|(_, letter)| *letter != '\n').is_some() {},
            _ if letter.is_whitespace() || ";|&()".contains(letter) => {
                if let Some((_, command)) = all.last_mut() {
                    command.extend(word.take());
                }
                if letter == '\n' || !letter.is_whitespace() {
                    all.push((at + 1, Vec::new()));
                }
            }
            _ => word.get_or_insert_default().push(letter),
        }
    }
    if let Some((_, command)) = all.last_mut() {
        command.extend(word);
    }
    let programs = all.iter().map(|(at, command)| (*at, program(command).to_vec()));
    programs.filter(|(_, command)| !command.is_empty()).collect()
}

/// The command without what stands before its program: `A=b`, `sudo`, `time`, `exec`.
fn program(command: &[String]) -> &[String] {
    let before = |word: &String| {
        let assignment = word.split_once('=').is_some_and(|(name, _)| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        });
        assignment || ["sudo", "time", "exec"].contains(&word.as_str())
    };
    let first = command.iter().position(|word| !before(word)).unwrap_or(command.len());
    &command[first..]
}

/// Whether a word stands for something the reader puts in: `N`, `ITEM`, `<id>`, `lesson-NN`, `…`, `$X`.
pub(super) fn placeholder(word: &str) -> bool {
    let upper = word.chars().any(char::is_uppercase) && !word.chars().any(char::is_lowercase);
    upper || word.contains("NN") || word.contains(['<', '>', '…', '*', '$', '[']) || word.contains("...")
}

#[cfg(test)]
mod tests {
    use super::commands;

    #[test]
    fn a_line_is_split_into_its_simple_commands() {
        let words = |text| commands(text).iter().map(|(_, words)| words.join(" ")).collect::<Vec<_>>();
        assert_eq!(words("A=1 sudo cargo test; b | c && (d)"), ["cargo test", "b", "c", "d"]);
        assert_eq!(words("sh -c 'a; b' # not this\ncargo \\\n  lesson"), ["sh -c a; b", "cargo lesson"]);
    }
}
