//! `fpmd upgrade`: has the running program replaced and finds out who serves then.
//!
//! Rule: a program of another release cannot know the conversation that the one before has begun. It hangs up, so the question who
//! serves is asked anew, until somebody answers.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use fpm_control::{Answer, ControlError, Detail, Request, State, Status, Way};
use fpm_master::company::old_name;

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
pub(super) fn in_place(call: impl Fn() -> Result<Conversation, Failure>) -> Result<(), Failure> {
    let mut daemon = call()?;
    match ask(&mut daemon, Way::InPlace) {
        Ok(Answer::Reloaded { .. }) | Err(Failure::HungUp(_)) => {}
        Ok(other) => return Err(Failure::unexpected(other)),
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

/// Has the program on disk started beside the daemon, which takes orders at `control`.
///
/// # Errors
/// When that is refused, or it does not serve in time.
pub(super) fn beside(daemon: &mut Conversation, control: &Path) -> Result<(), Failure> {
    match ask(daemon, Way::Beside)? {
        Answer::Beside {
            pid,
            before,
            version,
        } => {
            let (new, old) = (control.display(), old_name(control));
            print(&format!(
                "fpmd {version} serves as process {pid} beside process {before}. To end one of the two:\n\
                 the old one:  fpmd quit --control {}\n\
                 the new one:  fpmd quit --control {new}\n",
                old.display()
            ))
        }
        other => Err(Failure::unexpected(other)),
    }
}

/// Asks for an upgrade.
fn ask(daemon: &mut Conversation, way: Way) -> Result<Answer, Failure> {
    daemon
        .ask(&Request::Upgrade(way))
        .map_err(|failure| match failure {
            Failure::Language(error @ ControlError::OtherVersion { .. }) => {
                Failure::OtherRelease(error)
            }
            other => other,
        })
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
