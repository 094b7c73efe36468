//! What the log says when a process ends.
//!
//! Original: sapi/fpm/fpm/fpm_children.c (`fpm_children_bury`)

use std::fmt;
use std::time::Duration;

use fpm_conf::LogLevel;
use fpm_os::signal::Signal;
use fpm_os::wait::ExitStatus;

/// How a process ended, as the log puts it: `with code 0`, `on signal 11 (SIGSEGV - core dumped)`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending(pub(crate) ExitStatus);

/// The time from start to end, as the log puts it: `after 1.000002 seconds from start`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetime(pub(crate) Duration);

impl Ending {
    /// Returns the level at which the end of a worker is worth a line while the master is serving.
    pub(crate) fn level(&self) -> LogLevel {
        match self.0 {
            ExitStatus::Code(0) => LogLevel::Notice,
            ExitStatus::Signal { signal, .. } if signal == Signal::QUIT => LogLevel::Notice,
            ExitStatus::Code(_) | ExitStatus::Signal { .. } => LogLevel::Warning,
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ExitStatus::Code(code) => write!(f, "with code {code}"),
            ExitStatus::Signal {
                signal,
                core_dumped,
            } => {
                let core = if core_dumped { " - core dumped" } else { "" };
                write!(f, "on signal {} ({}{core})", signal.number(), signal.name())
            }
        }
    }
}

impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "after {}.{:06} seconds from start",
            self.0.as_secs(),
            self.0.subsec_micros()
        )
    }
}

/// The end of a process that a signal has killed.
#[cfg(test)]
pub(crate) const fn killed(signal: Signal) -> ExitStatus {
    ExitStatus::Signal {
        signal,
        core_dumped: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_read_as_the_originals() {
        for (status, text, level) in [
            (ExitStatus::Code(0), "with code 0", LogLevel::Notice),
            (ExitStatus::Code(70), "with code 70", LogLevel::Warning),
            (
                killed(Signal::QUIT),
                "on signal 3 (SIGQUIT)",
                LogLevel::Notice,
            ),
            (
                killed(Signal::KILL),
                "on signal 9 (SIGKILL)",
                LogLevel::Warning,
            ),
            (
                ExitStatus::Signal {
                    signal: Signal::SEGV,
                    core_dumped: true,
                },
                "on signal 11 (SIGSEGV - core dumped)",
                LogLevel::Warning,
            ),
            (
                killed(Signal::from_number(35).unwrap()),
                "on signal 35 ()",
                LogLevel::Warning,
            ),
        ] {
            let ending = Ending(status);
            assert_eq!((ending.to_string().as_str(), ending.level()), (text, level));
        }
    }

    #[test]
    fn lifetimes_have_six_decimals() {
        let lifetime = Lifetime(Duration::from_micros(12_000_034));
        assert_eq!(lifetime.to_string(), "after 12.000034 seconds from start");
    }
}
