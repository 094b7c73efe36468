//! The header block of an answer as FastCGI wants it: CGI headers, the status among them.
//!
//! Pure. Which header wins where two say the status is what scripts and web servers have come to depend on.
//!
//! Original: sapi_cgi_send_headers in sapi/fpm/fpm/fpm_main.c.

mod reason;

/// Longest status line in bytes, without its line end; a longer one is cut.
const STATUS_LINE_MAX: usize = 1023;

/// What PHP has to say before the first byte of the body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head<'a, H> {
    /// The response code.
    pub(crate) code: u16,
    /// The whole line when the script set one (`HTTP/1.1 404 Gone fishing`).
    pub(crate) status_line: Option<&'a [u8]>,
    /// Header lines in the order in which they are to be sent, without line ends.
    pub(crate) headers: H,
    /// The ini settings about it.
    pub(crate) style: Style,
}

/// The ini settings that shape the block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Style {
    /// ini `cgi.nph`: a status even for code 200.
    pub(crate) nph: bool,
    /// ini `cgi.rfc2616_headers`: the script's own status line as it is.
    pub rfc2616_headers: bool,
}

/// Appends the block, closing blank line included, to `out`.
pub(crate) fn write<'a, H>(head: Head<'_, H>, out: &mut Vec<u8>)
where
    H: Iterator<Item = &'a [u8]> + Clone,
{
    let mut code = head.code;
    let mut status_sent = false;
    if head.style.nph || code != 200 {
        let status = status_of(&head);
        code = status.code;
        if let Some(mut line) = status.line {
            line.truncate(STATUS_LINE_MAX);
            push_line(out, &line);
            status_sent = true;
        }
    }
    for header in head.headers {
        // An empty line would end the block.
        if header.is_empty() {
            continue;
        }
        if is_status(header) {
            if status_sent {
                continue;
            }
            status_sent = true;
        } else if code == 304 && is_named(header, b"Content-Type:") {
            continue;
        }
        push_line(out, header);
    }
    out.extend_from_slice(b"\r\n");
}

/// The status that is made up here, unless a `Status:` header of the script stands for it, and the code it tells.
struct Status {
    line: Option<Vec<u8>>,
    code: u16,
}

fn status_of<'a, H>(head: &Head<'_, H>) -> Status
where
    H: Iterator<Item = &'a [u8]> + Clone,
{
    if let Some(line) = head.status_line {
        let blank = line.iter().position(|&byte| byte == b' ');
        let told = blank.map(|blank| leading_number(&line[blank..]));
        if head.style.rfc2616_headers {
            return Status {
                line: Some(line.to_vec()),
                code: told.unwrap_or(head.code),
            };
        }
        if let (Some(blank), Some(told)) = (blank, told)
            && blank >= 5
            && line[..5].eq_ignore_ascii_case(b"HTTP/")
        {
            return Status {
                line: Some([b"Status:", &line[blank..]].concat()),
                code: told,
            };
        }
    }
    if head.headers.clone().any(is_status) {
        return Status {
            line: None,
            code: head.code,
        };
    }
    let mut line = format!("Status: {}", head.code);
    if let Some(reason) = reason::phrase(head.code) {
        line.push(' ');
        line.push_str(reason);
    }
    Status {
        line: Some(line.into_bytes()),
        code: head.code,
    }
}

fn is_status(header: &[u8]) -> bool {
    is_named(header, b"Status:")
}

/// Tells whether `header` begins with `name`, in any case, and has something after it.
fn is_named(header: &[u8], name: &[u8]) -> bool {
    header.len() > name.len() && header[..name.len()].eq_ignore_ascii_case(name)
}

/// Reads the number at the start of `text` after blanks, as C's `atoi` does; 0 when there is none.
fn leading_number(text: &[u8]) -> u16 {
    text.trim_ascii_start()
        .iter()
        .map_while(|&byte| char::from(byte).to_digit(10))
        .fold(0u16, |number, digit| {
            number
                .saturating_mul(10)
                .saturating_add(u16::try_from(digit).unwrap_or(0))
        })
}

fn push_line(out: &mut Vec<u8>, line: &[u8]) {
    out.extend_from_slice(line);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "Content-type: text/html; charset=UTF-8";

    fn block(code: u16, status_line: Option<&str>, headers: &[&str], style: Style) -> String {
        let mut out = Vec::new();
        let head = Head {
            code,
            status_line: status_line.map(str::as_bytes),
            headers: headers.iter().map(|header| header.as_bytes()),
            style,
        };
        write(head, &mut out);
        String::from_utf8(out).expect("the tests write text")
    }

    #[track_caller]
    fn check(code: u16, status_line: Option<&str>, headers: &[&str], expected: &[&str]) {
        let mut text = expected.join("\r\n");
        text.push_str(if expected.is_empty() {
            "\r\n"
        } else {
            "\r\n\r\n"
        });
        assert_eq!(block(code, status_line, headers, Style::default()), text);
    }

    #[test]
    fn ok_needs_no_status() {
        check(200, None, &[TYPE], &[TYPE]);
        check(200, Some("HTTP/1.1 200 Fine"), &[TYPE], &[TYPE]);
        check(200, None, &[], &[]);
        check(200, None, &["", "A: b", ""], &["A: b"]);
    }

    #[test]
    fn reason_phrases() {
        check(404, None, &[TYPE], &["Status: 404 Not Found", TYPE]);
        check(418, None, &[], &["Status: 418"]);
        check(599, None, &[], &["Status: 599"]);
        check(
            302,
            None,
            &["Location: /"],
            &["Status: 302 Found", "Location: /"],
        );
    }

    #[test]
    fn the_scripts_own_status_line() {
        let line = Some("HTTP/1.1 299 Custom");
        check(299, line, &[TYPE], &["Status: 299 Custom", TYPE]);
        check(299, line, &["Status: 204"], &["Status: 299 Custom"]);
        // Not a status line that could be translated.
        check(404, Some("HTTP/1.1"), &[], &["Status: 404 Not Found"]);
        check(404, Some("FTP 1"), &[], &["Status: 404 Not Found"]);
        let style = Style {
            rfc2616_headers: true,
            ..Style::default()
        };
        assert_eq!(block(299, line, &[], style), "HTTP/1.1 299 Custom\r\n\r\n");
        assert_eq!(
            block(404, None, &[], style),
            "Status: 404 Not Found\r\n\r\n"
        );
    }

    #[test]
    fn nph_wants_a_status_always() {
        let style = Style {
            nph: true,
            ..Style::default()
        };
        assert_eq!(block(200, None, &[], style), "Status: 200 OK\r\n\r\n");
    }

    #[test]
    fn the_scripts_status_header() {
        // It stays in its place and is the only one.
        check(
            404,
            None,
            &["A: b", "Status: 410 Gone", "status: 411"],
            &["A: b", "Status: 410 Gone"],
        );
        check(200, None, &["Status: 201 Made"], &["Status: 201 Made"]);
        // Without a value it is none.
        check(
            404,
            None,
            &["Status:"],
            &["Status: 404 Not Found", "Status:"],
        );
    }

    #[test]
    fn not_modified_has_no_type() {
        check(
            304,
            None,
            &[TYPE, "ETag: x"],
            &["Status: 304 Not Modified", "ETag: x"],
        );
        check(
            304,
            Some("HTTP/1.1 304 Same"),
            &[TYPE],
            &["Status: 304 Same"],
        );
        check(200, None, &[TYPE], &[TYPE]);
    }

    #[test]
    fn a_long_status_line_is_cut() {
        let line = format!("HTTP/1.1 404 {}", "x".repeat(2000));
        let text = block(404, Some(&line), &[], Style::default());
        assert_eq!(text.len(), STATUS_LINE_MAX + 4);
        assert!(text.ends_with("x\r\n\r\n"));
    }
}
