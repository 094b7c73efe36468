//! Access log, slow log, and the time limits that go with the latter.
//!
//! Original: sapi/fpm/fpm/fpm_conf.c (`fpm_conf_process_all_pools`), fpm_log.c (`fpm_log_open`)

use bstr::{BStr, BString, ByteSlice};

use super::{Check, Checked};
use crate::draft::non_empty;
use crate::items::Stopped;
use crate::report::text;
use crate::{LogLevel, access_format};

const DEFAULT_FORMAT: &str = "%R - %u %t \"%m %r\" %s";
const DEFAULT_TRACE_DEPTH: i32 = 20;

impl Check<'_> {
    /// Makes a path of a pool absolute, unless it is unset or empty.
    pub(super) fn expanded(&self, index: usize, path: &Option<BString>) -> Option<BString> {
        let prefix = self.draft.pools[index]
            .prefix
            .as_ref()
            .map(|prefix| prefix.as_bstr());
        match non_empty(path) {
            Some(path) => Some(self.prefixes.pool(path, prefix)),
            None => path.clone(),
        }
    }

    pub(super) fn access_log(&mut self, index: usize) {
        let path = self.expanded(index, &self.draft.pools[index].access_log);
        let pool = self.pool_mut(index);
        if non_empty(&path).is_some() {
            pool.access_format
                .get_or_insert_with(|| DEFAULT_FORMAT.into());
        }
        pool.access_log = path;
    }

    pub(super) fn time_limits(&mut self, index: usize) -> Checked {
        self.own_time_limits(index)?;
        self.beat_for(self.draft.pools[index].request_terminate_timeout);
        let path = self.expanded(index, &self.draft.pools[index].slowlog);
        let pool = self.pool_mut(index);
        pool.slowlog.clone_from(&path);
        let path = non_empty(&path);
        if pool.request_slowlog_timeout != 0 {
            self.slow_requests(index, path)?;
        }
        match self.draft.pools[index].request_slowlog_trace_depth {
            0 => self.pool_mut(index).request_slowlog_trace_depth = DEFAULT_TRACE_DEPTH,
            _ if path.is_none() => return self.needs_slowlog(index, "request_slowlog_trace_depth"),
            depth @ ..0 => {
                let complaint =
                    format!("'request_slowlog_trace_depth' ({depth}) must be a positive value");
                return self.fail_pool(index, LogLevel::Error, complaint);
            }
            1.. => {}
        }
        Ok(())
    }

    fn own_time_limits(&mut self, index: usize) -> Checked {
        let pool = &self.draft.pools[index];
        let complaint = match (
            pool.request_queue_timeout,
            pool.request_soft_timeout,
            pool.request_terminate_timeout,
        ) {
            (Some(seconds @ ..=-1), _, _) => {
                format!("'request_queue_timeout' ({seconds}) can't be negative")
            }
            (_, Some(seconds @ ..=-1), _) => {
                format!("'request_soft_timeout' ({seconds}) can't be negative")
            }
            (_, Some(soft @ 1..), hard @ 1..) if soft >= hard => format!(
                "'request_soft_timeout' ({soft}) must be less than 'request_terminate_timeout' ({hard})"
            ),
            _ => return Ok(()),
        };
        self.fail_pool(index, LogLevel::Error, complaint)
    }

    fn slow_requests(&mut self, index: usize, slowlog: Option<&BStr>) -> Checked {
        let Some(slowlog) = slowlog else {
            return self.needs_slowlog(index, "request_slowlog_timeout");
        };
        if let Err(error) = self.around.files.touch_log(slowlog) {
            self.report.system_error(
                text!("Unable to create or open slowlog(", slowlog, ")"),
                &error,
            );
            return Err(Stopped);
        }
        let pool = &self.draft.pools[index];
        let (slow, terminate) = (pool.request_slowlog_timeout, pool.request_terminate_timeout);
        self.beat_for(slow);
        if terminate != 0 && slow > terminate {
            let complaint = format!(
                "'request_slowlog_timeout' ({slow}) can't be greater than 'request_terminate_timeout' ({terminate})"
            );
            return self.fail_pool(index, LogLevel::Error, complaint);
        }
        Ok(())
    }

    fn needs_slowlog(&mut self, index: usize, directive: &str) -> Checked {
        self.fail_pool(
            index,
            LogLevel::Error,
            format!("'slowlog' must be specified for use with '{directive}'"),
        )
    }

    /// Creates all access logs, then checks the formats of those that have a path. An empty path cannot be created.
    pub(super) fn access_logs(&mut self) -> Checked {
        for pool in &self.draft.pools {
            let Some(path) = &pool.access_log else {
                continue;
            };
            if let Err(error) = self.around.files.touch_log(path.as_bstr()) {
                self.report
                    .system_error(text!("failed to open access log (", path, ")"), &error);
                return Err(Stopped);
            }
            self.report
                .log(LogLevel::Debug, text!("open access log (", path, ")"));
        }
        for index in 0..self.draft.pools.len() {
            let pool = &self.draft.pools[index];
            let Some(format) = pool.access_log.as_ref().and(pool.access_format.as_ref()) else {
                continue;
            };
            if let Err(warning) = access_format::check(format.as_bstr()) {
                let complaint = text!("wrong format for access.format '", format, "'");
                self.report.log(LogLevel::Warning, warning);
                return self.fail_pool(index, LogLevel::Error, complaint);
            }
        }
        Ok(())
    }
}
