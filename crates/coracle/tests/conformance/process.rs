//! config.md, "Process" and "POSIX process": cwd, args, env, user, limits, privileges. Rows O-12, O-13 and O-15.

use testkit::Test;

pub(crate) const TESTS: &[Test] = testkit::tests! {};
