//! `fpmd upgrade`: has the running program replaced and finds out who serves then.
//!
//! Rule: a program of another release cannot know the conversation that the one before has begun. It hangs up, so the question who
//! serves is asked anew, until somebody answers.

use std::thread;
use std::time::{Duration, Instant};

use fpm_control::{Answer, ControlError, Detail, Request, State, Status};

use super::conversation::Conversation;
use super::failure::Failure;
use super::print;

/// How long to wait before it is asked again who serves.
const AGAIN: Duration = Duration::from_millis(50);

/// What there is behind the control socket.
enum Found {
    /// A program that serves.
    Serving(Box<Status>),
    /// A program that speaks another language, so one of another release.
    Stranger,
    /// Nobody, or one that has not got as far as serving.
    Nobody,
}

/// Has the program on disk put to work by the daemon that `call` reaches.
///
/// # Errors
/// When that is refused, or nobody says in time that he serves.
pub(super) fn run(call: impl Fn() -> Result<Conversation, Failure>) -> Result<(), Failure> {
    let mut daemon = call()?;
    match daemon.ask(&Request::Upgrade) {
        Ok(Answer::Reloaded { .. }) => {}
        Ok(other) => return Err(Failure::unexpected(other)),
        Err(Failure::Language(error @ ControlError::OtherVersion { .. })) => {
            return Err(Failure::OtherRelease(error));
        }
        Err(Failure::HungUp(_)) => {}
        Err(other) => return Err(other),
    }
    let limit = daemon.limit();
    let deadline = limit.map(|limit| Instant::now() + limit);
    // There are only so many lines to a daemon.
    drop(daemon);
    loop {
        match look(&call)? {
            Found::Serving(status) => {
                return print(&format!(
                    "fpmd {} serves, process {}\n",
                    status.version, status.pid
                ));
            }
            Found::Stranger => {
                return print("an fpmd of another release serves, whose commands are other ones\n");
            }
            Found::Nobody => {}
        }
        if deadline.is_some_and(|deadline| Instant::now() > deadline) {
            return Err(Failure::TooLate);
        }
        thread::sleep(AGAIN);
    }
}

/// Asks who serves.
fn look(call: &impl Fn() -> Result<Conversation, Failure>) -> Result<Found, Failure> {
    let answer = call().and_then(|mut daemon| daemon.ask(&Request::Status(Detail::Pools)));
    match answer {
        Ok(Answer::Status(status)) if status.state == State::Starting => Ok(Found::Nobody),
        Ok(Answer::Status(status)) => Ok(Found::Serving(status)),
        Ok(other) => Err(Failure::unexpected(other)),
        Err(Failure::Connect { .. } | Failure::HungUp(_)) => Ok(Found::Nobody),
        Err(Failure::Language(ControlError::OtherVersion { .. })) => Ok(Found::Stranger),
        Err(other) => Err(other),
    }
}
