//! The body of a request, read straight into PHP's buffer.
//!
//! It comes from the connection, or from the file that REQUEST_BODY_FILE names (a web server that has stored the upload).
//!
//! Original: sapi_cgi_read_post in sapi/fpm/fpm/fpm_main.c, fcgi_read in main/fastcgi.c.

use std::ffi::{CStr, OsStr};
use std::fs::File;
use std::io::{self, IoSliceMut, Read};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use fcgi_proto::params::Params;
use fcgi_proto::server::{Connection as Protocol, StdinRead};
use sapi::BodyRead;

use crate::client::Client;
use crate::output::Output;
use crate::script::value;

/// How long a client may be silent in the middle of a body. The original waits for ever; web servers give up after a minute.
const SILENCE: Duration = Duration::from_secs(120);

/// The same when the script is over and only what it left unread is waited for.
const SILENCE_AFTERWARDS: Duration = Duration::from_secs(10);

/// Where a body comes from.
#[derive(Debug)]
pub(crate) struct Body {
    file: Option<File>,
    patience: Duration,
}

/// Whether the stream of a body ended as it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Bytes, or the end as the protocol has it.
    Intact,
    /// The client was silent for too long, is gone, or broke the protocol: the connection cannot be used again.
    Broken,
}

impl Default for Body {
    fn default() -> Body {
        Body {
            file: None,
            patience: SILENCE,
        }
    }
}

impl Body {
    /// Says that the script is over.
    pub(crate) fn lose_patience(&mut self) {
        self.patience = SILENCE_AFTERWARDS;
    }

    /// Reads from the file of REQUEST_BODY_FILE, or answers `None` when there is no such variable.
    pub(crate) fn read_file(&mut self, params: &Params, buffer: &mut [u8]) -> Option<BodyRead> {
        let path = value(params, b"REQUEST_BODY_FILE").filter(|path| !path.is_empty())?;
        let mut file = match self.file.take().map_or_else(|| open(path), Ok) {
            Ok(file) => file,
            Err(error) => {
                return Some(BodyRead::CannotOpen {
                    path: path.to_owned(),
                    errno: error.raw_os_error().unwrap_or_default(),
                });
            }
        };
        let read = loop {
            match file.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => break BodyRead::End,
                Ok(count) => break BodyRead::Bytes(count),
            }
        };
        self.file = Some(file);
        Some(read)
    }

    /// Reads from the connection. What the protocol itself has to say meanwhile goes out through `output`.
    pub(crate) fn read_stream(
        &self,
        client: &Client,
        protocol: &mut Protocol,
        output: &mut Output,
        buffer: &mut [u8],
    ) -> (BodyRead, Stream) {
        loop {
            let read = match protocol.read_stdin(buffer) {
                Ok(StdinRead::Bytes(count)) => return (BodyRead::Bytes(count), Stream::Intact),
                Ok(StdinRead::End) => return (BodyRead::End, Stream::Intact),
                Ok(StdinRead::Aborted) | Err(_) => return (BodyRead::End, Stream::Broken),
                Ok(StdinRead::Reply(reply)) => output.reply(&mut &*client, &reply).map(|()| 0),
                Ok(StdinRead::NeedInput) => self.receive(client, protocol, buffer),
            };
            match read {
                Ok(0) => {}
                Ok(direct) => return (BodyRead::Bytes(direct), Stream::Intact),
                Err(_) => return (BodyRead::End, Stream::Broken),
            }
        }
    }

    /// Waits for bytes and returns how many of them went straight into `buffer`; the others are in the connection's own.
    fn receive(
        &self,
        client: &Client,
        protocol: &mut Protocol,
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        let direct = protocol.stdin_direct().min(buffer.len());
        let mut parts = [
            IoSliceMut::new(&mut buffer[..direct]),
            IoSliceMut::new(protocol.space()),
        ];
        let count = client.read_patiently(&mut parts, self.patience)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let direct = direct.min(count);
        if direct > 0 {
            protocol.stdin_directly_read(direct);
        }
        protocol.filled(count - direct);
        Ok(direct)
    }
}

fn open(path: &CStr) -> io::Result<File> {
    File::open(OsStr::from_bytes(path.to_bytes()))
}
