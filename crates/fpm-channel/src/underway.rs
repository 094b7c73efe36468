//! What a worker tells of the request that it is serving, and of the calls that its script is in.

use std::time::Duration;

use bstr::BString;
use serde::{Deserialize, Serialize};

/// As many bytes of names and paths fit into one message, whatever their number: the rest is for numbers and lengths.
const ROOM: usize = 60_000;

/// What a call takes in a message beside its texts, at most.
const CALL: usize = 32;

/// A request that is being served, and what it was doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Underway {
    /// Its method.
    pub method: BString,
    /// Its URI without query.
    pub uri: BString,
    /// Its query string.
    pub query: BString,
    /// The path of its script, as the scoreboard shows it.
    pub script: BString,
    /// For how long it has been under way.
    pub taken: Duration,
    /// The calls that its script was in.
    pub trace: Trace,
}

/// The calls that a script is in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// The path of the script, as PHP knows it; `None` when PHP has none.
    pub script: Option<BString>,
    /// The calls, innermost first.
    pub calls: Vec<Call>,
    /// How the trace ends.
    pub end: End,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The address of its frame.
    pub address: u64,
    /// The function's name.
    pub function: BString,
    /// The file it was called from; empty when there is none.
    pub file: BString,
    /// The line there.
    pub line: u32,
}

/// How a trace ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// At the script itself, or at `request_slowlog_trace_depth`.
    Whole,
    /// Where it could not be followed any further, or got too long to be told.
    Cut,
}

impl Trace {
    /// Drops outer calls that would not fit into a message.
    #[must_use]
    pub fn that_fits(mut self) -> Trace {
        let mut left = ROOM;
        let fitting = self.calls.iter().take_while(|call| {
            let len = call.function.len() + call.file.len() + CALL;
            let fits = len <= left;
            left = left.saturating_sub(len);
            fits
        });
        let fitting = fitting.count();
        if fitting < self.calls.len() {
            self.calls.truncate(fitting);
            self.end = End::Cut;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{MAX_PACKET, encode};
    use crate::worker::FromWorker;

    fn request(calls: usize, name: usize) -> Underway {
        let call = Call {
            address: u64::MAX,
            function: "f".repeat(name).into(),
            file: "/".repeat(name).into(),
            line: u32::MAX,
        };
        let trace = Trace {
            script: Some("s".repeat(1023).into()),
            calls: vec![call; calls],
            end: End::Whole,
        };
        Underway {
            method: "m".repeat(15).into(),
            uri: "u".repeat(127).into(),
            query: "q".repeat(511).into(),
            script: "s".repeat(255).into(),
            taken: Duration::MAX,
            trace: trace.that_fits(),
        }
    }

    #[test]
    fn the_longest_names_at_the_usual_depth_fit() {
        let request = request(20, 1023);
        assert_eq!(
            (request.trace.calls.len(), request.trace.end),
            (20, End::Whole)
        );
        assert!(encode(&FromWorker::Slow(request)).is_ok());
    }

    #[test]
    fn what_does_not_fit_is_dropped_from_the_outside() {
        for (calls, name) in [(10_000, 0), (10_000, 40), (40, 1023)] {
            let request = request(calls, name);
            assert_eq!(request.trace.end, End::Cut);
            let packet = encode(&FromWorker::Slow(request)).unwrap();
            assert!(packet.len() <= MAX_PACKET, "{calls} {name}");
        }
    }
}
