//! When the service manager is told what.
//!
//! Original: sapi/fpm/fpm/fpm_systemd.c (`fpm_systemd_heartbeat`)

use std::time::Duration;

use nix::unistd::Pid;

use super::Master;
use crate::event::Timer;
use crate::systemd;
use crate::world::{Audience, World};

impl<W: World> Master<W> {
    /// The daemon serves: says so and begins to report.
    pub(super) fn notify_ready(&mut self, now: Duration) {
        let told = self.world.notify(&systemd::ready(Pid::this()));
        match told {
            Ok(_) => tracing::debug!("have notify start to systemd"),
            Err(_) => tracing::warn!("failed to notify start to systemd"),
        }
        match self.reports.interval() {
            Some(interval) => {
                tracing::info!("systemd monitor interval set to {}ms", interval.as_millis());
                // An idle master that nobody listens to shall sleep.
                if !matches!(told, Ok(Audience::Nobody)) {
                    self.world.arm(Timer::Report, now + interval);
                }
            }
            None => tracing::info!("systemd monitor disabled"),
        }
    }

    /// A report is due.
    pub(super) fn report(&mut self, now: Duration) {
        let report = self
            .reports
            .next(self.state, self.reload, self.world.load());
        if self.world.notify(&report).is_err() {
            tracing::info!("failed to notify status to systemd");
        }
        if let Some(interval) = self.reports.interval() {
            self.world.arm(Timer::Report, now + interval);
        }
    }

    /// A reload begins.
    pub(super) fn announce_reload(&mut self, now: Duration) {
        if self.world.notify(&systemd::reloading(now)).is_err() {
            tracing::debug!("failed to notify reload to systemd");
        }
    }

    /// A reload is over, whatever became of it.
    pub(super) fn notify_reloaded(&mut self, now: Duration, state: &str) {
        match self.world.notify(state) {
            Ok(Audience::Nobody) => {}
            Ok(Audience::Told) => {
                // The interval may be another one from now on.
                if let Some(interval) = self.reports.interval() {
                    self.world.arm(Timer::Report, now + interval);
                }
            }
            Err(_) => tracing::warn!("failed to notify reload to systemd"),
        }
    }

    /// The state has changed.
    pub(super) fn notify_stopping(&mut self) {
        if let Some(state) = systemd::stopping(self.state)
            && self.world.notify(state).is_err()
        {
            tracing::debug!("failed to notify stop to systemd");
        }
    }
}
