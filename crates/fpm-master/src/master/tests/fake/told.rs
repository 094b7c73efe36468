//! What can be told of a stage afterwards: what was asked for, what was said, how it ended.

use super::Stage;
use crate::master::Outcome;

impl Stage {
    /// Takes what the world was asked to do, one line each.
    pub(in crate::master::tests) fn calls(&mut self) -> String {
        std::mem::take(&mut self.world().calls).join("\n")
    }

    /// Takes what the service manager was told, one line each.
    pub(in crate::master::tests) fn notifications(&mut self) -> String {
        std::mem::take(&mut self.world().notifications).join("\n")
    }

    /// Takes what was logged, one line each.
    pub(in crate::master::tests) fn lines(&self) -> String {
        self.log.take().join("\n")
    }

    /// Tells how it ended: `stopped` or the error.
    pub(in crate::master::tests) fn outcome(&mut self) -> Option<String> {
        Some(match self.master.take_outcome()? {
            Outcome::Stopped => "stopped".to_owned(),
            Outcome::Failed(error) => error.to_string(),
        })
    }
}
