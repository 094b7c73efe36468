//! What PHP asks of the outside world during a request.
//!
//! Implementations are leaves: they copy bytes in or out and return. They cannot call PHP (the
//! engine is borrowed while they run) and must not panic: a panic here aborts the process.
//!
//! Original: the callbacks of `sapi_module_struct` (main/SAPI.h), sapi/fpm/fpm/fpm_main.c.

use std::ffi::{CStr, CString};

use crate::status::PoolStatus;
use crate::text::CSlice;

/// The client closed the connection, or writing to it failed. PHP then ends the script, unless it
/// ignores user aborts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientGone;

/// What a read of the request body brought.
#[derive(Debug, PartialEq, Eq)]
pub enum BodyRead {
    /// This many bytes were stored, at least one.
    Bytes(usize),
    /// There is no more.
    End,
    /// The file that REQUEST_BODY_FILE names could not be opened; PHP warns about it and the body
    /// is empty.
    CannotOpen {
        /// The file.
        path: CString,
        /// Why, as errno.
        errno: i32,
    },
}

/// What became of the connection when a script called `fastcgi_finish_request()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishRequest {
    /// The answer is complete, the connection stays open for the next request.
    KeptOpen,
    /// The answer is complete and the connection closed. The shim will not ask again in this
    /// request.
    Closed,
    /// There was nothing left to finish; the function returns false.
    AlreadyClosed,
}

/// The head of a response as PHP has collected it. The host formats it.
#[derive(Clone, Copy, Debug)]
pub struct ResponseHead<'a> {
    /// Response code.
    pub status: u16,
    /// The line of a `header("HTTP/1.1 …")` call, when there was one.
    pub status_line: Option<&'a [u8]>,
    /// Header lines (`Name: value`) in order, without line ends.
    pub headers: &'a [CSlice<'a>],
    /// `cgi.nph`: a status line is wanted for 200 too.
    pub nph: bool,
    /// `cgi.rfc2616_headers`: the script's own status line is sent as it is.
    pub rfc2616_headers: bool,
}

/// A request between the end of its script and its shutdown.
#[derive(Clone, Copy, Debug)]
pub struct Executed<'a> {
    /// Response code.
    pub status: u16,
    /// Status given to `exit()`; 255 after a fatal error.
    pub exit_status: i32,
    /// Peak of the memory that PHP took from the system, in bytes.
    pub memory_peak: usize,
    /// Response header lines as far as they are known.
    pub headers: &'a [CSlice<'a>],
}

/// Takes output, head and log of a request, and gives its body.
///
/// Order of the calls: `authenticated`, (`read_body` …), `executing`, (`send_head`, `write`,
/// `flush` …), `executed`, (output of shutdown functions and destructors), `answered`. `log` comes
/// at any time.
pub trait Host {
    /// Takes a part of the response body.
    ///
    /// # Errors
    /// When the client is gone.
    fn write(&mut self, bytes: &[u8]) -> Result<(), ClientGone>;

    /// Sends what was buffered.
    ///
    /// # Errors
    /// When the client is gone.
    fn flush(&mut self) -> Result<(), ClientGone>;

    /// Takes the response head, once, before the body.
    ///
    /// # Errors
    /// When the client is gone.
    fn send_head(&mut self, head: &ResponseHead<'_>) -> Result<(), ClientGone>;

    /// Reads some of the request body into `buf`. PHP never asks for more than CONTENT_LENGTH bytes
    /// altogether; what the script left unread is read and dropped at the end of the request.
    fn read_body(&mut self, buf: &mut [u8]) -> BodyRead;

    /// Takes one message of PHP's log: `error_log()`, or an error while the setting `error_log` is
    /// empty.
    fn log(&mut self, message: &[u8]);

    /// Completes the answer early. All output was written before.
    fn finish_request(&mut self) -> FinishRequest;

    /// Learns that the script's [`TimeLimit`](crate::TimeLimit) is over; it gets its error now.
    fn overran(&mut self) {}

    /// Takes the state of the request after its script and before shutdown functions, destructors
    /// and the last output.
    fn executed(&mut self, executed: &Executed<'_>);

    /// Learns that the primary script `path` could not be opened; PHP answers 403 or 404.
    fn denied(&mut self, path: &CStr, errno: i32);

    /// Learns the user name of Basic authentication, before PHP starts the request.
    fn authenticated(&mut self, _user: &CStr) {}

    /// Learns that PHP has started the request and the script (or the prepared answer) comes now.
    fn executing(&mut self) {}

    /// Tells a script that calls `fpm_get_status()` of its pool; nothing makes the function return
    /// false.
    fn status(&mut self) -> Option<PoolStatus> {
        None
    }

    /// Learns that there will be no more output and no more body reads, while PHP goes on to free
    /// its memory.
    fn answered(&mut self) {}
}
