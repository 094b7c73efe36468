//! `pm` and the numbers that belong to it.
//!
//! Original: sapi/fpm/fpm/fpm_conf.c (`fpm_conf_process_all_pools`)

use super::{Check, Checked};
use crate::global::EventMechanism;
use crate::report::text;
use crate::{LogLevel, Pm};

/// `listen.backlog` when it is not set.
const DEFAULT_BACKLOG: i32 = -1;

impl Check<'_> {
    pub(super) fn manager(&mut self, index: usize) -> Checked {
        let Some(pm) = self.draft.pools[index].pm else {
            let complaint = "the process manager is missing (static, dynamic or ondemand)";
            return self.fail_pool(index, LogLevel::Alert, complaint);
        };
        if self.draft.pools[index].pm_max_children < 1 {
            return self.fail_pool(
                index,
                LogLevel::Alert,
                "pm.max_children must be a positive value",
            );
        }
        match pm {
            Pm::Static => Ok(()),
            Pm::Dynamic => self.dynamic(index),
            Pm::Ondemand => self.ondemand(index),
        }
    }

    fn dynamic(&mut self, index: usize) -> Checked {
        let pool = &self.draft.pools[index];
        let (children, start) = (pool.pm_max_children, pool.pm_start_servers);
        let (min, max) = (pool.pm_min_spare_servers, pool.pm_max_spare_servers);
        let complaint = if min <= 0 {
            format!("pm.min_spare_servers({min}) must be a positive value")
        } else if max <= 0 {
            format!("pm.max_spare_servers({max}) must be a positive value")
        } else if min > children || max > children {
            format!(
                "pm.min_spare_servers({min}) and pm.max_spare_servers({max}) cannot be greater than pm.max_children({children})"
            )
        } else if max < min {
            format!("pm.max_spare_servers({max}) must not be less than pm.min_spare_servers({min})")
        } else if start <= 0 {
            let start = min + (max - min) / 2;
            self.pool_mut(index).pm_start_servers = start;
            let notice = format!("pm.start_servers is not set. It's been set to {start}.");
            let notice = self.of_pool(index, &notice.into());
            self.report.log(LogLevel::Notice, notice);
            return self.spawn_rate(index);
        } else if start < min || start > max {
            format!(
                "pm.start_servers({start}) must not be less than pm.min_spare_servers({min}) and not greater than pm.max_spare_servers({max})"
            )
        } else {
            return self.spawn_rate(index);
        };
        self.fail_pool(index, LogLevel::Alert, complaint)
    }

    fn spawn_rate(&mut self, index: usize) -> Checked {
        if self.draft.pools[index].pm_max_spawn_rate < 1 {
            return self.fail_pool(
                index,
                LogLevel::Alert,
                "pm.max_spawn_rate must be a positive value",
            );
        }
        Ok(())
    }

    fn ondemand(&mut self, index: usize) -> Checked {
        if self.events != EventMechanism::Epoll {
            let complaint = "ondemand process manager can ONLY be used when events.mechanism is either epoll (Linux) or kqueue (*BSD).";
            return self.fail_pool(index, LogLevel::Alert, complaint);
        }
        let idle = self.draft.pools[index].pm_process_idle_timeout;
        if idle < 1 {
            let complaint = format!("pm.process_idle_timeout({idle}s) must be greater than 0s");
            return self.fail_pool(index, LogLevel::Alert, complaint);
        }
        let backlog = self.draft.pools[index].listen_backlog;
        if backlog < DEFAULT_BACKLOG {
            let warning = format!(
                "listen.backlog({backlog}) was too low for the ondemand process manager. I updated it for you to {DEFAULT_BACKLOG}."
            );
            let warning = self.of_pool(index, &text!(warning));
            self.report.log(LogLevel::Warning, warning);
            self.pool_mut(index).listen_backlog = DEFAULT_BACKLOG;
        }
        let pool = self.pool_mut(index);
        pool.pm_start_servers = 0;
        pool.pm_min_spare_servers = 0;
        pool.pm_max_spare_servers = 0;
        Ok(())
    }
}
