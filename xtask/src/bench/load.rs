//! A closed loop of clients: each asks, waits for the whole answer, checks every byte of it and asks again.
//!
//! It is made to cost little, for it shares the processors with what it measures: requests are encoded once, answers are
//! compared where they are read, and a request is six system calls. Where they are one thread, [`Run::busy`] says how much of
//! its time it worked, so that a run that it held up can be told.

mod answer;
mod client;
mod once;
mod socket;

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use hdrhistogram::Histogram;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollTimeout};
use nix::sys::resource::{UsageWho, getrusage};

use client::{Client, Heard};
pub(super) use once::ask;
pub(super) use socket::Address;

/// What is asked, of whom and for how long.
pub(super) struct Plan<'a> {
    pub(super) address: &'a Address,
    pub(super) question: &'a Question,
    pub(super) clients: usize,
    /// How many threads they are divided among.
    pub(super) threads: usize,
    pub(super) until: Until,
    pub(super) failures: Failures,
}

/// A request, ready to be sent, and the body that answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) protocol: Protocol,
    pub(super) bytes: Vec<u8>,
    pub(super) body: Vec<u8>,
    pub(super) connection: super::case::Connection,
}

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    FastCgi,
    /// HTTP/1.1; the answer must have a Content-Length.
    Http,
}

/// When it is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    Time(Duration),
    Requests(usize),
}

/// What a request without a complete answer is. A complete but wrong answer always ends the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failures {
    /// The end of a run that does not count.
    Fatal,
    /// A figure.
    Counted,
}

/// What a run showed.
pub(super) struct Run {
    pub(super) requests: u64,
    pub(super) failures: u64,
    pub(super) elapsed: Duration,
    /// In nanoseconds.
    pub(super) latencies: Histogram<u64>,
    /// The part of the time that the clients' busiest thread was working, up to 1.
    pub(super) busy: f64,
}

/// How many events are taken at once.
const BATCH: usize = 256;

/// How long all clients together may hear nothing, in milliseconds.
const SILENCE: u16 = 20_000;

/// Lets the clients ask.
///
/// # Errors
/// On a wrong answer, on silence, and, unless they are counted, on a request without a complete answer.
pub(super) fn run(plan: &Plan<'_>) -> anyhow::Result<Run> {
    thread::scope(|scope| {
        let others: Vec<_> = (1..plan.threads)
            .map(|number| scope.spawn(move || run_in_this_thread(&plan.share(number))))
            .collect();
        let mut whole = run_in_this_thread(&plan.share(0))?;
        for other in others {
            match other.join() {
                Ok(part) => whole.add(part?)?,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(whole)
    })
}

fn run_in_this_thread(plan: &Plan<'_>) -> anyhow::Result<Run> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    let mut clients: Vec<Client<'_>> = (0..plan.clients)
        .map(|number| Client::new(plan.address, plan.question, &epoll, number as u64))
        .collect();
    let mut outcome = Outcome::new(plan)?;
    let before = processor_time()?;
    for client in &mut clients {
        outcome.asks(client)?;
    }
    let mut events = [EpollEvent::empty(); BATCH];
    while outcome.waiting > 0 {
        let count = epoll.wait(&mut events, EpollTimeout::from(SILENCE))?;
        if count == 0 {
            bail!("{} clients hear nothing", outcome.waiting);
        }
        for event in &events[..count] {
            let client = &mut clients[usize::try_from(event.data())?];
            outcome.hears(client)?;
        }
    }
    let elapsed = outcome.start.elapsed();
    let busy = (processor_time()? - before).as_secs_f64() / elapsed.as_secs_f64();
    Ok(Run {
        requests: outcome.latencies.len(),
        failures: outcome.failures,
        elapsed,
        latencies: outcome.latencies,
        busy,
    })
}

impl<'a> Plan<'a> {
    /// The part of one of its threads.
    fn share(&self, thread: usize) -> Plan<'a> {
        let part = |whole: usize| whole / self.threads + usize::from(thread < whole % self.threads);
        Plan {
            clients: part(self.clients),
            threads: 1,
            until: match self.until {
                Until::Requests(count) => Until::Requests(part(count)),
                time @ Until::Time(_) => time,
            },
            ..*self
        }
    }
}

/// What is known while it runs.
struct Outcome<'a> {
    plan: &'a Plan<'a>,
    start: Instant,
    latencies: Histogram<u64>,
    failures: u64,
    /// Clients that wait for an answer.
    waiting: usize,
}

impl<'a> Outcome<'a> {
    fn new(plan: &'a Plan<'a>) -> anyhow::Result<Outcome<'a>> {
        Ok(Outcome {
            plan,
            start: Instant::now(),
            // A microsecond's thousandth to a minute, to three digits.
            latencies: Histogram::new_with_bounds(1, 60_000_000_000, 3)
                .ok()
                .context("no histogram")?,
            failures: 0,
            waiting: 0,
        })
    }

    /// Sends a client's next request, if there is to be one.
    fn asks(&mut self, client: &mut Client<'_>) -> anyhow::Result<()> {
        while !self.is_over() {
            match client.ask() {
                Ok(()) => {
                    self.waiting += 1;
                    return Ok(());
                }
                Err(failure) => self.fails(failure)?,
            }
        }
        Ok(())
    }

    /// Takes what has come for a client.
    fn hears(&mut self, client: &mut Client<'_>) -> anyhow::Result<()> {
        match client.hear() {
            Ok(Heard::NotAll) => return Ok(()),
            Ok(Heard::Answer(latency)) => {
                self.latencies
                    .saturating_record(u64::try_from(latency.as_nanos())?);
            }
            Err(failure) => self.fails(failure)?,
        }
        self.waiting -= 1;
        self.asks(client)
    }

    fn fails(&mut self, failure: client::Failure) -> anyhow::Result<()> {
        if failure.is_wrong_answer() || self.plan.failures == Failures::Fatal {
            return Err(anyhow::Error::new(failure).context("a run with this does not count"));
        }
        self.failures += 1;
        Ok(())
    }

    fn is_over(&self) -> bool {
        match self.plan.until {
            Until::Time(time) => self.start.elapsed() >= time,
            Until::Requests(count) => {
                self.latencies.len() + self.failures + self.waiting as u64 >= count as u64
            }
        }
    }
}

impl Run {
    /// Adds what another thread did in the same time.
    fn add(&mut self, other: Run) -> anyhow::Result<()> {
        self.requests += other.requests;
        self.failures += other.failures;
        self.elapsed = self.elapsed.max(other.elapsed);
        self.latencies
            .add(other.latencies)
            .ok()
            .context("histograms differ")?;
        self.busy = self.busy.max(other.busy);
        Ok(())
    }

    pub(super) fn requests_per_second(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64()
    }

    /// The time, in microseconds, in which this part of the requests was answered.
    pub(super) fn quantile(&self, part: f64) -> f64 {
        self.latencies.value_at_quantile(part) as f64 / 1000.0
    }
}

/// What this thread has used of a processor.
fn processor_time() -> anyhow::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_THREAD)?;
    let micros =
        |time: nix::sys::time::TimeVal| u64::try_from(time.tv_sec() * 1_000_000 + time.tv_usec());
    Ok(Duration::from_micros(
        micros(usage.user_time())? + micros(usage.system_time())?,
    ))
}

#[cfg(test)]
mod tests;
