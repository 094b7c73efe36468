//! How PHP is started: the options of php-fpm's command line that concern PHP, and what becomes of
//! them.
//!
//! Original: the option loop of sapi/fpm/fpm/fpm_main.c, main/php_ini_builder.c.

use std::ffi::{CStr, CString};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use bstr::BString;

use crate::ini_files;

/// How PHP is to be started.
#[derive(Clone, Debug, Default)]
pub struct StartOptions {
    /// How the program was called; becomes PHP_BINARY, and php.ini is looked for beside it.
    pub argv0: CString,
    /// `-c`: php.ini itself, or the folder to look for it in.
    pub ini_path: Option<PathBuf>,
    /// `-n`: neither php.ini nor the scan directory is read. A file named by `-c` still is.
    pub ignore_ini: bool,
    /// `-d`: settings `name[=value]`, in order.
    pub defines: Vec<BString>,
    /// `-e`: opcodes carry the information that profilers and debuggers want.
    pub extended_info: bool,
    /// Requests may come with a [`TimeLimit`](crate::TimeLimit). Costs a little in every call of a
    /// script.
    pub limits_time: bool,
}

/// What is to be done when PHP's extensions are loaded and none has started. It is told whom
/// `opcache.preload_user` names; when it breaks off, PHP ends the process. It must not call PHP.
pub type Settle<'a> = dyn FnMut(Option<&CStr>) -> ControlFlow<()> + 'a;

/// Returns the version of PHP that fpmd was built for, `8.2.32`; works without a started PHP.
pub fn built_version() -> &'static str {
    text_of(build_facts().version)
}

/// Returns the version of PHP that fpmd was built for as a number, 80232.
pub fn built_version_id() -> u32 {
    build_facts().version_id
}

/// The folders compiled into the PHP that fpmd was built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltPaths {
    /// The prefix of the installation (`--prefix`).
    pub prefix: &'static str,
    /// Where configuration files lie (`--sysconfdir`).
    pub sysconfdir: &'static str,
    /// Where logs and run-time files lie (`--localstatedir`).
    pub localstatedir: &'static str,
}

/// Returns the folders compiled into PHP; works without a started PHP.
pub fn built_paths() -> BuiltPaths {
    let facts = build_facts();
    BuiltPaths {
        prefix: text_of(facts.prefix),
        sysconfdir: text_of(facts.sysconf_directory),
        localstatedir: text_of(facts.localstate_directory),
    }
}

/// Returns a distribution's folder of php-fpm settings, `/etc/php/8.2/fpm` on Debian: it stands
/// beside the one that libphp was packaged with. php.ini is looked for there, and php-fpm.conf lies
/// there too.
pub fn distribution_folder() -> Option<PathBuf> {
    let compiled = Path::new(text_of(build_facts().ini_directory));
    ini_files::beside_packaged(compiled, Path::is_dir)
}

/// The facts of the build.
pub(crate) fn build_facts() -> &'static php_sys::fpmd_build {
    // SAFETY: works without a started PHP.
    let facts = unsafe { php_sys::fpmd_build_facts() };
    // SAFETY: the shim returns the address of a constant.
    unsafe { &*facts }
}

/// Borrows a constant string of the shim; one that is not UTF-8 (no path of a build is) counts as
/// empty.
pub(crate) fn text_of(text: *const std::ffi::c_char) -> &'static str {
    // SAFETY: only called for the strings of `fpmd_build`, which are constants.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().unwrap_or_default()
}

/// Turns `-d` arguments into ini text. A name alone is set to 1. A value that does not begin with a
/// letter, a digit or a quote is wrapped in double quotes, so that `-d a=/b;c` needs none.
pub(crate) fn ini_text(defines: &[BString]) -> Vec<u8> {
    let mut text = Vec::new();
    for define in defines {
        match define.iter().position(|&byte| byte == b'=') {
            None => {
                text.extend_from_slice(define);
                text.extend_from_slice(b"=1");
            }
            Some(equals) => {
                let (name, value) = (&define[..equals], &define[equals + 1..]);
                let verbatim = value
                    .first()
                    .is_none_or(|&first| first.is_ascii_alphanumeric() || b"\"'".contains(&first));
                let quote: &[u8] = if verbatim { b"" } else { b"\"" };
                for part in [name, b"=", quote, value, quote] {
                    text.extend_from_slice(part);
                }
            }
        }
        text.push(b'\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defines_become_ini_text() {
        let cases: [(&str, &str); 7] = [
            ("foo", "foo=1\n"),
            ("foo=", "foo=\n"),
            ("foo=bar", "foo=bar\n"),
            ("foo=/a;b", "foo=\"/a;b\"\n"),
            ("foo=\"x y\"", "foo=\"x y\"\n"),
            ("foo='x'", "foo='x'\n"),
            ("foo=-1", "foo=\"-1\"\n"),
        ];
        for (define, text) in cases {
            assert_eq!(ini_text(&[define.into()]), text.as_bytes(), "{define}");
        }
        assert_eq!(ini_text(&["a=1".into(), "b".into()]), b"a=1\nb=1\n");
    }
}
