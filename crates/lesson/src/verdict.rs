//! What a lesson's test program says of each test: the lines that testkit appends to the file `CORACLE_VERDICTS`.

use std::collections::BTreeMap;
use std::fmt;
use std::process::Output;

use serde::{Deserialize, Serialize};

/// Why a test failed, as testkit tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Class {
    Assertion,
    RuntimePanic,
    Deadline,
    NoEvidence,
    Harness,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Class::Assertion => "an assertion",
            Class::RuntimePanic => "a panic in the runtime",
            Class::Deadline => "the outer deadline",
            Class::NoEvidence => "missing evidence",
            Class::Harness => "a failure of the harness",
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Red,
    Guard,
    Plain,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    Pass,
    Fail,
    Ignored,
}

/// One line of `CORACLE_VERDICTS`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Verdict {
    pub test: String,
    pub kind: Kind,
    pub verdict: Outcome,
    pub class: Option<Class>,
    pub message: Option<String>,
}

impl Verdict {
    /// Why the test failed. A failure that names no class is the harness's own.
    pub(crate) fn failed(&self) -> Option<Class> {
        (self.verdict == Outcome::Fail).then(|| self.class.unwrap_or(Class::Harness))
    }

    pub(crate) fn passed(&self) -> bool {
        self.verdict == Outcome::Pass
    }

    /// The first line of what the test said.
    pub(crate) fn said(&self) -> &str {
        let message = self.message.as_deref().unwrap_or_default();
        message.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("no message")
    }
}

/// A lesson's tests on one variant: the verdicts by test, or how the test program itself broke.
pub(crate) type Ran = Result<BTreeMap<String, Verdict>, String>;

/// The verdicts of a test program that ended. They must agree with its exit status: a program that died half way has
/// proved nothing.
pub(crate) fn verdicts(output: &Output, lines: &str) -> Ran {
    let mut verdicts = BTreeMap::new();
    for line in lines.lines() {
        let verdict: Verdict =
            serde_json::from_str(line).map_err(|error| format!("it wrote the verdict {line}: {error}"))?;
        verdicts.insert(verdict.test.clone(), verdict);
    }
    let failed = verdicts.values().any(|verdict| verdict.verdict == Outcome::Fail);
    if output.status.code().is_some_and(|code| (code == 0) != failed) {
        return Ok(verdicts);
    }
    let said =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
    let said: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let tail = said[said.len().saturating_sub(3)..].join(" / ");
    Err(format!("it ended with {} after {} verdicts: {tail}", output.status, verdicts.len()))
}
