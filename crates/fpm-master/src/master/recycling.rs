//! Workers that have served their share (`pm.max_requests`): the next one is forked while the last one still ends.
//!
//! Rule: never more than `pm.max_children` workers of a pool take clients. A spent one takes none, but it has a process and a
//! slot until PHP has ended in it; there are spare slots for a quarter of a pool, and whoever finds none is replaced when it
//! has ended.
//!
//! Original: sapi/fpm/fpm/fpm_children.c (`fpm_children_bury`), which forks when the worker has ended.

use std::time::Duration;

use fpm_channel::WorkerId;

use super::Master;
use crate::generation::Standing;
use crate::roster::{Leaving, Reason};
use crate::state::State;
use crate::world::World;

impl<W: World> Master<W> {
    /// A worker has answered its last request.
    pub(super) fn on_spent(&mut self, now: Duration, id: WorkerId) {
        let Some(worker) = self.roster.get_mut(id) else {
            return;
        };
        let pool = worker.pool;
        let retires = self.generations.get(pool.generation).standing == Standing::Retiring;
        if self.state != State::Normal || retires || worker.leaving.is_some() {
            return;
        }
        let at_work = self.generations.pool_mut(pool);
        if at_work.spare() == 0 {
            return;
        }
        at_work.spent += 1;
        worker.leaving = Some(Leaving::Spent);
        let group = at_work.group;
        self.want(now, pool, Reason::Replacement, 1);
        self.pump(now, group);
    }
}
