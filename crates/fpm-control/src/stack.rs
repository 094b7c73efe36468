//! What workers are doing, down to the calls of their scripts.

use serde::{Deserialize, Serialize};

/// A worker and what it is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerStack {
    /// Its pool.
    pub pool: String,
    /// Its process id.
    pub pid: i32,
    /// What it is doing.
    pub doing: Doing,
}

/// What a worker is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Doing {
    /// It waits for a client.
    Nothing,
    /// It does not say, because it is stopped or has just ended.
    Unknown,
    /// It serves a request.
    Request(Box<RequestStack>),
}

/// A request and the calls that its script is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestStack {
    /// The method.
    pub method: String,
    /// The URI, with its query.
    pub uri: String,
    /// The path of the script.
    pub script: String,
    /// For how long it has been under way, in microseconds.
    pub taken_us: u64,
    /// The calls, innermost first, at most `request_slowlog_trace_depth`.
    pub calls: Vec<StackCall>,
}

/// A call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackCall {
    /// The function's name.
    pub function: String,
    /// The file it was called from; empty when that is none.
    pub file: String,
    /// The line there.
    pub line: u32,
}
