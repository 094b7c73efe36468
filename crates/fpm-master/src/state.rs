//! The states of the master and what is done to workers while it stops: a pure state machine.
//!
//! Rule: the allowed transitions are the original's; what differs is the graceful stop, which asks workers to drain
//! instead of signalling them and has unlimited patience unless `process_control_timeout` is set (the original with
//! its default of 0 cuts running requests).
//!
//! Original: sapi/fpm/fpm/fpm_process_ctl.c (`fpm_pctl`, `fpm_pctl_action_next`)

use std::fmt;
use std::time::Duration;

use fpm_os::signal::Signal;
use serde::{Deserialize, Serialize};

/// What the master is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Serving.
    Normal,
    /// Stopping at once (SIGTERM, SIGINT).
    Terminating,
    /// Stopping when the running requests are done (SIGQUIT).
    Finishing,
}

/// What becomes of a wish to change the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transition {
    /// The state changes.
    Accepted,
    /// It is the state already.
    Already,
    /// The state is one that does not lead there.
    Refused,
}

/// What is done to the workers that are left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Measure {
    /// They are asked to leave when their request is done.
    Drain,
    /// They get this signal.
    Signal(Signal),
}

/// How far the stop has gone. Each state starts its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Escalation {
    last: Option<Measure>,
}

impl State {
    /// Decides whether `self` may become `next`.
    pub(crate) fn transition(self, next: State) -> Transition {
        match (self, next) {
            (from, to) if from == to => Transition::Already,
            (State::Normal, _) | (State::Finishing, State::Terminating) => Transition::Accepted,
            _ => Transition::Refused,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Normal => "normal",
            State::Terminating => "terminating",
            State::Finishing => "finishing",
        })
    }
}

impl Escalation {
    /// Takes the next measure, and tells after what time the one after it is due; `None` means never.
    pub(crate) fn next(
        &mut self,
        state: State,
        process_control_timeout: Duration,
    ) -> (Measure, Option<Duration>) {
        let measure = match self.last {
            None if state == State::Terminating => Measure::Signal(Signal::TERM),
            None => Measure::Drain,
            Some(Measure::Drain) => Measure::Signal(Signal::TERM),
            Some(Measure::Signal(_)) => Measure::Signal(Signal::KILL),
        };
        let patience = match self.last.replace(measure) {
            None if measure == Measure::Drain && process_control_timeout.is_zero() => None,
            None => Some(process_control_timeout),
            Some(_) => Some(Duration::from_secs(1)),
        };
        (measure, patience)
    }

    /// Returns the measure taken last.
    pub(crate) fn last(self) -> Option<Measure> {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transitions_are_the_originals() {
        use State::{Finishing, Normal, Terminating};
        for (from, to, expected) in [
            (Normal, Terminating, Transition::Accepted),
            (Normal, Finishing, Transition::Accepted),
            (Finishing, Terminating, Transition::Accepted),
            (Finishing, Finishing, Transition::Already),
            (Terminating, Terminating, Transition::Already),
            (Terminating, Finishing, Transition::Refused),
            (Terminating, Normal, Transition::Refused),
        ] {
            assert_eq!(from.transition(to), expected, "{from} to {to}");
        }
    }

    fn escalate(state: State, timeout: u64) -> Vec<(Measure, Option<u64>)> {
        let mut escalation = Escalation::default();
        let timeout = Duration::from_secs(timeout);
        let mut step = || escalation.next(state, timeout);
        [step(), step(), step(), step()]
            .map(|(measure, after)| (measure, after.map(|d| d.as_secs())))
            .to_vec()
    }

    #[test]
    fn a_fast_stop_terminates_and_then_kills() {
        let (term, kill) = (Measure::Signal(Signal::TERM), Measure::Signal(Signal::KILL));
        let expected = |after| {
            vec![
                (term, Some(after)),
                (kill, Some(1)),
                (kill, Some(1)),
                (kill, Some(1)),
            ]
        };
        assert_eq!(escalate(State::Terminating, 0), expected(0));
        assert_eq!(escalate(State::Terminating, 7), expected(7));
    }

    #[test]
    fn a_graceful_stop_drains_then_terminates_then_kills() {
        let (term, kill) = (Measure::Signal(Signal::TERM), Measure::Signal(Signal::KILL));
        let steps = escalate(State::Finishing, 5);
        assert_eq!(
            steps,
            [
                (Measure::Drain, Some(5)),
                (term, Some(1)),
                (kill, Some(1)),
                (kill, Some(1))
            ]
        );
    }

    #[test]
    fn a_graceful_stop_without_a_timeout_waits_for_ever() {
        assert_eq!(escalate(State::Finishing, 0)[0], (Measure::Drain, None));
    }
}
