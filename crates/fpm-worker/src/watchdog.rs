//! Who watches whether a request takes longer than `request_slowlog_timeout`, and says what the worker is doing when the master asks:
//! a thread beside the one that runs PHP.
//!
//! The thread that serves pays nothing for it, no system call and no look: the watchdog reads the worker's own slot. It need not
//! look often: a request that begins just after one look is due a whole timeout later, so an idle worker is looked at once per
//! timeout, a busy one at the moment when its request is due. Nothing is stopped or interrupted.
//!
//! A changer must know: the thread starts with all signals blocked, for PHP's timers, SIGQUIT and SIGTERM are meant for the other
//! one; and it may be anywhere when the process ends.
//!
//! Original: fpm_request_check_timed_out in sapi/fpm/fpm/fpm_request.c, sapi/fpm/fpm/fpm_php_trace.c.

use std::io;
use std::thread;
use std::time::Duration;

use fpm_channel::underway::{Call, End, Trace, Underway};
use fpm_channel::worker::{FromWorker, Sender};
use fpm_conf::Pool;
use fpm_os::clock;
use fpm_scoreboard::{PoolBoard, SlotState, Stage};
use sapi::{Stack, StackTrace, TraceEnd};

/// Its stack, in bytes. It has a few buffers of a page there.
const STACK: usize = 128 * 1024;

/// How often to look at a script that does not hold still.
const LOOKS: usize = 10;

/// Watches one worker.
#[derive(Debug)]
pub(crate) struct Watchdog {
    /// `request_slowlog_timeout`; `None` when there is no slow log.
    limit: Option<Duration>,
    /// `request_slowlog_trace_depth`.
    depth: u32,
    stack: Stack,
    board: PoolBoard,
    slot: u32,
    master: Sender,
}

/// What to do about what a worker is doing.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// Nothing, for so long; `None` is for ever.
    Sleep(Option<Duration>),
    /// Its request is slow.
    Tell,
}

impl Watchdog {
    /// Makes one for the worker in this slot of the board, which tells `master`.
    pub(crate) fn new(
        pool: &Pool,
        stack: Stack,
        board: PoolBoard,
        slot: u32,
        master: Sender,
    ) -> Watchdog {
        let limit = match pool.request_slowlog_timeout {
            0 => None,
            seconds => Some(Duration::from_secs(seconds.into())),
        };
        Watchdog {
            limit,
            depth: pool.request_slowlog_trace_depth,
            stack,
            board,
            slot,
            master,
        }
    }

    /// Starts to watch. The caller has blocked all signals.
    ///
    /// # Errors
    /// When the user may have no more threads, or there is no memory for one.
    pub(crate) fn start(self) -> io::Result<()> {
        let thread = thread::Builder::new()
            .name("watchdog".to_owned())
            .stack_size(STACK);
        thread.spawn(move || self.watch())?;
        Ok(())
    }

    /// Watches until the process ends, or the master does.
    fn watch(&self) {
        let (mut told, mut answered) = (None, 0);
        loop {
            let asked = self.board.asked(self.slot);
            if asked != answered {
                answered = asked;
                let doing = FromWorker::Stack(self.look(is_at_work));
                if self.master.send(&doing).is_err() {
                    return;
                }
            }
            let state = self.board.state(self.slot);
            match step(state.as_ref(), told, self.limit, clock::monotonic()) {
                Step::Sleep(time) => self.board.wait_to_be_asked(self.slot, answered, time),
                Step::Tell => {
                    told = state.map(|state| state.accepted);
                    if let Some(request) = self.look(is_running)
                        && self.master.send(&FromWorker::Slow(request)).is_err()
                    {
                        return;
                    }
                }
            }
        }
    }

    /// Describes the request that is being served, if the worker is in such a stage before and after the look.
    fn look(&self, wanted: fn(Stage) -> bool) -> Option<Underway> {
        let before = self.board.state(self.slot)?;
        let mut trace = self.stack.trace(self.depth);
        for _ in 1..LOOKS {
            if trace.end == TraceEnd::Whole {
                break;
            }
            trace = self.stack.trace(self.depth);
        }
        let seen = self.board.snapshot(self.slot)?;
        let same = seen.state.accepted == before.accepted;
        let still = wanted(before.stage) && wanted(seen.state.stage) && same;
        still.then(|| Underway {
            method: seen.method.into(),
            uri: seen.uri.into(),
            query: seen.query.into(),
            script: seen.script.into(),
            taken: clock::monotonic().saturating_sub(seen.state.accepted),
            trace: told(trace).that_fits(),
        })
    }
}

/// Decides what to do about a worker in this state. The request that was accepted at `told` is known to be slow.
fn step(
    state: Option<&SlotState>,
    told: Option<Duration>,
    limit: Option<Duration>,
    now: Duration,
) -> Step {
    let Some(limit) = limit else {
        return Step::Sleep(None);
    };
    let Some(state) = state.filter(|state| under_way(state.stage) && Some(state.accepted) != told)
    else {
        return Step::Sleep(Some(limit));
    };
    let left = (state.accepted + limit).saturating_sub(now);
    match state.stage {
        _ if !left.is_zero() => Step::Sleep(Some(left)),
        Stage::Running => Step::Tell,
        // A slow client: its script is due when it starts. The original looks as often.
        _ => Step::Sleep(Some(limit / 3)),
    }
}

/// Tells whether a request is under way and its script not over.
fn under_way(stage: Stage) -> bool {
    match stage {
        Stage::ReadingHeaders | Stage::Info | Stage::Running => true,
        Stage::Creating | Stage::Accepting | Stage::Resting | Stage::Finished => false,
    }
}

/// Tells whether a script is running and its answer not complete.
fn is_running(stage: Stage) -> bool {
    stage == Stage::Running
}

/// Tells whether a worker does something for a request; what a script does after its answer, too.
fn is_at_work(stage: Stage) -> bool {
    under_way(stage) || stage == Stage::Finished
}

/// Puts a trace into the words of the channel.
fn told(trace: StackTrace) -> Trace {
    let calls = trace.frames.into_iter().map(|frame| Call {
        address: frame.address,
        function: frame.function,
        file: frame.file,
        line: frame.line,
    });
    Trace {
        script: trace.script,
        calls: calls.collect(),
        end: match trace.end {
            TraceEnd::Whole => End::Whole,
            TraceEnd::Cut => End::Cut,
        },
    }
}

#[cfg(test)]
mod tests {
    use fpm_scoreboard::{Birth, Board, Counters, Description, SlotWriter};
    use nix::unistd::Pid;
    use proptest::prelude::*;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(3);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(1000 + seconds)
    }

    fn asleep(seconds: u64) -> Step {
        Step::Sleep(Some(Duration::from_secs(seconds)))
    }

    /// A worker that has just been made.
    fn worker() -> (PoolBoard, SlotWriter) {
        let board = Board::create().unwrap();
        let region = board.add_pool(1, &Counters::default()).unwrap();
        let pool = board.map(region).unwrap();
        let slot = pool.reserve().unwrap();
        let birth = Birth {
            pid: Pid::this(),
            generation: 1,
            started: at(0),
        };
        let writer = pool.claim(slot, birth).unwrap();
        (pool, writer)
    }

    fn step_now(pool: &PoolBoard, told: Option<Duration>, now: Duration) -> Step {
        step(pool.state(0).as_ref(), told, Some(LIMIT), now)
    }

    #[test]
    fn an_idle_worker_is_looked_at_once_per_timeout() {
        let (pool, mut writer) = worker();
        assert_eq!(step(None, None, Some(LIMIT), at(0)), asleep(3));
        assert_eq!(step_now(&pool, None, at(0)), asleep(3));
        writer.accepting(at(0));
        assert_eq!(step_now(&pool, None, at(100)), asleep(3));
        writer.resting(at(0));
        assert_eq!(step_now(&pool, None, at(100)), asleep(3));
    }

    #[test]
    fn a_request_is_told_of_once_when_it_is_due() {
        let (pool, mut writer) = worker();
        writer.reading_headers(at(1), at(1));
        writer.info(&Description::default());
        assert_eq!(step_now(&pool, None, at(2)), asleep(2));
        writer.running();
        assert_eq!(step_now(&pool, None, at(3)), asleep(1));
        assert_eq!(step_now(&pool, None, at(4)), Step::Tell);
        assert_eq!(step_now(&pool, Some(at(1)), at(4)), asleep(3));
        writer.reading_headers(at(5), at(5));
        writer.running();
        assert_eq!(step_now(&pool, Some(at(1)), at(7)), asleep(1));
        assert_eq!(step_now(&pool, Some(at(1)), at(8)), Step::Tell);
    }

    #[test]
    fn who_keeps_no_slow_log_waits_to_be_asked() {
        let (pool, mut writer) = worker();
        writer.reading_headers(at(1), at(1));
        writer.running();
        assert_eq!(
            step(pool.state(0).as_ref(), None, None, at(100)),
            Step::Sleep(None)
        );
    }

    #[test]
    fn a_slow_client_is_waited_for() {
        let (pool, mut writer) = worker();
        writer.reading_headers(at(1), at(1));
        assert_eq!(step_now(&pool, None, at(9)), asleep(1));
        writer.running();
        assert_eq!(step_now(&pool, None, at(9)), Step::Tell);
    }

    proptest! {
        #[test]
        fn no_request_is_told_of_too_late(began in 0..10_000_u64, looked in 0..10_000_u64) {
            // The last look before the request begins, in milliseconds; the next one is no later than when it is due.
            let (began, looked) = (at(0) + Duration::from_millis(looked + began), at(0) + Duration::from_millis(looked));
            let (pool, mut writer) = worker();
            writer.accepting(at(0));
            let Step::Sleep(Some(time)) = step_now(&pool, None, looked) else { panic!("idle") };
            prop_assert!(looked + time <= began + LIMIT);
            writer.reading_headers(began, began);
            writer.running();
            let mut now = looked + time;
            while let Step::Sleep(Some(time)) = step_now(&pool, None, now) {
                prop_assert!(!time.is_zero());
                now += time;
            }
            prop_assert_eq!(now, (looked + time).max(began + LIMIT));
        }
    }
}
