//! config-linux.md, "Devices" and "Default Devices"; runtime-linux.md, "File descriptors" and "Dev symbolic links". Row O-21.

use testkit::Test;

pub(crate) const TESTS: &[Test] = testkit::tests! {};
