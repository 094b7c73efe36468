//! Lines for syslog, sent to its socket as syslog(3) does.
//!
//! Rule: the daemon never waits for syslog; a line that it does not take is lost, as with syslog(3).
//!
//! Original: sapi/fpm/fpm/zlog.c (`zlog_syslog`)

use std::os::unix::net::UnixDatagram;

use bstr::{BStr, BString};
use fpm_conf::{Facility, LogLevel};

/// Where syslog listens (`_PATH_LOG` of the C library).
const SOCKET: &str = "/dev/log";

/// A connection to syslog, made anew when it is lost.
#[derive(Debug)]
pub(super) struct Syslog {
    ident: BString,
    facility: Facility,
    socket: Option<UnixDatagram>,
}

impl Syslog {
    pub(super) fn new(ident: &BString, facility: Facility) -> Syslog {
        Syslog {
            ident: ident.clone(),
            facility,
            socket: connect(),
        }
    }

    /// Sends a line. Its priority is that of the configured level, not its own: so does the original.
    pub(super) fn send(&mut self, configured: LogLevel, line: &[u8]) {
        let packet = packet(
            self.ident.as_ref(),
            self.facility,
            configured,
            line,
            std::process::id(),
        );
        for _ in 0..2 {
            if self.socket.is_none() {
                self.socket = connect();
            }
            match &self.socket {
                Some(socket) if socket.send(&packet).is_ok() => return,
                // Syslog was restarted perhaps.
                _ => self.socket = None,
            }
        }
    }
}

fn connect() -> Option<UnixDatagram> {
    let socket = UnixDatagram::unbound().ok()?;
    socket.connect(SOCKET).ok()?;
    socket.set_nonblocking(true).ok()?;
    Some(socket)
}

/// Puts a packet together. The time is left to the daemon that receives it.
fn packet(
    ident: &BStr,
    facility: Facility,
    configured: LogLevel,
    line: &[u8],
    pid: u32,
) -> Vec<u8> {
    let priority = facility.0 | severity(configured);
    let mut packet = format!("<{priority}>{ident}[{pid}]: ").into_bytes();
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
    fn packets_carry_the_configured_priority() {
        for (configured, expected) in [
            (LogLevel::Notice, "<29>php-fpm[42]: [ERROR] no"),
            (LogLevel::Debug, "<31>php-fpm[42]: [ERROR] no"),
        ] {
            let packet = packet(
                "php-fpm".into(),
                Facility::DAEMON,
                configured,
                b"[ERROR] no",
                42,
            );
            assert_eq!(packet.as_bstr(), expected);
        }
    }
}
