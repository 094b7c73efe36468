//! How many descriptors the master needs, and getting them.
//!
//! Rule: only the master's own soft limit is raised. Zygotes and workers get the limit that the master was started with:
//! select(2) in an extension cannot deal with numbers above 1024.

use fpm_conf::Config;
use fpm_os::limits::{OpenFiles, open_files, set_soft_open_files};

use crate::pool::slots;
use crate::resting::most;
use crate::settings::Settings;

/// Log, signals, event loop, scoreboard, zygotes, and what passes through the master's hands for a moment.
const ELSE: u64 = 256;

/// Raises the master's limit to what `config` can make it need, as far as it may. Returns the limit for its children when
/// that is another one from now on.
pub(crate) fn make_room(config: &Config) -> Option<u64> {
    let limit = open_files()
        .inspect_err(|error| tracing::debug!("getrlimit(RLIMIT_NOFILE) failed: {error}"))
        .ok()?;
    let wanted = wanted(config, limit)?;
    match set_soft_open_files(wanted) {
        Ok(()) => Some(limit.soft),
        Err(error) => {
            tracing::debug!("setrlimit(RLIMIT_NOFILE, {wanted}) failed: {error}");
            None
        }
    }
}

/// Returns the limit to set; `None` when there is enough.
fn wanted(config: &Config, limit: OpenFiles) -> Option<u64> {
    let settings = Settings::new(&config.global);
    let pools = config.pools.iter().map(|pool| {
        let slots = slots(pool, &config.global);
        // The control socket of a worker, and its two outputs if they are caught.
        let each = if pool.catch_workers_output { 3 } else { 1 };
        // While a reload replaces workers there are more of them.
        let surge = settings.surge(pool.pm_max_children);
        // Its socket and a relay; and the connections that may rest.
        3 + u64::from(slots.saturating_add(surge)) * each + most(slots) as u64
    });
    let needed = pools.fold(ELSE, u64::saturating_add);
    let reachable = needed.min(limit.hard);
    (reachable > limit.soft).then_some(reachable)
}

#[cfg(test)]
mod tests {
    use fpm_conf::Pool;

    use super::*;

    fn config(max_children: u32, catch_workers_output: bool) -> Config {
        let mut pool = Pool::new("www", "/run/www.sock");
        pool.pm_max_children = max_children;
        pool.catch_workers_output = catch_workers_output;
        Config {
            pools: vec![pool],
            ..Config::default()
        }
    }

    #[test]
    fn the_limit_is_raised_as_far_as_needed_and_allowed() {
        let limit = OpenFiles {
            soft: 1024,
            hard: 4096,
        };
        for (max_children, caught, expected) in [
            (300, false, None),
            (400, false, Some(259 + 400 + 100 + 400)),
            (300, true, Some(259 + 3 * (300 + 75) + 300)),
            (1, true, None),
            (5000, false, Some(4096)),
            (u32::MAX, true, Some(4096)),
        ] {
            assert_eq!(
                wanted(&config(max_children, caught), limit),
                expected,
                "{max_children}"
            );
        }
        assert_eq!(
            wanted(
                &config(5000, false),
                OpenFiles {
                    soft: 4096,
                    hard: 4096
                }
            ),
            None
        );
    }
}
