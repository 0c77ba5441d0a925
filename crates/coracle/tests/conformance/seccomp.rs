//! config-linux.md, "Seccomp". Row O-26.

use testkit::Test;

pub(crate) const TESTS: &[Test] = testkit::tests! {};
