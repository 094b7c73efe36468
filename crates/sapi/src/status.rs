//! What `fpm_get_status()` tells a script of its pool.
//!
//! The host fills these structures from wherever it keeps its numbers; the shim turns them into
//! PHP's array. Which fields a PHP version shows is the shim's to say.
//!
//! Original: fpm_status_export_to_zval in sapi/fpm/fpm/fpm_status.c.

use crate::text::CSlice;

/// A pool and its processes at one moment. Times are whole seconds since 1970.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PoolStatus {
    /// Name of the pool.
    pub pool: Vec<u8>,
    /// `static`, `dynamic` or `ondemand`.
    pub manager: &'static str,
    /// When the pool was started.
    pub started: u64,
    /// Seconds since then.
    pub since: u64,
    /// Requests accepted.
    pub accepted: u64,
    /// Connections that wait.
    pub listen_queue: u64,
    /// Most connections that waited at once.
    pub max_listen_queue: u64,
    /// How many connections can wait.
    pub listen_queue_len: u64,
    /// Processes that wait.
    pub idle: u64,
    /// Processes that serve a request.
    pub active: u64,
    /// Most processes that served at once.
    pub max_active: u64,
    /// How often `pm.max_children` was reached.
    pub max_children_reached: u64,
    /// Requests that took longer than `request_slowlog_timeout`.
    pub slow_requests: u64,
    /// Highest memory peak of a request, in bytes.
    pub memory_peak: u64,
    /// The processes, in the order of their slots.
    pub processes: Vec<ProcessStatus>,
}

/// One process of a pool. Texts that are not known are empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProcessStatus {
    /// Its id.
    pub pid: i32,
    /// What it does, as `Idle`.
    pub state: &'static str,
    /// When it was started.
    pub started: u64,
    /// Seconds since then.
    pub since: u64,
    /// Requests it has accepted.
    pub requests: u64,
    /// How long its request has been running, or its last one took, in microseconds.
    pub duration: u64,
    /// The method of its present or last request.
    pub method: Vec<u8>,
    /// The URI, without query.
    pub uri: Vec<u8>,
    /// The query string.
    pub query: Vec<u8>,
    /// The length of the body in bytes, as the client says; may be negative.
    pub content_length: i64,
    /// The user of Basic authentication.
    pub user: Vec<u8>,
    /// The path of the script.
    pub script: Vec<u8>,
    /// CPU time of its last request in percent of its duration; 0 while one runs.
    pub cpu: f64,
    /// Memory peak of its last request in bytes; 0 while one runs.
    pub memory: u64,
}

/// A status in the layout of C, together with what it points to.
#[derive(Default)]
pub(crate) struct ShownStatus {
    status: PoolStatus,
    processes: Vec<php_sys::fpmd_process_status>,
}

impl ShownStatus {
    /// Keeps `status` where the shim can read it.
    pub(crate) fn new(status: PoolStatus) -> Self {
        let processes = status.processes.iter().map(process).collect();
        Self { status, processes }
    }

    /// Returns the structure for the shim; it is valid as long as `self` is left alone.
    pub(crate) fn raw(&self) -> php_sys::fpmd_pool_status {
        let status = &self.status;
        php_sys::fpmd_pool_status {
            pool: text(&status.pool),
            manager: text(status.manager.as_bytes()),
            started: status.started,
            since: status.since,
            accepted: status.accepted,
            listen_queue: status.listen_queue,
            max_listen_queue: status.max_listen_queue,
            listen_queue_len: status.listen_queue_len,
            idle: status.idle,
            active: status.active,
            max_active: status.max_active,
            max_children_reached: status.max_children_reached,
            slow_requests: status.slow_requests,
            memory_peak: status.memory_peak,
            processes: self.processes.as_ptr(),
            process_count: self.processes.len(),
        }
    }
}

fn process(process: &ProcessStatus) -> php_sys::fpmd_process_status {
    php_sys::fpmd_process_status {
        pid: process.pid.into(),
        state: text(process.state.as_bytes()),
        started: process.started,
        since: process.since,
        requests: process.requests,
        duration: process.duration,
        method: text(&process.method),
        uri: text(&process.uri),
        query: text(&process.query),
        content_length: process.content_length,
        user: text(&process.user),
        script: text(&process.script),
        cpu: process.cpu,
        memory: process.memory,
    }
}

fn text(bytes: &[u8]) -> php_sys::fpmd_text {
    CSlice::new(bytes).raw()
}
