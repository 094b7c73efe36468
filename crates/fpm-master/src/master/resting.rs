//! Kept connections that come from workers that leave: what [`crate::resting`] decides, carried out.

use fpm_channel::WorkerId;
use fpm_scoreboard::Farewell;

use super::Master;
use crate::resting::{RestingId, farewell};
use crate::world::World;

impl<W: World> Master<W> {
    /// Tells a worker to leave when it has nothing more to do, and how to leave its client.
    pub(super) fn drain(&mut self, id: WorkerId) {
        let farewell = self.farewell(id);
        self.world.drain(id, farewell);
    }

    /// A worker has left a connection.
    pub(super) fn on_resting(&mut self, id: WorkerId, connection: RestingId) {
        // What was right when the worker was told may not be so any more.
        if self.farewell(id) == Farewell::Close {
            self.world.turn_away(connection);
        }
    }

    fn farewell(&self, id: WorkerId) -> Farewell {
        let worker = self.roster.get(id).filter(|_| self.is_at_work());
        let there = worker.and_then(|worker| self.world.served_at_socket_of(worker.pool));
        let service = there.map(|pool| self.generations.pool(pool).service);
        farewell(self.state, service)
    }
}
