//! Clients that ask all the time, every answer checked: the load under which a daemon is reloaded, stopped or shrunk.
//!
//! A load is a closed loop: each client waits for its answer before it asks again. It runs for as long as the test works
//! beside it ([`Load::during`]), and says afterwards what went wrong, and how long the longest answer took.

mod client;
mod report;

use std::thread;
use std::time::Instant;

use anyhow::bail;

use self::client::{Client, Target};
pub use self::report::{Failure, LoadReport};
use self::report::{Outcome, Progress};
use crate::{Address, Fpm, Nginx, PATIENCE, Request, Result};

/// What some clients ask for, over and over.
#[derive(Clone, Debug)]
pub struct Load {
    target: Target,
    expected: Vec<u8>,
    clients: usize,
}

/// A load that is running beside a test.
#[derive(Debug)]
pub struct Running<'a> {
    progress: &'a Progress,
}

impl Load {
    /// Clients that speak FastCGI to pool `www` and want `expected` as the body of every answer.
    ///
    /// Every request has a connection of its own, unless the request asks to keep it
    /// ([`Request::keep_connection`]): then each client keeps one for as long as the daemon does.
    #[must_use]
    pub fn direct(fpm: &Fpm, request: &Request, expected: impl Into<Vec<u8>>) -> Self {
        Self::on(fpm.address(), request, expected)
    }

    /// Clients that speak FastCGI to any address.
    #[must_use]
    pub fn on(address: &Address, request: &Request, expected: impl Into<Vec<u8>>) -> Self {
        Self::with(
            Target::Pool {
                address: address.clone(),
                request: request.clone(),
            },
            expected,
        )
    }

    /// Clients that load a page through nginx, each on a connection that it keeps.
    #[must_use]
    pub fn through(nginx: &Nginx, uri: &str, expected: impl Into<Vec<u8>>) -> Self {
        Self::with(
            Target::Site {
                address: format!("http://{}", nginx.host()),
                uri: uri.to_owned(),
                body: None,
            },
            expected,
        )
    }

    /// Requests through nginx that send this text, as something that must not be sent twice.
    #[must_use]
    pub fn posting(mut self, text: &str) -> Self {
        if let Target::Site { body, .. } = &mut self.target {
            *body = Some(text.to_owned());
        }
        self
    }

    /// So many clients instead of four.
    #[must_use]
    pub fn clients(mut self, count: usize) -> Self {
        self.clients = count;
        self
    }

    /// Runs the load while `work` runs, from the first answer on, and says what the clients saw.
    ///
    /// # Errors
    /// Fails when `work` does or when no client gets a first answer; what goes wrong later is in the report.
    pub fn during<T>(
        &self,
        work: impl FnOnce(&Running<'_>) -> Result<T>,
    ) -> Result<(T, LoadReport)> {
        let progress = Progress::default();
        let running = Running {
            progress: &progress,
        };
        let start = Instant::now();
        thread::scope(|scope| {
            let clients: Vec<_> = (0..self.clients)
                .map(|_| scope.spawn(|| self.ask_until_stopped(start, &progress)))
                .collect();
            // A failed test must not leave its clients running: they are stopped before its error goes on.
            let result = running.wait_for_answers(1).and_then(|()| work(&running));
            progress.stop();
            let outcomes = clients.into_iter().map(|client| match client.join() {
                Ok(outcome) => outcome,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            let report = LoadReport::of(outcomes);
            Ok((result?, report))
        })
    }

    fn with(target: Target, expected: impl Into<Vec<u8>>) -> Self {
        Self {
            target,
            expected: expected.into(),
            clients: 4,
        }
    }

    fn ask_until_stopped(&self, start: Instant, progress: &Progress) -> Outcome {
        let mut client = Client::new(&self.target, &self.expected);
        let mut outcome = Outcome::default();
        while !progress.is_stopped() {
            let asked = Instant::now();
            let result = client.ask();
            outcome.longest = outcome.longest.max(asked.elapsed());
            match result {
                Ok(()) => {
                    outcome.answers += 1;
                    progress.answered();
                }
                Err(error) => {
                    let what = format!("{error:#}");
                    progress.failed(&what);
                    outcome.failures.push(Failure {
                        at: asked - start,
                        what,
                    });
                    if outcome.failures.len() >= report::MOST_FAILURES {
                        break;
                    }
                }
            }
        }
        outcome.reopened = client.reopened();
        outcome
    }
}

impl Running<'_> {
    /// Waits until the clients have had `count` more good answers.
    ///
    /// # Errors
    /// Fails when they do not come in [`PATIENCE`].
    pub fn wait_for_answers(&self, count: u64) -> Result {
        let before = self.progress.answers();
        let now = self.progress.wait_until(before + count, PATIENCE);
        if now < before + count {
            bail!(
                "the clients had {} answers more in {PATIENCE:?}, not {count}; last failure: {:?}",
                now - before,
                self.progress.failure()
            );
        }
        Ok(())
    }

    /// How many good answers the clients have had.
    #[must_use]
    pub fn answers(&self) -> u64 {
        self.progress.answers()
    }
}
