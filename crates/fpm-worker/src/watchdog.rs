//! Who watches whether a request takes longer than `request_slowlog_timeout` or `request_soft_timeout`, and says what the worker is
//! doing when the master asks: a thread beside the one that runs PHP.
//!
//! The thread that serves pays nothing for it, no system call and no look: the watchdog reads the worker's own slot (`limit.rs` says
//! when), and has descriptors of its own. Nothing is stopped or interrupted, but for a script whose `request_soft_timeout` is over: PHP
//! is reminded of that.
//!
//! A changer must know: the thread starts with all signals blocked, for PHP's timers, SIGQUIT and SIGTERM are meant for the other
//! one; and it may be anywhere when the process ends.
//!
//! Original: fpm_request_check_timed_out in sapi/fpm/fpm/fpm_request.c, sapi/fpm/fpm/fpm_php_trace.c.

pub(crate) mod limit;

use std::convert::Infallible;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::thread;
use std::time::Duration;

use fpm_channel::ChannelError;
use fpm_channel::underway::{Call, End, Trace, Underway};
use fpm_channel::worker::{FromWorker, Sender};
use fpm_conf::Pool;
use fpm_os::clock;
use fpm_os::descriptor::spawn_apart;
use fpm_scoreboard::{PoolBoard, SlotState, Stage};
use sapi::{Reminder, Stack, StackTrace, TraceEnd};

use self::limit::{Limit, Step, is_at_work, is_running};
use crate::soft_timeout;

/// Its stack, in bytes. It has a few buffers of a page there.
const STACK: usize = 128 * 1024;

/// How often to look at a script that does not hold still.
const LOOKS: usize = 10;

/// How often PHP is reminded of a request that goes on: some of what it waits in takes two signals to end.
const REMINDERS: Duration = Duration::from_secs(1);

/// Watches one worker.
#[derive(Debug)]
pub(crate) struct Watchdog {
    /// `request_slowlog_timeout`; `None` when there is no slow log.
    slow: Option<Limit>,
    /// `request_soft_timeout`, and how PHP learns that it is over.
    soft: Option<(Limit, Reminder)>,
    /// `request_slowlog_trace_depth`.
    depth: u32,
    stack: Stack,
    board: PoolBoard,
    slot: u32,
    master: Sender,
}

impl Watchdog {
    /// Makes one for the worker in this slot of the board, which tells `master`. A pool with a `request_soft_timeout` has a reminder.
    pub(crate) fn new(
        pool: &Pool,
        (stack, reminder): (Stack, Option<Reminder>),
        board: PoolBoard,
        slot: u32,
        master: Sender,
    ) -> Watchdog {
        let slow = Limit::new(pool.request_slowlog_timeout, is_running);
        let soft = Limit::new(pool.request_soft_timeout, soft_timeout::covered(pool));
        Watchdog {
            slow,
            soft: soft.zip(reminder),
            depth: pool.request_slowlog_trace_depth,
            stack,
            board,
            slot,
            master,
        }
    }

    /// Starts to watch. The caller has blocked all signals.
    ///
    /// The thread has no descriptor but its own, so that what the worker closes is closed, and its system calls cost no more.
    ///
    /// # Errors
    /// When the user may have no more threads, or there is no memory for one.
    pub(crate) fn start(self) -> io::Result<()> {
        let thread = thread::Builder::new()
            .name("watchdog".to_owned())
            .stack_size(STACK);
        spawn_apart(thread, self, |mut watchdog| {
            let Err(_gone) = watchdog.watch();
        })
    }

    /// Watches until the process ends.
    ///
    /// # Errors
    /// When the master is gone.
    fn watch(&mut self) -> Result<Infallible, ChannelError> {
        let mut answered = 0;
        loop {
            let asked = self.board.asked(self.slot);
            if asked != answered {
                answered = asked;
                let doing = self.look(is_at_work, Watchdog::trace);
                self.master.send(&FromWorker::Stack(doing))?;
            }
            let state = self.board.state(self.slot);
            let now = clock::monotonic();
            let next = [
                self.look_for_slow(state.as_ref(), now)?,
                self.look_for_overrun(state.as_ref(), now)?,
            ];
            let time = next.into_iter().flatten().min();
            self.board.wait_to_be_asked(self.slot, answered, time);
        }
    }

    /// Tells of a slow request. Returns when to look again.
    fn look_for_slow(
        &mut self,
        state: Option<&SlotState>,
        now: Duration,
    ) -> Result<Option<Duration>, ChannelError> {
        let Some(slow) = &mut self.slow else {
            return Ok(None);
        };
        match slow.step(state, now) {
            Step::Sleep(time) | Step::GoesOn(time) => Ok(Some(time)),
            Step::Tell => {
                slow.told(state);
                if let Some(request) = self.look(is_running, Watchdog::trace) {
                    self.master.send(&FromWorker::Slow(request))?;
                }
                Ok(Some(Duration::ZERO))
            }
        }
    }

    /// Reminds PHP of a request whose time is over. Returns when to look again.
    fn look_for_overrun(
        &mut self,
        state: Option<&SlotState>,
        now: Duration,
    ) -> Result<Option<Duration>, ChannelError> {
        let Some((soft, reminder)) = &mut self.soft else {
            return Ok(None);
        };
        let reminder = *reminder;
        match soft.step(state, now) {
            Step::Sleep(time) => Ok(Some(time)),
            Step::GoesOn(time) => {
                reminder.send();
                Ok(Some(time.min(REMINDERS)))
            }
            Step::Tell => {
                soft.told(state);
                let wanted = soft.covers();
                // Before it can end.
                let request = self.look(wanted, |_| untraced());
                reminder.send();
                if let Some(request) = request {
                    self.master.send(&FromWorker::Overran(request))?;
                }
                Ok(Some(REMINDERS))
            }
        }
    }

    /// Describes the request that is being served, if the worker is in such a stage before and after the look.
    fn look(&self, wanted: fn(Stage) -> bool, trace: fn(&Watchdog) -> Trace) -> Option<Underway> {
        let before = self.board.state(self.slot)?;
        let trace = trace(self);
        let seen = self.board.snapshot(self.slot)?;
        let same = seen.state.accepted == before.accepted;
        let still = wanted(before.stage) && wanted(seen.state.stage) && same;
        still.then(|| Underway {
            method: seen.method.into(),
            uri: seen.uri.into(),
            query: seen.query.into(),
            script: seen.script.into(),
            taken: clock::monotonic().saturating_sub(seen.state.accepted),
            trace,
        })
    }

    /// Looks at PHP's stack until it holds still.
    fn trace(&self) -> Trace {
        let mut trace = self.stack.trace(self.depth);
        for _ in 1..LOOKS {
            if trace.end == TraceEnd::Whole {
                break;
            }
            trace = self.stack.trace(self.depth);
        }
        told(trace).that_fits()
    }
}

/// Its way to the master.
impl AsFd for Watchdog {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.master.as_fd()
    }
}

/// Nobody wants to know which calls the script is in.
fn untraced() -> Trace {
    Trace {
        script: None,
        calls: Vec::new(),
        end: End::Whole,
    }
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
