//! A pool's prefix, user, address and priority.
//!
//! Original: sapi/fpm/fpm/fpm_conf.c (`fpm_conf_process_all_pools`)

use bstr::ByteSlice;

use super::{Check, Checked};
use crate::draft::{NO_PRIORITY, non_empty};
use crate::options::Starter;
use crate::report::text;
use crate::{ListenAddress, LogLevel};

impl Check<'_> {
    pub(super) fn prefix(&mut self, index: usize) -> Checked {
        let Some(prefix) = non_empty(&self.draft.pools[index].prefix) else {
            return Ok(());
        };
        let prefix = self
            .prefixes
            .global(prefix, self.options.folders.prefix.as_bstr());
        let is_dir = self.around.files.is_dir(prefix.as_bstr());
        self.pool_mut(index).prefix = Some(prefix.clone());
        if is_dir {
            return Ok(());
        }
        let complaint = text!(
            "the prefix '",
            prefix,
            "' does not exist or is not a directory"
        );
        self.fail_pool(index, LogLevel::Error, complaint)
    }

    /// Wants a user when root starts the daemon. An empty one counts here, but will not do later.
    pub(super) fn user(&mut self, index: usize) -> Checked {
        if self.draft.pools[index].user.is_none() && self.options.starter == Starter::Root {
            return self.fail_pool(index, LogLevel::Alert, "user has not been defined");
        }
        Ok(())
    }

    pub(super) fn listen(&mut self, index: usize) -> Checked {
        let pool = &self.draft.pools[index];
        let Some(listen) = non_empty(&pool.listen) else {
            return self.fail_pool(
                index,
                LogLevel::Alert,
                "no listen address have been defined!",
            );
        };
        if let ListenAddress::Unix(_) = ListenAddress::parse(listen) {
            let path = self
                .prefixes
                .pool(listen, pool.prefix.as_ref().map(|prefix| prefix.as_bstr()));
            self.pool_mut(index).listen = Some(path);
        }
        Ok(())
    }

    pub(super) fn priority(&mut self, index: usize) -> Checked {
        let priority = self.draft.pools[index].process_priority;
        if priority != NO_PRIORITY && !(-19..=20).contains(&priority) {
            return self.fail_pool(
                index,
                LogLevel::Error,
                "process.priority must be included into [-19,20]",
            );
        }
        Ok(())
    }

    /// Wants every address only once, as text.
    pub(super) fn distinct_addresses(&mut self) -> Checked {
        let pools = &self.draft.pools;
        let mut twice = None;
        'all: for first in 0..pools.len() {
            for second in first + 1..pools.len() {
                if pools[first].listen == pools[second].listen {
                    twice = Some((first, second));
                    break 'all;
                }
            }
        }
        let Some((first, second)) = twice else {
            return Ok(());
        };
        let name = &self.draft.pools[first].name;
        let complaint = text!(
            "unable to set listen address as it's already used in another pool '",
            name,
            "'"
        );
        self.fail_pool(second, LogLevel::Error, complaint)
    }
}
