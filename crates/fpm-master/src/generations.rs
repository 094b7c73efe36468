//! The generations that have processes: the one that serves, and those that come and go beside it.
//!
//! Rule: a generation is here for as long as a worker on the roster or a zygote names it; so an id found there always leads
//! to something.

use fpm_conf::Config;

use crate::event::ZygoteId;
use crate::generation::{Generation, Group, Zygote};
use crate::group::GroupId;
use crate::pool::{PoolAtWork, PoolId};

/// The generations, oldest first; never none.
#[derive(Clone, Debug)]
pub(crate) struct Generations {
    all: Vec<Generation>,
    /// Which one serves.
    serving: fpm_channel::Generation,
}

impl Generations {
    /// Sets up the first generation, which is to serve.
    pub(crate) fn first(config: &Config) -> Generations {
        let number = fpm_channel::Generation(1);
        Generations {
            all: vec![Generation::new(number, config)],
            serving: number,
        }
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
        let found = self.all.iter().find(|known| known.number == number);
        found.expect("a generation stays as long as anything names it")
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

    /// Returns all generations to be changed, oldest first.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Generation> {
        self.all.iter_mut()
    }
}
