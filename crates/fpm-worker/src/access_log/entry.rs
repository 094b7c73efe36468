//! One line: what is known of a request, put into the format.

use std::io::Write;
use std::net::IpAddr;
use std::time::Duration;

use fcgi_proto::params::Params;
use fpm_os::clock::{self, CpuTimes};
use fpm_scoreboard::{Description, Finished};
use sapi::CSlice;

use super::Writer;
use super::format::{Format, Moment, Part, Share, Unit};
use crate::status::percent;
use crate::timestamp::timestamp;

/// What stands for something that is not there.
const NOTHING: &[u8] = b"-";

/// A request whose script has ended.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'a> {
    pub(crate) request: Description<'a>,
    pub(crate) params: &'a Params,
    /// The client's address; `None` for a unix socket.
    pub(crate) client: Option<IpAddr>,
    pub(crate) status: u16,
    /// The header lines of the response as far as they are known.
    pub(crate) headers: &'a [CSlice<'a>],
    pub(crate) cost: Finished,
    /// When its script has ended, since 1970.
    pub(crate) ended: Duration,
    /// Its name; empty unless somebody asks for it.
    pub(crate) id: &'a [u8],
    /// How long it has waited for a worker, if that is known.
    pub(crate) waited: Option<Duration>,
}

/// Appends the line of an entry, without line feed. `cpu` is what the request has used.
pub(super) fn compose(
    format: &Format,
    entry: &Entry<'_>,
    writer: &Writer,
    cpu: CpuTimes,
    line: &mut Vec<u8>,
) {
    for part in &format.parts {
        match part {
            // As it is in the configuration, line feeds and all.
            Part::Literal(text) => line.extend_from_slice(text),
            part => append(part, entry, writer, cpu, line),
        }
    }
}

fn append(part: &Part, entry: &Entry<'_>, writer: &Writer, cpu: CpuTimes, line: &mut Vec<u8>) {
    let (request, cost) = (&entry.request, &entry.cost);
    match part {
        Part::Literal(text) => line.extend_from_slice(text),
        Part::Cpu(share) => {
            let cpu = match share {
                Share::Total => cpu.user + cpu.system,
                Share::User => cpu.user,
                Share::System => cpu.system,
            };
            put(line, format_args!("{:.2}", percent(cpu, cost.duration)));
        }
        Part::Duration(Unit::Seconds) => {
            put(line, format_args!("{:.3}", micros(cost.duration) / 1e6));
        }
        Part::Duration(Unit::Milliseconds) => {
            put(line, format_args!("{:.3}", micros(cost.duration) / 1e3));
        }
        Part::Duration(Unit::Microseconds) => {
            put(line, format_args!("{}", cost.duration.as_micros()));
        }
        Part::Param(name) => one_line(line, entry.params.get(name).unwrap_or(NOTHING)),
        Part::Script => one_line(line, or_nothing(request.script)),
        Part::ContentLength => put(line, format_args!("{}", request.content_length)),
        Part::Method => one_line(line, or_nothing(request.method)),
        Part::Memory(unit) => put(line, format_args!("{}", cost.memory / unit)),
        Part::Pool => one_line(line, &writer.pool),
        Part::Header(start) => one_line(line, header(entry.headers, start)),
        Part::Process => put(line, format_args!("{}", writer.process)),
        Part::Parent => put(line, format_args!("{}", writer.parent)),
        Part::Query => one_line(line, request.query),
        Part::QuestionMark if request.query.is_empty() => {}
        Part::QuestionMark => line.push(b'?'),
        Part::Uri => one_line(line, request.uri),
        Part::Client => match entry.client {
            Some(client) => put(line, format_args!("{}", client.to_canonical())),
            None => line.extend_from_slice(NOTHING),
        },
        Part::Status => put(line, format_args!("{}", entry.status)),
        Part::Time(moment, format) => {
            let time = match moment {
                Moment::Accepted => entry.ended.saturating_sub(cost.duration),
                Moment::Logged => entry.ended,
            };
            match format {
                Some(format) => one_line(line, &clock::formatted(time, format)),
                None => line.extend_from_slice(timestamp(&clock::local_time(time)).as_bytes()),
            }
        }
        Part::User => one_line(line, request.user),
    }
}

/// Finds the value of the first response header that begins with `start` (name, colon, blank).
fn header<'a>(headers: &'a [CSlice<'a>], start: &[u8]) -> &'a [u8] {
    headers
        .iter()
        .find_map(|line| line.as_bytes().strip_prefix(start))
        .filter(|value| !value.is_empty())
        .unwrap_or(NOTHING)
}

/// Appends what a client or a script has chosen. It cannot begin a line of its own: readers of the log would believe it.
fn one_line(line: &mut Vec<u8>, text: &[u8]) {
    line.extend(text.iter().map(|&byte| match byte {
        b'\n' | b'\r' | b'\0' => b'.',
        byte => byte,
    }));
}

/// Returns a duration in whole microseconds, which all specifiers go by.
fn micros(duration: Duration) -> f64 {
    duration.as_micros() as f64
}

fn or_nothing(text: &[u8]) -> &[u8] {
    if text.is_empty() { NOTHING } else { text }
}

fn put(line: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    line.write_fmt(text).expect("a Vec takes everything");
}
