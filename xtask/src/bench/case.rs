//! What a case is: some work for both daemons, and what is expected of the comparison.

use super::metric::Metric;
use super::side::Side;

/// One line of the list.
pub(super) struct Case {
    /// What it is called on the command line.
    pub(super) name: &'static str,
    /// What it is, for people.
    pub(super) about: &'static str,
    pub(super) work: Work,
    /// What fpmd is to reach.
    pub(super) targets: &'static [Target],
}

/// What both daemons do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// Serve.
    Serve(Traffic),
    /// Serve with everything on that the original does not have, beside fpmd with none of it.
    Overhead(Traffic),
    /// Serve so many clients of wrk through nginx.
    Wrk { clients: u32 },
    /// Serve with more workers than clients; which of them had something to do?
    Share { workers: u32, clients: usize },
    /// Start a pool of so many workers.
    Start { workers: u32 },
    /// Start so many `ondemand` pools, and be idle.
    Pools { count: u32 },
    /// Wake a pool up that has no worker.
    ColdPool,
    /// Keep so many workers in memory.
    Memory { workers: u32 },
    /// Be idle.
    Idle,
    /// Serve through reloads.
    Reload,
}

/// Requests, and who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Traffic {
    pub(super) page: Page,
    pub(super) clients: usize,
    pub(super) workers: u32,
    pub(super) way: Way,
    pub(super) connection: Connection,
    pub(super) threads: Threads,
    pub(super) beside: Beside,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// A line of text.
    Hello,
    /// The same, and the pool keeps an access log in the default format.
    LoggedHello,
    /// 200 rows: an array, sorted, as JSON.
    Json,
    /// 1 MB.
    Large,
    /// A form with a file of 8 MB.
    Upload,
    /// WordPress's front page.
    WordPress,
}

/// How a request reaches the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Unix,
    Tcp,
    /// HTTP to nginx, and nginx asks over a unix socket.
    Nginx,
}

/// How long a connection lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Connection {
    OneRequest,
    Kept,
}

/// How many threads the clients are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Threads {
    /// One, which goes first where it and the workers want the same processor: with a fair share of the processors it would be what
    /// is measured.
    One,
    /// As many as there are workers, which go first nowhere. One thread that waits for several workers is woken for each of them on
    /// another processor, and where the clients have as much to do as the workers it is too slow for them.
    AsWorkers,
}

/// What happens beside the requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beside {
    Nothing,
    /// The status page is asked for once a second.
    StatusPage,
}

/// What is to be reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Target {
    pub(super) metric: Metric,
    pub(super) bound: Bound,
}

/// A limit of a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Bound {
    /// At least so many times the original's.
    RatioFrom(f64),
    /// At most so many times the original's.
    RatioTo(f64),
    /// At most so much.
    ValueTo(f64),
}

impl Case {
    /// What fpmd is compared with.
    pub(super) fn rival(&self) -> &'static str {
        match self.work {
            Work::Overhead(_) => "fpmd, bare",
            _ => Side::Theirs.name(),
        }
    }
}

impl Traffic {
    /// Four clients in one thread, two workers, a unix socket, a connection for each request.
    pub(super) const fn of(page: Page) -> Traffic {
        Traffic {
            page,
            clients: 4,
            workers: 2,
            way: Way::Unix,
            connection: Connection::OneRequest,
            threads: Threads::One,
            beside: Beside::Nothing,
        }
    }
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Bound::RatioFrom(ratio) => write!(f, "≥ {ratio} ×"),
            Bound::RatioTo(ratio) => write!(f, "≤ {ratio} ×"),
            Bound::ValueTo(value) => write!(f, "≤ {value}"),
        }
    }
}
