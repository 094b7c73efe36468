//! PHP in this process: started, running requests, ended.

use std::ffi::{CStr, CString, c_char};
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::{env, ptr};

use crate::calls::{self, Running};
use crate::error::SapiError;
use crate::host::Host;
use crate::ini_files::{self, Search};
use crate::overtime;
use crate::request::{Action, Completion, Outcome, RequestInfo};
use crate::start::{Settle, StartOptions, build_facts, ini_text, text_of};
use crate::text::CSlice;

/// Whether PHP was started in this process. PHP's state is global, so this is too: it is what makes
/// a second engine impossible.
static STARTED: AtomicBool = AtomicBool::new(false);

/// PHP, started in this process.
///
/// There is one a process, and it belongs to the thread that started it. A fork takes it into the
/// child, where [`after_fork`](Self::after_fork) is to be called. Dropping it does nothing: PHP
/// ends with [`shutdown`](Self::shutdown), or with the process.
#[derive(Debug)]
pub struct Engine {
    /// Settings have loaded an extension whose request handlers PHP does not know yet.
    extension_loaded: bool,
    /// PHP must stay on its thread.
    not_send: PhantomData<*mut ()>,
}

impl Engine {
    /// Starts PHP: reads php.ini, loads the extensions, opcache and the preload script. Call it
    /// while the process is single-threaded: the environment is changed for a moment. `log` gets
    /// PHP's messages outside requests.
    ///
    /// # Errors
    /// When PHP does not start, when libphp is not the one fpmd was built for, or when PHP was
    /// started before.
    pub fn start(options: &StartOptions, log: fn(&[u8])) -> Result<Self, SapiError> {
        Self::start_settled(options, log, &mut |_| ControlFlow::Continue(()))
    }

    /// Starts PHP as [`start`](Self::start) does, and calls `settle` when php.ini has been read,
    /// all extensions are loaded, and none has started yet. That is the moment to give up
    /// privileges: the files may be for root's eyes only, extensions and the preload script are not
    /// for root's hands. When `settle` breaks off, PHP ends the process.
    ///
    /// # Errors
    /// Those of [`start`](Self::start).
    pub fn start_settled(
        options: &StartOptions,
        log: fn(&[u8]),
        settle: &mut Settle<'_>,
    ) -> Result<Self, SapiError> {
        let mut settle = settle;
        let mut options = raw_options(options)?;
        options.settled = Some(calls::settled);
        options.settled_context = (&raw mut settle).cast();
        if STARTED.swap(true, Ordering::Relaxed) {
            return Err(SapiError::AlreadyStarted);
        }
        // The shim keeps the callbacks for the life of the process.
        let calls = Box::leak(Box::new(calls::table(log)));
        // SAFETY: both structures are complete, the table and the options' strings are never freed,
        // `settle` is only used during the call, and this is the only start in this process.
        let started = unsafe { php_sys::fpmd_start(&options, calls) };
        match started {
            php_sys::fpmd_started::FPMD_STARTED => Ok(Self {
                extension_loaded: false,
                not_send: PhantomData,
            }),
            php_sys::fpmd_started::FPMD_WRONG_LIBRARY => Err(wrong_library()),
            php_sys::fpmd_started::FPMD_NO_LIBRARY => Err(no_library()),
            _ => Err(SapiError::StartFailed),
        }
    }

    /// Returns the version of the running PHP, `8.2.32`.
    pub fn version(&self) -> &str {
        // SAFETY: PHP is started.
        let version = unsafe { php_sys::fpmd_running_version() };
        // SAFETY: the shim returns a string that lives as long as PHP.
        unsafe { CStr::from_ptr(version) }
            .to_str()
            .unwrap_or_default()
    }

    /// Makes a freshly forked worker ready for requests. Call it once, after the worker has set its
    /// signal handlers, identity and working directory: PHP takes over the handlers as they are
    /// now, and scripts' relative paths start from this directory outside the script itself.
    pub fn after_fork(&mut self) {
        // SAFETY: PHP is started, and no request runs.
        unsafe { php_sys::fpmd_after_fork() };
    }

    /// Runs one request from its start-up to its shutdown.
    pub fn run(
        &mut self,
        request: &RequestInfo<'_>,
        action: Action<'_>,
        host: &mut dyn Host,
    ) -> Outcome {
        let headers: Vec<php_sys::fpmd_text> = match action {
            Action::Answer { headers, .. } => {
                headers.iter().map(|line| CSlice::new(line).raw()).collect()
            }
            Action::Script | Action::HeadersOnly => Vec::new(),
        };
        let action = raw_action(action, &headers);
        let request = raw_request(request);
        let mut outcome = php_sys::fpmd_outcome {
            completion: php_sys::fpmd_completion::FPMD_STARTUP_FAILED,
            status: 0,
            exit_status: 0,
            memory_peak: 0,
        };
        let mut running = Running::new(host);
        // SAFETY: everything the structures point to outlives the call. `running` is reached
        // through the pointer alone until the call returns, one callback at a time: callbacks are
        // leaves, so none starts within another.
        unsafe { php_sys::fpmd_run(&request, &action, (&raw mut running).cast(), &mut outcome) };
        Outcome {
            completion: match outcome.completion {
                php_sys::fpmd_completion::FPMD_COMPLETED => Completion::Finished,
                php_sys::fpmd_completion::FPMD_STARTUP_FAILED => Completion::StartupFailed,
                _ => Completion::ShutdownFailed,
            },
            status: calls::status(outcome.status),
            exit_status: outcome.exit_status,
            memory_peak: outcome.memory_peak,
        }
    }

    /// Goes back to the working directory in which [`after_fork`](Self::after_fork) was called.
    /// Requests may leave the process in the directory of their script; call this before resolving
    /// a relative path.
    pub fn return_home(&mut self) {
        // SAFETY: PHP is started, and no request runs.
        unsafe { php_sys::fpmd_return_home() };
    }

    /// Ends PHP: shutdown handlers of extensions run, memory is freed.
    pub fn shutdown(self) {
        // SAFETY: PHP is started, no request runs, and nothing can follow, for the engine is gone.
        unsafe { php_sys::fpmd_stop() };
    }

    /// Prints what `php-fpm -v` prints.
    ///
    /// # Errors
    /// When PHP gives up.
    pub fn print_version(&mut self) -> Result<(), SapiError> {
        // SAFETY: PHP is started, and no request runs.
        printed(unsafe { php_sys::fpmd_print_version() })
    }

    /// Prints what `php-fpm -m` prints.
    ///
    /// # Errors
    /// When PHP gives up.
    pub fn print_modules(&mut self) -> Result<(), SapiError> {
        // SAFETY: PHP is started, and no request runs.
        printed(unsafe { php_sys::fpmd_print_modules() })
    }

    /// Prints what `php-fpm -i` prints.
    ///
    /// # Errors
    /// When PHP gives up.
    pub fn print_info(&mut self) -> Result<(), SapiError> {
        // SAFETY: PHP is started, and no request runs.
        printed(unsafe { php_sys::fpmd_print_info() })
    }

    /// Remembers that an extension was loaded by a setting.
    pub(crate) fn note_extension(&mut self) {
        self.extension_loaded = true;
    }

    /// Forgets and returns whether an extension was loaded by a setting.
    pub(crate) fn take_extension_note(&mut self) -> bool {
        std::mem::take(&mut self.extension_loaded)
    }
}

fn printed(done: bool) -> Result<(), SapiError> {
    if done {
        Ok(())
    } else {
        Err(SapiError::PrintFailed)
    }
}

/// Lays the options out for the shim. The strings are leaked: PHP keeps pointers to them.
fn raw_options(options: &StartOptions) -> Result<php_sys::fpmd_options, SapiError> {
    let facts = build_facts();
    let phprc = env::var_os("PHPRC");
    let scan_dir = env::var_os("PHP_INI_SCAN_DIR");
    let program = program_path(options);
    let search = Search {
        compiled: Path::new(text_of(facts.ini_directory)),
        compiled_scan: Path::new(text_of(facts.scan_directory)),
        phprc: phprc.as_deref(),
        scan_dir: scan_dir.as_deref(),
        program: &program,
    };
    let ini_path = match &options.ini_path {
        None if !options.ignore_ini => ini_files::ini_path(search, Path::is_dir),
        given => given.clone(),
    };
    let scan_path = ini_files::scan_path(search, Path::is_dir);
    let defines = ini_text(&options.defines);
    Ok(php_sys::fpmd_options {
        program: options.argv0.clone().into_raw(),
        ini_path: leaked(
            ini_path.as_deref().map(|path| path.as_os_str().as_bytes()),
            "the path of php.ini",
        )?,
        ignore_ini: options.ignore_ini,
        scan_path: leaked(
            scan_path.as_deref().map(|path| path.as_os_str().as_bytes()),
            "the scan directory",
        )?,
        ini_entries: leaked(
            (!defines.is_empty()).then_some(&defines),
            "a setting given by -d",
        )?,
        extended_info: options.extended_info,
        limits_time: options.limits_time,
        settled: None,
        settled_context: ptr::null_mut(),
    })
}

/// The executable as PHP would find it: beside it lies one of the places of php.ini.
fn program_path(options: &StartOptions) -> PathBuf {
    let argv0 = Path::new(std::ffi::OsStr::from_bytes(options.argv0.as_bytes()));
    if argv0.components().count() > 1 {
        argv0.to_owned()
    } else {
        env::current_exe().unwrap_or_default()
    }
}

fn leaked(
    bytes: Option<impl AsRef<[u8]>>,
    option: &'static str,
) -> Result<*const c_char, SapiError> {
    let Some(bytes) = bytes else {
        return Ok(ptr::null());
    };
    let text = CString::new(bytes.as_ref()).map_err(|_| SapiError::NulByte { option })?;
    Ok(text.into_raw())
}

fn no_library() -> SapiError {
    // SAFETY: the shim can be asked at any time; it returns NULL or a string that stays until the next library is opened.
    let reason = unsafe { php_sys::fpmd_open_error() };
    let reason = if reason.is_null() {
        String::new()
    } else {
        // SAFETY: not NULL, hence such a string, and no library is opened during the call.
        unsafe { CStr::from_ptr(reason) }
            .to_string_lossy()
            .into_owned()
    };
    SapiError::NoLibrary { reason }
}

fn wrong_library() -> SapiError {
    let built = text_of(build_facts().version);
    // SAFETY: the shim can be asked after a refused start too; it returns NULL or a string that is
    // never freed.
    let running = unsafe { php_sys::fpmd_running_version() };
    let running = (!running.is_null()).then(|| {
        // SAFETY: not NULL, hence a string that is never freed.
        unsafe { CStr::from_ptr(running) }
            .to_string_lossy()
            .into_owned()
    });
    let built = built.rsplit_once('.').map_or(built, |(minor, _)| minor);
    SapiError::WrongLibrary {
        built: built.to_owned(),
        running,
    }
}

fn raw_request(request: &RequestInfo<'_>) -> php_sys::fpmd_request {
    let text = |text: Option<&CStr>| text.map_or(ptr::null(), CStr::as_ptr);
    php_sys::fpmd_request {
        params: request.params.as_ptr().cast(),
        param_count: request.params.len(),
        method: text(request.method),
        query_string: text(request.query_string),
        uri: text(request.request_uri),
        script: text(request.path_translated),
        content_type: text(request.content_type),
        authorization: text(request.authorization),
        content_length: request.content_length.max(0),
        self_: CSlice::new(request.php_self).raw(),
        status: request.status.into(),
        limit: overtime::raw(request.limit),
    }
}

fn raw_action(action: Action<'_>, lines: &[php_sys::fpmd_text]) -> php_sys::fpmd_action {
    let kind = match action {
        Action::Script => php_sys::fpmd_action_kind::FPMD_ACTION_SCRIPT,
        Action::Answer { .. } => php_sys::fpmd_action_kind::FPMD_ACTION_ANSWER,
        Action::HeadersOnly => php_sys::fpmd_action_kind::FPMD_ACTION_HEADERS_ONLY,
    };
    let (status, body): (u16, &[u8]) = match action {
        Action::Answer { status, body, .. } => (status, body),
        Action::Script | Action::HeadersOnly => (0, b""),
    };
    php_sys::fpmd_action {
        kind,
        status: status.into(),
        headers: lines.as_ptr(),
        header_count: lines.len(),
        body: CSlice::new(body).raw(),
    }
}
