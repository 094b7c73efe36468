//! The `[global]` section: levels, limits, where the log is, which event mechanism, systemd.
//!
//! Original: sapi/fpm/fpm/fpm_conf.c (`fpm_conf_post_process`), fpm_stdio.c (`fpm_stdio_open_error_log`),
//! fpm_events.c (`fpm_event_pre_init`), fpm_systemd.c (`fpm_systemd_conf`)

use bstr::{BStr, BString, ByteSlice};

use super::{Check, Checked};
use crate::draft::{DraftGlobal, NO_PRIORITY, UNSET};
use crate::global::{EventMechanism, Facility};
use crate::ini::integer;
use crate::operator::{LONGEST_SOCKET_PATH, OperatorAddress};
use crate::options::{Background, Feature};
use crate::prefix::Prefixes;
use crate::report::{OpenLog, text};
use crate::{LogLevel, finish};

/// Shortest `log_limit`, in bytes.
const SHORTEST_LOG_LINE: i32 = 512;

/// `systemd_interval` when it is not set, in milliseconds.
const SYSTEMD_INTERVAL: i32 = 10_000;

/// Makes `control.listen` absolute and returns it. An empty one is none.
pub(crate) fn control_listen<'d>(
    global: &'d mut DraftGlobal,
    prefixes: Prefixes<'_>,
    folder: &BStr,
) -> Option<&'d BString> {
    let path = global
        .control_listen
        .as_mut()
        .filter(|path| !path.is_empty())?;
    *path = prefixes.global(path.as_bstr(), folder);
    Some(path)
}

impl Check<'_> {
    pub(super) fn global(&mut self) -> Checked {
        let state = self.options.folders.localstatedir.as_bstr();
        let global = &mut self.draft.global;
        if let Some(pid) = &mut global.pid {
            *pid = self.prefixes.global(pid.as_bstr(), state);
        }
        if let Some(path) = control_listen(global, self.prefixes, state)
            && path.len() > LONGEST_SOCKET_PATH
        {
            let complaint = text!(
                "control.listen: a socket's path has at most 107 bytes, '",
                path,
                "' has more"
            );
            return self.fail(LogLevel::Error, complaint);
        }
        self.operator_listen(state)?;
        let global = &mut self.draft.global;
        if let Some(background) = self.options.background {
            global.daemonize = background == Background::Daemonize;
        }
        if let Some(level) = global.log_level {
            self.report.level = level;
        }
        if global.log_limit < SHORTEST_LOG_LINE {
            return self.fail(LogLevel::Error, "log_limit must be greater than 512");
        }
        if global.process_max < 0 {
            return self.fail(LogLevel::Error, "process_max can't be negative");
        }
        if global.process_priority != NO_PRIORITY && !(-19..=20).contains(&global.process_priority)
        {
            return self.fail(
                LogLevel::Error,
                "process.priority must be included into [-19,20]",
            );
        }
        if global
            .worker_shutdown_timeout
            .is_some_and(|timeout| timeout < 0)
        {
            return self.fail(LogLevel::Error, "worker_shutdown_timeout can't be negative");
        }
        let error_log = global
            .error_log
            .take()
            .unwrap_or_else(|| "log/php-fpm.log".into());
        if self.options.has(Feature::Systemd) {
            self.systemd();
        }
        let global = &mut self.draft.global;
        global.syslog_ident.get_or_insert_with(|| "php-fpm".into());
        if global.syslog_facility == UNSET {
            global.syslog_facility = Facility::DAEMON.0;
        }
        self.error_log(error_log)?;
        self.event_mechanism()
    }

    /// Finds out what `operator.listen` names. An empty one is none.
    fn operator_listen(&mut self, folder: &BStr) -> Checked {
        let global = &self.draft.global;
        let Some(text) = global.operator_listen.as_ref().filter(|t| !t.is_empty()) else {
            return Ok(());
        };
        let address =
            OperatorAddress::parse(text.as_bstr(), |path| self.prefixes.global(path, folder));
        match address {
            Ok(address) => {
                self.draft.global.operator_address = Some(address);
                Ok(())
            }
            Err(reason) => {
                let complaint = text!("operator.listen: ", reason.to_string());
                self.fail(LogLevel::Error, complaint)
            }
        }
    }

    /// Settles how often systemd hears from us: half of the time that its watchdog wants, else the directive.
    fn systemd(&mut self) {
        let mut watchdog = 0;
        if let Some(period) = &self.options.watchdog_usec {
            // Microseconds to milliseconds, and half of them.
            watchdog = i32::try_from(microseconds(period) / 2000).unwrap_or(i32::MAX);
            self.report.log(
                LogLevel::Debug,
                text!(
                    "WATCHDOG_USEC=",
                    period,
                    ", interval=",
                    watchdog.to_string()
                ),
            );
        }
        let global = &mut self.draft.global;
        if watchdog > 1000 {
            let was_set = global.systemd_interval > 0;
            global.systemd_watchdog = true;
            global.systemd_interval = watchdog;
            if was_set {
                self.report
                    .log(LogLevel::Warning, "systemd_interval option ignored");
            }
            let seconds = three_digits(f64::from(watchdog) / 1000.0);
            self.report.log(
                LogLevel::Notice,
                text!("systemd watchdog configured to ", seconds, "sec"),
            );
        } else if global.systemd_interval < 0 {
            global.systemd_interval = SYSTEMD_INTERVAL;
        } else {
            global.systemd_interval = global.systemd_interval.wrapping_mul(1000);
        }
    }

    /// Expands the path and creates the file, unless the log goes to syslog.
    fn error_log(&mut self, error_log: BString) -> Checked {
        if error_log.eq_ignore_ascii_case(b"syslog") {
            self.draft.global.error_log = Some(error_log);
        } else {
            let state = self.options.folders.localstatedir.as_bstr();
            let path = self.prefixes.global(error_log.as_bstr(), state);
            let touched = self.around.files.touch_log(path.as_bstr());
            if let Err(error) = touched {
                self.report
                    .system_error(text!("failed to open error_log (", path, ")"), &error);
                return Err(super::Stopped);
            }
            self.draft.global.error_log = Some(path);
        }
        self.report.log = Some(OpenLog {
            earlier: self.report.messages.len(),
            global: finish::global(self.draft.global.clone(), self.events),
        });
        Ok(())
    }

    fn event_mechanism(&mut self) -> Checked {
        let known = [
            ("epoll", EventMechanism::Epoll),
            ("poll", EventMechanism::Poll),
            ("select", EventMechanism::Select),
        ];
        let Some(wanted) = &self.draft.global.events_mechanism else {
            return Ok(());
        };
        match known
            .iter()
            .find(|(name, _)| wanted.eq_ignore_ascii_case(name.as_bytes()))
        {
            Some((_, mechanism)) => {
                self.events = *mechanism;
                Ok(())
            }
            None => {
                let complaint = text!(
                    "event mechanism '",
                    wanted,
                    "' is not available on this system"
                );
                self.fail(LogLevel::Error, complaint)
            }
        }
    }
}

/// Reads the number at the start of a text.
fn microseconds(text: &[u8]) -> i64 {
    let digits = text.trim_start();
    let length = digits.iter().take_while(|b| b.is_ascii_digit()).count();
    digits[..length]
        .to_str_lossy()
        .parse()
        .unwrap_or(if length > 0 {
            i64::MAX
        } else {
            i64::from(integer(text))
        })
}

/// Formats a number the way printf's `%.3g` does.
fn three_digits(number: f64) -> String {
    let scientific = format!("{number:.2e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let short = |text: &str| {
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text.to_owned()
        }
    };
    if (-4..3).contains(&exponent) {
        let places = usize::try_from(2 - exponent).unwrap_or(0);
        short(&format!("{number:.places$}"))
    } else {
        format!(
            "{}e{}{:02}",
            short(digits),
            if exponent < 0 { '-' } else { '+' },
            exponent.abs()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_printed_like_printf_does() {
        for (number, expected) in [
            (15.0, "15"),
            (1.5, "1.5"),
            (1.001, "1"),
            (30.25, "30.2"),
            (120.0, "120"),
            (1234.5, "1.23e+03"),
            (2_147_483.6, "2.15e+06"),
        ] {
            assert_eq!(three_digits(number), expected);
        }
    }

    #[test]
    fn watchdog_periods_are_numbers_with_anything_behind() {
        assert_eq!(microseconds(b"30000000"), 30_000_000);
        assert_eq!(microseconds(b" 5000s"), 5000);
        assert_eq!(microseconds(b"soon"), 0);
        assert_eq!(microseconds(b"99999999999999999999"), i64::MAX);
    }
}
