//! Lines for syslog, sent to its socket as syslog(3) does.
//!
//! Rule: the daemon never waits for syslog; what it does not take waits, up to a bound ([`super::outlet`]).
//!
//! Original: sapi/fpm/fpm/zlog.c (`zlog_syslog`)

use std::io;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use bstr::{BStr, BString};
use fpm_conf::{Facility, LogLevel};
use fpm_os::clock::{LocalTime, local_time};

use super::line::MONTHS;
use super::outlet::Backlog;

/// Where syslog listens (`_PATH_LOG` of the C library).
const SOCKET: &str = "/dev/log";

/// A connection to syslog, made anew when it is lost.
#[derive(Debug)]
pub(super) struct Syslog {
    ident: BString,
    facility: Facility,
    connection: Connection,
    backlog: Backlog,
}

#[derive(Debug, Default)]
struct Connection(Option<UnixDatagram>);

impl Syslog {
    /// Begins to write to syslog. What another log has lost is told there.
    pub(super) fn new(ident: &BString, facility: Facility, backlog: Backlog) -> Syslog {
        Syslog {
            ident: ident.clone(),
            facility,
            connection: Connection::default(),
            backlog,
        }
    }

    /// Sends a line of this level, now or as soon as it is taken.
    pub(super) fn write(&mut self, level: LogLevel, now: Duration, line: &[u8]) {
        let stamp = Stamp {
            ident: self.ident.as_ref(),
            pid: std::process::id(),
            now,
        };
        let packet = packet(&stamp, self.facility, level, line);
        let connection = &mut self.connection;
        self.backlog
            .write(packet, &mut |packet| connection.send(packet));
    }

    /// Sends what waits, as far as it is taken.
    pub(super) fn flush(&mut self) {
        let connection = &mut self.connection;
        self.backlog.flush(&mut |packet| connection.send(packet));
    }

    pub(super) fn backlog(&mut self) -> &mut Backlog {
        &mut self.backlog
    }
}

impl Connection {
    fn send(&mut self, packet: &[u8]) -> io::Result<usize> {
        let mut sent = Err(io::ErrorKind::NotConnected.into());
        for _ in 0..2 {
            if self.0.is_none() {
                self.0 = Some(connect()?);
            }
            if let Some(socket) = &self.0 {
                sent = socket.send(packet);
            }
            match &sent {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // Syslog was restarted perhaps.
                Err(_) => self.0 = None,
                Ok(_) => break,
            }
        }
        sent
    }
}

fn connect() -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(SOCKET)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Who sends a packet, and when.
struct Stamp<'a> {
    ident: &'a BStr,
    pid: u32,
    /// Since 1970.
    now: Duration,
}

/// Puts a packet together as syslog(3) does, the time included: it may be sent later. Its priority is that of the message; the
/// original's is that of `log_level`, whatever the message.
fn packet(stamp: &Stamp<'_>, facility: Facility, level: LogLevel, line: &[u8]) -> Vec<u8> {
    let Stamp { ident, pid, now } = stamp;
    let LocalTime {
        month,
        day,
        hour,
        minute,
        second,
        ..
    } = local_time(*now);
    let month = MONTHS
        .get(usize::from(month.saturating_sub(1)))
        .copied()
        .unwrap_or_default();
    let priority = facility.0 | severity(level);
    let mut packet =
        format!("<{priority}>{month} {day:2} {hour:02}:{minute:02}:{second:02} {ident}[{pid}]: ")
            .into_bytes();
    packet.extend_from_slice(line);
    packet
}

/// The severities of syslog(3).
fn severity(level: LogLevel) -> i32 {
    match level {
        LogLevel::Debug => 7,
        LogLevel::Notice => 5,
        LogLevel::Warning => 4,
        LogLevel::Error => 3,
        LogLevel::Alert => 1,
    }
}

#[cfg(test)]
mod tests {
    use bstr::ByteSlice;

    use super::*;

    #[test]
    fn packets_carry_the_priority_of_the_message_and_its_time() {
        let stamp = Stamp {
            ident: "php-fpm".into(),
            pid: 42,
            now: Duration::from_secs(1_795_262_893),
        };
        for (level, line, expected) in [
            (LogLevel::Error, &b"[ERROR] no"[..], "<27>Nov 21 "),
            (LogLevel::Debug, b"[DEBUG] no", "<31>Nov 21 "),
        ] {
            let packet = packet(&stamp, Facility::DAEMON, level, line);
            let (start, rest) = packet.split_at(11);
            assert_eq!(start.as_bstr(), expected);
            assert!(rest.ends_with(&[b" php-fpm[42]: ", line].concat()));
        }
    }

    #[test]
    fn without_syslog_lines_wait() {
        let mut connection = Connection::default();
        let (one, other) = UnixDatagram::pair().unwrap();
        one.set_nonblocking(true).unwrap();
        connection.0 = Some(one);
        assert_eq!(connection.send(b"abc").unwrap(), 3);
        while connection.send(&[b'x'; 1000]).is_ok() {}
        assert!(connection.0.is_some(), "a slow one is no lost one");
        drop(other);
    }
}
