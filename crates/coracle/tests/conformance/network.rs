//! config-linux.md, "Network Devices". Row O-22.

use testkit::Test;

pub(crate) const TESTS: &[Test] = testkit::tests! {};
