//! When a watchdog looks at its worker, and what it finds: a limit of a request's time.
//!
//! Pure. It need not look often: a request that begins just after one look is due a whole limit later, so an idle worker is looked at
//! once per limit, a busy one at the moment when its request is due.

use std::time::Duration;

use fpm_scoreboard::{SlotState, Stage};

/// A limit of the time of requests.
#[derive(Debug)]
pub(super) struct Limit {
    after: Duration,
    /// In which stages a request is to be told of.
    covers: fn(Stage) -> bool,
    /// When the request was accepted that was told of last.
    told: Option<Duration>,
}

/// What to do about what a worker is doing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing, for so long.
    Sleep(Duration),
    /// Its request is due.
    Tell,
    /// The request that was told of is still under way; nothing else for so long.
    GoesOn(Duration),
}

impl Limit {
    /// Makes a limit of so many seconds for requests that are in such stages; `None` when there is none.
    pub(super) fn new(seconds: u32, covers: fn(Stage) -> bool) -> Option<Limit> {
        (seconds > 0).then(|| Limit {
            after: Duration::from_secs(seconds.into()),
            covers,
            told: None,
        })
    }

    /// Decides what to do about a worker in this state.
    pub(super) fn step(&self, state: Option<&SlotState>, now: Duration) -> Step {
        let Some(state) = state.filter(|state| begun(state.stage) || (self.covers)(state.stage))
        else {
            return Step::Sleep(self.after);
        };
        let left = (state.accepted + self.after).saturating_sub(now);
        match state.stage {
            _ if !left.is_zero() => Step::Sleep(left),
            _ if self.told == Some(state.accepted) => Step::GoesOn(self.after),
            stage if (self.covers)(stage) => Step::Tell,
            // A slow client: its script is due when it starts. The original looks as often.
            _ => Step::Sleep(self.after / 3),
        }
    }

    /// Remembers that the request of a worker in this state was told of.
    pub(super) fn told(&mut self, state: Option<&SlotState>) {
        self.told = state.map(|state| state.accepted);
    }

    /// Returns in which stages a request is to be told of.
    pub(super) fn covers(&self) -> fn(Stage) -> bool {
        self.covers
    }
}

/// Tells whether a request has begun and its script is yet to come.
fn begun(stage: Stage) -> bool {
    matches!(stage, Stage::ReadingHeaders | Stage::Info)
}

/// Tells whether a script is running and its answer not complete.
pub(crate) fn is_running(stage: Stage) -> bool {
    stage == Stage::Running
}

/// Tells whether a script is running, or what it does after its answer.
pub(crate) fn is_executing(stage: Stage) -> bool {
    matches!(stage, Stage::Running | Stage::Finished)
}

/// Tells whether a worker does something for a request.
pub(crate) fn is_at_work(stage: Stage) -> bool {
    begun(stage) || is_executing(stage)
}

#[cfg(test)]
mod tests {
    use fpm_scoreboard::{Birth, Board, Counters, Description, Finished, PoolBoard, SlotWriter};
    use nix::unistd::Pid;
    use proptest::prelude::*;

    use super::*;

    /// A limit of three seconds for scripts until their answer is complete.
    fn limit() -> Limit {
        Limit::new(3, is_running).unwrap()
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(1000 + seconds)
    }

    fn asleep(seconds: u64) -> Step {
        Step::Sleep(Duration::from_secs(seconds))
    }

    /// A worker that has just been made.
    fn worker() -> (PoolBoard, SlotWriter) {
        let board = Board::create().unwrap();
        let (_, pool) = board.add_pool(1, &Counters::default()).unwrap();
        let birth = Birth {
            pid: Pid::this(),
            generation: 1,
            started: at(0),
        };
        let writer = pool.claim(0, birth).unwrap();
        (pool, writer)
    }

    fn step(limit: &Limit, pool: &PoolBoard, now: Duration) -> Step {
        limit.step(pool.state(0).as_ref(), now)
    }

    #[test]
    fn without_a_timeout_there_is_no_limit() {
        assert!(Limit::new(0, is_running).is_none());
    }

    #[test]
    fn an_idle_worker_is_looked_at_once_per_timeout() {
        let (pool, mut writer) = worker();
        let limit = limit();
        assert_eq!(limit.step(None, at(0)), asleep(3));
        assert_eq!(step(&limit, &pool, at(0)), asleep(3));
        writer.accepting(at(0));
        assert_eq!(step(&limit, &pool, at(100)), asleep(3));
        writer.resting(at(0));
        assert_eq!(step(&limit, &pool, at(100)), asleep(3));
    }

    #[test]
    fn a_request_is_told_of_once_when_it_is_due() {
        let (pool, mut writer) = worker();
        let mut limit = limit();
        writer.reading_headers(at(1), at(1));
        writer.info(&Description::default());
        assert_eq!(step(&limit, &pool, at(2)), asleep(2));
        writer.running();
        assert_eq!(step(&limit, &pool, at(3)), asleep(1));
        assert_eq!(step(&limit, &pool, at(4)), Step::Tell);
        limit.told(pool.state(0).as_ref());
        let goes_on = Step::GoesOn(Duration::from_secs(3));
        assert_eq!(step(&limit, &pool, at(4)), goes_on);
        writer.reading_headers(at(5), at(5));
        writer.running();
        assert_eq!(step(&limit, &pool, at(7)), asleep(1));
        assert_eq!(step(&limit, &pool, at(8)), Step::Tell);
    }

    #[test]
    fn a_slow_client_is_waited_for() {
        let (pool, mut writer) = worker();
        writer.reading_headers(at(1), at(1));
        assert_eq!(step(&limit(), &pool, at(9)), asleep(1));
        writer.running();
        assert_eq!(step(&limit(), &pool, at(9)), Step::Tell);
    }

    #[test]
    fn work_after_the_answer_is_told_of_if_it_is_covered() {
        let (pool, mut writer) = worker();
        writer.reading_headers(at(1), at(1));
        writer.running();
        writer.finished(at(2), &Finished::default());
        assert_eq!(step(&limit(), &pool, at(9)), asleep(3));
        let all = Limit::new(3, is_executing).unwrap();
        assert_eq!(step(&all, &pool, at(3)), asleep(1));
        assert_eq!(step(&all, &pool, at(9)), Step::Tell);
    }

    proptest! {
        #[test]
        fn no_request_is_told_of_too_late(began in 0..10_000_u64, looked in 0..10_000_u64) {
            // The last look before the request begins, in milliseconds; the next one is no later than when it is due.
            let (began, looked) = (at(0) + Duration::from_millis(looked + began), at(0) + Duration::from_millis(looked));
            let (pool, mut writer) = worker();
            let limit = limit();
            writer.accepting(at(0));
            let Step::Sleep(time) = step(&limit, &pool, looked) else { panic!("idle") };
            prop_assert!(looked + time <= began + limit.after);
            writer.reading_headers(began, began);
            writer.running();
            let mut now = looked + time;
            while let Step::Sleep(time) = step(&limit, &pool, now) {
                prop_assert!(!time.is_zero());
                now += time;
            }
            prop_assert_eq!(now, (looked + time).max(began + limit.after));
        }
    }
}
