//! What the configuration and the scoreboard tell of pools and workers, for `fpmd status`.

use std::time::Duration;

use bstr::ByteSlice;
use fpm_channel::WorkerId;
use fpm_control::{PoolStatus, State, Status, WorkerStage, WorkerStatus};
use fpm_os::listener;
use fpm_scoreboard::Stage;
use nix::unistd::Pid;

use super::{Live, board, measured};
use crate::pool::PoolId;
use crate::program::Program;

impl<P: Program> Live<P> {
    pub(super) fn daemon_status(&self) -> Status {
        let serving = self.generations.get(&self.serving);
        Status {
            pid: Pid::this().as_raw(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            configuration: serving.map_or_else(String::new, |setup| setup.config.name.to_string()),
            started_at: self.started.as_secs(),
            state: State::Serving,
            reload_failure: None,
            measured: serving
                .map(|setup| measured::of_daemon(&setup.ledgers.daemon().figures()))
                .unwrap_or_default(),
            generations: Vec::new(),
            pools: Vec::new(),
        }
    }

    pub(super) fn status_of_pool(&self, id: PoolId) -> PoolStatus {
        let Some(setup) = self.generations.get(&id.generation) else {
            return PoolStatus::default();
        };
        let Some((pool, board)) = setup.pool(id.index).zip(setup.board(id.index)) else {
            return PoolStatus::default();
        };
        let mut counters = board.totals().counters;
        // What its namesakes have counted and not handed on yet.
        let others = self.generations.iter();
        for (_, other) in others.filter(|(number, _)| **number != id.generation) {
            if let Some(own) = other.own_counters(pool.name.as_ref()) {
                counters.add(&own);
            }
        }
        let queue = setup
            .listeners
            .socket(id.index)
            .and_then(|socket| listener::queue::of(socket).ok());
        let waiting = queue.map_or(0, |queue| u64::from(queue.waiting));
        PoolStatus {
            name: pool.name.to_string(),
            listen: pool.listen_raw.to_string(),
            pm: pool.pm.name().to_owned(),
            max_children: pool.pm_max_children,
            generation: id.generation.0,
            started_at: counters.started.as_secs(),
            listen_queue: waiting,
            listen_queue_len: queue.map_or(0, |queue| u64::from(queue.capacity)),
            max_listen_queue: counters.max_listen_queue.max(waiting),
            max_active: counters.max_active,
            max_children_reached: counters.max_children_reached,
            requests: counters.accepted,
            slow_requests: counters.slow_requests,
            soft_timed_out: counters.soft_timed_out,
            rests: counters.rests,
            abandoned: counters.abandoned,
            overdue: counters.overdue,
            timed_out: counters.timed_out,
            outgrown: counters.outgrown,
            memory_peak: counters.memory_peak,
            measured: self
                .ledger(id)
                .map(|ledger| measured::of_pool(&ledger.figures()))
                .unwrap_or_default(),
            ..PoolStatus::default()
        }
    }

    pub(super) fn status_of_worker(&self, id: WorkerId, now: Duration) -> Option<WorkerStatus> {
        let pipes = self.workers.get(&id)?;
        let snapshot = board(&self.generations, pipes.pool)?.snapshot(pipes.slot.0)?;
        let state = snapshot.state;
        let text = |bytes: &[u8]| bytes.to_str_lossy().into_owned();
        let mut uri = text(&snapshot.uri);
        if !snapshot.query.is_empty() {
            uri = format!("{uri}?{}", text(&snapshot.query));
        }
        Some(WorkerStatus {
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
        })
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
