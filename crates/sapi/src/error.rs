//! What can go wrong between fpmd and PHP.

use bstr::BString;

/// PHP could not be started or used.
#[derive(Debug, thiserror::Error)]
pub enum SapiError {
    /// An [`Engine`](crate::Engine) was started in this process before.
    #[error("PHP was already started in this process")]
    AlreadyStarted,
    /// The dynamic linker found no libphp, or one that it cannot load.
    #[error("cannot load libphp: {reason}")]
    NoLibrary {
        /// What the dynamic linker says.
        reason: String,
    },
    /// The dynamic linker found another libphp than the one fpmd was built for.
    #[error("the libphp found at run time is not PHP {built}, for which fpmd was built{}; rebuild fpmd or reinstall PHP {built}",
        running.as_ref().map(|version| format!(", but PHP {version}")).unwrap_or_default())]
    WrongLibrary {
        /// Version at build time, `8.2`.
        built: String,
        /// Version at run time, when the library could say it.
        running: Option<String>,
    },
    /// PHP's own start-up failed; it has written the reason to its log.
    #[error("PHP failed to start")]
    StartFailed,
    /// An option holds a NUL byte, which PHP cannot be given.
    #[error("{option} contains a NUL byte")]
    NulByte {
        /// What it was given for.
        option: &'static str,
    },
    /// PHP gave up while printing its version, modules or information.
    #[error("PHP failed to print its information")]
    PrintFailed,
}

/// A php_value or php_admin_value setting was not made.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum IniError {
    /// There is no setting of this name.
    #[error("there is no PHP setting '{key}'")]
    Unknown {
        /// Its name.
        key: BString,
    },
    /// The name or the value holds a NUL byte.
    #[error("the PHP setting '{key}' contains a NUL byte")]
    NulByte {
        /// Its name.
        key: BString,
    },
    /// PHP gave up with a fatal error, which it has logged. No request can be run any more.
    #[error("PHP failed to make the setting '{key}'")]
    Failed {
        /// Its name.
        key: BString,
    },
}
