//! config-linux.md, "Sysctl", "Personality", "Memory policy" and "IntelRdt". Row O-25.

use testkit::Test;

pub(crate) const TESTS: &[Test] = testkit::tests! {};
