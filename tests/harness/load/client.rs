//! One client of a load: asks, waits, checks.

use anyhow::{Context, ensure};

use crate::{Address, Browser, Connection, Request, Result};

/// Whom a client asks, and for what.
#[derive(Clone, Debug)]
pub(super) enum Target {
    /// A pool, over FastCGI.
    Pool { address: Address, request: Request },
    /// A web server, over HTTP.
    Site {
        address: String,
        uri: String,
        /// What is sent, if something is.
        body: Option<String>,
    },
}

/// A client between two requests.
pub(super) struct Client<'a> {
    expected: &'a [u8],
    way: Way<'a>,
}

enum Way<'a> {
    FastCgi {
        address: &'a Address,
        request: &'a Request,
        /// The connection of the request before, if both sides keep it.
        kept: Option<Connection>,
        reopened: u64,
    },
    Http {
        browser: Browser,
        uri: &'a str,
        body: Option<&'a str>,
    },
}

impl<'a> Client<'a> {
    pub(super) fn new(target: &'a Target, expected: &'a [u8]) -> Self {
        let way = match target {
            Target::Pool { address, request } => Way::FastCgi {
                address,
                request,
                kept: None,
                reopened: 0,
            },
            Target::Site { address, uri, body } => Way::Http {
                browser: Browser::new(address),
                uri,
                body: body.as_deref(),
            },
        };
        Self { expected, way }
    }

    /// How often a kept connection was found closed.
    pub(super) fn reopened(&self) -> u64 {
        match self.way {
            Way::FastCgi { reopened, .. } => reopened,
            Way::Http { .. } => 0,
        }
    }

    /// Sends one request and checks the answer.
    ///
    /// # Errors
    /// Fails when there is no complete answer or another one than expected.
    pub(super) fn ask(&mut self) -> Result {
        let (status, body) = match &mut self.way {
            Way::Http { browser, uri, body } => {
                let page = match body {
                    Some(body) => browser.post_body(uri, &[], body.as_bytes())?,
                    None => browser.get(uri)?,
                };
                (page.status, page.body)
            }
            Way::FastCgi {
                address,
                request,
                kept,
                reopened,
            } => {
                let mut connection = match kept.take() {
                    Some(connection) => match again(connection, request)? {
                        Some(connection) => connection,
                        None => {
                            *reopened += 1;
                            first(address, request)?
                        }
                    },
                    None => first(address, request)?,
                };
                let answer = connection.answer()?;
                if request.keeps_connection() {
                    *kept = Some(connection);
                }
                (answer.status, answer.body)
            }
        };
        ensure!(
            status == 200 && body == self.expected,
            "status {status}, {} octets: {}",
            body.len(),
            String::from_utf8_lossy(&body[..body.len().min(200)])
        );
        Ok(())
    }
}

/// Sends the request on a new connection.
fn first(address: &Address, request: &Request) -> Result<Connection> {
    let mut connection = Connection::open(address)?;
    connection.send(request)?;
    Ok(connection)
}

/// Sends the request on a kept connection; `None` when the daemon has closed it without a word.
fn again(mut connection: Connection, request: &Request) -> Result<Option<Connection>> {
    if connection.send(request).is_err() {
        return Ok(None);
    }
    let begins = connection
        .has_answer()
        .context("no answer on a kept connection")?;
    Ok(begins.then_some(connection))
}
