//! One FastCGI request as a web server would send it.

use std::os::unix::ffi::OsStrExt;

use fcgi_proto::record::{AfterRequest, RecordType};

use crate::record::{Record, pair};
use crate::site::Site;

/// A request: parameters and body. The parameters start out as nginx's `fastcgi.conf` sets them.
#[derive(Clone, Debug)]
pub struct Request {
    params: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
    after: AfterRequest,
    id: u16,
}

impl Request {
    /// A GET request for `uri` (path and query) on `site`.
    #[must_use]
    pub fn get(site: &Site, uri: &str) -> Self {
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let script = site.root().join(path.trim_start_matches('/'));
        let mut request = Self::bare();
        for (name, value) in [
            ("SCRIPT_FILENAME", script.as_os_str().as_bytes()),
            ("QUERY_STRING", query.as_bytes()),
            ("REQUEST_METHOD", b"GET"),
            ("CONTENT_TYPE", b""),
            ("CONTENT_LENGTH", b""),
            ("SCRIPT_NAME", path.as_bytes()),
            ("REQUEST_URI", uri.as_bytes()),
            ("DOCUMENT_URI", path.as_bytes()),
            ("DOCUMENT_ROOT", site.root().as_os_str().as_bytes()),
            ("SERVER_PROTOCOL", b"HTTP/1.1"),
            ("REQUEST_SCHEME", b"http"),
            ("GATEWAY_INTERFACE", b"CGI/1.1"),
            ("SERVER_SOFTWARE", b"nginx/1.22.1"),
            ("REMOTE_ADDR", b"127.0.0.1"),
            ("REMOTE_PORT", b"50000"),
            ("SERVER_ADDR", b"127.0.0.1"),
            ("SERVER_PORT", b"80"),
            ("SERVER_NAME", b"example.org"),
            ("REDIRECT_STATUS", b"200"),
        ] {
            request = request.param(name, value);
        }
        request
    }

    /// A request without any parameter.
    #[must_use]
    pub fn bare() -> Self {
        Self {
            params: Vec::new(),
            body: Vec::new(),
            after: AfterRequest::Close,
            id: 1,
        }
    }

    /// Sets a FastCGI parameter, in place when there is one of that name.
    #[must_use]
    pub fn param(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref().to_vec();
        match self
            .params
            .iter_mut()
            .find(|(known, _)| known == name.as_bytes())
        {
            Some((_, old)) => *old = value,
            None => self.params.push((name.into(), value)),
        }
        self
    }

    /// Sends a FastCGI parameter once more, even if there is one of that name.
    #[must_use]
    pub fn repeated_param(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.params.push((name.into(), value.as_ref().to_vec()));
        self
    }

    /// Leaves a parameter out.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.params.retain(|(known, _)| known != name.as_bytes());
        self
    }

    /// Adds an HTTP header as a web server passes it on.
    #[must_use]
    pub fn header(self, name: &str, value: &str) -> Self {
        self.param(
            &format!("HTTP_{}", name.to_uppercase().replace('-', "_")),
            value,
        )
    }

    /// Sets the HTTP method.
    #[must_use]
    pub fn method(self, method: &str) -> Self {
        self.param("REQUEST_METHOD", method)
    }

    /// Posts `body`.
    #[must_use]
    pub fn post(self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.method("POST").body(content_type, body)
    }

    /// Posts a form, as a browser encodes it; `form` is already encoded.
    #[must_use]
    pub fn form(self, form: &str) -> Self {
        self.post("application/x-www-form-urlencoded", form)
    }

    /// Gives the request a body and leaves the method as it is.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        let length = self.body.len().to_string();
        self.param("CONTENT_TYPE", content_type)
            .param("CONTENT_LENGTH", length)
    }

    /// Asks the daemon to keep the connection open after its answer.
    #[must_use]
    pub fn keep_connection(mut self) -> Self {
        self.after = AfterRequest::Keep;
        self
    }

    /// Whether the daemon is asked to keep the connection.
    pub(crate) fn keeps_connection(&self) -> bool {
        self.after == AfterRequest::Keep
    }

    /// Gives the request another FastCGI id than 1.
    #[must_use]
    pub fn id(mut self, id: u16) -> Self {
        self.id = id;
        self
    }

    /// The name-value pairs on the wire.
    #[must_use]
    pub fn params_bytes(&self) -> Vec<u8> {
        self.params
            .iter()
            .flat_map(|(name, value)| pair(name, value))
            .collect()
    }

    /// BEGIN_REQUEST and all PARAMS records, without the body. No pair is split over two records.
    #[must_use]
    pub fn head_bytes(&self) -> Vec<u8> {
        let mut bytes = Record::begin(self.after).id(self.id).bytes();
        let mut content = Vec::new();
        for (name, value) in &self.params {
            let pair = pair(name, value);
            if content.len() + pair.len() > usize::from(u16::MAX) {
                bytes.extend(self.record(RecordType::Params, std::mem::take(&mut content)));
            }
            content.extend(pair);
        }
        if !content.is_empty() {
            bytes.extend(self.record(RecordType::Params, content));
        }
        bytes.extend(self.record(RecordType::Params, []));
        bytes
    }

    /// The body in STDIN records of at most `largest` octets, with the empty one that ends it.
    #[must_use]
    pub fn body_bytes(&self, largest: u16) -> Vec<u8> {
        let mut bytes: Vec<u8> = self
            .body
            .chunks(usize::from(largest))
            .flat_map(|chunk| self.record(RecordType::Stdin, chunk))
            .collect();
        bytes.extend(self.record(RecordType::Stdin, []));
        bytes
    }

    /// The whole request on the wire.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head_bytes();
        bytes.extend(self.body_bytes(0x8000));
        bytes
    }

    fn record(&self, kind: RecordType, content: impl Into<Vec<u8>>) -> Vec<u8> {
        Record::new(kind, content).id(self.id).bytes()
    }
}
