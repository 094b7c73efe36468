//! The directives that concern the master itself.

use std::time::Duration;

use fpm_conf::{Global, Portion, TermMeans};

use crate::emergency::Threshold;
use crate::state::State;

/// What is in force while a generation serves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// How long workers that were told to leave may take for their last request: `worker_shutdown_timeout`, else
    /// `process_control_timeout`; 0 means without limit.
    pub(crate) patience: Duration,
    /// `process_control_timeout`, as far as it concerns a fast stop.
    pub(crate) control_timeout: Duration,
    /// `process.max`; `None` means no limit.
    pub(crate) process_max: Option<u32>,
    /// `emergency_restart_threshold` and `emergency_restart_interval`.
    pub(crate) emergency: Option<Threshold>,
    /// `reload.surge`.
    pub(crate) surge: Portion,
    /// `shutdown_on_term`.
    pub(crate) term_means: TermMeans,
}

impl Settings {
    /// Takes them from the configuration.
    pub(crate) fn new(global: &Global) -> Settings {
        let control_timeout = Duration::from_secs(global.process_control_timeout.into());
        let own = global.worker_shutdown_timeout;
        Settings {
            patience: own.map_or(control_timeout, |seconds| {
                Duration::from_secs(seconds.into())
            }),
            control_timeout,
            process_max: (global.process_max > 0).then_some(global.process_max),
            emergency: Threshold::new(
                global.emergency_restart_threshold,
                global.emergency_restart_interval,
            ),
            surge: global.reload_surge,
            term_means: global.shutdown_on_term,
        }
    }

    /// Returns how long the first measure of a stop may take to work; 0 means without limit if it is a request to finish.
    pub(crate) fn timeout(&self, state: State) -> Duration {
        match state {
            State::Terminating => self.control_timeout,
            State::Normal | State::Finishing => self.patience,
        }
    }

    /// Returns how many workers a pool may have beyond `max_children` while a reload replaces them. One is needed: without it
    /// nobody would serve while the first one is replaced.
    pub(crate) fn surge(&self, max_children: u32) -> u32 {
        self.surge.workers(max_children).max(1)
    }
}
