//! `/events`: how the daemon is, again and again, as server-sent events.
//!
//! Rule: nothing is measured for a page that nobody looks at. A client that does not keep up gets fewer events, never older ones.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use fpm_control::{Percentiles, Status};
use fpm_os::clock;
use http_body_util::channel::Channel;
use hyper::body::Bytes;
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{MissedTickBehavior, interval};

use crate::answers::thresholds;
use crate::desk::{Desk, Master};
use crate::readiness::Readiness;
use crate::recent::Watched;
use crate::status::{Workers, fill};

/// Between two events of a daemon with a few pools.
const PERIOD: Duration = Duration::from_secs(1);

/// A daemon with more pools than this has events less often, as its events are longer.
const POOLS_PER_PERIOD: usize = 200;

/// One event.
#[derive(Debug, Serialize)]
struct Event<'a> {
    /// When it was measured, in milliseconds since 1970.
    at_ms: u64,
    /// How long it is until the next one, in milliseconds.
    period_ms: u64,
    /// Whether the master answers.
    master_answers: bool,
    readiness: &'a Readiness,
    /// How long the requests since the event before took, in microseconds, of all pools together and of each.
    recent: Option<Percentiles>,
    recent_of_pools: HashMap<&'a str, Percentiles>,
    status: &'a Status,
}

/// Begins to tell how the daemon is, with the workers of one pool, for as long as somebody listens.
pub(crate) fn follow(
    desk: Arc<Desk>,
    pool: Option<String>,
    place: OwnedSemaphorePermit,
) -> Channel<Bytes, Infallible> {
    let (mut listener, body) = Channel::new(1);
    let workers = pool.map_or(Workers::None, Workers::OfPool);
    tokio::spawn(async move {
        let mut watched = Watched::default();
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let Some((event, pools)) = next(&desk, &workers, &mut watched).await else {
                continue;
            };
            if listener.send_data(event).await.is_err() {
                break;
            }
            for _ in 0..pools / POOLS_PER_PERIOD {
                ticks.tick().await;
            }
        }
        drop(place);
    });
    body
}

/// Returns the next event and how many pools it is about; `None` while the master has said nothing at all.
async fn next(desk: &Desk, workers: &Workers, watched: &mut Watched) -> Option<(Bytes, usize)> {
    let news = desk.ask().await?;
    let told = &news.told;
    let status = fill(&told.status, &told.areas, workers, clock::monotonic());
    let pools = status.pools.len();
    let periods = u64::try_from(1 + pools / POOLS_PER_PERIOD).unwrap_or(u64::MAX);
    let (recent, recent_of_pools) = watched.look(&status, &told.areas);
    let event = Event {
        at_ms: u64::try_from(clock::realtime().as_millis()).unwrap_or(u64::MAX),
        period_ms: 1000 * periods,
        master_answers: news.master == Master::Answers,
        readiness: &Readiness::of(&status, thresholds(desk)),
        recent,
        recent_of_pools,
        status: &status,
    };
    let json = serde_json::to_string(&event).ok()?;
    Some((format!("data: {json}\n\n").into(), pools))
}
