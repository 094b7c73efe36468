//! Kept connections on which no request is under way, and whose worker ends: who gets them.
//!
//! Their client may send its next request at any moment, and cannot know that its worker is about to leave. So the worker gives such
//! a connection to the master, where it rests without taking anybody's time; when its client speaks it is passed on to the workers that
//! serve at the same socket, as if the client had just connected. Rule: it is only taken from its worker where that will happen.

use fpm_scoreboard::Farewell;
use serde::{Deserialize, Serialize};

use crate::pool::Service;
use crate::state::State;

/// A connection that rests, unique for the life of the master; the later it came the larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct RestingId(pub(crate) u64);

/// At least so many connections may rest for the pools of one socket.
pub(crate) const LEAST: usize = 64;

/// Returns how many connections may rest for a pool with so many slots: as many as its workers could have kept. Who has rested
/// longest makes room for another.
pub(crate) fn most(slots: u32) -> usize {
    (slots as usize).max(LEAST)
}

/// Decides what becomes of the client of a worker that leaves; `there` is the state of the pool that serves at the same socket, if
/// there is one.
pub(crate) fn farewell(state: State, there: Option<Service>) -> Farewell {
    match (state, there) {
        // The workers that a pool has serve on while it rests.
        (State::Normal, Some(Service::Open | Service::Resting)) => Farewell::HandOver,
        // Nobody would answer.
        (State::Normal, Some(Service::Drained) | None)
        | (State::Terminating | State::Finishing, _) => Farewell::Close,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_only_taken_from_its_worker_for_somebody_who_serves() {
        for (state, there, expected) in [
            (State::Normal, Some(Service::Open), Farewell::HandOver),
            (State::Normal, Some(Service::Drained), Farewell::Close),
            (State::Normal, Some(Service::Resting), Farewell::HandOver),
            (State::Normal, None, Farewell::Close),
            (State::Finishing, Some(Service::Open), Farewell::Close),
            (State::Terminating, Some(Service::Open), Farewell::Close),
        ] {
            assert_eq!(farewell(state, there), expected, "{state}, {there:?}");
        }
    }

    #[test]
    fn a_small_pool_may_have_many_that_rest() {
        assert_eq!([most(1), most(64), most(1000)], [64, 64, 1000]);
    }
}
