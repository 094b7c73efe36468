//! How the daemon is, for `fpmd status`: what the master knows itself, filled up with what the world can tell.

use std::time::Duration;

use fpm_control::{Detail, GenerationStatus, PoolStatus, Sizing, Standing, State as Doing, Status};

use super::{Master, Progress};
use crate::generation::{self, Generation};
use crate::pool::{PoolId, Service};
use crate::reload::Phase;
use crate::state::State;
use crate::world::{Activity, World};

impl<W: World> Master<W> {
    /// Tells how everything is.
    pub(super) fn status(&self, now: Duration, detail: Detail) -> Status {
        self.status_with(|pool| self.pool_status(now, pool, detail))
    }

    /// Tells how everything is as far as it cannot be read off the scoreboard: of workers those only that are still to be forked.
    pub(super) fn outline(&self) -> Status {
        self.status_with(|pool| self.pool_outline(pool))
    }

    fn status_with(&self, of_pool: impl FnMut(PoolId) -> PoolStatus) -> Status {
        let generations = self.generations.numbers().into_iter();
        Status {
            state: self.doing(),
            beside: self.beside(),
            reload_failure: self.orders.failure().map(str::to_owned),
            generations: generations
                .map(|number| generation_status(self.generations.get(number)))
                .collect(),
            pools: self.generations.serving().pool_ids().map(of_pool).collect(),
            ..self.world.status()
        }
    }

    fn doing(&self) -> Doing {
        match (self.state, self.reload.phase()) {
            (State::Finishing, _) => Doing::Finishing,
            (State::Terminating, _) => Doing::Terminating,
            _ if self.progress != Progress::Serving => Doing::Starting,
            (State::Normal, Phase::None) => match self.generations.serving().standing {
                generation::Standing::Retiring => Doing::Resting,
                generation::Standing::Coming | generation::Standing::Serving => Doing::Serving,
            },
            (State::Normal, _) => Doing::Reloading,
        }
    }

    fn pool_outline(&self, pool: PoolId) -> PoolStatus {
        let own = self.generations.pool(pool);
        PoolStatus {
            max_children: own.max_children(),
            sizing: match own.sizer {
                Some(_) => Sizing::Auto,
                None => Sizing::Fixed,
            },
            drained: own.service == Service::Drained,
            resting: own.service == Service::Resting,
            starting: u64::from(own.queued + own.births.missing),
            ..self.world.pool_status(pool)
        }
    }

    fn pool_status(&self, now: Duration, pool: PoolId, detail: Detail) -> PoolStatus {
        let mut status = self.pool_outline(pool);
        self.world.tally(pool, &mut status);
        let own = self.generations.pool(pool);
        let namesakes = self.generations.predecessors(pool);
        for id in std::iter::once(own)
            .chain(namesakes)
            .flat_map(|at_work| at_work.workers())
        {
            let leaving = self.roster.get(id).is_some_and(|w| w.leaving.is_some());
            status.leaving += u64::from(leaving);
            match self.world.activity(id) {
                Activity::Starting => status.starting += 1,
                Activity::Idle { .. } | Activity::Resting { .. } => status.idle += 1,
                Activity::Busy => status.active += 1,
            }
            if detail == Detail::Workers {
                status.workers.extend(self.world.worker_status(id, now));
            }
        }
        status
    }
}

fn generation_status(generation: &Generation) -> GenerationStatus {
    let workers = generation.pools.iter().flat_map(|pool| pool.workers());
    GenerationStatus {
        number: generation.number.0,
        standing: match generation.standing {
            generation::Standing::Coming => Standing::Coming,
            generation::Standing::Serving => Standing::Serving,
            generation::Standing::Retiring => Standing::Retiring,
        },
        zygotes: generation
            .zygotes()
            .map(|zygote| zygote.pid.as_raw())
            .collect(),
        workers: workers.count() as u64,
    }
}
