//! PHP as fpmd was built for it, and PHP in this process for the roles that ask it something: `-v`, `-m`, `-i`, and the
//! child that knows its settings.
//!
//! Rule: PHP is never started in the master.

use std::ffi::{CString, NulError, OsStr};
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use fpm_channel::PhpOptions;
use fpm_conf::{BuildFolders, PhpVersion};
use fpm_os::identity::{self, Identity};
use nix::unistd::{Gid, Uid};
use sapi::{Engine, SapiError, StartOptions};

use crate::exit;

/// Keeps the preload script from running; the later of two definitions counts.
const NO_PRELOADING: &str = "opcache.preload=";

/// An id that owns nothing.
const NOBODY: u32 = 65_534;

/// Starts PHP as the command line says.
///
/// # Errors
/// When PHP does not start.
fn start(options: &PhpOptions, log: fn(&[u8])) -> Result<Engine, SapiError> {
    Engine::start(&start_options(options)?, log)
}

/// Starts PHP to be asked for its settings and constants, and nothing else: no script runs, and of root's rights nothing is
/// left when the extensions start.
///
/// # Errors
/// When PHP does not start.
pub(crate) fn start_as_nobody(options: &PhpOptions) -> Result<Engine, SapiError> {
    let mut options = start_options(options)?;
    options.defines.push(NO_PRELOADING.into());
    let nobody = Identity {
        user: c"nobody".to_owned(),
        uid: Uid::from_raw(NOBODY),
        gid: Gid::from_raw(NOBODY),
    };
    Engine::start_settled(&options, |_| {}, &mut |_| {
        if Uid::effective().is_root() && identity::assume(&nobody).is_err() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })
}

fn start_options(options: &PhpOptions) -> Result<StartOptions, SapiError> {
    let argv0: Result<CString, NulError> = CString::new(options.argv0.as_slice());
    Ok(StartOptions {
        argv0: argv0.map_err(|_| SapiError::NulByte { option: "argv[0]" })?,
        ini_path: options
            .ini_path
            .as_ref()
            .map(|path| PathBuf::from(OsStr::from_bytes(path))),
        ignore_ini: options.ignore_ini,
        defines: options.defines.clone(),
        extended_info: options.extended_info,
        limits_time: false,
    })
}

/// Returns the folders that the PHP of this build was configured for. A distribution keeps php-fpm's files in a folder of
/// their own, not where its libphp was configured to look.
pub(crate) fn folders() -> BuildFolders {
    let paths = sapi::built_paths();
    BuildFolders {
        prefix: paths.prefix.into(),
        localstatedir: paths.localstatedir.into(),
        sysconfdir: match sapi::distribution_folder() {
            Some(folder) => folder.into_os_string().into_vec().into(),
            None => paths.sysconfdir.into(),
        },
    }
}

/// Returns the version of the PHP of this build.
pub(crate) fn version() -> PhpVersion {
    PhpVersion::from_id(sapi::built_version_id())
}

/// Starts PHP, lets it print something and ends it; returns the exit code.
pub(crate) fn print(options: &PhpOptions, printed: fn(&mut Engine) -> Result<(), SapiError>) -> u8 {
    let outcome = start(options, to_stderr).and_then(|mut engine| {
        printed(&mut engine)?;
        engine.shutdown();
        Ok(())
    });
    match outcome {
        Ok(()) => exit::OK,
        Err(error) => {
            tracing::error!("{error}");
            exit::SOFTWARE
        }
    }
}

/// PHP's messages, for a person at a terminal.
fn to_stderr(message: &[u8]) {
    let _ = io::stderr().write_all(&[message, b"\n"].concat());
}
