//! What the log says of a request that takes too long.
//!
//! Original: fpm_request_check_timed_out in sapi/fpm/fpm/fpm_request.c

use std::fmt;
use std::time::Duration;

use bstr::{BStr, ByteSlice};
use fpm_channel::underway::Underway;
use fpm_scoreboard::SlotSnapshot;

/// A request that takes too long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Overrun<'a> {
    script: &'a BStr,
    method: &'a BStr,
    uri: &'a BStr,
    query: &'a BStr,
    /// How long it has taken so far.
    taken: Duration,
    /// Too long for what.
    limit: Limit,
}

/// A limit that a request can exceed.
#[derive(Clone, Copy, Debug)]
enum Limit {
    /// `request_slowlog_timeout`.
    SlowLog,
    /// `request_soft_timeout`.
    Soft,
    /// `request_terminate_timeout`.
    Terminate,
}

impl<'a> Overrun<'a> {
    /// Describes what a worker says of its slow request.
    pub(crate) fn slow(request: &'a Underway) -> Overrun<'a> {
        Overrun::told(request, Limit::SlowLog)
    }

    /// Describes what a worker says of a request to whose script PHP is about to give a time-out error.
    pub(crate) fn soft(request: &'a Underway) -> Overrun<'a> {
        Overrun::told(request, Limit::Soft)
    }

    fn told(request: &'a Underway, limit: Limit) -> Overrun<'a> {
        Overrun {
            script: request.script.as_bstr(),
            method: request.method.as_bstr(),
            uri: request.uri.as_bstr(),
            query: request.query.as_bstr(),
            taken: request.taken,
            limit,
        }
    }

    /// Describes what a worker shows of a request that has taken longer than it may.
    pub(crate) fn timed_out(seen: &'a SlotSnapshot, taken: Duration) -> Overrun<'a> {
        Overrun {
            script: seen.script.as_bstr(),
            method: seen.method.as_bstr(),
            uri: seen.uri.as_bstr(),
            query: seen.query.as_bstr(),
            taken,
            limit: Limit::Terminate,
        }
    }
}

impl fmt::Display for Overrun<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.query.is_empty() { "" } else { "?" };
        let [verdict, consequence] = match self.limit {
            Limit::SlowLog => ["executing too slow", "logging"],
            Limit::Soft => [
                "executing longer than request_soft_timeout",
                "raising PHP's timeout error",
            ],
            Limit::Terminate => ["execution timed out", "terminating"],
        };
        write!(
            f,
            "script '{}' (request: \"{} {}{mark}{}\") {verdict} ({}.{:06} sec), {consequence}",
            Purified(self.script),
            self.method,
            self.uri,
            self.query,
            self.taken.as_secs(),
            self.taken.subsec_micros()
        )
    }
}

/// A path with dots for the bytes that are not ASCII or do something to a terminal.
struct Purified<'a>(&'a BStr);

impl fmt::Display for Purified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.iter() {
            let shown = match byte {
                0x20..=0x7f => char::from(*byte),
                _ => '.',
            };
            fmt::Write::write_char(f, shown)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use fpm_channel::underway::{End, Trace};

    use super::*;

    #[test]
    fn a_slow_request_in_the_originals_words() {
        let mut request = Underway {
            method: "GET".into(),
            uri: "/slow.php".into(),
            query: "a=b".into(),
            script: "/srv/\u{e4}\nslow.php".into(),
            taken: Duration::from_micros(1_000_042),
            trace: Trace {
                script: None,
                calls: vec![],
                end: End::Cut,
            },
        };
        assert_eq!(
            Overrun::slow(&request).to_string(),
            "script '/srv/...slow.php' (request: \"GET /slow.php?a=b\") executing too slow (1.000042 sec), logging"
        );
        assert_eq!(
            Overrun::soft(&request).to_string(),
            "script '/srv/...slow.php' (request: \"GET /slow.php?a=b\") executing longer than request_soft_timeout (1.000042 sec), \
             raising PHP's timeout error"
        );
        request.query.clear();
        assert!(
            Overrun::slow(&request)
                .to_string()
                .contains("\"GET /slow.php\"")
        );
    }
}
