//! What loading has to say, as values in the order in which it was found.
//!
//! A changer must know: `load` filters, the caller does not. A line is kept or dropped by the level that is in force
//! when it is said: that is notice until `log_level` has been read and all files with it.
//!
//! Original: sapi/fpm/fpm/zlog.c

use std::io;

use bstr::{BString, ByteSlice};

use crate::{Global, LogLevel};

/// One thing to tell the administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A log line.
    Log {
        /// Its level.
        level: LogLevel,
        /// Its text, without time and level.
        text: BString,
    },
    /// A line that PHP's ini parser writes to stderr and that never reaches a log (line feed included).
    Stderr(BString),
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// The messages in order, already filtered by level.
    pub messages: Vec<Message>,
    /// The level in force at the end; what is logged afterwards is to be filtered by it.
    pub level: LogLevel,
    /// Set once `error_log` could be opened: what is said from there on belongs into it too.
    pub log: Option<OpenLog>,
}

/// The log at the moment when it could be opened, also when loading fails afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenLog {
    /// How many of the messages came before; they cannot be in the log.
    pub earlier: usize,
    /// The `[global]` section, which says where and how to log.
    pub global: Global,
}

impl Report {
    /// Adds a log line unless its level is below the one in force.
    pub(crate) fn log(&mut self, level: LogLevel, text: impl Into<BString>) {
        if level >= self.level {
            self.messages.push(Message::Log {
                level,
                text: text.into(),
            });
        }
    }

    /// Adds an error with the system's reason behind it: `text: No such file or directory (2)`.
    pub(crate) fn system_error(&mut self, text: impl Into<BString>, error: &io::Error) {
        let mut text: BString = text.into();
        text.extend_from_slice(reason(error).as_bytes());
        self.log(LogLevel::Error, text);
    }
}

/// Formats an error the way strerror(3) and the number in parentheses would.
fn reason(error: &io::Error) -> String {
    let code = error.raw_os_error().unwrap_or(0);
    let text = io::Error::from_raw_os_error(code).to_string();
    let text = text
        .strip_suffix(&format!(" (os error {code})"))
        .unwrap_or(&text);
    format!(": {text} ({code})")
}

/// Joins pieces of text and bytes to a message; what `format!` is for text alone.
macro_rules! text {
    ($($piece:expr),+ $(,)?) => {{
        let mut joined = bstr::BString::default();
        $(joined.extend_from_slice($piece.as_ref());)+
        joined
    }};
}
pub(crate) use text;

impl Message {
    /// Returns the text without the level, for tests and for callers that have no log yet.
    #[must_use]
    pub fn text(&self) -> &bstr::BStr {
        match self {
            Self::Log { text, .. } | Self::Stderr(text) => text.as_bstr(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_those_of_strerror() {
        assert_eq!(
            reason(&io::Error::from_raw_os_error(2)),
            ": No such file or directory (2)"
        );
        assert_eq!(reason(&io::Error::from_raw_os_error(0)), ": Success (0)");
        assert_eq!(reason(&io::Error::other("made up")), ": Success (0)");
    }

    #[test]
    fn lines_below_the_level_are_dropped_when_they_are_said() {
        let mut report = Report {
            level: LogLevel::Error,
            ..Report::default()
        };
        report.log(LogLevel::Warning, "dropped");
        report.log(LogLevel::Error, "kept");
        assert_eq!(
            report.messages,
            [Message::Log {
                level: LogLevel::Error,
                text: "kept".into()
            }]
        );
    }
}
