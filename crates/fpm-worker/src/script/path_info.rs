//! `cgi.fix_pathinfo = 1`: tells apart the script and the PATH_INFO that follows it.
//!
//! The rewriting of variables here is visible to scripts and pinned by the original's test-suite (fcgi-env-pif-*). The usual
//! request, whose script exists, comes through without a copy.

use std::ffi::{CStr, CString};

use bstr::ByteSlice;
use fcgi_proto::params::Params;

use super::fixups::Sender;
use super::{Files, Named, ProxiedPathInfo, Rules, Target, Text, value};

pub(super) fn split(
    params: &mut Params,
    sender: Sender,
    rules: &Rules<'_>,
    files: &impl Files,
) -> Target {
    if let Some(doc_root) = rules.doc_root
        && params.get(b"DOCUMENT_ROOT").is_none()
    {
        params.set(b"DOCUMENT_ROOT", doc_root);
    }
    let (script, redirection) = wanted_script(params, sender);
    let path = script.to_bytes();
    if path.is_empty() || (!path.ends_with(b"/") && files.exists(script)) {
        let as_sent = redirection == Redirection::None
            && params.get(b"REDIRECT_URL").is_none()
            && value(params, b"SCRIPT_FILENAME").is_some();
        if as_sent {
            return Target {
                script: Some(Text::Variable(b"SCRIPT_FILENAME")),
                uri: Some(Text::Variable(b"SCRIPT_NAME")),
                named: Named::Script,
                status: 200,
            };
        }
        return Rewrite::new(params, sender, redirection).keep_existing();
    }
    let len = shorten(path, files);
    let rewrite = Rewrite::new(params, sender, redirection);
    match len {
        Some(len) => rewrite.cut_back_to(len, rules.proxied_path_info),
        None => rewrite.give_up(),
    }
}

/// Whether Apache's redirection replaced script and SCRIPT_NAME.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Redirection {
    Followed,
    None,
}

/// Returns the path to look for.
///
/// With an `Action`, Apache sends PHP's own path as the script and the wanted page in PATH_TRANSLATED and REDIRECT_URL.
fn wanted_script(params: &Params, sender: Sender) -> (&CStr, Redirection) {
    let path_translated = value(params, b"PATH_TRANSLATED");
    let Some(script) = value(params, b"SCRIPT_FILENAME") else {
        return (path_translated.unwrap_or_default(), Redirection::None);
    };
    match path_translated {
        Some(translated)
            if sender == Sender::Other
                && translated != script
                && params.get(b"REDIRECT_URL").is_some() =>
        {
            (translated, Redirection::Followed)
        }
        _ => (script, Redirection::None),
    }
}

/// Returns the length of the longest prefix of `script`, cut at a separator, that is a regular file.
fn shorten(script: &[u8], files: &impl Files) -> Option<usize> {
    let mut rest = script;
    // Backslashes count only when there is no slash left.
    while let Some(cut) = rest.rfind_byte(b'/').or_else(|| rest.rfind_byte(b'\\')) {
        rest = &rest[..cut];
        if files.is_regular(rest) {
            return Some(cut);
        }
    }
    None
}

/// The variables as they were sent (after the fix-ups), to be compared and kept while the table changes.
struct Sent {
    script_filename: Option<Vec<u8>>,
    script_name: Option<Vec<u8>>,
    path_info: Option<Vec<u8>>,
    path_translated: Option<Vec<u8>>,
}

/// One rewriting of the variables.
struct Rewrite<'a> {
    params: &'a mut Params,
    sender: Sender,
    sent: Sent,
    redirection: Redirection,
    /// The path that is looked for.
    script: Vec<u8>,
    /// What SCRIPT_NAME is to become.
    script_name: Option<Vec<u8>>,
    /// Whether SCRIPT_NAME has its final value.
    settled: bool,
}

impl<'a> Rewrite<'a> {
    fn new(params: &'a mut Params, sender: Sender, redirection: Redirection) -> Rewrite<'a> {
        let copy = |name: &[u8]| value(params, name).map(|text| text.to_bytes().to_vec());
        let sent = Sent {
            script_filename: copy(b"SCRIPT_FILENAME"),
            script_name: copy(b"SCRIPT_NAME"),
            path_info: copy(b"PATH_INFO"),
            path_translated: copy(b"PATH_TRANSLATED"),
        };
        let script_name = match redirection {
            Redirection::Followed => copy(b"REDIRECT_URL"),
            Redirection::None => sent.script_name.clone(),
        };
        Rewrite {
            script: wanted_script(params, sender).0.to_bytes().to_vec(),
            script_name,
            sent,
            redirection,
            sender,
            settled: false,
            params,
        }
    }

    /// The script exists: nothing is split off.
    fn keep_existing(mut self) -> Target {
        if self.sent.script_filename.as_ref() != Some(&self.script) {
            keep(
                self.params,
                b"ORIG_SCRIPT_FILENAME",
                &self.sent.script_filename,
            );
            self.params.set(b"SCRIPT_FILENAME", &self.script);
        }
        if self.sender == Sender::Other && self.params.get(b"REDIRECT_URL").is_some() {
            keep(self.params, b"ORIG_PATH_INFO", &self.sent.path_info);
            self.params.remove(b"PATH_INFO");
            keep(
                self.params,
                b"ORIG_PATH_TRANSLATED",
                &self.sent.path_translated,
            );
            self.params.remove(b"PATH_TRANSLATED");
        }
        if self.redirection == Redirection::Followed {
            self.replace_script_name();
        }
        self.target(200)
    }

    /// The first `len` bytes of the path are a file: what follows is PATH_INFO.
    fn cut_back_to(mut self, len: usize, proxied: ProxiedPathInfo) -> Target {
        let (file, rest) = self.script.split_at(len);
        let (file, rest) = (file.to_vec(), rest.to_vec());
        match (self.sender, self.sent.path_info.clone()) {
            (Sender::ApacheProxy, _) if rest.is_empty() => {}
            (Sender::ApacheProxy, None) => self.split_script_name(&rest, proxied),
            (Sender::ApacheProxy, Some(path_info)) if path_info != rest => {
                self.name_script(&path_info);
                self.params.set(b"PATH_INFO", &rest);
            }
            // PATH_INFO holds script and path info together when it is the longer one.
            (Sender::Other, Some(path_info)) if path_info.len() > rest.len() => {
                let (head, tail) = path_info.split_at(path_info.len() - rest.len());
                self.name_script(head);
                self.params.set(b"PATH_INFO", tail);
            }
            _ => {}
        }
        if self.sent.script_filename.as_ref() != Some(&file) {
            keep(
                self.params,
                b"ORIG_SCRIPT_FILENAME",
                &self.sent.script_filename,
            );
            self.params.set(b"SCRIPT_FILENAME", &file);
            self.script.truncate(len);
        }
        self.translate_path_info(&file);
        self.settle_script_name();
        self.target(200)
    }

    /// No part of the path is a file.
    fn give_up(mut self) -> Target {
        keep(
            self.params,
            b"ORIG_SCRIPT_FILENAME",
            &self.sent.script_filename,
        );
        self.params.remove(b"SCRIPT_FILENAME");
        self.settle_script_name();
        Target {
            script: None,
            ..self.target(404)
        }
    }

    /// SCRIPT_NAME becomes `head`, the part of PATH_INFO before the split.
    fn name_script(&mut self, head: &[u8]) {
        keep(self.params, b"ORIG_PATH_INFO", &self.sent.path_info);
        if self.sent.script_name.as_deref() != Some(head) {
            keep(self.params, b"ORIG_SCRIPT_NAME", &self.sent.script_name);
            self.params.set(b"SCRIPT_NAME", head);
        }
        self.settled = true;
    }

    /// `ProxyPass` sends no PATH_INFO: what was cut off the file name is at the end of SCRIPT_NAME too, maybe decoded.
    fn split_script_name(&mut self, rest: &[u8], proxied: ProxiedPathInfo) {
        let Some(script_name) = &mut self.script_name else {
            self.params.set(b"PATH_INFO", rest);
            return;
        };
        let decoded = rest.contains(&b'%').then(|| percent_decoded(rest));
        let before = |end: &[u8]| {
            let start = script_name.strip_suffix(end)?;
            (!start.is_empty()).then_some(start.len())
        };
        if let Some(len) = before(rest).or_else(|| before(decoded.as_deref()?)) {
            script_name.truncate(len);
            keep(self.params, b"ORIG_SCRIPT_NAME", &self.sent.script_name);
            self.params.set(b"SCRIPT_NAME", script_name);
            self.settled = true;
        }
        let path_info = match (proxied, &decoded) {
            (ProxiedPathInfo::Decoded, Some(decoded)) => decoded,
            _ => rest,
        };
        // A decoded NUL byte ends it.
        let end = path_info.find_byte(0).unwrap_or(path_info.len());
        self.params.set(b"PATH_INFO", &path_info[..end]);
    }

    /// PATH_TRANSLATED becomes the document root followed by PATH_INFO.
    fn translate_path_info(&mut self, file: &[u8]) {
        let root = match (value(self.params, b"DOCUMENT_ROOT"), &self.script_name) {
            (Some(root), _) => {
                let root = root.to_bytes();
                root.strip_suffix(b"/").unwrap_or(root)
            }
            // The root is what is left of the file name without the name of the script.
            (None, Some(name)) if file.contains_str(name) => &file[..file.len() - name.len()],
            _ => return,
        };
        let mut translated = root.to_vec();
        if let Some(path_info) = value(self.params, b"PATH_INFO") {
            translated.extend_from_slice(path_info.to_bytes());
        }
        keep(
            self.params,
            b"ORIG_PATH_TRANSLATED",
            &self.sent.path_translated,
        );
        self.params.set(b"PATH_TRANSLATED", &translated);
    }

    /// What the split did not decide: SCRIPT_NAME is what was sent or what the redirection said.
    fn settle_script_name(&mut self) {
        if !self.settled && self.sent.script_name != self.script_name {
            self.replace_script_name();
        }
    }

    fn replace_script_name(&mut self) {
        keep(self.params, b"ORIG_SCRIPT_NAME", &self.sent.script_name);
        if let Some(script_name) = &self.script_name {
            self.params.set(b"SCRIPT_NAME", script_name);
        }
    }

    fn target(&self, status: u16) -> Target {
        Target {
            script: CString::new(self.script.as_slice()).ok().map(Text::Own),
            uri: Some(Text::Variable(b"SCRIPT_NAME")),
            named: Named::Script,
            status,
        }
    }
}

fn keep(params: &mut Params, name: &[u8], value: &Option<Vec<u8>>) {
    if let Some(value) = value {
        params.set(name, value);
    }
}

/// Decodes `%XX`; unlike in a query string a plus sign stays what it is.
fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        if let [b'%', high, low, after @ ..] = rest
            && let (Some(high), Some(low)) = (hex_digit(*high), hex_digit(*low))
        {
            decoded.push(high << 4 | low);
            rest = after;
        } else {
            decoded.push(*first);
            rest = tail;
        }
    }
    decoded
}

fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}
