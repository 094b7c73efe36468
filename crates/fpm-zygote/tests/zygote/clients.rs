//! Clients that do not behave.

use crate::Test;

pub(crate) const TESTS: &[Test] = &[];
