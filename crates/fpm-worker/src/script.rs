//! From the FastCGI variables to the script that answers them.
//!
//! Pure: the file system is asked through [`Files`]. The steps and their order are the original's, including what looks odd
//! (web servers and applications have come to depend on it), and the variables are rewritten in place because the script sees
//! the result in `$_SERVER`. A variable that is replaced leaves its old value behind in an `ORIG_…` twin.
//!
//! Original: init_request_info in sapi/fpm/fpm/fpm_main.c.

mod fixups;
mod path_info;

#[cfg(test)]
mod tests;

use std::ffi::{CStr, CString};

use fcgi_proto::params::Params;

/// What the ini settings and the PHP version say about finding the script.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules<'a> {
    /// ini `cgi.fix_pathinfo`: whether a path that does not exist is cut back to a script that does.
    pub(crate) path_info: PathInfo,
    /// ini `cgi.discard_path`: whether PATH_TRANSLATED may name the script when paths are not fixed.
    pub(crate) path_translated: PathTranslated,
    /// ini `doc_root`, if it is set.
    pub(crate) doc_root: Option<&'a [u8]>,
    /// How PATH_INFO comes out of an Apache `ProxyPass` address.
    pub(crate) proxied_path_info: ProxiedPathInfo,
}

/// ini `cgi.fix_pathinfo`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PathInfo {
    /// On, the default: the script is searched in the path and what follows it becomes PATH_INFO.
    Fix,
    /// Off: variables are taken as they are.
    Leave,
}

/// ini `cgi.discard_path`; without effect when paths are fixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PathTranslated {
    /// Off, the default: PATH_TRANSLATED names the script.
    Use,
    /// On: only SCRIPT_FILENAME does.
    Discard,
}

/// Whether a percent-encoded PATH_INFO found in an Apache `ProxyPass` address is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProxiedPathInfo {
    /// PHP 8.2.
    AsSent,
    /// PHP 8.4.
    Decoded,
}

/// The file system as far as finding a script needs it.
pub(crate) trait Files {
    /// Tells whether `realpath` finds anything under this path.
    fn exists(&self, path: &CStr) -> bool;
    /// Tells whether this path, followed through symbolic links, is a regular file.
    fn is_regular(&self, path: &[u8]) -> bool;
}

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// The script to run; nothing means "File not found.".
    script: Option<Text>,
    /// The address that names the script (PHP's `request_uri`): status pages, PHP_SELF and the logs go by it.
    uri: Option<Text>,
    /// Whether the variables named a script at all.
    pub(crate) named: Named,
    /// The response code to start with.
    pub(crate) status: u16,
}

/// Where a text is: usually it is the value of a variable, and need not be copied.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Text {
    /// The value of the variable of this name.
    Variable(&'static [u8]),
    /// It is no variable's.
    Own(CString),
}

/// Whether SCRIPT_FILENAME or PATH_TRANSLATED was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    /// Yes.
    Script,
    /// No: query string, body and authentication are not looked at either.
    Nothing,
}

impl Target {
    /// Returns the script to run; `params` are those that were located.
    pub(crate) fn script<'a>(&'a self, params: &'a Params) -> Option<&'a CStr> {
        self.script.as_ref()?.of(params)
    }

    /// Returns the address that names the script; `params` are those that were located.
    pub(crate) fn uri<'a>(&'a self, params: &'a Params) -> Option<&'a CStr> {
        self.uri.as_ref()?.of(params)
    }
}

impl Text {
    fn of<'a>(&'a self, params: &'a Params) -> Option<&'a CStr> {
        match self {
            Text::Variable(name) => value(params, name),
            Text::Own(text) => Some(text),
        }
    }

    /// The first of two variables that is there.
    fn first(params: &Params, names: [&'static [u8]; 2]) -> Option<Text> {
        let name = names.into_iter().find(|name| params.get(name).is_some())?;
        Some(Text::Variable(name))
    }
}

/// Finds the script for `params` and rewrites them as PHP promises.
#[inline(never)]
pub(crate) fn locate(params: &mut Params, rules: &Rules<'_>, files: &impl Files) -> Target {
    if value(params, b"SCRIPT_FILENAME")
        .or_else(|| value(params, b"PATH_TRANSLATED"))
        .is_none()
    {
        return Target {
            script: None,
            uri: None,
            named: Named::Nothing,
            status: 200,
        };
    }
    let sender = fixups::apply(params);
    let mut target = match rules.path_info {
        PathInfo::Fix => path_info::split(params, sender, rules, files),
        PathInfo::Leave => as_sent(params, rules.path_translated),
    };
    let script = target.script(params);
    if script.is_some_and(|script| climbs(script.to_bytes())) {
        target.script = None;
    }
    target
}

/// Makes `php_self` PHP_SELF for a request that was located with the same rule.
pub(crate) fn php_self(
    params: &Params,
    uri: Option<&CStr>,
    rule: PathInfo,
    php_self: &mut Vec<u8>,
) {
    php_self.clear();
    php_self.extend_from_slice(uri.map(CStr::to_bytes).unwrap_or_default());
    if rule == PathInfo::Fix
        && let Some(path_info) = value(params, b"PATH_INFO")
    {
        php_self.extend_from_slice(path_info.to_bytes());
    }
}

/// Returns a variable as PHP sees it: a C string.
pub(crate) fn value<'a>(params: &'a Params, name: &[u8]) -> Option<&'a CStr> {
    params.param(name).map(|param| param.value_c_str())
}

/// `cgi.fix_pathinfo = 0`: nothing is rewritten and nothing is looked up.
fn as_sent(params: &Params, path_translated: PathTranslated) -> Target {
    let names: [&[u8]; 2] = match path_translated {
        PathTranslated::Use => [b"PATH_TRANSLATED", b"SCRIPT_FILENAME"],
        PathTranslated::Discard => [b"SCRIPT_FILENAME", b"PATH_TRANSLATED"],
    };
    Target {
        script: Text::first(params, names),
        uri: Text::first(params, [b"PATH_INFO", b"SCRIPT_NAME"]),
        named: Named::Script,
        status: 200,
    }
}

/// Tells whether a path has a `..` component.
fn climbs(path: &[u8]) -> bool {
    path.split(|&byte| byte == b'/')
        .any(|component| component == b"..")
}
