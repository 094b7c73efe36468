//! The scripts, the requests for them, and what a right answer looks like.

use std::path::Path;

use anyhow::bail;
use fcgi_proto::client::Encoder;
use fcgi_proto::record::{AfterRequest, RequestId, Role};

use super::case::{Connection, Page};
use super::load::{Address, Protocol, Question, ask};
use super::wordpress;

/// What a web server takes for the address of the folder.
const INDEX: &str = "index.php";

/// Says whether opcache is at work.
const OPCACHE: &str = "opcache.php";

/// Name and text of every script.
pub(super) const SCRIPTS: &[(&str, &str)] = &[
    ("hello.php", "<?php echo \"Hello, world!\\n\";"),
    // With a length nginx sends the answer in one piece.
    (
        "sized.php",
        "<?php header('Content-Length: 14'); echo \"Hello, world!\\n\";",
    ),
    (
        "json.php",
        "<?php
$rows = [];
for ($i = 0; $i < 200; $i++) {
    $rows[] = ['id' => $i, 'name' => md5((string) $i), 'price' => $i * 7919 % 1000, 'tags' => ['a', 'b', $i % 7]];
}
usort($rows, fn($a, $b) => [$a['price'], $a['id']] <=> [$b['price'], $b['id']]);
header('Content-Type: application/json');
echo json_encode($rows);
",
    ),
    ("large.php", "<?php echo str_repeat(\"0123456789abcde\\n\", 62500);"),
    (
        OPCACHE,
        "<?php echo opcache_get_status(false)['opcache_enabled'] ? 'on' : 'off';",
    ),
    ("upload.php", "<?php echo $_FILES['file']['size'], ' ', $_POST['name'];"),
];

/// Size of the uploaded file, in bytes.
const UPLOAD: usize = 8 << 20;

const BOUNDARY: &str = "----fpmd-bench-7MA4YWxkTrZu0gW";

impl Page {
    /// The script's name.
    pub(super) fn script(self) -> &'static str {
        match self {
            Page::Hello | Page::LoggedHello => "hello.php",
            Page::Json => "json.php",
            Page::Large => "large.php",
            Page::Upload => "upload.php",
            Page::WordPress => INDEX,
        }
    }

    /// Makes sure that a body is what the script is written to print.
    ///
    /// # Errors
    /// When it is something else, an error page for instance.
    pub(super) fn check(self, body: &[u8]) -> anyhow::Result<()> {
        let is_right = match self {
            Page::Hello | Page::LoggedHello => body == b"Hello, world!\n",
            Page::Json => body.starts_with(b"[{\"id\":0,") && body.len() > 15_000,
            Page::Large => body.len() == 1_000_000 && body.ends_with(b"abcde\n"),
            Page::Upload => body == format!("{UPLOAD} form").as_bytes(),
            Page::WordPress => wordpress::is_front_page(body),
        };
        if !is_right {
            let shown = String::from_utf8_lossy(&body[..body.len().min(500)]);
            bail!("{} answers {} bytes: {shown}", self.script(), body.len());
        }
        Ok(())
    }

    /// The request over FastCGI, with the parameters that nginx sends for a browser.
    pub(super) fn question(self, folder: &Path, connection: Connection) -> Question {
        let body = match self {
            Page::Upload => form(),
            _ => Vec::new(),
        };
        Question {
            protocol: Protocol::FastCgi,
            bytes: request(folder, self.script(), "", connection, &body),
            body: Vec::new(),
            connection,
        }
    }
}

/// Makes sure that a daemon has opcache: a figure without it is of no use, and nothing else would show.
///
/// # Errors
/// When it has not.
pub(super) fn check_opcache(address: &Address, folder: &Path) -> anyhow::Result<()> {
    let request = request(folder, OPCACHE, "", Connection::OneRequest, b"");
    let body = ask(address, &request)?;
    if body != b"on" {
        bail!("opcache is not at work: {}", String::from_utf8_lossy(&body));
    }
    Ok(())
}

/// The request for the status page, as JSON with all workers.
pub(super) fn status_request(folder: &Path) -> Vec<u8> {
    request(folder, "status", "full&json", Connection::OneRequest, b"")
}

/// The request to nginx.
pub(super) fn http_question() -> Question {
    Question {
        protocol: Protocol::Http,
        bytes: b"GET /sized.php HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n".to_vec(),
        body: b"Hello, world!\n".to_vec(),
        connection: Connection::Kept,
    }
}

fn request(
    folder: &Path,
    script: &str,
    query: &str,
    connection: Connection,
    body: &[u8],
) -> Vec<u8> {
    let after = match connection {
        Connection::OneRequest => AfterRequest::Close,
        Connection::Kept => AfterRequest::Keep,
    };
    let uri = format!("/{script}");
    let full_uri = match (script, query) {
        (INDEX, "") => "/".to_owned(),
        (_, "") => uri.clone(),
        (_, query) => format!("{uri}?{query}"),
    };
    let path = folder.join(script).display().to_string();
    let folder = folder.display().to_string();
    let (method, content_type, length) = match body {
        b"" => ("GET", String::new(), String::new()),
        body => (
            "POST",
            format!("multipart/form-data; boundary={BOUNDARY}"),
            body.len().to_string(),
        ),
    };
    let mut encoder = Encoder::new(RequestId(1));
    encoder.begin(Role::Responder, after);
    for (name, value) in [
        ("SCRIPT_FILENAME", &*path),
        ("QUERY_STRING", query),
        ("REQUEST_METHOD", method),
        ("CONTENT_TYPE", &content_type),
        ("CONTENT_LENGTH", &length),
        ("SCRIPT_NAME", &uri),
        ("REQUEST_URI", &full_uri),
        ("DOCUMENT_URI", &uri),
        ("DOCUMENT_ROOT", &folder),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("REQUEST_SCHEME", "https"),
        ("HTTPS", "on"),
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("SERVER_SOFTWARE", "nginx/1.22.1"),
        ("REMOTE_ADDR", "192.0.2.7"),
        ("REMOTE_PORT", "52114"),
        ("SERVER_ADDR", "192.0.2.1"),
        ("SERVER_PORT", "443"),
        ("SERVER_NAME", "www.example.org"),
        ("REDIRECT_STATUS", "200"),
        ("HTTP_HOST", "www.example.org"),
        (
            "HTTP_USER_AGENT",
            "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        ),
        (
            "HTTP_ACCEPT",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        ),
        ("HTTP_ACCEPT_LANGUAGE", "en-GB,en;q=0.5"),
        ("HTTP_ACCEPT_ENCODING", "gzip, deflate, br"),
    ] {
        encoder.param(name.as_bytes(), value.as_bytes());
    }
    encoder.end_params().stdin(body).end_stdin();
    encoder.into_bytes()
}

/// A form with a field and a file, as a browser sends it.
fn form() -> Vec<u8> {
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nform\r\n\
         --{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    let mut body = head.into_bytes();
    // Line ends and dashes, over which a parser of forms might stumble, are in there too.
    body.extend((0..UPLOAD).map(|index| (index * 31 % 251) as u8));
    body.extend(format!("\r\n--{BOUNDARY}--\r\n").bytes());
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_has_a_script_and_tells_errors() {
        for page in [
            Page::Hello,
            Page::LoggedHello,
            Page::Json,
            Page::Large,
            Page::Upload,
            Page::WordPress,
        ] {
            let is_there = SCRIPTS.iter().any(|(name, _)| *name == page.script());
            assert_eq!(is_there, page != Page::WordPress);
            assert!(page.check(b"File not found.\n").is_err());
        }
        assert!(Page::Upload.check(b"8388608 form").is_ok());
        assert!(Page::Hello.check(b"Hello, world!\n").is_ok());
    }

    #[test]
    fn requests_name_the_script() {
        let question = Page::Hello.question(Path::new("/srv"), Connection::Kept);
        let text = String::from_utf8_lossy(&question.bytes).into_owned();
        assert!(text.contains("SCRIPT_FILENAME/srv/hello.php"), "{text}");
        let upload = Page::Upload.question(Path::new("/srv"), Connection::OneRequest);
        assert!(upload.bytes.len() > UPLOAD);
    }
}
