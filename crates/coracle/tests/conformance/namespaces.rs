//! config-linux.md, "Namespaces", "User namespace mappings" and "Offset for Time Namespace". Rows O-19 and O-20.

use testkit::Test;

pub(crate) const TESTS: &[Test] = testkit::tests! {};
