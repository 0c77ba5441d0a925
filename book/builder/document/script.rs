//! The transcript of a document: what the document shows, typed at our programs. It has the form of a page's `console`
//! block, and three things more (the words for authors are at the head of `main.rs`): notes, in lines that begin with
//! `#`; `[exit N]` below an answer; and lines typed inside of a container, at its shell's prompt.

use std::path::{Path, PathBuf};

use super::command::{digest, normal, open};
use crate::Defect;
use crate::check::transcript::{self, line_matches};

/// A document's transcript.
pub(crate) struct Script {
    /// As people name it.
    pub(crate) file: PathBuf,
    /// Our names for the document's: `(runc, coracle)`.
    names: Vec<(String, String)>,
    /// The programs it needs besides ours.
    pub(crate) needs: Vec<String>,
    /// The [`digest`] of what the document types.
    digest: Option<u64>,
    pub(crate) steps: Vec<Step>,
}

/// One typed line.
pub(crate) struct Step {
    pub(crate) line: usize,
    /// The heading of the document that it stands under, in our words.
    pub(crate) heading: String,
    pub(crate) prompt: String,
    pub(crate) command: String,
    pub(crate) expected: Vec<String>,
    /// The exit status; that of a line typed inside of a container is of the command that opened its shell.
    pub(crate) status: i32,
    pub(crate) note: Note,
}

/// What is said of a step.
#[derive(Clone, Default)]
pub(crate) struct Note {
    /// What the document has here: typed lines and answers.
    pub(crate) document: Vec<String>,
    /// Why the step is another one.
    pub(crate) differs: String,
    /// What the step is typed for, where the document types nothing.
    pub(crate) ours: String,
}

impl Step {
    /// Whether it is typed inside of a container.
    pub(crate) fn inside(&self) -> bool {
        self.prompt != transcript::PROMPT
    }

    /// Whether the document does not type it.
    pub(crate) fn ours(&self) -> bool {
        !self.note.ours.is_empty()
    }

    /// Whether it is, or is answered, otherwise than in the document.
    pub(crate) fn differs(&self) -> bool {
        !self.note.differs.is_empty()
    }
}

impl Note {
    /// The lines that the document has typed.
    fn typed(&self) -> impl Iterator<Item = &str> {
        self.document.iter().filter_map(|line| prompt(line).map(|prompt| &line[prompt.len()..]))
    }
}

/// The prompt that a line begins with: ours, or that of root's shell inside of a container.
pub(crate) fn prompt(line: &str) -> Option<&str> {
    transcript::host(line).or_else(|| {
        let (folder, _) = line.split_once(" # ")?;
        let place = folder.starts_with(['/', '~']) && !folder.contains(' ');
        place.then(|| line.get(..folder.len() + 3)).flatten()
    })
}

/// Reads the text of the transcript `file`. What is wrong with it is in the defects.
pub(crate) fn parse(file: &Path, text: &str) -> (Script, Vec<Defect>) {
    let mut reader = Reader::new(file);
    for (number, line) in text.lines().enumerate() {
        reader.line(number + 1, line);
    }
    reader.chunk();
    let Reader { script, mut defects, .. } = reader;
    if script.steps.is_empty() {
        defects.push(script.defect(1, "the transcript has no steps".into()));
    }
    let found = digest(&script.document().map(|(_, command)| command).collect::<Vec<_>>());
    if script.digest != Some(found) {
        let what = format!(
            "what the document types is told otherwise than when this digest was taken: a changed command says what the \
             document has (`# document: $ ...`) and why it differs (`# differs: ...`). Now it is `# digest: {found:016x}`"
        );
        defects.push(script.defect(1, what));
    }
    let wrong: Vec<_> =
        script.steps.iter().filter_map(|step| Some((step.line, script.unexplained(step)?))).collect();
    defects.extend(wrong.into_iter().map(|(line, what)| script.defect(line, what)));
    (script, defects)
}

impl Script {
    pub(crate) fn defect(&self, line: usize, what: String) -> Defect {
        Defect { file: self.file.clone(), line, what }
    }

    /// `text` with the document's names in place of ours.
    pub(crate) fn theirs(&self, text: &str) -> String {
        self.names.iter().fold(text.to_string(), |text, (theirs, ours)| text.replace(ours, theirs))
    }

    /// What the document types, in its order, each with our line that stands for it.
    pub(crate) fn document(&self) -> impl Iterator<Item = (usize, String)> {
        self.steps.iter().flat_map(|step| {
            let noted: Vec<_> = step.note.typed().map(normal).collect();
            let own = (noted.is_empty() && !step.ours()).then(|| normal(&self.theirs(&step.command)));
            let typed: Vec<_> = noted.into_iter().chain(own).collect();
            typed.into_iter().map(|command| (step.line, command))
        })
    }

    /// What is missing in the notes on a step.
    fn unexplained(&self, step: &Step) -> Option<String> {
        let Note { document, differs, ours } = &step.note;
        let filled = || {
            let typed: Vec<_> = step.note.typed().collect();
            let [typed] = typed[..] else { return false };
            document.len() == 1 && ours.is_empty() && line_matches(&open(typed), &self.theirs(&step.command))
        };
        match (document.is_empty(), differs.is_empty()) {
            (false, true) if !filled() => {
                Some(format!("`{}` is not what the document has, and no `# differs:` says why", step.command))
            }
            (true, false) => Some(format!("`{}` differs, and no `# document:` says from what", step.command)),
            _ => None,
        }
    }
}

/// Reads line by line: notes, then typed lines and answers until the next notes.
struct Reader {
    script: Script,
    defects: Vec<Defect>,
    heading: String,
    note: Note,
    /// Whether the last note is a reason, which the next one may go on with.
    reason: bool,
    /// The typed lines and answers so far, and the number of their first line.
    text: String,
    first: usize,
}

impl Reader {
    fn new(file: &Path) -> Self {
        let script = Script {
            file: file.to_path_buf(),
            names: Vec::new(),
            needs: Vec::new(),
            digest: None,
            steps: Vec::new(),
        };
        Self {
            script,
            defects: Vec::new(),
            heading: String::new(),
            note: Note::default(),
            reason: false,
            text: String::new(),
            first: 0,
        }
    }

    fn line(&mut self, number: usize, line: &str) {
        let Some(note) = line.strip_prefix('#') else {
            if self.text.is_empty() {
                if line.trim().is_empty() {
                    return;
                }
                self.first = number;
            }
            self.text.push_str(line);
            self.text.push('\n');
            return;
        };
        self.chunk();
        self.first = number;
        let goes_on = std::mem::take(&mut self.reason);
        let words = |text: &str| text.split_whitespace().map(str::to_string).collect::<Vec<_>>();
        match note.trim_start().split_once(": ").unwrap_or((note.trim(), "")) {
            _ if note.starts_with('#') => self.heading = note[1..].trim().to_string(),
            ("names", pairs) => {
                let pairs = words(pairs);
                let pair = |pair: &String| pair.split_once('=').map(|(a, b)| (a.to_string(), b.to_string()));
                self.script.names = pairs.iter().filter_map(pair).collect();
            }
            ("needs", programs) => self.script.needs = words(programs),
            ("digest", number) => self.script.digest = u64::from_str_radix(number.trim(), 16).ok(),
            ("document", shown) => self.note.document.push(shown.trim_end().to_string()),
            ("for", what) => self.note.ours = what.trim().to_string(),
            ("differs", why) => {
                self.note.differs = why.trim().to_string();
                self.reason = true;
            }
            _ if goes_on => {
                self.note.differs = format!("{} {}", self.note.differs, note.trim());
                self.reason = true;
            }
            // A word to whoever reads the transcript.
            _ => {}
        }
    }

    /// Ends the typed lines and answers. The notes before them are about the first.
    fn chunk(&mut self) {
        let text = std::mem::take(&mut self.text);
        if text.is_empty() {
            return;
        }
        let (steps, stray) = transcript::steps(&text, prompt);
        if stray {
            let what = "an answer without a typed line: `$ command`, or `/ # command` inside of a container";
            self.defects.push(self.script.defect(self.first, what.into()));
        }
        let mut note = std::mem::take(&mut self.note);
        for step in steps {
            let line = self.first + text[..step.offset].matches('\n').count();
            let mut expected = step.expected;
            let last = expected.iter().rposition(|line| !line.is_empty());
            let status =
                last.and_then(|last| expected[last].strip_prefix("[exit ")?.strip_suffix(']')?.parse().ok());
            if status.is_some() {
                expected.truncate(last.unwrap_or_default());
            }
            self.script.steps.push(Step {
                line,
                heading: self.heading.clone(),
                prompt: step.prompt,
                command: step.command,
                expected,
                status: status.unwrap_or(0),
                note: std::mem::take(&mut note),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::prompt;

    #[test]
    fn a_prompt_is_ours_or_a_shells_inside() {
        assert_eq!(prompt("$ ls"), Some("$ "));
        assert_eq!(prompt("/ # ls /"), Some("/ # "));
        assert_eq!(prompt("~ # exit"), Some("~ # "));
        assert_eq!(prompt("/dev/pts on # somewhere"), None);
        assert_eq!(prompt("root # x"), None);
    }
}
