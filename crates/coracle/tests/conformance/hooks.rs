//! config.md, "POSIX-platform Hooks", and runtime.md, "Lifecycle": when they run, where, and what their failure does. Rows O-05 and O-06.

use testkit::Test;

pub(crate) const TESTS: &[Test] = testkit::tests! {};
