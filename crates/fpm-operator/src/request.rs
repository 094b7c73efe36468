//! What a client wants, from the head of its request.
//!
//! Rule: a browser on the machine may be led by a stranger's page to ask for a name that resolves to a loopback address, and would
//! then show the answer to that page. So over TCP only those are answered who ask for a loopback address by that name.

use std::net::IpAddr;

use hyper::header::{HOST, HeaderMap};
use hyper::{Method, StatusCode, Uri};

/// Something that can be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// `/`: the page.
    Page,
    /// `/events`: what the page shows, again and again; with the workers of a pool.
    Events {
        /// `?pool=NAME`.
        pool: Option<String>,
    },
    /// `/status`.
    Status(Extent),
    /// `/metrics`.
    Metrics,
    /// `/healthz`.
    Health,
    /// `/readyz`.
    Readiness {
        /// `?pool=NAME`: this one alone.
        pool: Option<String>,
    },
}

/// How much of a status is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Pools.
    Pools,
    /// `?full`: their workers as well.
    Full,
}

/// Who can be at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Whoever may open the unix socket: no browser.
    Local,
    /// Everybody on the machine.
    Loopback,
}

/// Finds out what is wanted, or how the request is to be refused.
pub(crate) fn wanted(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    reach: Reach,
) -> Result<Wanted, (StatusCode, &'static str)> {
    if reach == Reach::Loopback && !asks_for_loopback(uri, headers) {
        let text = "this is answered under a loopback address only; a proxy has to say one in Host";
        return Err((StatusCode::MISDIRECTED_REQUEST, text));
    }
    if *method != Method::GET && *method != Method::HEAD {
        return Err((StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD"));
    }
    let query = uri.query().unwrap_or_default();
    let pool = || {
        query
            .split('&')
            .find_map(|pair| pair.strip_prefix("pool="))
            .map(decoded)
    };
    match uri.path() {
        "/" => Ok(Wanted::Page),
        "/events" => Ok(Wanted::Events { pool: pool() }),
        "/status" => Ok(Wanted::Status(
            match query.split('&').any(|word| word == "full") {
                true => Extent::Full,
                false => Extent::Pools,
            },
        )),
        "/metrics" => Ok(Wanted::Metrics),
        "/healthz" => Ok(Wanted::Health),
        "/readyz" => Ok(Wanted::Readiness { pool: pool() }),
        _ => Err((StatusCode::NOT_FOUND, "there is no such thing here")),
    }
}

/// Tells whether a request is meant for a loopback address. One of HTTP/1.0 need not say for whom it is, and no browser sends one.
fn asks_for_loopback(uri: &Uri, headers: &HeaderMap) -> bool {
    let host = match (uri.host(), headers.get(HOST)) {
        (Some(host), _) => host,
        (None, None) => return true,
        (None, Some(value)) => match value.to_str() {
            Ok(value) => without_port(value),
            Err(_) => return false,
        },
    };
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    literal.eq_ignore_ascii_case("localhost")
        || literal
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Takes the port off `host:port`, not off an address of IPv6.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Decodes the value of a query's variable. What is wrongly encoded stays as it is.
fn decoded(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        let hexadecimal = others.get(..2).filter(|_| *first == b'%');
        let code = hexadecimal
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (first, code) {
            (_, Some(code)) => {
                bytes.push(code);
                rest = &others[2..];
            }
            (b'+', None) => {
                bytes.push(b' ');
                rest = others;
            }
            (first, None) => {
                bytes.push(*first);
                rest = others;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(method: &Method, uri: &str, host: Option<&str>) -> Result<Wanted, u16> {
        let mut headers = HeaderMap::new();
        if let Some(host) = host {
            headers.insert(HOST, host.parse().unwrap());
        }
        wanted(method, &uri.parse().unwrap(), &headers, Reach::Loopback)
            .map_err(|(code, _)| code.as_u16())
    }

    #[test]
    fn what_there_is() {
        let get = |uri| ask(&Method::GET, uri, Some("localhost"));
        let pool = |name: &str| Some(name.to_owned());
        for (uri, expected) in [
            ("/", Ok(Wanted::Page)),
            ("/?x", Ok(Wanted::Page)),
            ("/events", Ok(Wanted::Events { pool: None })),
            (
                "/events?pool=a%20b%2F",
                Ok(Wanted::Events { pool: pool("a b/") }),
            ),
            ("/status", Ok(Wanted::Status(Extent::Pools))),
            ("/status?full", Ok(Wanted::Status(Extent::Full))),
            ("/status?fuller", Ok(Wanted::Status(Extent::Pools))),
            ("/metrics", Ok(Wanted::Metrics)),
            ("/healthz", Ok(Wanted::Health)),
            (
                "/readyz?x&pool=%zz%f",
                Ok(Wanted::Readiness {
                    pool: pool("%zz%f"),
                }),
            ),
            ("/metrics/", Err(404)),
            ("/../etc/passwd", Err(404)),
        ] {
            assert_eq!(get(uri), expected, "{uri}");
        }
        assert_eq!(
            ask(&Method::HEAD, "/metrics", Some("localhost")),
            Ok(Wanted::Metrics)
        );
        assert_eq!(ask(&Method::POST, "/status", Some("localhost")), Err(405));
    }

    #[test]
    fn pages_of_strangers_do_not_get_in() {
        let code = |host| ask(&Method::GET, "/status", host).err();
        for host in [
            None,
            Some("localhost"),
            Some("LocalHost:9253"),
            Some("127.0.0.1"),
            Some("127.8.0.1:80"),
            Some("[::1]:9253"),
            Some("[::1]"),
        ] {
            assert_eq!(code(host), None, "{host:?}");
        }
        for host in [
            "evil.example",
            "evil.example:9253",
            "localhost.evil.example",
            "10.0.0.1",
            "",
            "127.0.0.1.evil.example:80",
        ] {
            assert_eq!(code(Some(host)), Some(421), "{host}");
        }
        let absolute = "http://evil.example/status";
        assert_eq!(
            ask(&Method::GET, absolute, Some("localhost")),
            Err(421),
            "what is in the first line counts"
        );
        let (uri, headers) = ("/status".parse().unwrap(), HeaderMap::new());
        let local = wanted(&Method::GET, &uri, &headers, Reach::Local);
        assert_eq!(local, Ok(Wanted::Status(Extent::Pools)));
    }
}
