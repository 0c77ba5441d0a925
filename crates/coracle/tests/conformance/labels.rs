//! config.md, "Linux Process": AppArmor and SELinux; config-linux.md, "Mount Label". Row O-16.

use testkit::Test;

pub(crate) const TESTS: &[Test] = testkit::tests! {};
