//! What loading the configuration had to say, on its way to the log.

use std::io::{self, Write};

use fpm_conf::Message;

use crate::log::Log;

/// Writes messages that were filtered by level when they were made.
pub(crate) fn show(log: &Log, messages: &[Message]) {
    for message in messages {
        match message {
            Message::Log { level, text } => log.show(*level, text.as_ref()),
            // Nobody else would hear of it.
            Message::Stderr(line) => drop(io::stderr().write_all(line)),
        }
    }
}
