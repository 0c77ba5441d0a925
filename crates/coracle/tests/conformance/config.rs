//! config.md, "Specification version" and "Extensibility": what is read, ignored and refused. Row O-07.

use testkit::Test;

pub(crate) const TESTS: &[Test] = testkit::tests! {};
