//! What the scoreboard shows, in the words of a status.

use std::time::Duration;

use fpm_scoreboard::{Counters, SlotSnapshot, Stage};

use super::{PoolStatus, WorkerStage, WorkerStatus};

impl PoolStatus {
    /// Takes over what the pool has counted.
    pub fn count(&mut self, counters: &Counters) {
        self.started_at = counters.started.as_secs();
        self.max_listen_queue = counters.max_listen_queue.max(self.listen_queue);
        self.max_active = counters.max_active;
        self.max_children_reached = counters.max_children_reached;
        self.requests = counters.accepted;
        self.slow_requests = counters.slow_requests;
        self.rests = counters.rests;
        self.soft_timed_out = counters.soft_timed_out;
        self.timed_out = counters.timed_out;
        self.outgrown = counters.outgrown;
        self.abandoned = counters.abandoned;
        self.overdue = counters.overdue;
        self.memory_peak = counters.memory_peak;
    }
}

impl WorkerStatus {
    /// Tells what a worker does `now` (monotonic).
    #[must_use]
    pub fn of(snapshot: &SlotSnapshot, now: Duration) -> WorkerStatus {
        let state = &snapshot.state;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut uri = text(&snapshot.uri);
        if !snapshot.query.is_empty() {
            uri = format!("{uri}?{}", text(&snapshot.query));
        }
        WorkerStatus {
            pid: state.pid.as_raw(),
            generation: state.generation,
            stage: stage(state.stage),
            leaving: snapshot.draining,
            started_at: state.started.as_secs(),
            requests: state.requests,
            since_ms: whole(now.saturating_sub(state.since).as_millis()),
            method: text(&snapshot.method),
            uri,
            script: text(&snapshot.script),
            user: text(&snapshot.user),
            duration_us: whole(state.duration.as_micros()),
            cpu_us: whole(state.cpu.as_micros()),
            memory: state.memory,
        }
    }
}

fn stage(stage: Stage) -> WorkerStage {
    match stage {
        Stage::Creating => WorkerStage::Starting,
        Stage::Accepting => WorkerStage::Idle,
        Stage::Resting => WorkerStage::Resting,
        Stage::ReadingHeaders | Stage::Info => WorkerStage::Reading,
        Stage::Running => WorkerStage::Running,
        Stage::Finished => WorkerStage::Finishing,
    }
}

fn whole(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
