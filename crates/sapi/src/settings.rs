//! PHP settings made from outside: php_value and php_admin_value of a pool, PHP_VALUE and
//! PHP_ADMIN_VALUE of a request, and look-ups.
//!
//! Original: sapi/fpm/fpm/fpm_php.c.

use std::ffi::{CString, c_void};

use bstr::BString;

use crate::engine::Engine;
use crate::error::IniError;
use crate::text::bytes_of;

/// Who may change a setting afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IniAccess {
    /// `php_value`: scripts and `.user.ini` may.
    User,
    /// `php_admin_value`: nobody may.
    System,
}

impl IniAccess {
    fn raw(self) -> php_sys::fpmd_access {
        match self {
            Self::User => php_sys::fpmd_access::FPMD_ACCESS_USER,
            Self::System => php_sys::fpmd_access::FPMD_ACCESS_SYSTEM,
        }
    }
}

/// What is wrong with a line of PHP_VALUE or PHP_ADMIN_VALUE.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IniFault {
    /// A section or an array.
    #[error("Passing INI directive through FastCGI: only classic entries are allowed")]
    NotClassic,
    /// A line without a key.
    #[error("Passing INI directive through FastCGI: empty key")]
    EmptyKey,
    /// A key alone.
    #[error("Passing INI directive through FastCGI: empty value for key '{key}'")]
    EmptyValue {
        /// The key.
        key: BString,
    },
    /// There is no such setting.
    #[error("Passing INI directive through FastCGI: unable to set '{key}'")]
    Unknown {
        /// The key.
        key: BString,
    },
}

impl Engine {
    /// Makes one setting for the rest of the process. The key `extension` loads an extension;
    /// `disable_functions` and `disable_classes` add to what is disabled. A value that the
    /// setting's own rule refuses is silently ignored, as is an extension that does not load (PHP
    /// logs a warning).
    ///
    /// # Errors
    /// When there is no such setting.
    pub fn set_ini(&mut self, key: &[u8], value: &[u8], access: IniAccess) -> Result<(), IniError> {
        let nul_byte = |_| IniError::NulByte { key: key.into() };
        let c_key = CString::new(key).map_err(nul_byte)?;
        let c_value = CString::new(value).map_err(nul_byte)?;
        // SAFETY: PHP is started (there is an Engine), both strings live through the call, which
        // keeps no pointer to them.
        let setting =
            unsafe { php_sys::fpmd_set_ini(c_key.as_ptr(), c_value.as_ptr(), access.raw()) };
        match setting {
            php_sys::fpmd_setting::FPMD_SETTING_UNKNOWN => {
                Err(IniError::Unknown { key: key.into() })
            }
            php_sys::fpmd_setting::FPMD_SETTING_FAILED => Err(IniError::Failed { key: key.into() }),
            php_sys::fpmd_setting::FPMD_SETTING_EXTENSION_LOADED => {
                self.note_extension();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Ends a series of [`set_ini`](Self::set_ini): makes the request handlers of extensions loaded
    /// by it known to PHP.
    pub fn finish_ini(&mut self) {
        if self.take_extension_note() {
            // SAFETY: PHP is started and no request runs, since `run` would hold the mutable
            // borrow.
            unsafe { php_sys::fpmd_collect_modules() };
        }
    }

    /// Applies a PHP_VALUE or PHP_ADMIN_VALUE parameter: `key = value` lines. Lasts for the rest of
    /// the process. Returns what was wrong, in order; the other lines are applied. If PHP gives up
    /// with a fatal error, the next [`run`](Self::run) ends in
    /// [`StartupFailed`](crate::Completion::StartupFailed).
    pub fn apply_ini_text(&mut self, text: &[u8], access: IniAccess) -> Vec<IniFault> {
        // A parameter is a C string for PHP: what follows a NUL byte does not exist.
        let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
        let mut line = Vec::with_capacity(text.len() + 2);
        line.extend_from_slice(text);
        line.extend_from_slice(b"\n\0");
        let mut faults: Vec<IniFault> = Vec::new();
        // SAFETY: PHP is started; `line` ends in NUL; `note_fault` gets exactly the vector it
        // expects, and only during the call.
        unsafe {
            php_sys::fpmd_apply_ini_text(
                line.as_ptr().cast(),
                access.raw(),
                Some(note_fault),
                (&raw mut faults).cast::<c_void>(),
            );
        }
        faults
    }
}

/// Callback of the shim: keeps one fault of an ini text.
///
/// # Safety
/// `context` points to the vector of [`Engine::apply_ini_text`]; `key` is readable.
unsafe extern "C" fn note_fault(
    context: *mut c_void,
    fault: php_sys::fpmd_ini_fault,
    key: php_sys::fpmd_text,
) {
    // SAFETY: the shim passes on what `apply_ini_text` gave it, and that function does not touch
    // the vector meanwhile.
    let faults = unsafe { &mut *context.cast::<Vec<IniFault>>() };
    // SAFETY: the shim's text is readable for the duration of this call.
    let key = BString::from(unsafe { bytes_of(key) });
    faults.push(match fault {
        php_sys::fpmd_ini_fault::FPMD_INI_NOT_CLASSIC => IniFault::NotClassic,
        php_sys::fpmd_ini_fault::FPMD_INI_EMPTY_KEY => IniFault::EmptyKey,
        php_sys::fpmd_ini_fault::FPMD_INI_EMPTY_VALUE => IniFault::EmptyValue { key },
        _ => IniFault::Unknown { key },
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fault_texts_are_those_of_php_fpm() {
        let fault = IniFault::EmptyValue {
            key: "precision".into(),
        };
        assert_eq!(
            fault.to_string(),
            "Passing INI directive through FastCGI: empty value for key 'precision'"
        );
        let fault = IniFault::Unknown { key: "nope".into() };
        assert_eq!(
            fault.to_string(),
            "Passing INI directive through FastCGI: unable to set 'nope'"
        );
    }
}
