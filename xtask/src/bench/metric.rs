//! What is measured, and which way is better.

use std::fmt;

/// One kind of figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Metric {
    /// Answers in a second, all clients together.
    RequestsPerSecond,
    /// Processor time of all the daemon's processes, in microseconds a request.
    CpuPerRequest,
    /// Half of all requests took no longer, in microseconds.
    Median,
    /// 99 of 100 requests took no longer, in microseconds.
    P99,
    /// 999 of 1,000 requests took no longer, in microseconds.
    P999,
    /// System calls of the workers a request.
    SystemCalls,
    /// Workers that had at least one request.
    WorkersUsed,
    /// The fewest workers that had 99 of 100 requests together.
    WorkersForMost,
    /// From the start of the program to the first answer, in milliseconds.
    FirstAnswer,
    /// From the start of the program until all its workers are there, in milliseconds.
    AllWorkers,
    /// From a signal to reload until the daemon is ready again, in milliseconds.
    ReloadTime,
    /// The first request to a pool that has no worker yet, in milliseconds.
    ColdPool,
    /// Proportional share of memory a worker, in KiB.
    WorkerPss,
    /// Memory that a worker shares with nobody, in KiB.
    WorkerPrivate,
    /// Proportional share of memory of all the daemon's processes, in KiB.
    DaemonPss,
    /// Resident memory of the master, in KiB.
    MasterResident,
    /// Processor time of the daemon while nobody asks, in milliseconds a minute.
    IdleCpu,
    /// How often the master wakes up while nobody asks, a minute.
    MasterWakeups,
    /// How often the zygote wakes up while nobody asks, a minute.
    ZygoteWakeups,
    /// How often a worker wakes up while nobody asks, a minute.
    WorkerWakeups,
    /// The 99.9th percentile through reloads, as a multiple of that without.
    ReloadSlowdown,
    /// The longest that a client waited through reloads, in milliseconds.
    ReloadLongest,
    /// Requests without an answer through reloads.
    ReloadFailures,
}

/// Which way a figure should go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Better {
    Higher,
    Lower,
}

impl Metric {
    /// What it is called in the table.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::RequestsPerSecond => "requests a second",
            Self::CpuPerRequest => "CPU a request, µs",
            Self::Median => "p50, µs",
            Self::P99 => "p99, µs",
            Self::P999 => "p99.9, µs",
            Self::SystemCalls => "system calls a request",
            Self::WorkersUsed => "workers that had requests",
            Self::WorkersForMost => "workers that had 99 % of them",
            Self::FirstAnswer => "start to first answer, ms",
            Self::AllWorkers => "start to all workers, ms",
            Self::ReloadTime => "reload, ms",
            Self::ColdPool => "first request to a pool, ms",
            Self::WorkerPss => "PSS a worker, KiB",
            Self::WorkerPrivate => "private dirty a worker, KiB",
            Self::DaemonPss => "PSS of all processes, KiB",
            Self::MasterResident => "master's resident memory, KiB",
            Self::IdleCpu => "idle CPU, ms a minute",
            Self::MasterWakeups => "wake-ups a minute, master",
            Self::ZygoteWakeups => "wake-ups a minute, zygote",
            Self::WorkerWakeups => "wake-ups a minute, worker",
            Self::ReloadSlowdown => "p99.9 against no reloads",
            Self::ReloadLongest => "longest wait, ms",
            Self::ReloadFailures => "requests without answer",
        }
    }

    /// What it is called in JSON.
    pub(super) fn key(self) -> String {
        let mut key = String::new();
        for letter in format!("{self:?}").chars() {
            if letter.is_ascii_uppercase() && !key.is_empty() {
                key.push('_');
            }
            key.push(letter.to_ascii_lowercase());
        }
        key
    }

    /// Which way is better.
    pub(super) fn better(self) -> Better {
        match self {
            Self::RequestsPerSecond => Better::Higher,
            _ => Better::Lower,
        }
    }
}

/// A figure with as many digits as mean something.
pub(super) struct Figure(pub(super) f64);

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.0.abs();
        let digits = if size >= 100.0 || size == 0.0 {
            0
        } else if size >= 10.0 {
            1
        } else {
            2
        };
        let text = format!("{:.digits$}", self.0);
        let (whole, rest) = match text.split_once('.') {
            Some((whole, rest)) => (whole, format!(".{rest}")),
            None => (&*text, String::new()),
        };
        f.pad(&(grouped(whole) + &rest))
    }
}

/// A whole number with commas between the thousands.
fn grouped(digits: &str) -> String {
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", digits),
    };
    let mut text = sign.to_owned();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_the_digits_that_mean_something() {
        let shown = [41_234.567, 100.4, 38.26, 1.234, 0.0, -1234.5, 999_999.9]
            .map(|value| Figure(value).to_string());
        let expected = ["41,235", "100", "38.3", "1.23", "0", "-1,234", "1,000,000"];
        assert_eq!(shown, expected);
    }

    #[test]
    fn keys_are_words_with_underscores() {
        assert_eq!(Metric::RequestsPerSecond.key(), "requests_per_second");
        assert_eq!(Metric::P999.key(), "p999");
    }
}
