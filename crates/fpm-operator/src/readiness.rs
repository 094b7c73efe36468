//! Whether the daemon, and each pool, should be sent clients: `/readyz`.
//!
//! Pure: what is known goes in, a verdict with its reasons comes out.

use fpm_conf::Percent;
use fpm_control::{PoolStatus, State, Status};
use serde::Serialize;

/// The name of `pm = ondemand`, whose pools have workers only when there is something to do.
const ONDEMAND: &str = "ondemand";

/// How full a pool may be and count as ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Thresholds {
    /// `operator.ready_queue`.
    pub(crate) queue: Percent,
    /// `operator.ready_busy`.
    pub(crate) busy: Percent,
}

/// The verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Readiness {
    /// Whether every pool is ready.
    pub(crate) ready: bool,
    /// What the daemon is doing.
    pub(crate) state: State,
    /// In the order of the configuration.
    pub(crate) pools: Vec<PoolReadiness>,
}

/// The verdict on a pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct PoolReadiness {
    /// Its name.
    pub(crate) name: String,
    /// Whether there is no reason against it.
    pub(crate) ready: bool,
    /// Why not.
    pub(crate) reasons: Vec<String>,
}

impl Readiness {
    /// Judges.
    pub(crate) fn of(status: &Status, thresholds: Thresholds) -> Readiness {
        let pools: Vec<_> = status
            .pools
            .iter()
            .map(|pool| PoolReadiness::of(status.state, pool, thresholds))
            .collect();
        Readiness {
            ready: accepts(status.state) && pools.iter().all(|pool| pool.ready),
            state: status.state,
            pools,
        }
    }

    /// Returns the verdict on one pool alone; `None` when there is none of this name.
    pub(crate) fn only(mut self, name: &str) -> Option<Readiness> {
        self.pools.retain(|pool| pool.name == name);
        self.ready = self.pools.first()?.ready;
        Some(self)
    }
}

impl PoolReadiness {
    fn of(state: State, pool: &PoolStatus, thresholds: Thresholds) -> PoolReadiness {
        let mut reasons = Vec::new();
        if !accepts(state) {
            reasons.push(format!("the daemon is {}", state.name()));
        }
        if pool.drained {
            reasons.push("the pool is drained".to_owned());
        } else if pool.resting {
            reasons.push("the pool rests, its workers have crashed too often".to_owned());
        } else if pool.pm != ONDEMAND && pool.idle + pool.active <= pool.leaving {
            reasons.push("no worker accepts connections".to_owned());
        }
        let (waiting, capacity) = (pool.listen_queue, pool.listen_queue_len);
        if exceeds(waiting, capacity, thresholds.queue) {
            reasons.push(format!(
                "{waiting} of {capacity} places in the queue are taken, more than {}",
                thresholds.queue
            ));
        }
        let (active, most) = (pool.active, u64::from(pool.max_children));
        if exceeds(active, most, thresholds.busy) {
            reasons.push(format!(
                "{active} of {most} workers are busy, more than {}",
                thresholds.busy
            ));
        }
        PoolReadiness {
            name: pool.name.clone(),
            ready: reasons.is_empty(),
            reasons,
        }
    }
}

/// Tells whether a daemon that is doing this takes clients.
fn accepts(state: State) -> bool {
    match state {
        State::Serving | State::Reloading => true,
        State::Starting | State::Resting | State::Finishing | State::Terminating => false,
    }
}

/// Tells whether more than this share is taken. A share of everything is never exceeded: a reload may have more workers for a
/// moment than there are to be, and a queue has room for one more than it says.
fn exceeds(taken: u64, of: u64, share: Percent) -> bool {
    share.0 < 100 && u128::from(taken) * 100 > u128::from(of) * u128::from(share.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: Thresholds = Thresholds {
        queue: Percent(50),
        busy: Percent(80),
    };

    fn pool(change: impl FnOnce(&mut PoolStatus)) -> PoolStatus {
        let mut pool = PoolStatus {
            name: "www".to_owned(),
            pm: "static".to_owned(),
            max_children: 10,
            listen_queue_len: 100,
            idle: 10,
            ..PoolStatus::default()
        };
        change(&mut pool);
        pool
    }

    fn reasons(state: State, pool: &PoolStatus) -> Vec<String> {
        PoolReadiness::of(state, pool, HALF).reasons
    }

    #[test]
    fn a_pool_is_ready_up_to_its_thresholds() {
        for (pool, expected) in [
            (pool(|_| ()), None),
            (pool(|pool| pool.listen_queue = 50), None),
            (
                pool(|pool| pool.listen_queue = 51),
                Some("51 of 100 places in the queue are taken, more than 50%"),
            ),
            (pool(|pool| (pool.idle, pool.active) = (2, 8)), None),
            (
                pool(|pool| (pool.idle, pool.active) = (1, 9)),
                Some("9 of 10 workers are busy, more than 80%"),
            ),
            (
                pool(|pool| pool.drained = true),
                Some("the pool is drained"),
            ),
            (
                pool(|pool| pool.resting = true),
                Some("the pool rests, its workers have crashed too often"),
            ),
            (
                pool(|pool| pool.idle = 0),
                Some("no worker accepts connections"),
            ),
            (
                pool(|pool| pool.leaving = 10),
                Some("no worker accepts connections"),
            ),
            (
                pool(|pool| (pool.idle, pool.pm) = (0, "ondemand".to_owned())),
                None,
            ),
        ] {
            let expected: Vec<_> = expected.into_iter().collect();
            assert_eq!(reasons(State::Serving, &pool), expected, "{pool:?}");
        }
    }

    #[test]
    fn a_share_of_everything_is_never_exceeded() {
        for (taken, of, share, expected) in [
            (11, 10, 100, false),
            (10, 10, 99, true),
            (0, 0, 0, false),
            (1, 10, 0, true),
            (u64::MAX, u64::MAX, 99, true),
        ] {
            assert_eq!(exceeds(taken, of, Percent(share)), expected);
        }
    }

    #[test]
    fn only_a_daemon_that_takes_clients_is_ready() {
        for (state, ready) in [
            (State::Starting, false),
            (State::Serving, true),
            (State::Reloading, true),
            (State::Resting, false),
            (State::Finishing, false),
            (State::Terminating, false),
        ] {
            let expected: Vec<_> = (!ready)
                .then(|| format!("the daemon is {}", state.name()))
                .into_iter()
                .collect();
            assert_eq!(reasons(state, &pool(|_| ())), expected);
        }
    }

    #[test]
    fn one_pool_is_judged_alone() {
        let readiness = Readiness {
            ready: false,
            state: State::Serving,
            pools: [("www", true), ("api", false)]
                .map(|(name, ready)| PoolReadiness {
                    name: name.to_owned(),
                    ready,
                    reasons: Vec::new(),
                })
                .into(),
        };
        assert!(readiness.clone().only("www").unwrap().ready);
        assert!(!readiness.clone().only("api").unwrap().ready);
        assert_eq!(readiness.only("none"), None);
    }
}
