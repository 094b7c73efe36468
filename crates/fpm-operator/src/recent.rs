//! How long requests took lately: what has been measured between two looks.

use std::collections::HashMap;

use fpm_control::Status;
use fpm_scoreboard::Histogram;
use serde::Serialize;

use crate::areas::Areas;

/// How long some requests took, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Recent {
    /// How many there were.
    pub(crate) count: u64,
    /// Half of them took no longer.
    pub(crate) p50: u64,
    /// 95 per cent.
    pub(crate) p95: u64,
    /// 99 per cent.
    pub(crate) p99: u64,
}

/// What was seen at the last look.
#[derive(Debug, Default)]
pub(crate) struct Watched(HashMap<String, Histogram>);

impl Watched {
    /// Tells of all pools together, and of each that has served somebody, how long requests took since the last look.
    pub(crate) fn look<'a>(
        &mut self,
        status: &'a Status,
        areas: &Areas,
    ) -> (Option<Recent>, HashMap<&'a str, Recent>) {
        let mut seen = HashMap::new();
        let mut of_pools = HashMap::new();
        let mut all: Option<Histogram> = None;
        for pool in &status.pools {
            let Some(figures) = areas.figures(&pool.name) else {
                continue;
            };
            if let Some(before) = self.0.get(&pool.name) {
                let new = figures.latency.since(before);
                of_pools.extend(Recent::of(&new).map(|recent| (pool.name.as_str(), recent)));
                match &mut all {
                    Some(all) => all.add(&new),
                    None => all = Some(new),
                }
            }
            seen.insert(pool.name.clone(), figures.latency);
        }
        self.0 = seen;
        (all.as_ref().and_then(Recent::of), of_pools)
    }
}

impl Recent {
    /// Sums up; `None` when there was no request.
    fn of(latency: &Histogram) -> Option<Recent> {
        Some(Recent {
            count: latency.count(),
            p50: latency.percentile(50)?,
            p95: latency.percentile(95)?,
            p99: latency.percentile(99)?,
        })
    }
}
