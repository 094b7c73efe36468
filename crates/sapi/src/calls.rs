//! The callbacks that the C shim makes: each finds its [`Host`] and copies bytes. They are leaves.
//! None calls PHP, so none is ever entered while another runs, and none unwinds: `extern "C"` turns
//! a panic into an abort.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::slice;

use crate::host::{BodyRead, ClientGone, Executed, FinishRequest, Host, ResponseHead};
use crate::request::Param;
use crate::start::Settle;
use crate::status::ShownStatus;
use crate::text::{CSlice, bytes_of, slices_of};

/// What a running request needs in the callbacks; lives on the stack of `Engine::run`, and the shim
/// holds its address.
pub(crate) struct Running<'a> {
    host: &'a mut dyn Host,
    /// Keeps the path of a REQUEST_BODY_FILE that could not be opened alive until the shim has
    /// printed it.
    unopened_body: Option<CString>,
    /// Keeps what `fpm_get_status()` was told alive while the shim reads it.
    status: ShownStatus,
}

impl<'a> Running<'a> {
    /// Makes the callbacks' view of `host`.
    pub(crate) fn new(host: &'a mut dyn Host) -> Self {
        Self {
            host,
            unopened_body: None,
            status: ShownStatus::default(),
        }
    }

    /// Finds it again in a callback.
    ///
    /// # Safety
    /// `host` is what `Engine::run` gave to the shim, the request still runs, and no other callback
    /// is active.
    unsafe fn of<'r>(host: *mut c_void) -> &'r mut Running<'a> {
        // SAFETY: `Engine::run` keeps the structure alive and untouched during the request;
        // callbacks are leaves, so this is the only reference to it.
        unsafe { &mut *host.cast() }
    }
}

// Tables of parameters are handed over as they are.
const _: () = assert!(size_of::<Param<'_>>() == size_of::<php_sys::fpmd_param>());
const _: () = assert!(size_of::<CSlice<'_>>() == size_of::<php_sys::fpmd_text>());

/// The table of callbacks; `log_idle` gets PHP's messages outside requests.
pub(crate) fn table(log_idle: fn(&[u8])) -> php_sys::fpmd_calls {
    php_sys::fpmd_calls {
        log_idle: Some(log_outside),
        log_idle_context: Box::into_raw(Box::new(log_idle)).cast(),
        write: Some(write),
        flush: Some(flush),
        send_head: Some(send_head),
        read_body: Some(read_body),
        log: Some(log),
        finish_request: Some(finish_request),
        authenticated: Some(authenticated),
        executing: Some(executing),
        denied: Some(denied),
        overran: Some(overran),
        executed: Some(executed),
        status: Some(pool_status),
        answered: Some(answered),
    }
}

/// Narrows a response code; PHP lets scripts set any number, and what is no HTTP status counts as
/// 0.
pub(crate) fn status(code: c_int) -> u16 {
    u16::try_from(code).unwrap_or(0)
}

unsafe extern "C" fn log_outside(context: *mut c_void, message: *const c_char, length: usize) {
    // SAFETY: `table` made this pointer of a leaked box of exactly this type.
    let log = unsafe { *context.cast::<fn(&[u8])>() };
    // SAFETY: the shim passes a readable message.
    log(unsafe {
        bytes_of(php_sys::fpmd_text {
            at: message,
            length,
        })
    });
}

/// Calls what `Engine::start_settled` was given.
pub(crate) unsafe extern "C" fn settled(context: *mut c_void, preload_user: *const c_char) -> bool {
    // SAFETY: `start_settled` gave the shim the address of exactly this, and keeps it during the start.
    let settle = unsafe { &mut *context.cast::<&mut Settle<'_>>() };
    // SAFETY: when it is not NULL, the shim passes a NUL-terminated name that stays during the call.
    let preload_user = (!preload_user.is_null()).then(|| unsafe { CStr::from_ptr(preload_user) });
    settle(preload_user).is_continue()
}

unsafe extern "C" fn write(host: *mut c_void, bytes: *const c_char, length: usize) -> bool {
    // SAFETY: the shim passes on the pointer of `Engine::run` during the request.
    let running = unsafe { Running::of(host) };
    // SAFETY: the shim passes PHP's output buffer, which stays as it is during the call.
    let bytes = unsafe { bytes_of(php_sys::fpmd_text { at: bytes, length }) };
    delivered(running.host.write(bytes))
}

unsafe extern "C" fn flush(host: *mut c_void) -> bool {
    // SAFETY: the shim passes on the pointer of `Engine::run` during the request.
    let running = unsafe { Running::of(host) };
    delivered(running.host.flush())
}

unsafe extern "C" fn send_head(host: *mut c_void, head: *const php_sys::fpmd_head) -> bool {
    // SAFETY: the shim passes on the pointer of `Engine::run` during the request.
    let running = unsafe { Running::of(host) };
    // SAFETY: the shim passes the address of a complete structure on its stack.
    let head = unsafe { &*head };
    // SAFETY: the lines stay as they are during the call.
    let headers = unsafe { slices_of(head.lines, head.line_count) };
    // SAFETY: when `at` is not NULL the line stays as it is during the call.
    let status_line =
        (!head.status_line.at.is_null()).then(|| unsafe { bytes_of(head.status_line) });
    delivered(running.host.send_head(&ResponseHead {
        status: status(head.status),
        status_line,
        headers,
        nph: head.nph,
        rfc2616_headers: head.rfc2616,
    }))
}

unsafe extern "C" fn read_body(
    host: *mut c_void,
    buffer: *mut c_char,
    length: usize,
    failure: *mut php_sys::fpmd_open_failure,
) -> i64 {
    // SAFETY: the shim passes on the pointer of `Engine::run` during the request.
    let running = unsafe { Running::of(host) };
    // SAFETY: the shim passes PHP's buffer of `length` bytes (never 0), which nobody else uses
    // during the call. It comes from foreign code, which to Rust has initialised it.
    let buffer = unsafe { slice::from_raw_parts_mut(buffer.cast::<u8>(), length) };
    match running.host.read_body(buffer) {
        BodyRead::Bytes(count) => i64::try_from(count.min(length)).unwrap_or(0),
        BodyRead::End => php_sys::fpmd_body::FPMD_BODY_END.0.into(),
        BodyRead::CannotOpen { path, errno } => {
            let path = running.unopened_body.insert(path);
            // SAFETY: the shim passes the address of a structure on its stack.
            unsafe {
                *failure = php_sys::fpmd_open_failure {
                    path: path.as_ptr(),
                    error: errno,
                };
            }
            php_sys::fpmd_body::FPMD_BODY_CANNOT_OPEN.0.into()
        }
    }
}

unsafe extern "C" fn log(host: *mut c_void, message: *const c_char, length: usize) {
    // SAFETY: the shim passes on the pointer of `Engine::run` during the request.
    let running = unsafe { Running::of(host) };
    // SAFETY: the shim passes a readable message.
    running.host.log(unsafe {
        bytes_of(php_sys::fpmd_text {
            at: message,
            length,
        })
    });
}

unsafe extern "C" fn finish_request(host: *mut c_void) -> php_sys::fpmd_finish {
    // SAFETY: the shim passes on the pointer of `Engine::run` during the request.
    let running = unsafe { Running::of(host) };
    match running.host.finish_request() {
        FinishRequest::KeptOpen => php_sys::fpmd_finish::FPMD_FINISH_KEPT,
        FinishRequest::Closed => php_sys::fpmd_finish::FPMD_FINISH_CLOSED,
        FinishRequest::AlreadyClosed => php_sys::fpmd_finish::FPMD_FINISH_ALREADY_CLOSED,
    }
}

unsafe extern "C" fn authenticated(host: *mut c_void, user: *const c_char) {
    // SAFETY: the shim passes on the pointer of `Engine::run` during the request.
    let running = unsafe { Running::of(host) };
    // SAFETY: the shim passes a NUL-terminated name.
    running.host.authenticated(unsafe { CStr::from_ptr(user) });
}

unsafe extern "C" fn executing(host: *mut c_void) {
    // SAFETY: the shim passes on the pointer of `Engine::run` during the request.
    let running = unsafe { Running::of(host) };
    running.host.executing();
}

unsafe extern "C" fn denied(host: *mut c_void, path: *const c_char, error: c_int) {
    // SAFETY: the shim passes on the pointer of `Engine::run` during the request.
    let running = unsafe { Running::of(host) };
    // SAFETY: the shim passes a NUL-terminated path.
    running.host.denied(unsafe { CStr::from_ptr(path) }, error);
}

unsafe extern "C" fn overran(host: *mut c_void) {
    // SAFETY: the shim passes on the pointer of `Engine::run` during the request.
    let running = unsafe { Running::of(host) };
    running.host.overran();
}

unsafe extern "C" fn executed(host: *mut c_void, executed: *const php_sys::fpmd_executed) {
    // SAFETY: the shim passes on the pointer of `Engine::run` during the request.
    let running = unsafe { Running::of(host) };
    // SAFETY: the shim passes the address of a complete structure on its stack.
    let executed = unsafe { &*executed };
    // SAFETY: the lines stay as they are during the call.
    let headers = unsafe { slices_of(executed.lines, executed.line_count) };
    running.host.executed(&Executed {
        status: status(executed.status),
        exit_status: executed.exit_status,
        memory_peak: executed.memory_peak,
        headers,
    });
}

unsafe extern "C" fn pool_status(host: *mut c_void, place: *mut php_sys::fpmd_pool_status) -> bool {
    // SAFETY: the shim passes on the pointer of `Engine::run` during the request.
    let running = unsafe { Running::of(host) };
    let Some(status) = running.host.status() else {
        return false;
    };
    running.status = ShownStatus::new(status);
    // SAFETY: the shim passes the address of a structure on its stack.
    unsafe { *place = running.status.raw() };
    true
}

unsafe extern "C" fn answered(host: *mut c_void) {
    // SAFETY: the shim passes on the pointer of `Engine::run` during the request.
    let running = unsafe { Running::of(host) };
    running.host.answered();
}

fn delivered(result: Result<(), ClientGone>) -> bool {
    result.is_ok()
}
