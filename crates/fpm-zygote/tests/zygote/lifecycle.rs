//! How workers and zygotes end.

use crate::Test;

pub(crate) const TESTS: &[Test] = &[];
