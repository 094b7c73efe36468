//! The answers.

use std::convert::Infallible;
use std::sync::Arc;

use fpm_control::Status;
use fpm_os::clock;
use fpm_scoreboard::PoolFigures;
use http_body_util::channel::Channel;
use http_body_util::{Either, Full};
use hyper::body::Bytes;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Request, Response, StatusCode};
use serde::Serialize;
use tokio::sync::Semaphore;

use crate::desk::{Desk, Master, News};
use crate::metrics::{self, Numbers};
use crate::readiness::{Readiness, Thresholds};
use crate::request::{Extent, Reach, Wanted, wanted};
use crate::status::{Workers, fill};
use crate::{events, page};

/// Pages that are looked at, at a time. Each of them has a connection for as long as it is open.
pub(crate) const MOST_VIEWERS: usize = 32;

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const HTML: &str = "text/html; charset=utf-8";
const EVENTS: &str = "text/event-stream";

/// What no answer but the page needs: anything.
const NOTHING_ELSE: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// A whole text, or one that goes on.
pub(crate) type Body = Either<Full<Bytes>, Channel<Bytes, Infallible>>;

/// Answers a request.
pub(crate) async fn answer<B>(
    request: &Request<B>,
    reach: Reach,
    desk: Arc<Desk>,
    viewers: &Arc<Semaphore>,
) -> Response<Body> {
    match wanted(request.method(), request.uri(), request.headers(), reach) {
        Ok(Wanted::Page) => the_page(),
        Ok(Wanted::Events { pool }) => match Arc::clone(viewers).try_acquire_owned() {
            Ok(place) => with(
                StatusCode::OK,
                EVENTS,
                Either::Right(events::follow(desk, pool, place)),
            ),
            Err(_) => plain(StatusCode::SERVICE_UNAVAILABLE, "too many pages are open"),
        },
        Ok(Wanted::Status(extent)) => status(&desk, extent).await,
        Ok(Wanted::Metrics) => numbers(&desk).await,
        Ok(Wanted::Health) => health(&desk).await,
        Ok(Wanted::Readiness { pool }) => readiness(&desk, pool).await,
        Err((code, text)) => {
            let mut refusal = plain(code, text);
            if code == StatusCode::METHOD_NOT_ALLOWED {
                let methods = HeaderValue::from_static("GET, HEAD");
                refusal.headers_mut().insert(ALLOW, methods);
            }
            refusal
        }
    }
}

/// Returns how full a pool may be and count as ready.
pub(crate) fn thresholds(desk: &Desk) -> Thresholds {
    Thresholds {
        queue: desk.settings.ready_queue,
        busy: desk.settings.ready_busy,
    }
}

async fn status(desk: &Desk, extent: Extent) -> Response<Body> {
    let Some(news) = desk.ask().await else {
        return silent();
    };
    let workers = match extent {
        Extent::Pools => Workers::None,
        Extent::Full => Workers::All,
    };
    json(StatusCode::OK, &filled(&news, &workers))
}

async fn numbers(desk: &Desk) -> Response<Body> {
    let Some(news) = desk.ask().await else {
        return silent();
    };
    let status = filled(&news, &Workers::None);
    let text = metrics::openmetrics(Numbers {
        readiness: Readiness::of(&status, thresholds(desk)),
        measured: measured(&status, &news),
        of_daemon: news.told.areas.daemon(),
        status,
        master: news.master,
    });
    with(StatusCode::OK, metrics::CONTENT_TYPE, whole(text))
}

async fn health(desk: &Desk) -> Response<Body> {
    match desk.ask().await {
        Some(news) if news.master == Master::Answers => plain(StatusCode::OK, "alive"),
        _ => silent(),
    }
}

async fn readiness(desk: &Desk, pool: Option<String>) -> Response<Body> {
    let news = desk.ask().await;
    let Some(news) = news.filter(|news| news.master == Master::Answers) else {
        return silent();
    };
    let all = Readiness::of(&filled(&news, &Workers::None), thresholds(desk));
    let verdict = match pool {
        None => all,
        Some(name) => match all.only(&name) {
            Some(verdict) => verdict,
            None => return plain(StatusCode::NOT_FOUND, "there is no such pool"),
        },
    };
    let code = match verdict.ready {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    json(code, &verdict)
}

fn the_page() -> Response<Body> {
    let page = page::page();
    let mut answer = with(StatusCode::OK, HTML, whole(page.html));
    if let Ok(policy) = HeaderValue::from_str(&page.policy) {
        answer.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    answer
}

fn filled(news: &News, workers: &Workers) -> Status {
    fill(
        &news.told.status,
        &news.told.areas,
        workers,
        clock::monotonic(),
    )
}

/// Reads what the pools have measured.
fn measured(status: &Status, news: &News) -> Vec<(String, PoolFigures)> {
    let pools = status.pools.iter();
    pools
        .filter_map(|pool| Some((pool.name.clone(), news.told.areas.figures(&pool.name)?)))
        .collect()
}

fn silent() -> Response<Body> {
    plain(
        StatusCode::SERVICE_UNAVAILABLE,
        "the master does not answer",
    )
}

fn plain(code: StatusCode, text: &str) -> Response<Body> {
    with(code, TEXT, whole(format!("{text}\n")))
}

fn json(code: StatusCode, value: &impl Serialize) -> Response<Body> {
    let text =
        serde_json::to_string(value).expect("statuses have names for keys, so they are JSON");
    with(code, JSON, whole(text + "\n"))
}

fn whole(text: String) -> Body {
    Either::Left(Full::new(text.into()))
}

fn with(code: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut answer = Response::new(body);
    *answer.status_mut() = code;
    let headers = answer.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (CONTENT_SECURITY_POLICY, NOTHING_ELSE),
    ] {
        headers.insert(name, value);
    }
    answer
}
