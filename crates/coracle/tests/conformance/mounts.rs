//! config.md, "Root" and "Mounts", with their options; config-linux.md, "Rootfs Mount Propagation". Rows O-08 to O-10.

use testkit::Test;

pub(crate) const TESTS: &[Test] = testkit::tests! {};
