//! How long requests took lately: what has been measured between two looks.

use std::collections::HashMap;

use fpm_control::{Percentiles, Status};
use fpm_scoreboard::Histogram;

use crate::areas::Areas;

/// What was seen at the last look.
#[derive(Debug, Default)]
pub(crate) struct Watched(HashMap<String, Histogram>);

impl Watched {
    /// Tells of all pools together, and of each that has served somebody, how long requests took since the last look.
    pub(crate) fn look<'a>(
        &mut self,
        status: &'a Status,
        areas: &Areas,
    ) -> (Option<Percentiles>, HashMap<&'a str, Percentiles>) {
        let mut seen = HashMap::new();
        let mut of_pools = HashMap::new();
        let mut all: Option<Histogram> = None;
        for pool in &status.pools {
            let Some(figures) = areas.figures(&pool.name) else {
                continue;
            };
            if let Some(before) = self.0.get(&pool.name) {
                let new = figures.latency.since(before);
                of_pools.extend(sum(&new).map(|recent| (pool.name.as_str(), recent)));
                match &mut all {
                    Some(all) => all.add(&new),
                    None => all = Some(new),
                }
            }
            seen.insert(pool.name.clone(), figures.latency);
        }
        self.0 = seen;
        (all.as_ref().and_then(sum), of_pools)
    }
}

/// Sums up, in microseconds; `None` when there was no request.
fn sum(latency: &Histogram) -> Option<Percentiles> {
    (latency.count() > 0).then(|| Percentiles::of(latency))
}
