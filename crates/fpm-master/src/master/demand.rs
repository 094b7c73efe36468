//! Connections that wait at the sockets of ondemand pools, and when the master looks at them.
//!
//! Rule: the kernel tells of arrivals, and several at once as one. How many wait is asked of the queue itself; under
//! load that is not done for each arrival, and never while nobody has arrived.
//!
//! Original: sapi/fpm/fpm/fpm_process_ctl.c (`fpm_pctl_on_socket_accept`)

use std::time::Duration;

use crate::pool::{PoolId, Service};

use super::Master;
use crate::event::Timer;
use crate::pm::{Arrival, Look, Step};
use crate::world::World;

impl<W: World> Master<W> {
    /// A connection has arrived at a socket that a process manager wants to hear of, or may have found nobody.
    pub(super) fn on_connection(&mut self, now: Duration, pool: PoolId) {
        if !self.cares(pool) {
            return;
        }
        match self.generations.pool_mut(pool).looks.arrival(now) {
            Arrival::Now => self.look(now, pool, Look::Arrival),
            Arrival::At(at) => self.world.arm(Timer::Look(pool), at),
            Arrival::Soon => {}
        }
    }

    /// It is time to look again.
    pub(super) fn look_again(&mut self, now: Duration, pool: PoolId) {
        if self.cares(pool) {
            let look = self.generations.pool_mut(pool).looks.due(now);
            self.look(now, pool, look);
        }
    }

    /// Tells whether workers may be forked for the pool: the timer of a generation may outlive it.
    fn cares(&self, pool: PoolId) -> bool {
        self.is_at_work()
            && pool.generation == self.generations.serving().number
            && self.generations.pool(pool).service == Service::Open
    }

    fn look(&mut self, now: Duration, pool: PoolId, look: Look) {
        let waiting = self.world.waiting(pool);
        let census = self.census(pool, now);
        let at_work = self.generations.pool_mut(pool);
        let decision = at_work.manager.on_queue(&census, waiting, look);
        if let Some(at) = at_work.looks.looked(now, decision.look_again) {
            self.world.arm(Timer::Look(pool), at);
        }
        self.carry_out(now, pool, decision);
        if let Step::Spawn(_) = decision.step {
            tracing::debug!(
                "[pool {}] got accept without idle child available .... I forked",
                self.generations.pool(pool).name
            );
        }
    }
}
