//! What a service manager is told: that the daemon is ready, how it is doing, that it is stopping.
//!
//! Rule: texts only; they go out through [`World::notify`](crate::world::World::notify).
//!
//! Original: sapi/fpm/fpm/fpm_systemd.c, which says nothing of stopping.

use std::time::Duration;

use fpm_conf::Global;
use fpm_scoreboard::Totals;
use nix::unistd::Pid;

use crate::reload::Reload;
use crate::state::State;

/// The reports that go out again and again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reports {
    interval: Option<Duration>,
    /// Whether the service manager restarts a daemon that it does not hear from.
    watched: bool,
    /// Requests of all pools as of the last report.
    requests: u64,
}

/// What all pools do together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Load {
    /// Workers that serve a request.
    pub(crate) active: u64,
    /// Workers that wait.
    pub(crate) idle: u64,
    /// Requests accepted since the start.
    pub(crate) requests: u64,
    /// Those of them that took longer than `request_slowlog_timeout`.
    pub(crate) slow: u64,
}

impl Reports {
    /// Takes `systemd_interval` and the watchdog from the configuration.
    pub(crate) fn new(global: &Global) -> Reports {
        let interval = Duration::from_millis(global.systemd_interval.into());
        Reports {
            interval: (!interval.is_zero()).then_some(interval),
            watched: global.systemd_watchdog,
            requests: 0,
        }
    }

    /// Returns the time between two reports; `None` means that there are none.
    pub(crate) fn interval(&self) -> Option<Duration> {
        self.interval
    }

    /// Takes interval and watchdog from another configuration.
    pub(crate) fn follow(&mut self, other: Reports) {
        (self.interval, self.watched) = (other.interval, other.watched);
    }

    /// Writes the next report. One of a daemon that is stopping or reloading does not claim to be ready.
    pub(crate) fn next(&mut self, state: State, reload: Reload, load: Load) -> String {
        let Load {
            active,
            idle,
            requests,
            slow,
        } = load;
        let ready = if state == State::Normal && !reload.is_announced() {
            "READY=1\n"
        } else {
            ""
        };
        let alive = if self.watched { "WATCHDOG=1\n" } else { "" };
        let since_last = requests.saturating_sub(self.requests);
        self.requests = requests;
        let traffic = self.interval.map_or(0.0, |interval| {
            Duration::from_secs(since_last).as_secs_f64() / interval.as_secs_f64()
        });
        format!(
            "{ready}{alive}STATUS=Processes active: {active}, idle: {idle}, Requests: {requests}, slow: {slow}, \
             Traffic: {traffic:.2}req/sec"
        )
    }
}

impl Load {
    /// Adds a pool.
    pub(crate) fn add(&mut self, pool: &Totals) {
        self.active += pool.active;
        self.idle += pool.idle;
        self.requests += pool.counters.accepted;
        self.slow += pool.counters.slow_requests;
    }
}

/// Says that the daemon serves, and which process is the one to be watched.
pub(crate) fn ready(master: Pid) -> String {
    format!("READY=1\nSTATUS=Ready to handle connections\nMAINPID={master}")
}

/// Says that a reload has begun at this time, which is the kernel's monotonic clock (sd_notify(3)).
pub(crate) fn reloading(now: Duration) -> String {
    format!(
        "RELOADING=1\nMONOTONIC_USEC={}\nSTATUS=Reloading in progress ...",
        now.as_micros()
    )
}

/// Says that a reload has failed and what goes on.
pub(crate) fn not_reloaded(status: &str) -> String {
    format!("READY=1\nSTATUS={status}")
}

/// Says which process is the service from now on.
pub(crate) fn main_process(master: Pid) -> String {
    format!("MAINPID={master}")
}

/// Says that the daemon is on its way out; `None` while it is not.
pub(crate) fn stopping(state: State) -> Option<&'static str> {
    match state {
        State::Normal => None,
        State::Terminating => Some("STOPPING=1\nSTATUS=Terminating ..."),
        State::Finishing => Some("STOPPING=1\nSTATUS=Finishing ..."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reports(interval: u32, watched: bool) -> Reports {
        Reports::new(&Global {
            systemd_interval: interval,
            systemd_watchdog: watched,
            ..Global::default()
        })
    }

    #[test]
    fn a_report_has_the_originals_words_and_traffic_since_the_last() {
        let mut reports = reports(10_000, false);
        let load = Load {
            active: 1,
            idle: 4,
            requests: 25,
            slow: 2,
        };
        let first = "READY=1\nSTATUS=Processes active: 1, idle: 4, Requests: 25, slow: 2, Traffic: 2.50req/sec";
        let none = Reload::default();
        assert_eq!(reports.next(State::Normal, none, load), first);
        let later = Load {
            requests: 26,
            ..load
        };
        let second = "READY=1\nSTATUS=Processes active: 1, idle: 4, Requests: 26, slow: 2, Traffic: 0.10req/sec";
        assert_eq!(reports.next(State::Normal, none, later), second);
        let mut reload = none;
        reload.enter(crate::reload::Phase::Held);
        let third = reports.next(State::Normal, reload, later);
        assert!(third.starts_with("STATUS="), "{third}");
    }

    #[test]
    fn a_watchdog_is_fed_to_the_end() {
        let mut reports = reports(1500, true);
        let status = "WATCHDOG=1\nSTATUS=Processes active: 0, idle: 0, Requests: 0, slow: 0, Traffic: 0.00req/sec";
        assert_eq!(
            reports.next(State::Normal, Reload::default(), Load::default()),
            format!("READY=1\n{status}")
        );
        let last = reports.next(State::Finishing, Reload::default(), Load::default());
        assert_eq!(last, status);
    }

    #[test]
    fn no_interval_means_no_reports() {
        assert_eq!(reports(0, false).interval(), None);
        assert_eq!(reports(1, false).interval(), Some(Duration::from_millis(1)));
    }

    #[test]
    fn the_pools_are_added_up() {
        let mut pool = Totals {
            active: 1,
            idle: 2,
            ..Totals::default()
        };
        pool.counters.accepted = 3;
        pool.counters.slow_requests = 4;
        let mut load = Load::default();
        load.add(&pool);
        load.add(&pool);
        let expected = Load {
            active: 2,
            idle: 4,
            requests: 6,
            slow: 8,
        };
        assert_eq!(load, expected);
    }
}
