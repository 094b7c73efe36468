//! The CGI variables that a web server would send for the script.
//!
//! Sources: RFC 3875 and nginx's `fastcgi_params`.

use bstr::{BStr, BString, ByteSlice, ByteVec};

use super::options::Options;

/// Returns the variables in the order in which they are sent. What the command line sets replaces what would be sent otherwise;
/// REQUEST_URI and DOCUMENT_URI follow a SCRIPT_NAME or QUERY_STRING of the command line.
pub(super) fn variables(options: &Options, body: Option<&[u8]>) -> Vec<(BString, BString)> {
    let slash = options.script.rfind_byte(b'/').unwrap_or(0);
    let (folder, name) = options.script.split_at(slash);
    let root = if folder.is_empty() { b"/" } else { folder };
    let set = |name: &str, otherwise: &[u8]| -> BString {
        let given = options
            .variables
            .iter()
            .rev()
            .find(|(given, _)| given == name);
        given
            .and_then(|(_, value)| value.clone())
            .unwrap_or_else(|| otherwise.into())
    };
    let script_name = set("SCRIPT_NAME", name);
    let query = set("QUERY_STRING", b"");
    let mut uri = script_name.clone();
    if !query.is_empty() {
        uri.push_byte(b'?');
        uri.push_str(&query);
    }
    let (method, content_type, length) = match body {
        Some(body) => (
            "POST",
            "application/x-www-form-urlencoded",
            body.len().to_string(),
        ),
        None => ("GET", "", String::new()),
    };
    let software = concat!("fpmd/", env!("CARGO_PKG_VERSION"));
    let usual: [(&str, &BStr); 19] = [
        ("SCRIPT_FILENAME", options.script.as_bstr()),
        ("QUERY_STRING", query.as_bstr()),
        ("REQUEST_METHOD", method.into()),
        ("CONTENT_TYPE", content_type.into()),
        ("CONTENT_LENGTH", length.as_str().into()),
        ("SCRIPT_NAME", script_name.as_bstr()),
        ("REQUEST_URI", uri.as_bstr()),
        ("DOCUMENT_URI", script_name.as_bstr()),
        ("DOCUMENT_ROOT", root.as_bstr()),
        ("SERVER_PROTOCOL", "HTTP/1.1".into()),
        ("REQUEST_SCHEME", "http".into()),
        ("GATEWAY_INTERFACE", "CGI/1.1".into()),
        ("SERVER_SOFTWARE", software.into()),
        ("REMOTE_ADDR", "127.0.0.1".into()),
        ("SERVER_ADDR", "127.0.0.1".into()),
        ("SERVER_PORT", "80".into()),
        ("SERVER_NAME", "localhost".into()),
        ("HTTP_HOST", "localhost".into()),
        // Says that a server has chosen the script; php-cgi insists on it.
        ("REDIRECT_STATUS", "200".into()),
    ];
    let mut variables: Vec<(BString, BString)> = usual
        .into_iter()
        .map(|(name, value)| (name.into(), value.to_owned()))
        .collect();
    for (name, value) in &options.variables {
        let known = variables.iter().position(|(known, _)| known == name);
        match (known, value) {
            (Some(at), Some(value)) => variables[at].1 = value.clone(),
            (Some(at), None) => drop(variables.remove(at)),
            (None, Some(value)) => variables.push((name.clone(), value.clone())),
            (None, None) => {}
        }
    }
    variables
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::super::options::{Asked, parse};
    use super::*;

    /// Returns the values that a command line makes of some variables, `-` for one that is not sent.
    fn sent(line: &str, body: Option<&[u8]>, names: &[&str]) -> Vec<String> {
        let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let Ok(Asked::Page(options)) = parse(&arguments) else {
            panic!("{line}")
        };
        let variables = variables(&options, body);
        let value = |name: &&str| variables.iter().find(|(known, _)| known == name);
        names
            .iter()
            .map(|name| value(name).map_or("-".to_owned(), |(_, value)| value.to_string()))
            .collect()
    }

    #[test]
    fn of_a_script() {
        let names = [
            "SCRIPT_FILENAME",
            "SCRIPT_NAME",
            "REQUEST_URI",
            "DOCUMENT_ROOT",
        ];
        assert_eq!(
            sent("s /srv/www/a.php", None, &names),
            ["/srv/www/a.php", "/a.php", "/a.php", "/srv/www"]
        );
        assert_eq!(
            sent("s /ping", None, &names),
            ["/ping", "/ping", "/ping", "/"]
        );
    }

    #[test]
    fn of_a_body() {
        let names = ["REQUEST_METHOD", "CONTENT_LENGTH", "CONTENT_TYPE"];
        assert_eq!(sent("s /a.php", None, &names), ["GET", "", ""]);
        assert_eq!(
            sent("s /a.php", Some(b"a=1"), &names),
            ["POST", "3", "application/x-www-form-urlencoded"]
        );
    }

    #[test]
    fn of_the_command_line() {
        let names = [
            "SCRIPT_FILENAME",
            "REQUEST_URI",
            "QUERY_STRING",
            "MINE",
            "CONTENT_TYPE",
        ];
        let line = "s /a.php -e QUERY_STRING=x -e QUERY_STRING=y=1 -e SCRIPT_NAME=/b -e MINE=1 -e SCRIPT_FILENAME -e NO -e CONTENT_TYPE=";
        assert_eq!(sent(line, None, &names), ["-", "/b?y=1", "y=1", "1", ""]);
        assert_eq!(
            sent(
                "s /a.php -e REQUEST_URI=/z -e SCRIPT_NAME",
                None,
                &["REQUEST_URI", "SCRIPT_NAME"]
            ),
            ["/z", "-"]
        );
    }
}
