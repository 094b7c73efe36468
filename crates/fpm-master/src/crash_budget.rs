//! `pm.crash_budget`: a pool whose workers crash more often than that rests, longer and longer.
//!
//! Pure. While it rests it gets no new workers, those that it has serve on, and who finds none waits in the queue of the socket. A
//! script that kills its worker at every request so costs a bounded number of forks, core files and lines of the log, and other pools
//! nothing. When nothing has crashed for as long as the budget is for, it is whole again.
//!
//! Beside it `emergency_restart_threshold` counts the crashes of all pools, and answers with a reload; the pools of the next
//! generation have whole budgets.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use fpm_conf::CrashBudget;
use fpm_os::signal::Signal;
use fpm_os::wait::ExitStatus;

use crate::backoff::Backoff;
use crate::obituary::Ending;

/// The first rest is this long; each further one twice as long as the one before.
const FIRST_REST: Duration = Duration::from_secs(1);
/// No rest is longer.
const LONGEST_REST: Duration = Duration::from_secs(60);

/// The signals that end a process because of what it has done itself (signal(7)), and the one of the kernel when memory is short.
const CRASHES: [Signal; 9] = [
    Signal::SEGV,
    Signal::BUS,
    Signal::ABRT,
    Signal::ILL,
    Signal::FPE,
    Signal::SYS,
    Signal::TRAP,
    Signal::XCPU,
    Signal::KILL,
];

/// The account of a pool.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    budget: CrashBudget,
    /// When its last workers crashed, oldest first; never more than the budget and one.
    times: VecDeque<Duration>,
    rests: Backoff,
    /// When the rest ends that it is in.
    until: Option<Duration>,
}

/// A rest that begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rest {
    budget: CrashBudget,
    /// How the last worker ended.
    last: ExitStatus,
    /// How long it is.
    pub(crate) time: Duration,
}

/// What time has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// The rest is over; look again then.
    Wake(Duration),
    /// Nothing has crashed for so long that all is forgotten.
    Calm,
    /// Nothing yet; look again then.
    Wait(Duration),
}

/// Tells whether a process that ended so has crashed, unless it was killed on purpose.
pub(crate) fn has_crashed(status: ExitStatus) -> bool {
    matches!(status, ExitStatus::Signal { signal, .. } if CRASHES.contains(&signal))
}

impl Account {
    /// Opens the account of a pool that has a budget.
    pub(crate) fn new(budget: Option<CrashBudget>) -> Option<Account> {
        Some(Account {
            budget: budget?,
            times: VecDeque::new(),
            rests: Backoff::new(FIRST_REST, LONGEST_REST),
            until: None,
        })
    }

    /// Takes note of a crash; tells whether the pool is to rest because of it.
    pub(crate) fn crashed(&mut self, now: Duration, last: ExitStatus) -> Option<Rest> {
        let interval = self.interval();
        self.times.push_back(now);
        self.times
            .retain(|time| now.saturating_sub(*time) <= interval);
        let most = self.budget.crashes as usize;
        while self.times.len() > most + 1 {
            self.times.pop_front();
        }
        if self.times.len() <= most || self.until.is_some_and(|until| now < until) {
            return None;
        }
        let time = self.rests.failed(now);
        self.until = Some(now + time);
        Some(Rest {
            budget: self.budget,
            last,
            time,
        })
    }

    /// Looks what time has brought to a pool that has rested.
    pub(crate) fn look(&mut self, now: Duration) -> Look {
        let whole = self
            .times
            .back()
            .map_or(now, |last| *last + self.interval());
        match self.until {
            Some(until) if now < until => Look::Wait(until),
            Some(_) => {
                self.until = None;
                Look::Wake(whole.max(now))
            }
            None if now < whole => Look::Wait(whole),
            None => {
                self.rests.succeeded();
                self.times.clear();
                Look::Calm
            }
        }
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(self.budget.seconds.into())
    }
}

impl fmt::Display for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CrashBudget { crashes, seconds } = self.budget;
        write!(
            f,
            "more than {crashes} children crashed in {seconds} sec (pm.crash_budget), the last {}: no new ones for {} sec",
            Ending(self.last),
            self.time.as_secs()
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::obituary::killed;

    const SEGV: ExitStatus = killed(Signal::SEGV);

    /// An account for so many crashes in ten seconds.
    fn account(crashes: u32) -> Account {
        let seconds = 10;
        Account::new(Some(CrashBudget { crashes, seconds })).unwrap()
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(1000 + seconds)
    }

    /// For how long the pool still rests.
    fn rest_of(account: &Account, now: Duration) -> Option<Duration> {
        let left = account.until?.saturating_sub(now);
        (!left.is_zero()).then_some(left)
    }

    /// The seconds of the rest that a crash brings.
    fn crash(account: &mut Account, second: u64) -> Option<u64> {
        let rest = account.crashed(at(second), SEGV);
        rest.map(|rest| rest.time.as_secs())
    }

    #[test]
    fn without_a_budget_there_is_no_account() {
        assert!(Account::new(None).is_none());
    }

    #[test]
    fn what_is_a_crash() {
        for status in [SEGV, killed(Signal::ABRT), killed(Signal::KILL)] {
            assert!(has_crashed(status), "{status:?}");
        }
        for status in [
            ExitStatus::Code(255),
            killed(Signal::TERM),
            killed(Signal::QUIT),
        ] {
            assert!(!has_crashed(status), "{status:?}");
        }
    }

    #[test]
    fn a_pool_rests_longer_and_longer_while_it_goes_on() {
        let mut account = account(2);
        assert_eq!([0, 0].map(|second| crash(&mut account, second)), [None; 2]);
        assert_eq!(crash(&mut account, 1), Some(1));
        assert_eq!(rest_of(&account, at(1)), Some(Duration::from_secs(1)));
        assert_eq!(account.look(at(2)), Look::Wake(at(11)));
        assert_eq!(rest_of(&account, at(2)), None);
        assert_eq!(crash(&mut account, 2), Some(2));
        assert_eq!(crash(&mut account, 3), None, "it rests already");
        assert_eq!(account.look(at(3)), Look::Wait(at(4)));
        assert_eq!(account.look(at(4)), Look::Wake(at(13)));
        assert_eq!(crash(&mut account, 5), Some(4));
    }

    #[test]
    fn a_calm_makes_it_whole() {
        let mut account = account(1);
        assert_eq!(
            [0, 0].map(|second| crash(&mut account, second)),
            [None, Some(1)]
        );
        assert_eq!(account.look(at(1)), Look::Wake(at(10)));
        assert_eq!(account.look(at(9)), Look::Wait(at(10)));
        assert_eq!(account.look(at(10)), Look::Calm);
        assert_eq!(
            [11, 11].map(|second| crash(&mut account, second)),
            [None, Some(1)]
        );
    }

    #[test]
    fn a_budget_of_none_lets_the_first_crash_bring_a_rest() {
        assert_eq!(crash(&mut account(0), 0), Some(1));
    }

    #[test]
    fn crashes_far_apart_cost_nothing() {
        let mut account = account(2);
        for n in 0..100 {
            assert_eq!(crash(&mut account, n * 6), None);
        }
    }

    #[test]
    fn the_log_says_why() {
        let rest = account(0).crashed(at(0), SEGV).unwrap();
        assert_eq!(
            rest.to_string(),
            "more than 0 children crashed in 10 sec (pm.crash_budget), the last on signal 11 (SIGSEGV): no new ones for 1 sec"
        );
    }

    proptest! {
        /// Whatever crashes and whenever somebody looks: a pool that rests is woken, no rest is too long, and little is remembered.
        #[test]
        fn nobody_rests_for_ever(
            crashes in 0_u32..8,
            steps in prop::collection::vec((0_u64..20_000, any::<bool>()), 0..300),
        ) {
            let mut account = account(crashes);
            let mut now = at(0);
            for (gap, crashed) in steps {
                now += Duration::from_millis(gap);
                if crashed {
                    let resting = rest_of(&account, now).is_some();
                    let rest = account.crashed(now, SEGV);
                    prop_assert!(!(resting && rest.is_some()));
                    if let Some(rest) = rest {
                        prop_assert_eq!(rest_of(&account, now), Some(rest.time));
                    }
                    prop_assert!(account.times.len() <= crashes as usize + 1);
                } else if let Look::Wait(at) | Look::Wake(at) = account.look(now) {
                    prop_assert!(at >= now);
                }
                prop_assert!(rest_of(&account, now).is_none_or(|left| left <= LONGEST_REST));
            }
            let mut looks = 0;
            while let Look::Wait(at) | Look::Wake(at) = account.look(now) {
                now = at;
                looks += 1;
                prop_assert!(looks < 5);
            }
            prop_assert_eq!(rest_of(&account, now), None);
        }
    }
}
