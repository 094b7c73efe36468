//! Time that passes on a stage, and what can be told of it then: what was asked for, what was said, how it ended.

use std::time::Duration;

use super::Stage;
use crate::event::{Event, Timer};
use crate::master::Outcome;

impl Stage {
    /// Lets time pass; timers become due on the way.
    pub(in crate::master::tests) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some((timer, at)) = self.next_timer().filter(|(_, at)| *at <= end) {
            self.world().timers.remove(&timer);
            self.now = self.now.max(at);
            self.play(Event::Due(timer));
        }
        self.now = end;
    }

    pub(in crate::master::tests) fn next_timer(&mut self) -> Option<(Timer, Duration)> {
        self.world()
            .timers
            .iter()
            .min_by_key(|(_, at)| **at)
            .map(|(timer, at)| (*timer, *at))
    }

    pub(in crate::master::tests) fn now(&self) -> Duration {
        self.now
    }

    pub(in crate::master::tests) fn alive(&mut self) -> usize {
        self.world().alive.len()
    }

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
