//! The generations that have processes: the one that serves, and those that come and go beside it.
//!
//! Rule: a generation is here for as long as a worker on the roster or a zygote names it; so an id found there always leads
//! to something.

use fpm_conf::Config;

use crate::event::ZygoteId;
use crate::generation::{Generation, Group, Standing, Zygote};
use crate::group::GroupId;
use crate::pool::{PoolAtWork, PoolId};

/// The generations, oldest first; never none.
#[derive(Clone, Debug)]
pub(crate) struct Generations {
    all: Vec<Generation>,
    /// Which one serves.
    serving: fpm_channel::Generation,
    /// The number given last.
    last: fpm_channel::Generation,
}

impl Generations {
    /// Sets up the first generation, which is to serve.
    pub(crate) fn first(config: &Config) -> Generations {
        let number = fpm_channel::Generation(1);
        let mut first = Generation::new(number, config);
        first.standing = Standing::Serving;
        Generations {
            all: vec![first],
            serving: number,
            last: number,
        }
    }

    /// Sets up the generations of another program, oldest first.
    pub(crate) fn recall(
        all: Vec<Generation>,
        serving: fpm_channel::Generation,
        last: fpm_channel::Generation,
    ) -> Generations {
        Generations { all, serving, last }
    }

    /// Returns the number given last.
    pub(crate) fn last(&self) -> fpm_channel::Generation {
        self.last
    }

    /// Gives a number to a generation that may come.
    pub(crate) fn number(&mut self) -> fpm_channel::Generation {
        self.last.0 += 1;
        self.last
    }

    /// Sets up a generation that is to serve if it can.
    pub(crate) fn add(&mut self, number: fpm_channel::Generation, config: &Config) {
        self.all.push(Generation::new(number, config));
    }

    /// Lets another generation serve, and the one that did retire; returns that one's number.
    pub(crate) fn succeed(&mut self, number: fpm_channel::Generation) -> fpm_channel::Generation {
        let before = std::mem::replace(&mut self.serving, number);
        self.get_mut(before).standing = Standing::Retiring;
        self.get_mut(number).standing = Standing::Serving;
        before
    }

    /// Forgets a generation that has no processes left. The one that serves stays, even without.
    pub(crate) fn remove(&mut self, number: fpm_channel::Generation) {
        self.all
            .retain(|known| known.number != number || number == self.serving);
    }

    /// Returns a generation, if it is there.
    pub(crate) fn find(&self, number: fpm_channel::Generation) -> Option<&Generation> {
        self.all.iter().find(|known| known.number == number)
    }

    /// Returns the generations that are finishing what they have, oldest first.
    pub(crate) fn retiring(&self) -> impl Iterator<Item = &Generation> {
        let serving = self.serving;
        let mut retiring = self.all.iter();
        std::iter::from_fn(move || {
            retiring.find(|known| known.standing == Standing::Retiring && known.number != serving)
        })
    }

    /// Returns those of them that have workers of their own.
    pub(crate) fn finishing(&self) -> impl Iterator<Item = &Generation> {
        self.retiring().filter(|known| !known.is_empty())
    }

    /// Tells whether no other generation than the one that serves has workers, or is to get some.
    pub(crate) fn is_alone(&self) -> bool {
        let mut others = self.all.iter();
        others.all(|known| {
            known.number == self.serving || !known.pools.iter().any(PoolAtWork::is_inhabited)
        })
    }

    /// Returns the pools of the generations before that go by the name of this one.
    pub(crate) fn predecessors(&self, pool: PoolId) -> impl Iterator<Item = &PoolAtWork> {
        self.namesakes(pool, move |known| known < pool.generation)
    }

    /// Returns the pools of the generations after that go by the name of this one: they are being made.
    pub(crate) fn successors(&self, pool: PoolId) -> impl Iterator<Item = &PoolAtWork> {
        self.namesakes(pool, move |known| known > pool.generation)
    }

    fn namesakes(
        &self,
        pool: PoolId,
        which: impl Fn(fpm_channel::Generation) -> bool,
    ) -> impl Iterator<Item = &PoolAtWork> {
        let name = &self.pool(pool).name;
        let others = self.all.iter().filter(move |known| which(known.number));
        others.filter_map(|known| known.pool_named(name.as_ref()))
    }

    /// Returns how many workers are queued to be forked.
    pub(crate) fn queued(&self) -> u32 {
        let pools = self.all.iter().flat_map(|known| &known.pools);
        pools.map(|pool| pool.queued).sum()
    }

    /// Returns the generation that serves.
    pub(crate) fn serving(&self) -> &Generation {
        self.get(self.serving)
    }

    /// Returns a generation.
    ///
    /// # Panics
    /// When it is gone.
    pub(crate) fn get(&self, number: fpm_channel::Generation) -> &Generation {
        self.find(number)
            .expect("a generation stays as long as anything names it")
    }

    /// Returns a generation to be changed.
    ///
    /// # Panics
    /// When it is gone.
    pub(crate) fn get_mut(&mut self, number: fpm_channel::Generation) -> &mut Generation {
        let found = self.all.iter_mut().find(|known| known.number == number);
        found.expect("a generation stays as long as anything names it")
    }

    /// Returns a pool.
    ///
    /// # Panics
    /// When its generation is gone.
    pub(crate) fn pool(&self, pool: PoolId) -> &PoolAtWork {
        self.get(pool.generation).pool(pool.index)
    }

    /// Returns a pool to be changed.
    ///
    /// # Panics
    /// When its generation is gone.
    pub(crate) fn pool_mut(&mut self, pool: PoolId) -> &mut PoolAtWork {
        self.get_mut(pool.generation).pool_mut(pool.index)
    }

    /// Returns a group.
    ///
    /// # Panics
    /// When its generation is gone.
    pub(crate) fn group(&self, group: GroupId) -> &Group {
        self.get(group.generation).group(group.index)
    }

    /// Returns a group to be changed.
    ///
    /// # Panics
    /// When its generation is gone.
    pub(crate) fn group_mut(&mut self, group: GroupId) -> &mut Group {
        self.get_mut(group.generation).group_mut(group.index)
    }

    /// Returns the groups of all generations.
    pub(crate) fn group_ids(&self) -> Vec<GroupId> {
        self.all.iter().flat_map(Generation::group_ids).collect()
    }

    /// Finds the group that a zygote serves.
    pub(crate) fn group_of(&self, zygote: ZygoteId) -> Option<GroupId> {
        self.all.iter().find_map(|known| known.group_of(zygote))
    }

    /// Finds a zygote to be changed.
    pub(crate) fn zygote_mut(&mut self, zygote: ZygoteId) -> Option<&mut Zygote> {
        self.all
            .iter_mut()
            .find_map(|known| known.zygote_mut(zygote))
    }

    /// Returns the zygotes that have a process.
    pub(crate) fn zygotes(&self) -> impl Iterator<Item = Zygote> {
        self.all.iter().flat_map(Generation::zygotes)
    }

    /// Returns the numbers of all generations, oldest first.
    pub(crate) fn numbers(&self) -> Vec<fpm_channel::Generation> {
        self.all.iter().map(|known| known.number).collect()
    }
}
