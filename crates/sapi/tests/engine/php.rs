//! A request against the engine, and the answer that a recording host has taken down.

use std::ffi::{CStr, CString};
use std::fs;
use std::path::{Path, PathBuf};

use bstr::{BString, ByteSlice, ByteVec};
use sapi::{
    Action, BodyRead, ClientGone, Engine, Executed, FinishRequest, Host, IniAccess, Outcome, Param,
    PoolStatus, RequestInfo, ResponseHead, TimeLimit,
};

/// A started PHP, and a folder for its scripts.
pub(crate) struct Php {
    pub(crate) engine: Engine,
    pub(crate) folder: PathBuf,
}

impl Php {
    pub(crate) fn new(engine: Engine, folder: &Path) -> Self {
        Self {
            engine,
            folder: folder.to_owned(),
        }
    }

    /// Writes a file into the folder.
    pub(crate) fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.join(name);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("mkdir");
        fs::write(&path, content).expect("write");
        path
    }

    /// Sets an ini entry, as the configuration of a pool does.
    pub(crate) fn set(&mut self, name: &str, value: &str, access: IniAccess) {
        self.engine
            .set_ini(name.as_bytes(), value.as_bytes(), access)
            .expect("an ini entry");
    }

    /// The folder's path.
    pub(crate) fn path(&self) -> &str {
        self.folder.to_str().expect("UTF-8")
    }

    /// Runs `code` as the script of a GET request.
    pub(crate) fn get(&mut self, code: &str) -> Answer {
        self.script(code).run(self)
    }

    /// Writes `code` into a script of its own and prepares a GET request for it.
    pub(crate) fn script(&self, code: &str) -> Request {
        let number = fs::read_dir(&self.folder).expect("the folder").count();
        let path = self.file(&format!("script{number}.php"), &format!("<?php {code}"));
        Request::new(&path)
    }
}

/// A request in the making.
pub(crate) struct Request {
    params: Vec<(BString, BString)>,
    pub(crate) script: Option<CString>,
    pub(crate) uri: CString,
    pub(crate) php_self: BString,
    pub(crate) status: u16,
    pub(crate) limit: Option<TimeLimit>,
    action: Option<Prepared>,
    host: Recorder,
}

/// A prepared answer.
struct Prepared {
    status: u16,
    headers: Vec<&'static [u8]>,
    body: &'static [u8],
}

impl Request {
    pub(crate) fn new(script: &Path) -> Self {
        let name = script
            .file_name()
            .expect("a script has a name")
            .to_str()
            .expect("UTF-8");
        let path = script.to_str().expect("UTF-8");
        let request = Self {
            params: Vec::new(),
            script: Some(CString::new(path).expect("no NUL")),
            uri: CString::new(format!("/{name}")).expect("no NUL"),
            php_self: format!("/{name}").into(),
            status: 200,
            limit: None,
            action: None,
            host: Recorder::default(),
        };
        request
            .with("SCRIPT_FILENAME", path)
            .with("SCRIPT_NAME", format!("/{name}"))
            .with("REQUEST_METHOD", "GET")
    }

    /// Adds a parameter. The newest comes first.
    pub(crate) fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.params.retain(|(other, _)| other != name);
        self.params.insert(0, (name.into(), value.as_ref().into()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.params.retain(|(other, _)| other != name);
        self
    }

    pub(crate) fn post(self, content_type: &str, body: impl AsRef<[u8]>) -> Self {
        let length = body.as_ref().len().to_string();
        self.with("REQUEST_METHOD", "POST")
            .with("CONTENT_TYPE", content_type)
            .body(body)
            .with("CONTENT_LENGTH", length)
    }

    /// What the client sends, whatever CONTENT_LENGTH says.
    pub(crate) fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.host.request_body = body.as_ref().to_vec();
        self
    }

    /// Changes how the host behaves.
    pub(crate) fn host(mut self, change: impl FnOnce(&mut Recorder)) -> Self {
        change(&mut self.host);
        self
    }

    pub(crate) fn answer(
        mut self,
        status: u16,
        headers: &[&'static [u8]],
        body: &'static [u8],
    ) -> Self {
        self.action = Some(Prepared {
            status,
            headers: headers.to_vec(),
            body,
        });
        self
    }

    fn text(&self, name: &str) -> Option<CString> {
        let (_, value) = self.params.iter().find(|(other, _)| other == name)?;
        Some(CString::new(value.clone()).expect("no NUL"))
    }

    pub(crate) fn run(mut self, php: &mut Php) -> Answer {
        let method = self.text("REQUEST_METHOD");
        let query = self.text("QUERY_STRING");
        let content_type = self.text("CONTENT_TYPE").unwrap_or_default();
        let length = self.text("CONTENT_LENGTH");
        let authorization = self.text("HTTP_AUTHORIZATION");
        let mut host = std::mem::take(&mut self.host);
        let params: Vec<Param<'_>> = self
            .params
            .iter()
            .map(|(name, value)| Param::new(name, value))
            .collect();
        let info = RequestInfo {
            params: &params,
            method: method.as_deref(),
            query_string: query.as_deref(),
            request_uri: Some(&self.uri),
            path_translated: self.script.as_deref(),
            content_type: Some(&content_type),
            content_length: length
                .and_then(|length| length.to_str().ok()?.parse().ok())
                .unwrap_or(0),
            authorization: authorization.as_deref(),
            php_self: &self.php_self,
            status: self.status,
            limit: self.limit,
        };
        let action = match &self.action {
            Some(prepared) => Action::Answer {
                status: prepared.status,
                headers: &prepared.headers,
                body: prepared.body,
            },
            None if method.is_none() => Action::HeadersOnly,
            None => Action::Script,
        };
        let outcome = php.engine.run(&info, action, &mut host);
        Answer { outcome, host }
    }
}

/// What a request brought.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) outcome: Outcome,
    pub(crate) host: Recorder,
}

impl Answer {
    pub(crate) fn body(&self) -> &str {
        self.host.body.to_str().expect("a text body")
    }

    pub(crate) fn head(&self) -> &Head {
        self.host.head.as_ref().expect("a head was sent")
    }

    /// The value of a response header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head().headers.iter().find_map(|line| {
            let (key, value) = line.split_once_str(": ")?;
            key.eq_ignore_ascii_case(name.as_bytes())
                .then(|| value.to_str().expect("a text header"))
        })
    }

    /// The messages of PHP's log, joined by newlines.
    pub(crate) fn log(&self) -> String {
        self.host
            .log
            .iter()
            .map(|line| line.to_string())
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// A response head, kept.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) status_line: Option<BString>,
    pub(crate) headers: Vec<BString>,
    pub(crate) nph: bool,
    pub(crate) rfc2616_headers: bool,
}

/// A call of PHP's to its host; writes next to each other count as one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Authenticated(CString),
    Executing,
    Head,
    Write(BString),
    Flush,
    Finish,
    Denied(CString, i32),
    Overran,
    Executed { status: u16, exit_status: i32 },
    Answered,
}

/// A host that takes everything down and serves a body from memory.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    pub(crate) calls: Vec<Call>,
    pub(crate) head: Option<Head>,
    pub(crate) body: Vec<u8>,
    pub(crate) log: Vec<BString>,
    pub(crate) executed_headers: Vec<BString>,
    pub(crate) memory_peak: usize,
    /// Serves the body in pieces of this size; 0: as much as is asked for.
    pub(crate) piece: usize,
    pub(crate) request_body: Vec<u8>,
    pub(crate) body_read: usize,
    /// Answers body reads with this errno for /missing/body.
    pub(crate) body_errno: Option<i32>,
    /// Takes this many bytes of output, then the client is gone.
    pub(crate) gone_after: Option<usize>,
    /// What becomes of the connection at an early finish.
    pub(crate) finish: Option<FinishRequest>,
    /// What `fpm_get_status()` is told.
    pub(crate) status: Option<PoolStatus>,
}

impl Recorder {
    fn client(&self) -> Result<(), ClientGone> {
        match self.gone_after {
            Some(limit) if self.body.len() >= limit => Err(ClientGone),
            _ => Ok(()),
        }
    }
}

impl Host for Recorder {
    fn write(&mut self, bytes: &[u8]) -> Result<(), ClientGone> {
        self.client()?;
        self.body.extend_from_slice(bytes);
        if let Some(Call::Write(before)) = self.calls.last_mut() {
            before.push_str(bytes);
        } else {
            self.calls.push(Call::Write(bytes.into()));
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), ClientGone> {
        self.calls.push(Call::Flush);
        self.client()
    }

    fn send_head(&mut self, head: &ResponseHead<'_>) -> Result<(), ClientGone> {
        assert!(self.head.is_none(), "one head a response");
        self.calls.push(Call::Head);
        self.head = Some(Head {
            status: head.status,
            status_line: head.status_line.map(BString::from),
            headers: head
                .headers
                .iter()
                .map(|line| line.as_bytes().into())
                .collect(),
            nph: head.nph,
            rfc2616_headers: head.rfc2616_headers,
        });
        self.client()
    }

    fn read_body(&mut self, buf: &mut [u8]) -> BodyRead {
        if let Some(errno) = self.body_errno {
            return BodyRead::CannotOpen {
                path: c"/missing/body".to_owned(),
                errno,
            };
        }
        let rest = &self.request_body[self.body_read..];
        let piece = if self.piece == 0 {
            usize::MAX
        } else {
            self.piece
        };
        let count = rest.len().min(buf.len()).min(piece);
        buf[..count].copy_from_slice(&rest[..count]);
        self.body_read += count;
        if count == 0 {
            BodyRead::End
        } else {
            BodyRead::Bytes(count)
        }
    }

    fn log(&mut self, message: &[u8]) {
        self.log.push(message.into());
    }

    fn finish_request(&mut self) -> FinishRequest {
        self.calls.push(Call::Finish);
        self.finish.unwrap_or(FinishRequest::Closed)
    }

    fn executed(&mut self, executed: &Executed<'_>) {
        self.memory_peak = executed.memory_peak;
        self.executed_headers = executed
            .headers
            .iter()
            .map(|line| line.as_bytes().into())
            .collect();
        self.calls.push(Call::Executed {
            status: executed.status,
            exit_status: executed.exit_status,
        });
    }

    fn overran(&mut self) {
        self.calls.push(Call::Overran);
    }

    fn denied(&mut self, path: &CStr, errno: i32) {
        self.calls.push(Call::Denied(path.to_owned(), errno));
    }

    fn authenticated(&mut self, user: &CStr) {
        self.calls.push(Call::Authenticated(user.to_owned()));
    }

    fn executing(&mut self) {
        self.calls.push(Call::Executing);
    }

    fn status(&mut self) -> Option<PoolStatus> {
        self.status.clone()
    }

    fn answered(&mut self) {
        self.calls.push(Call::Answered);
    }
}
