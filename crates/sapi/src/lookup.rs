//! Questions to a started PHP that change nothing: settings, php.ini, constants, paths.

use std::ffi::{CStr, c_void};

use bstr::BString;

use crate::engine::Engine;
use crate::text::bytes_of;

/// A look-up of the shim that passes its result to a callback.
type LookUp =
    unsafe extern "C" fn(*const std::ffi::c_char, php_sys::fpmd_text_call, *mut c_void) -> bool;

impl Engine {
    /// Returns the current value of a setting, `None` when there is none of this name or it has no
    /// value.
    pub fn ini_str(&self, name: &CStr) -> Option<&[u8]> {
        // SAFETY: PHP is started and `name` lives through the call.
        let value = unsafe { php_sys::fpmd_ini_value(name.as_ptr()) };
        if value.at.is_null() {
            return None;
        }
        // SAFETY: PHP keeps the value until the setting changes, for which `self` must be borrowed
        // mutably.
        Some(unsafe { bytes_of(value) })
    }

    /// Returns whether a setting is on, by PHP's rule: `true`, `yes`, `on`, or a number other than
    /// 0.
    pub fn ini_bool(&self, name: &CStr) -> bool {
        self.ini_str(name).is_some_and(is_on)
    }

    /// Returns what php.ini or `-d` say for a name, whether or not there is such a setting, and
    /// without defaults.
    pub fn configured(&self, name: &CStr) -> Option<BString> {
        taken(php_sys::fpmd_configured, name)
    }

    /// Returns the value of a PHP constant as text.
    pub fn constant(&self, name: &CStr) -> Option<BString> {
        taken(php_sys::fpmd_constant, name)
    }

    /// Returns whether `path` leads to something. PHP's cache of resolved paths is asked, as
    /// php-fpm does when it looks for a script: while it knows the path this costs no system call.
    pub fn path_exists(&self, path: &CStr) -> bool {
        // SAFETY: PHP is started and `path` lives through the call.
        unsafe { php_sys::fpmd_path_exists(path.as_ptr()) }
    }
}

/// Copies what a look-up brings.
fn taken(look_up: LookUp, name: &CStr) -> Option<BString> {
    let mut text = BString::default();
    // SAFETY: PHP is started (only methods of Engine come here); `take` gets exactly the string it
    // expects, and only during the call.
    let found = unsafe { look_up(name.as_ptr(), Some(take), (&raw mut text).cast()) };
    found.then_some(text)
}

/// Callback of the shim: keeps a text.
///
/// # Safety
/// `context` points to the string of [`taken`]; `text` is readable.
unsafe extern "C" fn take(context: *mut c_void, text: php_sys::fpmd_text) {
    // SAFETY: the shim passes on what `taken` gave it, and `taken` does not touch it meanwhile.
    let kept = unsafe { &mut *context.cast::<BString>() };
    // SAFETY: the shim's text is readable for the duration of this call.
    *kept = unsafe { bytes_of(text) }.into();
}

/// PHP's rule for boolean settings (`zend_ini_parse_bool`).
fn is_on(value: &[u8]) -> bool {
    let words: [&[u8]; 3] = [b"true", b"yes", b"on"];
    words.iter().any(|word| value.eq_ignore_ascii_case(word)) || is_other_number_than_0(value)
}

/// `atoi(value) != 0`: blanks, a sign, then digits up to the first other byte.
fn is_other_number_than_0(value: &[u8]) -> bool {
    let value = value.trim_ascii_start();
    let unsigned = value
        .strip_prefix(b"-")
        .or_else(|| value.strip_prefix(b"+"));
    let digits = unsigned.unwrap_or(value);
    digits
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .any(|&byte| byte != b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans_follow_phps_rule() {
        for on in ["1", "on", "Yes", "TRUE", "2", " 3", "-1", "10"] {
            assert!(is_on(on.as_bytes()), "{on:?} is on");
        }
        for off in ["", "0", "off", "no", "false", "none", "x1", "-0", "00"] {
            assert!(!is_on(off.as_bytes()), "{off:?} is off");
        }
    }
}
