//! The status and ping pages, and what `fpm_get_status()` tells a script.
//!
//! A page is made in two pure steps: `gather` turns what the scoreboard holds into a `PoolStatus`, `pages` turns that into
//! text. A changer must know: names, order and layout of the fields are read by monitoring programs; they are php-fpm's. What
//! differs are the numbers of php-fpm that are wrong, and that every text is escaped where php-fpm escapes the URI alone.
//!
//! Original: sapi/fpm/fpm/fpm_status.c

mod escape;
mod fields;
mod openmetrics;
mod pages;
mod query;

use std::ffi::CStr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use bstr::BString;
use fpm_conf::{PhpVersion, Pm, Pool};
use fpm_os::clock::{self, LocalTime};
use fpm_os::listener::queue;
use fpm_os::relay;
use fpm_scoreboard::{ListenQueue, PoolBoard, SlotSnapshot, Stage, Totals};
use sapi::{PoolStatus, ProcessStatus, RequestInfo};

use self::query::Wanted;

const EXPIRES: &[u8] = b"Expires: Thu, 01 Jan 1970 00:00:00 GMT";
const CACHE_CONTROL: &[u8] = b"Cache-Control: no-cache, no-store, must-revalidate, max-age=0";

/// A pool whose status is told.
#[derive(Debug, Clone)]
pub struct Reported {
    /// Its name.
    pub name: BString,
    /// Its `pm`.
    pub manager: Pm,
    /// Its part of the scoreboard.
    pub board: PoolBoard,
    /// Its listening socket, whose queue is told.
    pub listener: Arc<OwnedFd>,
    /// Where clients wait who have spoken again after their worker had left; they are told as part of that queue.
    pub relay: Arc<OwnedFd>,
}

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// The pool.
    Pool,
    /// The pool and each of its processes.
    Processes,
}

/// A page that a worker answers by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    /// `ping.path`.
    Ping,
    /// `pm.status_path`.
    Status,
}

/// What is sent for a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) headers: Vec<&'static [u8]>,
    pub(crate) body: Vec<u8>,
}

/// When it is now.
#[derive(Debug, Clone, Copy)]
struct Now {
    monotonic: Duration,
    since_1970: Duration,
}

/// Tells which page, if any, the final SCRIPT_NAME of a request means.
pub(crate) fn page(pool: &Pool, uri: Option<&[u8]>) -> Option<Page> {
    let uri = uri.filter(|uri| !uri.is_empty())?;
    let is = |path: &Option<BString>| path.as_ref().is_some_and(|path| path == uri);
    if is(&pool.ping_path) {
        return Some(Page::Ping);
    }
    is(&pool.pm_status_path).then_some(Page::Status)
}

/// Makes the answer for a page.
#[inline(never)]
pub(crate) fn answer_page<'a>(
    page: Page,
    pool: &Pool,
    reported: &Reported,
    request: &RequestInfo<'a>,
) -> Answer {
    let text = |text: Option<&'a CStr>| text.map(CStr::to_bytes).unwrap_or_default();
    match page {
        Page::Ping => pong(
            pool.ping_response
                .as_ref()
                .map_or(b"", |text| text.as_slice()),
        ),
        Page::Status => status(
            reported,
            text(request.method),
            text(request.query_string),
            PhpVersion::from_id(sapi::built_version_id()),
        ),
    }
}

/// Answers a ping with `response`.
fn pong(response: &[u8]) -> Answer {
    Answer {
        headers: vec![b"Content-Type: text/plain", EXPIRES, CACHE_CONTROL],
        body: response.to_vec(),
    }
}

/// Answers a request for the status page. HEAD is answered before the format is looked at, so it gets PHP's default type.
fn status(reported: &Reported, method: &[u8], query: &[u8], php: PhpVersion) -> Answer {
    let mut headers = vec![EXPIRES, CACHE_CONTROL];
    if method == b"HEAD" {
        return Answer {
            headers,
            body: Vec::new(),
        };
    }
    let wanted = Wanted::of(query, php);
    headers.push(wanted.format.content_type());
    Answer {
        headers,
        body: pages::render(&reported.status(wanted.detail), wanted, php, local),
    }
}

impl Reported {
    /// Notes in the scoreboard how many connections wait now.
    ///
    /// Nobody needs to do so regularly: a page measures for itself, and a queue that grows between two pages is seen by the
    /// workers that take from it.
    pub(crate) fn measure_queue(&self) {
        // Where the kernel tells nothing (no AF_NETLINK for us, another network namespace) the socket's numbers are 0, as php-fpm's.
        let queue = queue::of(&self.listener).unwrap_or_default();
        let relayed = relay::waiting(&self.relay).unwrap_or_default();
        self.board.record_listen_queue(ListenQueue {
            waiting: u64::from(queue.waiting) + u64::from(relayed),
            capacity: queue.capacity.into(),
        });
    }

    /// Reads the scoreboard, and how many connections wait.
    pub(crate) fn status(&self, detail: Detail) -> PoolStatus {
        self.measure_queue();
        let snapshots = match detail {
            Detail::Pool => Vec::new(),
            Detail::Processes => self.board.snapshots(),
        };
        let now = Now {
            monotonic: clock::monotonic(),
            since_1970: clock::realtime(),
        };
        gather(self, &self.board.totals(), snapshots, now)
    }
}

fn local(seconds: u64) -> LocalTime {
    clock::local_time(Duration::from_secs(seconds))
}

/// Puts together what is told of a pool.
fn gather(
    reported: &Reported,
    totals: &Totals,
    snapshots: Vec<SlotSnapshot>,
    now: Now,
) -> PoolStatus {
    let counters = &totals.counters;
    PoolStatus {
        pool: reported.name.to_vec(),
        manager: reported.manager.name(),
        started: counters.started.as_secs(),
        since: now.since(counters.started),
        accepted: counters.accepted,
        listen_queue: totals.listen_queue.waiting,
        max_listen_queue: counters.max_listen_queue,
        listen_queue_len: totals.listen_queue.capacity,
        idle: totals.idle,
        active: totals.active,
        max_active: counters.max_active,
        max_children_reached: counters.max_children_reached,
        slow_requests: counters.slow_requests,
        memory_peak: counters.memory_peak,
        processes: snapshots
            .into_iter()
            .map(|snapshot| process(snapshot, now))
            .collect(),
    }
}

/// Says what is told of a process. What its last request has cost is only told while it is idle.
fn process(snapshot: SlotSnapshot, now: Now) -> ProcessStatus {
    let state = &snapshot.state;
    let (duration, cpu, memory) = match state.stage {
        Stage::Creating => (Duration::ZERO, 0.0, 0),
        Stage::Accepting | Stage::Resting => (
            state.duration,
            percent(state.cpu, state.worked),
            state.memory,
        ),
        Stage::ReadingHeaders | Stage::Info | Stage::Running | Stage::Finished => {
            (now.monotonic.saturating_sub(state.accepted), 0.0, 0)
        }
    };
    ProcessStatus {
        pid: state.pid.as_raw(),
        state: state.stage.name(),
        started: state.started.as_secs(),
        since: now.since(state.started),
        requests: state.requests,
        duration: u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
        method: snapshot.method,
        uri: snapshot.uri,
        query: snapshot.query,
        content_length: state.content_length,
        user: snapshot.user,
        script: snapshot.script,
        cpu,
        memory,
    }
}

/// Returns how much of `duration` is `cpu`, in percent; 0 when there was no time at all.
pub(crate) fn percent(cpu: Duration, duration: Duration) -> f64 {
    if duration.is_zero() {
        return 0.0;
    }
    cpu.as_secs_f64() / duration.as_secs_f64() * 100.0
}

impl Now {
    /// Returns the whole seconds since a time since 1970. The clock on the wall may have been set back.
    fn since(self, then: Duration) -> u64 {
        self.since_1970.as_secs().saturating_sub(then.as_secs())
    }
}

#[cfg(test)]
mod tests;
