//! `/metrics`: the numbers in the OpenMetrics text format.
//!
//! A changer must know: names are an interface. What is in the tables here is in README.md of this crate too, and the dashboard
//! and the alert rules in conf/ live on it; a test compares them.
//!
//! Format: <https://prometheus.io/docs/specs/om/open_metrics_spec/>

use std::fmt;

use fpm_control::{PoolStatus, Standing, State, Status};
use fpm_scoreboard::{DaemonFigures, PoolFigures};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use crate::desk::Master;
use crate::readiness::Readiness;

mod measured;

/// What the format is called in HTTP.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Everything there is to say.
#[derive(Clone, Debug)]
pub(crate) struct Numbers {
    pub(crate) status: Status,
    pub(crate) readiness: Readiness,
    pub(crate) master: Master,
    /// What each pool has measured, in the order of the configuration.
    pub(crate) measured: Vec<(String, PoolFigures)>,
    /// What the daemon has measured of itself.
    pub(crate) of_daemon: Option<DaemonFigures>,
}

/// A number of each pool.
struct OfPool {
    name: &'static str,
    help: &'static str,
    measure: Measure,
    kind: Kind,
    value: Value,
}

/// What a number does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It only grows.
    Counter,
    /// It is what it is.
    Gauge,
}

/// What a number is a number of. Its unit is the end of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Measure {
    /// Of whatever the name says.
    Number,
    Seconds,
    Bytes,
}

impl Measure {
    fn unit(self) -> Option<Unit> {
        match self {
            Measure::Number => None,
            Measure::Seconds => Some(Unit::Seconds),
            Measure::Bytes => Some(Unit::Bytes),
        }
    }
}

impl OfPool {
    const fn measured_in(self, measure: Measure) -> OfPool {
        OfPool { measure, ..self }
    }
}

const fn counter(name: &'static str, help: &'static str, value: Value) -> OfPool {
    OfPool {
        name,
        help,
        measure: Measure::Number,
        kind: Kind::Counter,
        value,
    }
}

const fn gauge(name: &'static str, help: &'static str, value: Value) -> OfPool {
    OfPool {
        kind: Kind::Gauge,
        ..counter(name, help, value)
    }
}

const OF_POOLS: &[OfPool] = &[
    gauge(
        "pool_start_time",
        "When the pool was started first, since 1970",
        |pool| pool.started_at,
    )
    .measured_in(Measure::Seconds),
    counter("pool_requests", "Requests accepted", |pool| pool.requests),
    counter(
        "pool_requests_abandoned",
        "Requests not run because nobody waited for the answer any more",
        |pool| pool.abandoned,
    ),
    counter(
        "pool_requests_overdue",
        "Requests refused because they had waited longer than request_queue_timeout",
        |pool| pool.overdue,
    ),
    counter(
        "pool_requests_slow",
        "Requests that took longer than request_slowlog_timeout",
        |pool| pool.slow_requests,
    ),
    counter(
        "pool_requests_timed_out",
        "Requests that took longer than request_terminate_timeout",
        |pool| pool.timed_out,
    ),
    counter(
        "pool_requests_soft_timed_out",
        "Requests whose scripts got a time-out error because of request_soft_timeout",
        |pool| pool.soft_timed_out,
    ),
    counter(
        "pool_workers_outgrown",
        "Workers replaced because they needed more than pm.max_memory",
        |pool| pool.outgrown,
    ),
    counter(
        "pool_rests",
        "How often the pool rested because its workers had crashed too often (pm.crash_budget)",
        |pool| pool.rests,
    ),
    counter(
        "pool_max_children_reached",
        "How often more workers were wanted than pm.max_children",
        |pool| pool.max_children_reached,
    ),
    gauge("pool_max_children", "Workers that there may be", |pool| {
        u64::from(pool.max_children)
    }),
    gauge(
        "pool_workers_leaving",
        "Workers that were told to leave and have not left; they are counted as idle or active too",
        |pool| pool.leaving,
    ),
    gauge(
        "pool_workers_active_highest",
        "Most workers that served a request at once",
        |pool| pool.max_active,
    ),
    gauge(
        "pool_listen_queue_connections",
        "Connections that wait for a worker",
        |pool| pool.listen_queue,
    ),
    gauge(
        "pool_listen_queue_capacity_connections",
        "Connections that can wait to be accepted",
        |pool| pool.listen_queue_len,
    ),
    gauge(
        "pool_listen_queue_highest_connections",
        "Most connections that have waited at once",
        |pool| pool.max_listen_queue,
    ),
    gauge(
        "pool_request_memory_highest",
        "Highest memory peak of a request",
        |pool| pool.memory_peak,
    )
    .measured_in(Measure::Bytes),
    gauge(
        "pool_drained",
        "Whether the pool was drained by command",
        |pool| u64::from(pool.drained),
    ),
    gauge(
        "pool_generation",
        "Generation of the pool's configuration",
        |pool| pool.generation,
    ),
];

/// Finds a number of a pool.
type Value = fn(&PoolStatus) -> u64;

/// What a worker can be doing, as far as it is counted.
const STAGES: [(&str, Value); 3] = [
    ("starting", |pool| pool.starting),
    ("idle", |pool| pool.idle),
    ("active", |pool| pool.active),
];

const STATES: [State; 6] = [
    State::Starting,
    State::Serving,
    State::Reloading,
    State::Resting,
    State::Finishing,
    State::Terminating,
];

const STANDINGS: [Standing; 3] = [Standing::Coming, Standing::Serving, Standing::Retiring];

/// Writes everything down.
pub(crate) fn openmetrics(numbers: Numbers) -> String {
    let mut registry = Registry::with_prefix("fpmd");
    registry.register_collector(Box::new(numbers));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry)
        .expect("a string takes all that is written");
    text
}

impl Collector for Numbers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        self.of_daemon(&mut encoder)?;
        for row in OF_POOLS {
            self.each_pool(&mut encoder, row)?;
        }
        measured::of_pools(&mut encoder, &self.measured)?;
        if let Some(figures) = &self.of_daemon {
            measured::of_daemon(&mut encoder, figures)?;
        }
        let help = "Workers by what they are doing";
        let mut family =
            encoder.encode_descriptor("pool_workers", help, None, MetricType::Gauge)?;
        for pool in &self.status.pools {
            for (stage, value) in STAGES {
                let labels = [("pool", pool.name.as_str()), ("stage", stage)];
                family.encode_family(&labels)?.encode_gauge(&value(pool))?;
            }
        }
        let help = "Whether /readyz says that the pool is ready";
        let mut family = encoder.encode_descriptor("pool_ready", help, None, MetricType::Gauge)?;
        for pool in &self.readiness.pools {
            let labels = [("pool", pool.name.as_str())];
            family
                .encode_family(&labels)?
                .encode_gauge(&u64::from(pool.ready))?;
        }
        Ok(())
    }
}

impl Numbers {
    fn of_daemon(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let status = &self.status;
        let mut info = encoder.encode_descriptor("build", "Which fpmd", None, MetricType::Info)?;
        info.encode_info(&[("version", status.version.as_str())])?;
        one(
            encoder,
            "start_time",
            "When the master was started, since 1970",
            Measure::Seconds,
            status.started_at,
        )?;
        let answers = u64::from(self.master == Master::Answers);
        one(
            encoder,
            "master_answers",
            "Whether the master answers the operator; if not, other numbers may be old",
            Measure::Number,
            answers,
        )?;
        let ready = u64::from(self.readiness.ready);
        one(
            encoder,
            "ready",
            "Whether /readyz says that the daemon is ready",
            Measure::Number,
            ready,
        )?;
        let reloaded = u64::from(status.reload_failure.is_none());
        one(
            encoder,
            "last_reload_successful",
            "Whether the last reload succeeded; 1 before the first",
            Measure::Number,
            reloaded,
        )?;
        labelled(
            encoder,
            "state",
            "1 for what the daemon is doing, 0 for the rest",
            STATES.map(|state| ("state", state.name(), u64::from(state == status.state))),
        )?;
        let with = |standing| {
            status
                .generations
                .iter()
                .filter(move |known| known.standing == standing)
        };
        labelled(
            encoder,
            "generations",
            "Generations of the configuration that have processes",
            STANDINGS.map(|standing| ("standing", standing.name(), with(standing).count() as u64)),
        )?;
        let serving = with(Standing::Serving).map(|known| known.number).max();
        one(
            encoder,
            "generation",
            "The generation that serves; one more with each reload",
            Measure::Number,
            serving.unwrap_or_default(),
        )
    }

    fn each_pool(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        row: &OfPool,
    ) -> Result<(), fmt::Error> {
        let kind = match row.kind {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge => MetricType::Gauge,
        };
        let unit = row.measure.unit();
        let mut family = encoder.encode_descriptor(row.name, row.help, unit.as_ref(), kind)?;
        for pool in &self.status.pools {
            let labels = [("pool", pool.name.as_str())];
            let mut metric = family.encode_family(&labels)?;
            let value = (row.value)(pool);
            match row.kind {
                Kind::Counter => count(&mut metric, value)?,
                Kind::Gauge => metric.encode_gauge(&value)?,
            }
        }
        Ok(())
    }
}

fn count(metric: &mut MetricEncoder<'_>, value: u64) -> Result<(), fmt::Error> {
    metric.encode_counter::<NoLabelSet, u64, u64>(&value, None)
}

/// Writes a gauge without labels.
fn one(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    measure: Measure,
    value: u64,
) -> Result<(), fmt::Error> {
    encoder
        .encode_descriptor(name, help, measure.unit().as_ref(), MetricType::Gauge)?
        .encode_gauge(&value)
}

/// Writes a gauge for each value of a label.
fn labelled<const N: usize>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: [(&str, &str, u64); N],
) -> Result<(), fmt::Error> {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (label, name, value) in values {
        let labels = [(label, name)];
        gauge_with(&mut family, &labels, value)?;
    }
    Ok(())
}

fn gauge_with(
    family: &mut MetricEncoder<'_>,
    labels: &impl EncodeLabelSet,
    value: u64,
) -> Result<(), fmt::Error> {
    family.encode_family(labels)?.encode_gauge(&value)
}

#[cfg(test)]
mod tests;
