//! What the configuration and the scoreboard tell of pools and workers, for `fpmd status`.

use std::time::Duration;

use bstr::ByteSlice;
use fpm_channel::WorkerId;
use fpm_control::{DaemonMeasured, Measured, PoolStatus, State, Status, WorkerStatus};
use fpm_os::listener;
use nix::unistd::Pid;

use super::{Live, board};
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
            beside: None,
            reload_failure: None,
            measured: serving
                .map(|setup| DaemonMeasured::of(&setup.ledgers.daemon().figures()))
                .unwrap_or_default(),
            generations: Vec::new(),
            pools: Vec::new(),
        }
    }

    pub(super) fn status_of_pool(&self, id: PoolId) -> PoolStatus {
        let Some(setup) = self.generations.get(&id.generation) else {
            return PoolStatus::default();
        };
        let Some(pool) = setup.pool(id.index) else {
            return PoolStatus::default();
        };
        let queue = setup
            .listeners
            .socket(id.index)
            .and_then(|socket| listener::queue::of(socket).ok())
            .unwrap_or_default();
        PoolStatus {
            name: pool.name.to_str_lossy().into_owned(),
            listen: pool.listen_raw.to_string(),
            pm: pool.pm.name().to_owned(),
            max_children: pool.pm_max_children,
            generation: id.generation.0,
            listen_queue: u64::from(queue.waiting) + u64::from(self.waiting_in_relay(id)),
            listen_queue_len: queue.capacity.into(),
            ..PoolStatus::default()
        }
    }

    pub(super) fn tally_of_pool(&self, id: PoolId, status: &mut PoolStatus) {
        let Some(setup) = self.generations.get(&id.generation) else {
            return;
        };
        let Some((pool, board)) = setup.pool(id.index).zip(setup.board(id.index)) else {
            return;
        };
        let mut counters = board.totals().counters;
        // What its namesakes have counted and not handed on yet.
        let others = self.generations.iter();
        for (_, other) in others.filter(|(number, _)| **number != id.generation) {
            if let Some(own) = other.own_counters(pool.name.as_ref()) {
                counters.add(&own);
            }
        }
        status.count(&counters);
        if let Some(ledger) = self.ledger(id) {
            status.measured = Measured::of(&ledger.figures());
        }
    }

    pub(super) fn status_of_worker(&self, id: WorkerId, now: Duration) -> Option<WorkerStatus> {
        let pipes = self.workers.get(&id)?;
        let snapshot = board(&self.generations, pipes.pool)?.snapshot(pipes.slot.0)?;
        Some(WorkerStatus::of(&snapshot, now))
    }
}
