//! How long a request may take until its script gets PHP's own time-out error, and who reminds PHP of
//! it.
//!
//! PHP does not look at the clock by itself. Another thread knows when a request is due, for example
//! from a scoreboard, and sends a [`Reminder`]; whether the request is over its time is then decided
//! on PHP's thread. So a reminder may come late, or twice, and harms nobody.

use std::io;
use std::time::Duration;

use crate::engine::Engine;

/// How long a request may take. [`StartOptions::limits_time`](crate::StartOptions) must be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeLimit {
    /// When it is over, on the monotonic clock.
    pub at: Duration,
    /// The seconds that the error names.
    pub seconds: u32,
    /// What it covers.
    pub scope: Scope,
}

/// What of a request is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Its script, until that has ended or called `fastcgi_finish_request()`.
    Answer,
    /// What runs afterwards, too.
    Everything,
}

/// Makes PHP look whether the time of the present request is over. It may be sent to another thread.
#[derive(Clone, Copy, Debug)]
pub struct Reminder(());

impl Engine {
    /// Prepares this thread for reminders. Call it once, in the process that runs the requests.
    ///
    /// # Errors
    /// What sigaction(2) answers.
    pub fn reminder(&mut self) -> io::Result<Reminder> {
        // SAFETY: the engine is on the thread that runs PHP, and so is its caller.
        if unsafe { php_sys::fpmd_reminder_prepare() } {
            Ok(Reminder(()))
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

impl Reminder {
    /// Has PHP look at the clock if the present request is over its time and has not got its error yet. System calls of its thread
    /// that a signal ends, such as those of `sleep()`, are ended; some PHP tries once more, so that it takes a second reminder.
    pub fn send(self) {
        // SAFETY: a reminder exists only when its thread was prepared, which is the process' first and lives as long as it.
        unsafe { php_sys::fpmd_remind() };
    }
}

/// Lays a limit out for the shim.
pub(crate) fn raw(limit: Option<TimeLimit>) -> php_sys::fpmd_time_limit {
    let Some(limit) = limit else {
        return php_sys::fpmd_time_limit {
            at: 0,
            seconds: 0,
            covers_everything: false,
        };
    };
    php_sys::fpmd_time_limit {
        // As a scoreboard counts: rounded down, so that whoever waits for this moment does not come before it.
        at: u64::try_from(limit.at.as_micros()).unwrap_or(u64::MAX),
        seconds: limit.seconds,
        covers_everything: limit.scope == Scope::Everything,
    }
}
