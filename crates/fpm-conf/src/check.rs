//! Checks a draft as a whole and completes it: defaults, prefixes, values that exclude each other.
//!
//! A changer must know: the order is php-fpm's. The first complaint ends it all, so the order decides which one is seen.
//!
//! Original: sapi/fpm/fpm/fpm_conf.c (`fpm_conf_post_process`, `fpm_conf_process_all_pools`)

mod accounts;
mod folders;
mod global;
mod listen;
mod logs;
mod manager;
mod pages;
mod php_values;
mod status_pool;

pub(crate) use global::control_listen;

use bstr::BString;

use crate::LogLevel;
use crate::draft::{Draft, DraftPool};
use crate::global::EventMechanism;
use crate::items::Stopped;
use crate::options::{LoadOptions, Surroundings};
use crate::prefix::Prefixes;
use crate::report::{Report, text};

/// The draft that is being checked, and what there is to say about it.
pub(crate) struct Check<'a> {
    pub(crate) draft: Draft,
    pub(crate) report: Report,
    /// Shortest third of a request's time limit so far, in milliseconds.
    pub(crate) heartbeat: Option<u32>,
    pub(crate) events: EventMechanism,
    options: &'a LoadOptions,
    around: Surroundings<'a>,
    prefixes: Prefixes<'a>,
}

type Checked = Result<(), Stopped>;

impl<'a> Check<'a> {
    pub(crate) fn new(
        draft: Draft,
        options: &'a LoadOptions,
        around: Surroundings<'a>,
        prefixes: Prefixes<'a>,
        report: Report,
    ) -> Self {
        Self {
            draft,
            report,
            heartbeat: None,
            events: EventMechanism::Epoll,
            options,
            around,
            prefixes,
        }
    }

    /// Checks everything.
    pub(crate) fn run(&mut self) -> Checked {
        self.global()?;
        if self.draft.pools.is_empty() {
            let complaint =
                "No pool defined. at least one pool section must be specified in config file";
            return self.fail(LogLevel::Error, complaint);
        }
        // Shadow pools are appended on the way and get their turn like the others.
        let mut index = 0;
        while index < self.draft.pools.len() {
            self.pool(index)?;
            index += 1;
        }
        self.distinct_addresses()?;
        self.access_logs()
    }

    fn pool(&mut self, index: usize) -> Checked {
        self.prefix(index)?;
        self.user(index)?;
        self.listen(index)?;
        self.priority(index)?;
        self.manager(index)?;
        self.status_pool(index);
        self.status_path(index)?;
        self.ping(index)?;
        self.access_log(index);
        self.time_limits(index)?;
        self.chroot(index)?;
        self.chdir(index)?;
        self.pool_mut(index)
            .security_limit_extensions
            .get_or_insert_with(|| ".php .phar".into());
        self.php_values(index);
        Ok(())
    }

    /// Stops with a complaint.
    fn fail(&mut self, level: LogLevel, complaint: impl Into<BString>) -> Checked {
        self.report.log(level, complaint);
        Err(Stopped)
    }

    /// Stops with a complaint about a pool.
    fn fail_pool(
        &mut self,
        index: usize,
        level: LogLevel,
        complaint: impl Into<BString>,
    ) -> Checked {
        let complaint = self.of_pool(index, &complaint.into());
        self.fail(level, complaint)
    }

    /// Puts the pool's name in front of a text.
    fn of_pool(&self, index: usize, text: &BString) -> BString {
        text!("[pool ", self.draft.pools[index].name, "] ", text)
    }

    fn pool_mut(&mut self, index: usize) -> &mut DraftPool {
        &mut self.draft.pools[index]
    }

    /// Lets requests be looked at often enough for a limit of this many seconds. Zero and less are no limits.
    fn beat_for(&mut self, seconds: i32) {
        let Ok(seconds @ 1..) = u32::try_from(seconds) else {
            return;
        };
        let beat = seconds.saturating_mul(1000) / 3;
        self.heartbeat = Some(self.heartbeat.map_or(beat, |heartbeat| heartbeat.min(beat)));
    }
}
