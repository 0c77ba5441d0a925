//! Why a test failed: by its own assertion, or by something that is no verdict on the container at all.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::panic_any;

use serde::Serialize;

/// The class of a failure. Only an assertion proves that a test sees what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// The test's own assertion.
    Assertion,
    /// The runtime panicked in a run of this test.
    RuntimePanic,
    /// The outer deadline was over: the test has a defect, for it should have noticed by a fact of its own.
    Deadline,
    /// The container gave no report where the test counted on one.
    NoEvidence,
    /// The harness itself: a leak, a machine that does not do what the net needs.
    Harness,
}

/// The payload of a panic that is no assertion.
#[derive(Debug)]
pub(crate) struct Failure {
    class: Class,
    message: String,
}

thread_local! {
    /// Whether a runtime panicked in a run of the current test.
    static RUNTIME_PANICKED: Cell<bool> = const { Cell::new(false) };
    /// Where the current test panicked.
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps a failing test from printing a backtrace of the harness: its message and place are enough.
pub(crate) fn quiet_panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(|at| format!("{}:{}", at.file(), at.line()));
        PLACE.set(place.unwrap_or_default());
    }));
}

/// Ends the test for another reason than an assertion.
#[track_caller]
pub(crate) fn fail(class: Class, message: impl Into<String>) -> ! {
    panic_any(Failure { class, message: message.into() })
}

/// Ends the test where the machine let the harness down.
pub(crate) trait OrHarness<T> {
    /// The value, or a failure of class harness that says what was being done.
    #[track_caller]
    fn or_harness(self, doing: &str) -> T;
}

impl<T, E: std::fmt::Display> OrHarness<T> for Result<T, E> {
    #[track_caller]
    fn or_harness(self, doing: &str) -> T {
        match self {
            Ok(value) => value,
            Err(error) => fail(Class::Harness, format!("{doing}: {error}")),
        }
    }
}

/// To be told of every run's standard error.
pub(crate) fn saw_stderr(text: &str) {
    if text.contains("panicked at") {
        RUNTIME_PANICKED.set(true);
    }
}

/// Runs a test's body on this thread, and classifies its end.
///
/// # Errors
/// The class of its failure, and the message with its place.
pub fn judge(body: impl FnOnce()) -> Result<(), (Class, String)> {
    RUNTIME_PANICKED.set(false);
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
    let panicked = RUNTIME_PANICKED.get();
    match ended {
        Ok(()) if panicked => Err((Class::RuntimePanic, "the runtime panicked".into())),
        Ok(()) => Ok(()),
        Err(payload) => {
            let (class, message) = classify(payload.as_ref());
            let message = format!("{message}\n  at {}", PLACE.take());
            Err((if panicked { Class::RuntimePanic } else { class }, message))
        }
    }
}

fn classify(payload: &(dyn Any + Send)) -> (Class, String) {
    if let Some(failure) = payload.downcast_ref::<Failure>() {
        return (failure.class, failure.message.clone());
    }
    let text = payload.downcast_ref::<String>().cloned();
    let text = text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    (Class::Assertion, text.unwrap_or_else(|| "a panic without a message".into()))
}
