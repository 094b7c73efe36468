//! `log_format = json`: each line of the log is one JSON object.
//!
//! Rule: the names of the fields and their order are a promise (conf/php-fpm.conf); what is not known is left out. Whatever was
//! said, a line is valid UTF-8.

use bstr::ByteSlice;
use fpm_master::program::{Ending, Speaker, Words};
use fpm_worker::json::Object;

use super::line::Record;

/// The longest text of one object, in bytes. What a worker says without ever ending the line has to go somewhere.
pub(super) const TEXT_MAX: usize = 16 << 20;

/// The same for syslog: a byte may become six, and a packet has to fit in a socket's buffer (208 KiB, unix(7)).
pub(super) const SYSLOG_TEXT_MAX: usize = 32 << 10;

/// Writes a message of the daemon's own.
pub(super) fn message(record: &Record<'_>) -> Vec<u8> {
    let mut object = Object::new();
    object.time("time", record.now);
    object.text("level", record.level.name().to_ascii_lowercase().as_bytes());
    if let Some(pool) = pool(record.text) {
        object.text("pool", pool);
    }
    object.number("pid", std::process::id());
    object.text("message", record.text);
    object.line()
}

/// Writes what a worker has said.
pub(super) fn words(record: &Record<'_>, speaker: &Speaker<'_>, words: &Words<'_>) -> Vec<u8> {
    let mut object = Object::new();
    object.time("time", record.now);
    object.text("level", record.level.name().to_ascii_lowercase().as_bytes());
    object.text("pool", &speaker.pool.name);
    object.number("pid", speaker.process);
    object.number("generation", speaker.generation.0);
    if !words.request.is_empty() {
        object.text("request_id", words.request);
    }
    object.text("stream", words.stream.name().as_bytes());
    object.text("message", words.text);
    if words.ending == Ending::Cut {
        object.truth("continued");
    }
    object.line()
}

/// Returns the pool that a message is about: `[pool www] …`.
fn pool(text: &[u8]) -> Option<&[u8]> {
    let rest = text.strip_prefix(b"[pool ")?;
    rest.find_byte(b']').map(|end| &rest[..end])
}
