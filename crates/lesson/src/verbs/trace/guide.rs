//! `trace.toml` beside a lesson: what to run, which calls the lesson is about, and what they do.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io::ErrorKind;

use anyhow::{Context, Result, ensure};
use course::Lesson;
use regex::Regex;
use serde::{Deserialize, Deserializer, Serialize};

/// One lesson's guide through the traces.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Guide {
    /// What part of the runtime's work is shown, in a sentence.
    pub(super) phase: String,
    /// The commands before, which are not traced.
    #[serde(default)]
    pub(super) before: Vec<Command>,
    /// The commands that are.
    pub(super) traced: Vec<Command>,
    /// What the probe in the container is asked to do.
    #[serde(default)]
    pub(super) program: Vec<String>,
    /// A signal for the runtime, as soon as the program has reported.
    #[serde(default)]
    pub(super) signal: Option<String>,
    /// Whether the container needs a control group of its own.
    #[serde(default)]
    pub(super) cgroup: bool,
    /// What is laid over the bundle's config.json.
    #[serde(default)]
    pub(super) config: serde_json::Map<String, serde_json::Value>,
    /// Whose calls count.
    #[serde(default)]
    pub(super) by: By,
    /// The names of the calls that the lesson is about.
    pub(super) calls: BTreeSet<String>,
    /// Which of them: those that look like one of these. All, where none is given.
    #[serde(default)]
    pub(super) only: Vec<Pattern>,
    /// What the calls do, in the order of our runtime.
    #[serde(rename = "step")]
    pub(super) steps: Vec<Step>,
}

/// A command of a runtime, on the guide's container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Command {
    Create,
    Start,
    Run,
    Exec,
    Kill,
    Delete,
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Start => "start",
            Self::Run => "run",
            Self::Exec => "exec",
            Self::Kill => "kill",
            Self::Delete => "delete",
        })
    }
}

/// Whose calls count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum By {
    /// Those of every process, until one becomes the container's program.
    #[default]
    Any,
    /// Those of the one process that becomes the program.
    Init,
}

/// Something that the calls of a runtime do, by whatever calls it does it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    /// What is done.
    pub(super) title: String,
    /// The calls that do it: each as [`super::wording`] words it.
    pub(super) calls: Vec<Pattern>,
    /// The command during which they are made, where that matters.
    #[serde(default)]
    pub(super) during: Option<Command>,
    /// Why the runtime of that name does it in another way.
    #[serde(default)]
    pub(super) sentence: BTreeMap<String, String>,
}

/// A regular expression.
#[derive(Debug)]
pub(super) struct Pattern(Regex);

impl Pattern {
    pub(super) fn matches(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Regex::new(&text).map(Pattern).map_err(serde::de::Error::custom)
    }
}

impl Guide {
    /// The guide of a lesson; `None` where it has none.
    ///
    /// # Errors
    /// Fails where it cannot be read or asks for what cannot be.
    pub(super) fn load(lesson: &Lesson) -> Result<Option<Self>> {
        let path = lesson.dir.join("trace.toml");
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            text => text.with_context(|| format!("reading {}", path.display()))?,
        };
        Self::parse(&text).with_context(|| format!("{}", path.display())).map(Some)
    }

    fn parse(text: &str) -> Result<Self> {
        let guide: Self = toml::from_str(text)?;
        ensure!(!guide.traced.is_empty(), "traced = []: name a command");
        for step in &guide.steps {
            ensure!(!step.calls.is_empty(), "step {:?} has no calls", step.title);
            let traced = step.during.is_none_or(|command| guide.traced.contains(&command));
            ensure!(traced, "step {:?} is during a command that is not traced", step.title);
        }
        Ok(guide)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: &str = "phase = \"p\"\ntraced = [\"run\"]\ncalls = [\"mount\"]\n[[step]]\ntitle = \"t\"\n";

    #[test]
    fn a_guide_that_contradicts_itself_is_refused() {
        let guide = Guide::parse(&format!("{SHORT}calls = ['MS_SLAVE']\nsentence.runc = \"s\"\n")).unwrap();
        assert!(guide.steps[0].calls[0].matches("mount(\"/\", MS_REC|MS_SLAVE)"));
        assert_eq!(guide.steps[0].sentence["runc"], "s");
        for (more, why) in [
            ("calls = []\n", "has no calls"),
            ("calls = ['(']\n", "regex"),
            ("calls = ['x']\nduring = \"exec\"\n", "not traced"),
            ("calls = ['x']\nwhile = 1\n", "unknown field"),
        ] {
            let error = format!("{:#}", Guide::parse(&format!("{SHORT}{more}")).unwrap_err());
            assert!(error.contains(why), "{more}: {error}");
        }
    }
}
