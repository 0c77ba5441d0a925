//! features.md and features-linux.md. Row O-29.

use testkit::Test;

pub(crate) const TESTS: &[Test] = testkit::tests! {};
