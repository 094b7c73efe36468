//! What PHP logs outside of requests: while it starts, while a worker is set up, while it ends.
//!
//! This is global state because PHP's log callback has no context then. Until a worker is ready the messages are kept, for
//! there is somebody who can do better with them than to write them to a stderr that nobody reads.

use std::sync::{Mutex, PoisonError};

use bstr::BString;

use crate::log::Log;

static SINK: Mutex<Sink> = Mutex::new(Sink::Kept(Vec::new()));

enum Sink {
    /// Kept until [`collected`] asks for them.
    Kept(Vec<BString>),
    /// Written to stderr at once.
    Stderr(Log),
}

/// Takes a message; this is the callback for [`sapi::Engine::start`].
pub fn take(message: &[u8]) {
    match &mut *SINK.lock().unwrap_or_else(PoisonError::into_inner) {
        Sink::Kept(messages) => messages.push(message.into()),
        Sink::Stderr(log) => drop(log.php_message(message)),
    }
}

/// Returns what was kept, as it is to be logged at level NOTICE.
pub fn collected() -> Vec<BString> {
    match &mut *SINK.lock().unwrap_or_else(PoisonError::into_inner) {
        Sink::Kept(messages) => messages
            .drain(..)
            .map(|message| [b"PHP message: ", message.as_slice()].concat().into())
            .collect(),
        Sink::Stderr(_) => Vec::new(),
    }
}

/// Has messages written to stderr from now on.
pub(crate) fn write_to_stderr(log: Log) {
    *SINK.lock().unwrap_or_else(PoisonError::into_inner) = Sink::Stderr(log);
}
