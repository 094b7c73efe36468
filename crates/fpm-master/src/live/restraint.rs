//! Whether workers' outputs are left in their pipes for a moment, because the log is behind.
//!
//! Rule: a log that somebody reads gets everything, however much is said at once; one that nobody reads, or too slowly, holds
//! nobody up for longer than [`PATIENCE`]. Pure: time is an argument.

use std::time::Duration;

use crate::program::Backlog;

/// How long outputs wait for the log to take most of what it has been given.
const PATIENCE: Duration = Duration::from_millis(500);

/// When to try again what a log did not take: soon while it is at it, rarely when it takes nothing.
const SOON: Duration = Duration::from_millis(2);
const LATER: Duration = Duration::from_millis(100);

/// What is done with workers' outputs, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Restraint {
    state: State,
    /// What waited at the last look, in bytes.
    waiting: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// They are read: the log keeps up.
    #[default]
    Reading,
    /// They are left where they are, since that moment.
    Holding(Duration),
    /// They are read: the log does not keep up, and what it has no room for is lost. Until it has taken all.
    GivenUp,
}

impl Restraint {
    /// Looks at the log; returns in how long to look again, if it is to be tried again.
    pub(super) fn look(&mut self, backlog: Backlog, now: Duration) -> Option<Duration> {
        let Backlog {
            waiting,
            room,
            lost: _,
        } = backlog;
        self.state = match self.state {
            State::Reading if waiting > room / 2 => State::Holding(now),
            State::Holding(_) if waiting < room / 8 => State::Reading,
            State::Holding(since) if now.saturating_sub(since) >= PATIENCE => State::GivenUp,
            State::GivenUp if waiting == 0 => State::Reading,
            state => state,
        };
        let before = std::mem::replace(&mut self.waiting, waiting);
        match (waiting, self.state) {
            (0, _) => None,
            (_, State::Holding(_)) => Some(SOON),
            (_, State::Reading | State::GivenUp) if waiting < before => Some(SOON),
            (_, State::Reading | State::GivenUp) => Some(LATER),
        }
    }

    /// Tells whether outputs are left where they are.
    pub(super) fn holds(self) -> bool {
        matches!(self.state, State::Holding(_))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROOM: usize = 800;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// Looks at so many bytes at so many milliseconds and says what comes of it.
    fn course(looks: &[(usize, u64)]) -> Vec<(bool, Option<Duration>)> {
        let mut restraint = Restraint::default();
        looks
            .iter()
            .map(|&(waiting, at)| {
                let room = ROOM;
                let again = restraint.look(
                    Backlog {
                        waiting,
                        room,
                        lost: 0,
                    },
                    ms(at),
                );
                (restraint.holds(), again)
            })
            .collect()
    }

    #[test]
    fn a_log_that_keeps_up_holds_nobody() {
        let (soon, later) = (Some(SOON), Some(LATER));
        assert_eq!(
            course(&[(0, 0), (10, 1), (400, 2), (300, 3), (300, 4), (0, 5)]),
            [
                (false, None),
                (false, later),
                (false, later),
                (false, soon),
                (false, later),
                (false, None)
            ]
        );
    }

    #[test]
    fn a_log_that_is_behind_and_is_read_is_waited_for() {
        let soon = Some(SOON);
        assert_eq!(
            course(&[(401, 0), (300, 2), (100, 4), (99, 6), (500, 8), (0, 10)]),
            [
                (true, soon),
                (true, soon),
                (true, soon),
                (false, soon),
                (true, soon),
                (false, None)
            ]
        );
    }

    #[test]
    fn a_log_that_nobody_reads_is_waited_for_once() {
        let (soon, later) = (Some(SOON), Some(LATER));
        assert_eq!(
            course(&[
                (500, 0),
                (500, 499),
                (500, 500),
                (900, 600),
                (50, 700),
                (900, 800),
                (0, 900),
                (500, 901)
            ]),
            [
                (true, soon),
                (true, soon),
                (false, later),
                (false, later),
                (false, soon),
                (false, later),
                (false, None),
                (true, soon)
            ]
        );
    }

    proptest! {
        #[test]
        fn nobody_is_held_for_long(
            looks in prop::collection::vec((0_usize..1000, 0_u64..200), 0..100),
        ) {
            let mut restraint = Restraint::default();
            let (mut now, mut held_since) = (0, None);
            for (waiting, pause) in looks {
                now += pause;
                let again = restraint.look(Backlog { waiting, room: ROOM, lost: 0 }, ms(now));
                prop_assert_eq!(again.is_none(), waiting == 0);
                prop_assert!(!(restraint.holds() && again != Some(SOON)));
                match restraint.holds() {
                    true => {
                        let since = *held_since.get_or_insert(now);
                        prop_assert!(ms(now - since) < PATIENCE);
                    }
                    false => held_since = None,
                }
            }
        }
    }
}
