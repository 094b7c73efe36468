//! Reloads of some pools: which configuration that makes, and the pools that go over as they are.

use std::collections::BTreeSet;

use bstr::BString;
use fpm_conf::{Changes, Config};
use fpm_control::Scope;

use super::Live;
use crate::error::MasterError;
use crate::pool::PoolId;
use crate::program::Program;

impl<P: Program> Live<P> {
    /// Returns the configuration that serves with these pools as the file has them now.
    pub(super) fn with_pools(&self, names: &BTreeSet<String>) -> Result<Config, MasterError> {
        let loaded = self.program.preview();
        let after = loaded.map_err(|reasons| MasterError::Configuration { reasons })?;
        let Some(before) = self.generations.get(&self.serving) else {
            return Ok(after);
        };
        let before = &before.config;
        let names: BTreeSet<BString> = names.iter().map(|name| name.as_str().into()).collect();
        let is_known = |name: &&BString| {
            let mut both = [before, &after].into_iter();
            both.any(|config| config.pool_named(name.as_slice().into()).is_some())
        };
        if let Some(pool) = names.iter().find(|name| !is_known(name)) {
            return Err(MasterError::NoSuchPool {
                pool: pool.to_string(),
            });
        }
        Ok(before.with_pools_of(&after, &names))
    }

    /// Tells what a reload would change.
    pub(super) fn preview_changes(&self, scope: &Scope) -> Result<Changes, MasterError> {
        let after = match scope {
            Scope::All => self
                .program
                .preview()
                .map_err(|reasons| MasterError::Configuration { reasons })?,
            Scope::Pools(names) => self.with_pools(names)?,
        };
        let serving = self.generations.get(&self.serving);
        Ok(serving.map_or_else(Changes::default, |before| {
            Changes::between(&before.config, &after)
        }))
    }

    /// Knows a pool with all its workers by another name from now on.
    pub(super) fn rename(&mut self, from: PoolId, to: PoolId) {
        for pipes in self.workers.values_mut() {
            if pipes.pool == from {
                pipes.pool = to;
            }
        }
        if let Some(setup) = self.generations.get_mut(&from.generation) {
            setup.gone.insert(from.index);
        }
    }
}
