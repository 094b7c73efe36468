//! What is put right before anything else, because certain web servers are known to send it wrong.
//!
//! IIS repeats SCRIPT_NAME in PATH_INFO; Apache's mod_proxy_fcgi puts a `proxy:` address into SCRIPT_FILENAME.

use fcgi_proto::params::Params;

use super::value;

const PROXY_PREFIXES: [&[u8]; 2] = [b"proxy:fcgi://", b"proxy:balancer://"];

/// Who sent the request, as far as it changes how variables are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sender {
    /// Apache's mod_proxy_fcgi.
    ApacheProxy,
    Other,
}

pub(super) fn apply(params: &mut Params) -> Sender {
    cut_iis_prefix(params);
    cut_proxy_prefix(params)
}

fn cut_iis_prefix(params: &mut Params) {
    let is_iis = value(params, b"SERVER_SOFTWARE")
        .is_some_and(|software| software.to_bytes().starts_with(b"Microsoft-IIS"));
    if !is_iis {
        return;
    }
    let Some(path_info) = value(params, b"PATH_INFO").map(|text| text.to_bytes().to_vec()) else {
        return;
    };
    let rest = value(params, b"SCRIPT_NAME")
        .and_then(|script_name| path_info.strip_prefix(script_name.to_bytes()));
    let Some(rest) = rest else {
        return;
    };
    params.set(b"ORIG_PATH_INFO", &path_info);
    if rest.is_empty() {
        params.remove(b"PATH_INFO");
    } else {
        params.set(b"PATH_INFO", rest);
    }
}

fn cut_proxy_prefix(params: &mut Params) -> Sender {
    let Some(address) = value(params, b"SCRIPT_FILENAME") else {
        return Sender::Other;
    };
    let address = address.to_bytes();
    let prefix = PROXY_PREFIXES.into_iter().find(|prefix| {
        address
            .get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    });
    let Some(prefix) = prefix else {
        return Sender::Other;
    };
    // What is between the prefix and the next slash is host and port.
    let after = &address[prefix.len()..];
    let (path, sender) = match after.iter().position(|&byte| byte == b'/') {
        Some(slash) => (&after[slash..], Sender::ApacheProxy),
        None => (address, Sender::Other),
    };
    // A RewriteRule leaves its query string behind.
    let path = path
        .split(|&byte| byte == b'?')
        .next()
        .unwrap_or_default()
        .to_vec();
    params.set(b"SCRIPT_FILENAME", &path);
    sender
}
