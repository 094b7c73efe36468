//! Why a worker has ended, for the ledger: what the master knows of its end, put together. Pure.

use fpm_os::signal::Signal;
use fpm_os::wait::ExitStatus;
use fpm_scoreboard::Departure;

use crate::generation::Standing;
use crate::roster::Leaving;

/// What is known of the end of a worker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    /// How its process ended.
    pub(crate) status: ExitStatus,
    /// Whether it was told to leave, or was about to.
    pub(crate) leaving: Option<Leaving>,
    /// What its generation was there for.
    pub(crate) standing: Standing,
    /// Why it had served its share, if it says so.
    pub(crate) spent: Option<Departure>,
    /// Whether it was to end because its request took too long.
    pub(crate) struck: bool,
}

impl End {
    /// Returns the reason.
    pub(crate) fn departure(self) -> Departure {
        if self.struck {
            return Departure::TerminateTimeout;
        }
        match (self.status, self.spent, self.leaving) {
            // Signals that nobody sends to have somebody leave.
            (ExitStatus::Signal { signal, .. }, _, _) if !is_order(signal) => Departure::Killed,
            (ExitStatus::Code(0), Some(spent), _) => spent,
            (_, _, Some(Leaving::Retired)) => Departure::Idle,
            (_, _, Some(Leaving::Replaced)) => Departure::Orphaned,
            (_, _, Some(Leaving::Superseded(_))) => Departure::Reload,
            (_, _, None | Some(Leaving::Spent)) if self.standing == Standing::Retiring => {
                Departure::Reload
            }
            (ExitStatus::Code(_), _, _) => Departure::Exited,
            (ExitStatus::Signal { .. }, _, _) => Departure::Killed,
        }
    }
}

/// Tells whether the master sends such a signal to workers that are to end.
fn is_order(signal: Signal) -> bool {
    [Signal::QUIT, Signal::TERM, Signal::KILL].contains(&signal)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::obituary::killed;

    #[test]
    fn each_end_has_its_reason() {
        let signal = |number| killed(Signal::from_number(number).unwrap());
        let (ok, failed, [quit, kill, segv, term]) = (
            ExitStatus::Code(0),
            ExitStatus::Code(70),
            [3, 9, 11, 15].map(signal),
        );
        let superseded = Some(Leaving::Superseded(Duration::ZERO));
        let requests = Some(Departure::MaxRequests);
        for (status, leaving, standing, spent, expected) in [
            (
                ok,
                None,
                Standing::Serving,
                requests,
                Departure::MaxRequests,
            ),
            (
                ok,
                Some(Leaving::Spent),
                Standing::Serving,
                Some(Departure::MaxMemory),
                Departure::MaxMemory,
            ),
            (
                segv,
                Some(Leaving::Spent),
                Standing::Serving,
                requests,
                Departure::Killed,
            ),
            (
                failed,
                Some(Leaving::Spent),
                Standing::Serving,
                requests,
                Departure::Exited,
            ),
            (
                ok,
                Some(Leaving::Retired),
                Standing::Serving,
                None,
                Departure::Idle,
            ),
            (
                term,
                Some(Leaving::Retired),
                Standing::Serving,
                None,
                Departure::Idle,
            ),
            (
                ok,
                Some(Leaving::Replaced),
                Standing::Serving,
                None,
                Departure::Orphaned,
            ),
            (ok, superseded, Standing::Retiring, None, Departure::Reload),
            (
                kill,
                superseded,
                Standing::Retiring,
                None,
                Departure::Reload,
            ),
            (
                segv,
                superseded,
                Standing::Retiring,
                None,
                Departure::Killed,
            ),
            (ok, None, Standing::Retiring, None, Departure::Reload),
            (ok, None, Standing::Serving, None, Departure::Exited),
            (failed, None, Standing::Serving, None, Departure::Exited),
            (quit, None, Standing::Serving, None, Departure::Killed),
            (segv, None, Standing::Serving, None, Departure::Killed),
        ] {
            let end = End {
                status,
                leaving,
                standing,
                spent,
                struck: false,
            };
            assert_eq!(end.departure(), expected, "{end:?}");
            let struck = End {
                struck: true,
                ..end
            };
            assert_eq!(struck.departure(), Departure::TerminateTimeout);
        }
    }
}
