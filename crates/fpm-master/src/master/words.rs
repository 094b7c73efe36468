//! What workers say of themselves, and what the master makes of it.

use std::time::Duration;

use fpm_channel::WorkerId;
use fpm_channel::worker::FromWorker;
use nix::unistd::Pid;

use super::Master;
use crate::overrun::Overrun;
use crate::world::{Count, World};

impl<W: World> Master<W> {
    /// A worker said something, perhaps just before its end.
    pub(super) fn on_worker_said(&mut self, now: Duration, id: WorkerId, said: &FromWorker) {
        let Some(worker) = self.roster.get(id) else {
            return;
        };
        let pool = &self.generations.pool(worker.pool).name;
        let pid = worker.pid.unwrap_or(Pid::from_raw(0));
        match said {
            FromWorker::AccessLinesLost(lines) => {
                tracing::warn!(
                    "[pool {pool}] child {pid} could not write {lines} line(s) of the access log"
                );
                let count = Count::AccessLinesLost(worker.pool, *lines);
                self.world.count(count);
            }
            FromWorker::Spent => self.on_spent(now, id),
            FromWorker::Stack(underway) => self.on_stack(id, underway.as_ref()),
            FromWorker::Overran(request) => {
                tracing::warn!("[pool {pool}] child {pid}, {}", Overrun::soft(request));
            }
            FromWorker::Slow(request) => {
                tracing::warn!("[pool {pool}] child {pid}, {}", Overrun::slow(request));
                let written = self
                    .world
                    .log_slow_request(worker.pool, pid, &request.trace);
                if let Err(error) = written {
                    tracing::error!("{error}");
                }
                tracing::info!("finished trace of {pid}");
            }
        }
    }
}
