//! The list of cases.

use anyhow::bail;

use super::case::{Beside, Bound, Case, Connection, Page, Target, Threads, Traffic, Way, Work};
use super::metric::Metric;

const fn target(metric: Metric, bound: Bound) -> Target {
    Target { metric, bound }
}

/// Every case, in the order in which they run.
pub(super) const CASES: &[Case] = &[
    Case {
        name: "hello",
        about: "a line of text, one request a connection",
        work: Work::Serve(Traffic::of(Page::Hello)),
        targets: &[
            target(Metric::RequestsPerSecond, Bound::RatioFrom(1.6)),
            target(Metric::CpuPerRequest, Bound::RatioTo(0.6)),
            target(Metric::SystemCalls, Bound::ValueTo(12.0)),
        ],
    },
    Case {
        name: "threads",
        about: "the same, from two threads",
        work: Work::Serve(Traffic {
            threads: Threads::AsWorkers,
            ..Traffic::of(Page::Hello)
        }),
        targets: &[],
    },
    Case {
        name: "kept",
        about: "a line of text, connections kept, from two threads",
        work: Work::Serve(KEPT),
        targets: &[
            target(Metric::RequestsPerSecond, Bound::RatioFrom(1.3)),
            target(Metric::CpuPerRequest, Bound::RatioTo(0.7)),
        ],
    },
    Case {
        name: "tcp",
        about: "a line of text over TCP, one request a connection, from two threads",
        work: Work::Serve(Traffic {
            way: Way::Tcp,
            threads: Threads::AsWorkers,
            ..Traffic::of(Page::Hello)
        }),
        targets: &[],
    },
    Case {
        name: "logged",
        about: "a line of text, with an access log in the default format",
        work: Work::Serve(Traffic::of(Page::LoggedHello)),
        targets: &[target(Metric::RequestsPerSecond, Bound::RatioFrom(1.6))],
    },
    Case {
        name: "polled",
        about: "a line of text, the status page asked for once a second",
        work: Work::Serve(Traffic {
            beside: Beside::StatusPage,
            ..Traffic::of(Page::Hello)
        }),
        targets: &[],
    },
    Case {
        name: "json",
        about: "200 rows, sorted, as JSON (18 kB)",
        work: Work::Serve(Traffic::of(Page::Json)),
        targets: &[target(Metric::RequestsPerSecond, Bound::RatioFrom(1.05))],
    },
    Case {
        name: "large",
        about: "an answer of 1 MB, from two threads",
        work: Work::Serve(Traffic {
            threads: Threads::AsWorkers,
            ..Traffic::of(Page::Large)
        }),
        targets: &[target(Metric::RequestsPerSecond, Bound::RatioFrom(1.3))],
    },
    Case {
        name: "upload",
        about: "a form with a file of 8 MB",
        work: Work::Serve(Traffic {
            clients: 2,
            ..Traffic::of(Page::Upload)
        }),
        targets: &[target(Metric::RequestsPerSecond, Bound::RatioFrom(1.3))],
    },
    Case {
        name: "crowd",
        about: "a line of text, 64 clients on 8 workers",
        work: Work::Serve(Traffic {
            clients: 64,
            workers: 8,
            ..Traffic::of(Page::Hello)
        }),
        targets: &[],
    },
    Case {
        name: "queue",
        about: "a line of text, 200 clients waiting for 2 workers",
        work: Work::Serve(Traffic {
            clients: 200,
            ..Traffic::of(Page::Hello)
        }),
        targets: &[],
    },
    Case {
        name: "nginx",
        about: "a line of text through nginx",
        work: Work::Serve(Traffic {
            way: Way::Nginx,
            ..Traffic::of(Page::Hello)
        }),
        targets: &[],
    },
    Case {
        name: "wrk",
        about: "a line of text through nginx, 32 clients of wrk",
        work: Work::Wrk { clients: 32 },
        targets: &[],
    },
    Case {
        name: "wordpress",
        about: "WordPress's front page",
        work: Work::Serve(Traffic::of(Page::WordPress)),
        targets: &[],
    },
    Case {
        name: "overhead",
        about: "a line of text, all of fpmd's own features on, beside fpmd with none",
        work: Work::Overhead(Traffic::of(Page::Hello)),
        targets: OVERHEAD,
    },
    Case {
        name: "overhead-kept",
        about: "the same, connections kept, from two threads",
        work: Work::Overhead(KEPT),
        targets: OVERHEAD,
    },
    Case {
        name: "share",
        about: "20 workers and 4 clients: how many workers are needed?",
        work: Work::Share {
            workers: 20,
            clients: 4,
        },
        targets: &[
            target(Metric::WorkersUsed, Bound::RatioTo(0.5)),
            target(Metric::WorkersForMost, Bound::RatioTo(0.5)),
        ],
    },
    Case {
        name: "cold",
        about: "the first request to an ondemand pool",
        work: Work::ColdPool,
        targets: &[target(Metric::ColdPool, Bound::RatioTo(1.0))],
    },
    Case {
        name: "memory",
        about: "50 static workers after traffic",
        work: Work::Memory { workers: 50 },
        targets: &[
            target(Metric::WorkerPss, Bound::RatioTo(1.0)),
            target(Metric::WorkerPrivate, Bound::RatioTo(1.0)),
        ],
    },
    Case {
        name: "start",
        about: "start with two workers",
        work: Work::Start { workers: 2 },
        targets: &[target(Metric::FirstAnswer, Bound::RatioTo(1.0))],
    },
    Case {
        name: "spawn",
        about: "start with 100 workers",
        work: Work::Start { workers: 100 },
        targets: &[],
    },
    Case {
        name: "pools-1000",
        about: "1,000 ondemand pools",
        work: Work::Pools { count: 1000 },
        targets: POOLS,
    },
    Case {
        name: "pools-2000",
        about: "2,000 ondemand pools",
        work: Work::Pools { count: 2000 },
        targets: POOLS,
    },
    Case {
        name: "idle",
        about: "a static pool that nobody asks",
        work: Work::Idle,
        targets: &[target(Metric::WorkerWakeups, Bound::ValueTo(0.0))],
    },
    Case {
        name: "reload",
        about: "10 reloads under load",
        work: Work::Reload,
        targets: &[
            target(Metric::ReloadSlowdown, Bound::ValueTo(2.0)),
            target(Metric::ReloadFailures, Bound::ValueTo(0.0)),
        ],
    },
];

/// A client for each worker, on a connection that stays.
const KEPT: Traffic = Traffic {
    clients: 2,
    connection: Connection::Kept,
    threads: Threads::AsWorkers,
    ..Traffic::of(Page::Hello)
};

const OVERHEAD: &[Target] = &[
    target(Metric::RequestsPerSecond, Bound::RatioFrom(0.98)),
    target(Metric::CpuPerRequest, Bound::RatioTo(1.02)),
];

const POOLS: &[Target] = &[
    target(Metric::FirstAnswer, Bound::RatioTo(1.0)),
    target(Metric::ReloadTime, Bound::RatioTo(1.0)),
    target(Metric::MasterResident, Bound::RatioTo(1.0)),
    // A thousandth of a processor is none.
    target(Metric::IdleCpu, Bound::ValueTo(60.0)),
];

/// The cases of these names, all when there are none.
///
/// # Errors
/// When a name is not in the list.
pub(super) fn select(names: &[String]) -> anyhow::Result<Vec<&'static Case>> {
    if names.is_empty() {
        return Ok(CASES.iter().collect());
    }
    names
        .iter()
        .map(|name| match CASES.iter().find(|case| case.name == name) {
            Some(case) => Ok(case),
            None => bail!("there is no case '{name}'\n\n{}", listing()),
        })
        .collect()
}

/// The list for `--help`.
pub(super) fn listing() -> String {
    CASES
        .iter()
        .map(|case| format!("  {:13} {}\n", case.name, case.about))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        for (index, case) in CASES.iter().enumerate() {
            assert!(
                CASES[..index].iter().all(|other| other.name != case.name),
                "{}",
                case.name
            );
            assert_eq!(select(&[case.name.to_owned()]).unwrap()[0].name, case.name);
        }
        assert_eq!(select(&[]).unwrap().len(), CASES.len());
        let error = select(&["helo".to_owned()]).err().unwrap().to_string();
        assert!(
            error.contains("'helo'") && error.contains("hello  "),
            "{error}"
        );
    }
}
