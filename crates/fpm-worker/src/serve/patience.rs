//! How long a client may take to begin a request, and what becomes of its connection when the worker is to end before.
//!
//! A client that keeps its connection sends its next request whenever it likes, and cannot know that nobody is about to read it. So a
//! worker that ends gives such a connection away, and closes it only when nobody could take it, after a moment in which a request on
//! its way can arrive.

use std::time::Duration;

use fpm_scoreboard::Farewell;

use crate::watch::Course;

/// How long a client may take for its first byte, as in the original.
const FIRST_BYTE: Duration = Duration::from_secs(5);

/// How long a client on a kept connection may still begin a request after the worker was told to end.
const GRACE: Duration = Duration::from_millis(500);

/// What is expected of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// Its first request, soon.
    FirstByte,
    /// Another request on a kept connection, some time.
    Rest,
    /// One that is on its way, if there is one: the worker is to end.
    Grace,
    /// One that is there already, if there is one: the worker is to end and has just answered another.
    LastCall,
}

/// How to go on with a client on whose connection no request is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Somebody else is to have the connection.
    HandOver,
    /// It is waited for as this says.
    Wait(Patience),
}

impl Patience {
    /// Decides how to go on when nothing of a request is there. `farewell` says what can become of the connection of a worker that
    /// ends.
    pub(super) fn before_waiting(self, course: Course, farewell: Farewell) -> Step {
        match (self, course, farewell) {
            (Patience::LastCall, _, Farewell::HandOver)
            | (Patience::Rest | Patience::Grace, Course::Ending, Farewell::HandOver) => {
                Step::HandOver
            }
            (Patience::Rest, Course::Ending, Farewell::Close) => Step::Wait(Patience::Grace),
            (patience, _, _) => Step::Wait(patience),
        }
    }

    /// Returns what is expected of a client that has sent something that was no request.
    pub(super) fn after_something_else(self) -> Patience {
        match self {
            Patience::FirstByte => Patience::Rest,
            patience => patience,
        }
    }

    /// Returns the time there is for the first byte of the next request; `None` is any time.
    pub(super) fn limit(self) -> Option<Duration> {
        match self {
            Patience::FirstByte => Some(FIRST_BYTE),
            Patience::Rest => None,
            Patience::Grace => Some(GRACE),
            Patience::LastCall => Some(Duration::ZERO),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_rests_is_handed_over_and_only_by_a_worker_that_ends() {
        use Patience::{FirstByte, Grace, LastCall, Rest};
        let hands_over = None;
        for (patience, course, farewell, expected) in [
            (
                FirstByte,
                Course::Serving,
                Farewell::HandOver,
                Some(FirstByte),
            ),
            (
                FirstByte,
                Course::Ending,
                Farewell::HandOver,
                Some(FirstByte),
            ),
            (FirstByte, Course::Ending, Farewell::Close, Some(FirstByte)),
            (Rest, Course::Serving, Farewell::HandOver, Some(Rest)),
            (Rest, Course::Serving, Farewell::Close, Some(Rest)),
            (Rest, Course::Ending, Farewell::HandOver, hands_over),
            (Rest, Course::Ending, Farewell::Close, Some(Grace)),
            (Grace, Course::Ending, Farewell::HandOver, hands_over),
            (Grace, Course::Ending, Farewell::Close, Some(Grace)),
            // Who has served its share has not been told to end.
            (LastCall, Course::Serving, Farewell::HandOver, hands_over),
            (LastCall, Course::Ending, Farewell::HandOver, hands_over),
            (LastCall, Course::Serving, Farewell::Close, Some(LastCall)),
            (LastCall, Course::Ending, Farewell::Close, Some(LastCall)),
        ] {
            assert_eq!(
                patience.before_waiting(course, farewell),
                expected.map_or(Step::HandOver, Step::Wait),
                "{patience:?}, {course:?}, {farewell:?}"
            );
        }
    }

    #[test]
    fn only_who_has_a_worker_for_itself_may_rest() {
        for (patience, after, limit) in [
            (Patience::FirstByte, Patience::Rest, Some(FIRST_BYTE)),
            (Patience::Rest, Patience::Rest, None),
            (Patience::Grace, Patience::Grace, Some(GRACE)),
            (Patience::LastCall, Patience::LastCall, Some(Duration::ZERO)),
        ] {
            assert_eq!(patience.after_something_else(), after);
            assert_eq!(patience.limit(), limit);
        }
    }
}
