//! A GET over HTTP/1.0: the demo needs no more of a client, and curl may not be installed.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::Context as _;

/// How long the answer may take.
const TIMEOUT: Duration = Duration::from_secs(20);

/// What a server answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

/// Says whether somebody listens on a port of this machine.
pub(super) fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// Fetches a page from this machine.
///
/// # Errors
/// When nobody listens there, or what listens does not speak HTTP.
pub(super) fn fetch(port: u16, path: &str) -> anyhow::Result<Answer> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    // 1.0: the body ends with the connection and is never chunked.
    write!(
        stream,
        "GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nAccept: text/plain\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream
        .read_to_end(&mut answer)
        .context("no complete answer over HTTP")?;
    parse(&String::from_utf8_lossy(&answer)).context("the answer is not HTTP")
}

fn parse(answer: &str) -> Option<Answer> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head
        .strip_prefix("HTTP/1.")?
        .split(' ')
        .nth(1)?
        .parse()
        .ok()?;
    Some(Answer {
        status,
        body: body.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_and_body_are_found() {
        let answer = parse("HTTP/1.1 404 Not Found\r\nServer: x\r\n\r\ngone\r\n\r\n").unwrap();
        assert_eq!(
            answer,
            Answer {
                status: 404,
                body: "gone\r\n\r\n".to_owned()
            }
        );
        assert_eq!(parse("SSH-2.0"), None);
        assert_eq!(parse("HTTP/1.1 OK\r\n\r\n"), None);
    }
}
