//! Generations beside each other: what is set up for the next one, handed over, and closed behind the one before.
//!
//! Rule: what the generation that serves needs is left alone until the next one does.

use std::collections::BTreeMap;

use fpm_channel::Generation;
use fpm_conf::Config;
use fpm_control::Scope;

use super::setup::Predecessor;
use super::{Live, Setup};
use crate::descriptors::make_room;
use crate::error::MasterError;
use crate::pool::PoolId;
use crate::program::Program;

impl<P: Program> Live<P> {
    /// Reads the configuration and sets up a generation, with the sockets that are open already.
    pub(super) fn set_up(
        &mut self,
        next: Generation,
        scope: &Scope,
    ) -> Result<Config, MasterError> {
        let config = match scope {
            Scope::All => self
                .program
                .load()
                .map_err(|reasons| MasterError::Configuration { reasons })?,
            Scope::Pools(names) => self.with_pools(names)?,
        };
        self.set_up_with(next, config, scope)
    }

    /// Sets up a generation with the configuration that serves.
    pub(super) fn set_up_again(&mut self, next: Generation) -> Result<Config, MasterError> {
        let serving = self.generations.get(&self.serving);
        let config = serving
            .map(|setup| setup.config.clone())
            .unwrap_or_default();
        self.set_up_with(next, config, &Scope::All)
    }

    fn set_up_with(
        &mut self,
        next: Generation,
        config: Config,
        scope: &Scope,
    ) -> Result<Config, MasterError> {
        let elders = self.sockets_of_elder();
        let all = self.generations.values();
        let in_use: Vec<_> = all.flat_map(|setup| setup.regions.clone()).collect();
        let before = self.generations.get_mut(&self.serving);
        let mut known: Vec<_> = before.iter().map(|setup| setup.listeners.clone()).collect();
        for (number, address) in known.iter().flat_map(|known| known.addresses()) {
            tracing::info!("using inherited socket fd={number}, \"{address}\"");
        }
        known.extend(elders);
        let open_files = make_room(&config);
        if config.global.rlimit_files == 0 {
            // What was raised before is not what children were to have.
            self.open_files = self.open_files.or(open_files);
        } else {
            self.open_files = open_files;
        }
        let before = before.map(|setup| Predecessor { setup, in_use });
        let setup = Setup::new(config.clone(), &self.options, &known, before, scope)?;
        self.generations.insert(next, setup);
        if self.other.is_some() {
            self.share_sockets();
        }
        Ok(config)
    }

    /// Lets a generation serve.
    pub(super) fn put_in_force(&mut self, next: Generation) {
        if let Some(setup) = self.generations.get_mut(&next) {
            // They have gone over by now.
            setup.carried.clear();
            if setup.scope == Scope::All {
                self.program.adopt();
            }
        }
        let before = std::mem::replace(&mut self.serving, next);
        if let Some(setup) = self.generations.get(&next) {
            setup.ledgers.daemon().serves(next.0);
        }
        self.keep_sockets();
        self.take_calls();
        self.seat_operator();
        let Some(setup) = self.generations.get_mut(&before) else {
            return;
        };
        setup.control = None;
        setup.operator = None;
        for socket in setup.listeners.iter() {
            // Only those of some pools were watched.
            let _ = self.events.remove(socket);
        }
        for index in setup.indices() {
            self.hand_on(PoolId {
                generation: before,
                index,
            });
        }
    }

    /// Closes the sockets of a generation that the one that serves does not have.
    pub(super) fn close_old_sockets(&mut self, generation: Generation) {
        if generation == self.serving {
            return;
        }
        let serving = self.generations.get(&self.serving);
        let kept: Vec<_> = serving
            .map(|setup| setup.listeners.clone())
            .into_iter()
            .chain(self.sockets_of_elder())
            .collect();
        if let Some(setup) = self.generations.get_mut(&generation) {
            setup.control = None;
            setup.operator = None;
            let listeners = std::mem::take(&mut setup.listeners);
            // Before: whoever binds the address anew may make a file of that name.
            listeners.remove_files(&kept);
            listeners.shut_down(&kept);
        }
    }

    /// Forgets a generation without processes.
    pub(super) fn forget(&mut self, generation: Generation) {
        forget(&mut self.generations, self.serving, generation);
    }

    /// Lets the pool that serves know what its namesake in an earlier generation has counted.
    pub(super) fn hand_on(&mut self, pool: PoolId) {
        hand_on(&mut self.generations, self.serving, pool);
    }

    /// Removes the files of the sockets that nobody keeps: the daemon ends.
    pub(super) fn leave_sockets(&self) {
        leave_sockets(&self.generations, self.serving);
    }
}

/// Forgets a generation. One that was given up before it served leaves what it has counted to the one that does.
fn forget(
    generations: &mut BTreeMap<Generation, Setup>,
    serving: Generation,
    generation: Generation,
) {
    let Some(mut setup) = generations.remove(&generation) else {
        return;
    };
    if let Some(serving) = generations.get(&serving).filter(|_| generation > serving) {
        for index in setup.indices() {
            setup.hand_on(index, serving);
        }
    }
}

/// Adds what a pool of an earlier generation has counted to its namesake that serves. A generation that is being made keeps its
/// numbers: it is about to serve with them.
fn hand_on(generations: &mut BTreeMap<Generation, Setup>, serving: Generation, pool: PoolId) {
    if pool.generation >= serving {
        return;
    }
    // Taken out for a moment: two are borrowed at once.
    let Some(mut setup) = generations.remove(&pool.generation) else {
        return;
    };
    if let Some(serving) = generations.get(&serving) {
        setup.hand_on(pool.index, serving);
    }
    generations.insert(pool.generation, setup);
}

/// Removes files of sockets, also those that only a generation has that comes or goes: a reload may be under way.
fn leave_sockets(generations: &BTreeMap<Generation, Setup>, serving: Generation) {
    let known = generations.get(&serving);
    let kept: Vec<_> = known.iter().map(|setup| setup.listeners.clone()).collect();
    for (_, setup) in generations.iter().filter(|(number, _)| **number != serving) {
        setup.listeners.remove_files(&kept);
    }
    for listeners in &kept {
        listeners.leave();
    }
}

#[cfg(test)]
mod tests;
