//! config.md, "Linux Process": the OOM score, the scheduler, I/O priority, CPU affinity. Row O-17.

use testkit::Test;

pub(crate) const TESTS: &[Test] = testkit::tests! {};
