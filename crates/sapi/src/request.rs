//! What a request is, what is to be done with it, and what came of it.

use std::ffi::CStr;

use crate::overtime::TimeLimit;
use crate::text::CSlice;

/// One FastCGI parameter.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Param<'a> {
    /// Its name.
    pub name: CSlice<'a>,
    /// Its value.
    pub value: CSlice<'a>,
}

impl<'a> Param<'a> {
    /// Makes a parameter of two byte strings.
    pub const fn new(name: &'a [u8], value: &'a [u8]) -> Self {
        Self {
            name: CSlice::new(name),
            value: CSlice::new(value),
        }
    }
}

/// A request as PHP is to see it. Names in capitals are FastCGI parameters.
#[derive(Clone, Copy, Debug)]
pub struct RequestInfo<'a> {
    /// All parameters in the order in which scripts see them: newest first. Cookies, DOCUMENT_ROOT
    /// and SERVER_NAME are looked up here.
    pub params: &'a [Param<'a>],
    /// REQUEST_METHOD.
    pub method: Option<&'a CStr>,
    /// QUERY_STRING.
    pub query_string: Option<&'a CStr>,
    /// The final SCRIPT_NAME (PATH_INFO when cgi.fix_pathinfo is off); what `doc_root` and
    /// `user_dir` are applied to.
    pub request_uri: Option<&'a CStr>,
    /// Path of the primary script. Without it there is no `.user.ini`.
    pub path_translated: Option<&'a CStr>,
    /// CONTENT_TYPE, empty when there is none; `None` when the request names no script.
    pub content_type: Option<&'a CStr>,
    /// CONTENT_LENGTH in bytes; negative counts as 0.
    pub content_length: i64,
    /// HTTP_AUTHORIZATION.
    pub authorization: Option<&'a CStr>,
    /// `$_SERVER['PHP_SELF']`.
    pub php_self: &'a [u8],
    /// Response code before the script says anything: 200, or 404 when no script was found.
    pub status: u16,
    /// How long the script may take.
    pub limit: Option<TimeLimit>,
}

/// What is done with a request once PHP has started it.
#[derive(Clone, Copy, Debug)]
pub enum Action<'a> {
    /// Opens and executes the script. One that cannot be opened is answered with 403 or 404; without
    /// a path nothing is executed, so a host answers that itself.
    Script,
    /// Sends a prepared answer through PHP's own headers and output layers.
    Answer {
        /// Response code.
        status: u16,
        /// Header lines; a `Content-Type` replaces PHP's default.
        headers: &'a [&'a [u8]],
        /// Body; not sent for HEAD.
        body: &'a [u8],
    },
    /// Sends the default headers and no body: what a request without REQUEST_METHOD gets.
    HeadersOnly,
}

/// How much of its life cycle a request completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completion {
    /// All of it, whatever the script did.
    Finished,
    /// PHP could not start the request. Nothing but [`Engine::shutdown`](crate::Engine::shutdown)
    /// may follow.
    StartupFailed,
    /// PHP could not clean up after the request. Nothing but
    /// [`Engine::shutdown`](crate::Engine::shutdown) may follow.
    ShutdownFailed,
}

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How far it came.
    pub completion: Completion,
    /// Response code at the end of the script.
    pub status: u16,
    /// Status given to `exit()`; 255 after a fatal error.
    pub exit_status: i32,
    /// Peak of the memory that PHP took from the system, in bytes.
    pub memory_peak: usize,
}
