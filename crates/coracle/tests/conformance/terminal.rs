//! config.md, "Process": the terminal and its size. Row O-11.

use testkit::Test;

pub(crate) const TESTS: &[Test] = testkit::tests! {};
