//! config.md, "Linux Process": the five sets. Row O-14.

use testkit::Test;

pub(crate) const TESTS: &[Test] = testkit::tests! {};
