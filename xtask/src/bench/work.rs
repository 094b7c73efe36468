//! What the cases do: one file for each kind of work.

use std::path::PathBuf;
use std::time::Duration;

use super::case::{Case, Work};
use super::metric::{Figure, Metric};
use super::side::{Both, Measured, Program, Side};

mod idle;
mod memory;
mod reload;
mod serve;
mod share;
mod start;
mod wrk;

/// What all cases need.
#[derive(Clone)]
pub(super) struct Bench {
    pub(super) programs: Both<Program>,
    /// opcache's shared object.
    pub(super) opcache: PathBuf,
    /// The php command line.
    pub(super) php: PathBuf,
    pub(super) nginx: PathBuf,
    /// The folder with fastcgi.conf.
    pub(super) examples: PathBuf,
    pub(super) effort: Effort,
}

/// How much time is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Effort {
    /// How many runs each daemon has in a case.
    pub(super) pairs: usize,
    /// How long one run of requests takes.
    pub(super) run: Duration,
    /// How long a daemon is watched doing nothing.
    pub(super) watch: Duration,
}

impl Effort {
    /// Enough for a spread of 95 %.
    pub(super) const FULL: Effort = Effort {
        pairs: 7,
        run: Duration::from_millis(800),
        watch: Duration::from_secs(6),
    };

    /// For a look.
    pub(super) const QUICK: Effort = Effort {
        pairs: 2,
        run: Duration::from_millis(300),
        watch: Duration::from_secs(3),
    };
}

impl Bench {
    /// Does a case's work with both daemons.
    ///
    /// # Errors
    /// When something fails or a run does not count.
    pub(super) fn measure(&self, case: &Case) -> anyhow::Result<Measured> {
        match case.work {
            Work::Serve(traffic) => serve::measure(self, case, &traffic),
            Work::Overhead(traffic) => {
                let programs = Both::try_make(|_| anyhow::Ok(self.programs.ours.clone()))?;
                let bench = Bench {
                    programs,
                    ..self.clone()
                };
                serve::measure(&bench, case, &traffic)
            }
            Work::Wrk { clients } => wrk::measure(self, case, clients),
            Work::Share { workers, clients } => share::measure(self, case, workers, clients),
            Work::Start { workers } => start::measure_workers(self, case, workers),
            Work::Pools { count } => start::measure_pools(self, case, count),
            Work::ColdPool => start::measure_cold_pool(self, case),
            Work::Memory { workers } => memory::measure(self, case, workers),
            Work::Idle => idle::measure(self),
            Work::Reload => reload::measure(self, case),
        }
    }

    /// Lets both take turns, A B A B, as often as there are pairs, and says how far it is.
    ///
    /// # Errors
    /// When a run fails.
    fn alternate<F>(
        &self,
        case: &Case,
        mut run: impl FnMut(Side) -> anyhow::Result<F>,
    ) -> anyhow::Result<Measured>
    where
        F: IntoIterator<Item = (Metric, f64)>,
    {
        let mut measured = Measured::default();
        for pair in 1..=self.effort.pairs {
            for side in Side::BOTH {
                measured.add(side, run(side)?);
            }
            if let Some((metric, figures)) = measured.figures.iter().next() {
                let last = |side| Figure(figures.of(side).last().copied().unwrap_or(f64::NAN));
                eprintln!(
                    "  {}: {pair} of {}: {} {}, {} {} ({})",
                    case.name,
                    self.effort.pairs,
                    Side::Ours,
                    last(Side::Ours),
                    case.rival(),
                    last(Side::Theirs),
                    metric.name()
                );
            }
        }
        Ok(measured)
    }
}
