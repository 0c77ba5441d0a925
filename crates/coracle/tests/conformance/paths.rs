//! config-linux.md, "Masked Paths", "Readonly Paths" and "Rootfs Mount Propagation". Row O-27.

use testkit::Test;

pub(crate) const TESTS: &[Test] = testkit::tests! {};
