//! What a pool has counted, as a value.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a pool has counted since its start; it survives workers and, when the master carries it over, reloads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// When the pool was started first, since 1970, in whole seconds.
    pub started: Duration,
    /// Requests accepted.
    pub accepted: u64,
    /// Those of them that were not run because nobody waited for the answer.
    pub abandoned: u64,
    /// Those of them that were refused because they had waited longer than `request_queue_timeout`.
    pub overdue: u64,
    /// Most workers that were busy at once.
    pub max_active: u64,
    /// How often `pm.max_children` was reached.
    pub max_children_reached: u64,
    /// Requests that took longer than `request_slowlog_timeout`.
    pub slow_requests: u64,
    /// Requests that took longer than `request_terminate_timeout`, and whose workers were ended therefore.
    pub timed_out: u64,
    /// Workers that were replaced because they needed more than `pm.max_memory`.
    pub outgrown: u64,
    /// Requests whose scripts got PHP's time-out error because of `request_soft_timeout`.
    pub soft_timed_out: u64,
    /// How often the pool got no new workers for a while because too many had crashed.
    pub rests: u64,
    /// Most connections that waited at once.
    pub max_listen_queue: u64,
    /// Highest memory peak of a request, in bytes.
    pub memory_peak: u64,
}

impl Counters {
    /// Returns what has been counted since these numbers were taken. What is no count but the highest ever seen stays.
    #[must_use]
    pub fn since(&self, before: &Counters) -> Counters {
        let since = |now: u64, then: u64| now.saturating_sub(then);
        Counters {
            accepted: since(self.accepted, before.accepted),
            abandoned: since(self.abandoned, before.abandoned),
            overdue: since(self.overdue, before.overdue),
            max_children_reached: since(self.max_children_reached, before.max_children_reached),
            slow_requests: since(self.slow_requests, before.slow_requests),
            timed_out: since(self.timed_out, before.timed_out),
            outgrown: since(self.outgrown, before.outgrown),
            soft_timed_out: since(self.soft_timed_out, before.soft_timed_out),
            rests: since(self.rests, before.rests),
            ..*self
        }
    }

    /// Adds what has been counted elsewhere.
    pub fn add(&mut self, counted: &Counters) {
        self.accepted += counted.accepted;
        self.abandoned += counted.abandoned;
        self.overdue += counted.overdue;
        self.max_children_reached += counted.max_children_reached;
        self.slow_requests += counted.slow_requests;
        self.timed_out += counted.timed_out;
        self.outgrown += counted.outgrown;
        self.soft_timed_out += counted.soft_timed_out;
        self.rests += counted.rests;
        self.max_active = self.max_active.max(counted.max_active);
        self.max_listen_queue = self.max_listen_queue.max(counted.max_listen_queue);
        self.memory_peak = self.memory_peak.max(counted.memory_peak);
    }
}
