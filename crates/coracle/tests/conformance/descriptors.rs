//! runtime-linux.md, "File descriptors": what the program keeps, and what it must not. Row O-28.

use testkit::Test;

pub(crate) const TESTS: &[Test] = testkit::tests! {};
