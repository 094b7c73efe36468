//! The tracing layer that turns events into log lines.
//!
//! Rule: tracing knows four levels in use here, the log five: an alert is an error with the field `alert = true`.

use std::fmt::{self, Write};

use bstr::ByteSlice;
use fpm_conf::LogLevel;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::Log;
use super::line::Place;

/// What an event says.
#[derive(Default)]
struct Fields {
    message: String,
    alert: bool,
}

impl<S: Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let metadata = event.metadata();
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = match *metadata.level() {
            Level::ERROR if fields.alert => LogLevel::Alert,
            Level::ERROR => LogLevel::Error,
            Level::WARN => LogLevel::Warning,
            Level::INFO => LogLevel::Notice,
            Level::DEBUG | Level::TRACE => LogLevel::Debug,
        };
        let module = metadata.module_path().unwrap_or_default();
        let place = Place {
            function: module.rsplit("::").next().unwrap_or_default(),
            line: metadata.line().unwrap_or_default(),
        };
        self.write_line(level, fields.message.as_bytes().as_bstr(), place);
    }
}

impl Visit for Fields {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.alert |= field.name() == "alert" && value;
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            // Writing to a String cannot fail.
            let _ = write!(self.message, "{value:?}");
        }
    }
}
