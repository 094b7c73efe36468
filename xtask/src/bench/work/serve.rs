//! Requests: how many, how quick, at what cost.

use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::Bench;
use crate::bench::case::{Beside, Case, Page, Threads, Traffic, Way, Work};
use crate::bench::fpm::Fpm;
use crate::bench::load::{self, Address, Failures, Plan, Question, Until, ask};
use crate::bench::metric::Metric;
use crate::bench::nginx::Nginx;
use crate::bench::pages;
use crate::bench::side::{Both, Measured, Side};
use crate::bench::site::{Listen, Pools, Site};
use crate::bench::strace;
use crate::bench::wordpress;

/// How many requests are made before anything is measured, and how many strace watches.
struct Portions {
    warm_up: usize,
    traced: usize,
}

/// From here on the clients' one thread is held to have been in the way.
const BUSY: f64 = 0.95;

/// One daemon with what is in front of it.
pub(super) struct Served {
    pub(super) fpm: Fpm,
    pub(super) nginx: Option<Nginx>,
    question: Question,
}

/// Measures both while they serve.
///
/// # Errors
/// When an answer is wrong or missing.
pub(super) fn measure(bench: &Bench, case: &Case, traffic: &Traffic) -> anyhow::Result<Measured> {
    let site = Site::create(&bench.opcache)?;
    let application = match traffic.page {
        Page::WordPress => Some(wordpress::Installed::install(&bench.php)?),
        _ => None,
    };
    let folder = match &application {
        Some(wordpress) => wordpress.root(),
        None => site.root().join("www"),
    };
    let mut both = Both::try_make(|side| {
        let pools = match (case.work, side) {
            (Work::Overhead(_), Side::Ours) => Pools::fixed(traffic.workers).with_features(),
            _ => Pools::fixed(traffic.workers),
        };
        start(bench, &site, side, traffic, pools, &folder)
    })?;
    let portions = Portions::of(traffic.page);
    ensure!(
        both.ours.question.body == both.theirs.question.body,
        "the two daemons answer differently"
    );
    for side in Side::BOTH {
        run(&both
            .of(side)
            .plan(traffic, Until::Requests(portions.warm_up)))?;
    }

    let mut busiest: f64 = 0.0;
    let mut measured = bench.alternate(case, |side| {
        let (figures, busy) = one_run(both.of(side), traffic, bench.effort.run, &site)?;
        busiest = busiest.max(busy);
        Ok(figures)
    })?;
    if traffic.threads == Threads::One && busiest > BUSY {
        measured.remarks.push(format!(
            "the clients were busy for up to {:.0} % of the time: they may have been the limit",
            busiest * 100.0
        ));
    }
    for side in Side::BOTH {
        let served = both.of_mut(side);
        let calls = system_calls(served, traffic, portions.traced)?;
        measured.add(side, [(Metric::SystemCalls, calls)]);
    }
    both.ours.stop()?;
    both.theirs.stop()?;
    Ok(measured)
}

/// Starts a daemon and what is in front of it, and makes sure that it answers what it should; scripts are in `folder`.
///
/// # Errors
/// When it does not start or answers something else.
pub(super) fn start(
    bench: &Bench,
    site: &Site,
    side: Side,
    traffic: &Traffic,
    mut pools: Pools,
    folder: &Path,
) -> anyhow::Result<Served> {
    if traffic.threads == Threads::AsWorkers {
        pools = pools.beside_the_load();
    }
    if traffic.way == Way::Tcp {
        pools.listen = Listen::Tcp;
    }
    if traffic.page == Page::LoggedHello {
        let root = site.root().display();
        pools.lines += &format!("access.log = {root}/log/{{name}}.access.log\n");
    }
    let mut fpm = Fpm::start(&bench.programs, side, site, &pools)?;
    let mut question = traffic.page.question(folder, traffic.connection);
    let (body, _) = fpm.first_answer(0, &question.bytes)?;
    traffic.page.check(&body).with_context(|| side.name())?;
    question.body = body;
    pages::check_opcache(fpm.address(), &site.root().join("www")).with_context(|| side.name())?;
    fpm.all_workers(usize::try_from(traffic.workers)?)?;
    let nginx = match traffic.way {
        Way::Nginx => {
            question = pages::http_question();
            Some(Nginx::start(bench, site, side, fpm.address())?)
        }
        Way::Unix | Way::Tcp => None,
    };
    Ok(Served {
        fpm,
        nginx,
        question,
    })
}

/// Makes one run; returns its figures and how busy the clients were.
fn one_run(
    served: &Served,
    traffic: &Traffic,
    time: Duration,
    site: &Site,
) -> anyhow::Result<(Vec<(Metric, f64)>, f64)> {
    let tree = served.fpm.tree()?;
    let before = tree.processor_time()?;
    let plan = served.plan(traffic, Until::Time(time));
    let run = match traffic.beside {
        Beside::Nothing => run(&plan)?,
        Beside::StatusPage => polling(served.fpm.address(), site.root(), || run(&plan))?,
    };
    let used = tree.processor_time()? - before;
    let figures = vec![
        (Metric::RequestsPerSecond, run.requests_per_second()),
        (
            Metric::CpuPerRequest,
            used.as_secs_f64() * 1e6 / run.requests as f64,
        ),
        (Metric::Median, run.quantile(0.5)),
        (Metric::P99, run.quantile(0.99)),
        (Metric::P999, run.quantile(0.999)),
    ];
    Ok((figures, run.busy))
}

fn system_calls(served: &Served, traffic: &Traffic, traced: usize) -> anyhow::Result<f64> {
    let workers = served.fpm.tree()?.workers;
    let plan = served.plan(traffic, Until::Requests(traced));
    let mut requests = 0;
    let calls = strace::count(&workers, || {
        requests = run(&plan)?.requests;
        Ok(())
    })?;
    Ok(calls as f64 / requests as f64)
}

fn run(plan: &Plan<'_>) -> anyhow::Result<load::Run> {
    load::run(plan).with_context(|| format!("clients of {}", plan.address))
}

/// Asks for the status page now and once a second while `work` runs.
fn polling<T>(
    address: &Address,
    root: &Path,
    work: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let request = pages::status_request(root);
    let (stop, stopped) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let poller = scope.spawn(move || -> anyhow::Result<()> {
            loop {
                ask(address, &request)?;
                if stopped.recv_timeout(Duration::from_secs(1)) != Err(RecvTimeoutError::Timeout) {
                    return Ok(());
                }
            }
        });
        let result = work();
        drop(stop);
        match poller.join() {
            Ok(polled) => polled.context("the status page is not answered")?,
            Err(panic) => std::panic::resume_unwind(panic),
        }
        result
    })
}

impl Portions {
    fn of(page: Page) -> Portions {
        let (warm_up, traced) = match page {
            // These take milliseconds, and many times that when they are traced.
            Page::Upload | Page::WordPress => (40, 20),
            // Many, for workers wait at the beginning and at the end, which takes a few calls more.
            Page::Hello | Page::LoggedHello | Page::Json | Page::Large => (300, 2000),
        };
        Portions { warm_up, traced }
    }
}

impl Served {
    fn plan<'a>(&'a self, traffic: &Traffic, until: Until) -> Plan<'a> {
        Plan {
            address: match &self.nginx {
                Some(nginx) => nginx.address(),
                None => self.fpm.address(),
            },
            question: &self.question,
            clients: traffic.clients,
            threads: match traffic.threads {
                Threads::One => 1,
                Threads::AsWorkers => traffic.workers as usize,
            },
            until,
            failures: Failures::Fatal,
        }
    }

    /// Ends both.
    ///
    /// # Errors
    /// When one does not end.
    pub(super) fn stop(self) -> anyhow::Result<()> {
        if let Some(nginx) = self.nginx {
            nginx.stop()?;
        }
        self.fpm.stop()
    }
}
