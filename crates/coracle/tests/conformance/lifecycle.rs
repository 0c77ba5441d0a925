//! runtime.md, "Lifecycle" and "Operations": create, start, state, kill, delete. Rows O-01 to O-04.

use testkit::Test;

pub(crate) const TESTS: &[Test] = testkit::tests! {};
