//! What PHP gets from and gives to the outside while it runs one request.
//!
//! Every method is a leaf: PHP waits inside the call and must not be entered again.
//!
//! Original: the SAPI callbacks in sapi/fpm/fpm/fpm_main.c.

use std::ffi::CStr;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use bstr::BString;
use fcgi_proto::params::Params;
use fcgi_proto::record::AfterRequest;
use fcgi_proto::response::Stream;
use fcgi_proto::server::Connection as Protocol;
use fpm_conf::LogLevel;
use fpm_os::clock;
use fpm_scoreboard::{Description, Finished, SlotWriter};
use sapi::{BodyRead, ClientGone, Executed, FinishRequest, Host, PoolStatus, ResponseHead};

use crate::access_log::{self, AccessLog, Entry, Written};
use crate::body::{self, Body};
use crate::client::Client;
use crate::log::{Log, MIRROR_SEPARATOR, error_text, mirrored};
use crate::output::Output;
use crate::response_head::{self, Head, Style};
use crate::status::{Detail, Reported};

/// What a script may still write after `fastcgi_finish_request()` has closed the connection before it counts as aborted: the
/// size of the original's buffer without one record header. Its scripts are used to that limit.
const UNHEARD_MAX: usize = 8184;

/// ini `fastcgi.logging`: whether the web server gets a copy of what is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mirror {
    On,
    Off,
}

/// Where the answer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// Going on.
    Open,
    /// Complete, by `fastcgi_finish_request()` or because PHP was done. The connection is still there.
    Complete,
    /// Complete and the connection closed, by `fastcgi_finish_request()`; so many bytes were written since.
    Closed { unheard: usize },
    /// Cut short: the client is gone.
    Lost,
}

/// What a worker lends to each of its requests.
pub(crate) struct Tools<'a> {
    pub(crate) protocol: &'a mut Protocol,
    pub(crate) output: &'a mut Output,
    /// Memory for the header block.
    pub(crate) head: &'a mut Vec<u8>,
    pub(crate) slot: &'a mut SlotWriter,
    pub(crate) log: Log,
    /// The worker's pool.
    pub(crate) own: &'a Reported,
    pub(crate) access_log: Option<&'a mut AccessLog>,
}

/// A request that is ready to be answered.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) params: &'a Params,
    /// What the scoreboard shows of it.
    pub(crate) description: Description<'a>,
    /// When it began to arrive (monotonic).
    pub(crate) begun: Duration,
    /// Its name; empty unless somebody asks for it.
    pub(crate) id: &'a [u8],
    /// How long it has waited for a worker, if that is known.
    pub(crate) waited: Option<Duration>,
    pub(crate) mirror: Mirror,
}

/// One request and its answer.
pub(crate) struct Exchange<'a> {
    /// `None` once the connection was closed by `fastcgi_finish_request()`.
    client: &'a mut Option<Client>,
    tools: Tools<'a>,
    request: Request<'a>,
    /// The client's address, which is logged when it may be gone already.
    address: Option<IpAddr>,
    /// The user of Basic authentication.
    user: Vec<u8>,
    /// What becomes of the connection after this request.
    after: AfterRequest,
    /// What is to be logged once PHP has started the request.
    verdict: Option<(LogLevel, BString)>,
    body: Body,
    answer: Answer,
    mirrored_before: bool,
    /// The status of the answer and what the request has cost.
    result: Option<(u16, Finished)>,
}

impl<'a> Exchange<'a> {
    /// Begins the answer to the request that `tools.protocol` has read.
    pub(crate) fn new(
        client: &'a mut Option<Client>,
        mut tools: Tools<'a>,
        request: Request<'a>,
    ) -> Exchange<'a> {
        let after = tools.protocol.request().after();
        tools.output.start(tools.protocol.request().id());
        tools.slot.info(&request.description);
        if let Some(access_log) = &mut tools.access_log {
            access_log.begin();
        }
        let address = client.as_ref().and_then(Client::address);
        Exchange {
            client,
            address,
            user: Vec::new(),
            tools,
            request,
            after,
            verdict: None,
            body: Body::default(),
            answer: Answer::Open,
            mirrored_before: false,
            result: None,
        }
    }

    /// Has a message of ours logged as soon as PHP has started the request, where the original logs it.
    pub(crate) fn log_when_started(&mut self, level: LogLevel, text: BString) {
        self.verdict = Some((level, text));
    }
}

impl Exchange<'_> {
    /// Logs a message of ours and shows it to the web server.
    #[track_caller]
    pub(crate) fn message(&mut self, level: LogLevel, text: &[u8]) {
        self.tools.log.message(level, text);
        if self.tools.log.mirrors(level) {
            self.show(&mirrored(text));
        }
    }

    /// Notes that a page of the worker's own is being made.
    pub(crate) fn making_answer(&mut self) {
        self.tools.slot.running();
    }

    /// Ends the answer if nothing has done so yet.
    pub(crate) fn complete(&mut self) {
        if self.answer == Answer::Open {
            self.answer = Answer::Complete;
            if let Some(client) = self.client.as_ref() {
                let sent = self.tools.output.end(&mut &*client);
                let _told = self.judge(sent);
            }
        }
    }

    /// Returns whether the connection can be used for another request.
    pub(crate) fn after(&self) -> AfterRequest {
        match self.answer {
            Answer::Lost | Answer::Closed { .. } => AfterRequest::Close,
            Answer::Open | Answer::Complete => self.after,
        }
    }

    /// Returns the status of the answer and what the request has cost, once PHP is done with the script.
    pub(crate) fn result(&self) -> Option<(u16, Finished)> {
        self.result
    }

    /// Tells the scoreboard what the request has cost so far, and returns it.
    fn account(&mut self, memory: u64) -> Finished {
        let now = clock::monotonic();
        let cost = Finished {
            duration: now.saturating_sub(self.request.begun),
            memory,
        };
        self.tools.slot.finished(now, &cost);
        cost
    }

    /// Writes the line of the access log.
    fn log_access(&mut self, executed: &Executed<'_>, cost: Finished) {
        let Some(access_log) = &mut self.tools.access_log else {
            return;
        };
        let written = access_log.write(&Entry {
            request: Description {
                user: &self.user,
                ..self.request.description
            },
            params: self.request.params,
            client: self.address,
            status: executed.status,
            headers: executed.headers,
            cost,
            ended: clock::realtime(),
            id: self.request.id,
            waited: self.request.waited,
        });
        if written == Written::Truncated {
            self.message(LogLevel::Notice, access_log::TRUNCATED);
        }
    }

    fn say_verdict(&mut self) {
        if let Some((level, text)) = self.verdict.take() {
            self.message(level, &text);
        }
    }

    /// Adds a text to the STDERR stream.
    fn show(&mut self, text: &[u8]) {
        if self.request.mirror == Mirror::Off || text.is_empty() || self.answer != Answer::Open {
            return;
        }
        if self.mirrored_before && self.send(Stream::Stderr, MIRROR_SEPARATOR).is_err() {
            return;
        }
        self.mirrored_before = true;
        // PHP learns that the client is gone when it writes its own output.
        let _gone = self.send(Stream::Stderr, text);
    }

    fn send(&mut self, stream: Stream, bytes: &[u8]) -> Result<(), ClientGone> {
        match self.answer {
            Answer::Open => {
                let Some(client) = self.client.as_ref() else {
                    return Err(ClientGone);
                };
                let sent = self.tools.output.write(&mut &*client, stream, bytes);
                self.judge(sent)
            }
            Answer::Complete => Ok(()),
            Answer::Closed { ref mut unheard } => {
                *unheard += bytes.len();
                if *unheard > UNHEARD_MAX {
                    self.answer = Answer::Lost;
                    return Err(ClientGone);
                }
                Ok(())
            }
            Answer::Lost => Err(ClientGone),
        }
    }

    /// A client that cannot be written to is gone.
    fn judge(&mut self, sent: io::Result<()>) -> Result<(), ClientGone> {
        sent.map_err(|_| {
            self.answer = Answer::Lost;
            self.tools.output.abandon();
            ClientGone
        })
    }
}

impl Host for Exchange<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), ClientGone> {
        self.send(Stream::Stdout, bytes)
    }

    fn flush(&mut self) -> Result<(), ClientGone> {
        match (self.answer, self.client.as_ref()) {
            (Answer::Open, Some(client)) => {
                let sent = self.tools.output.flush(&mut &*client);
                self.judge(sent)
            }
            (Answer::Complete, _) => Ok(()),
            _ => {
                self.answer = Answer::Lost;
                Err(ClientGone)
            }
        }
    }

    fn send_head(&mut self, head: &ResponseHead<'_>) -> Result<(), ClientGone> {
        self.say_verdict();
        let mut block = std::mem::take(self.tools.head);
        block.clear();
        let head = Head {
            code: head.status,
            status_line: head.status_line,
            headers: head.headers.iter().map(|line| line.as_bytes()),
            style: Style {
                nph: head.nph,
                rfc2616_headers: head.rfc2616_headers,
            },
        };
        response_head::write(head, &mut block);
        let sent = self.send(Stream::Stdout, &block);
        *self.tools.head = block;
        sent
    }

    fn read_body(&mut self, buffer: &mut [u8]) -> BodyRead {
        if let Some(read) = self.body.read_file(self.request.params, buffer) {
            return read;
        }
        let Some(client) = self.client.as_ref() else {
            return BodyRead::End;
        };
        let (read, stream) =
            self.body
                .read_stream(client, self.tools.protocol, self.tools.output, buffer);
        if stream == body::Stream::Broken {
            self.after = AfterRequest::Close;
        }
        read
    }

    fn log(&mut self, message: &[u8]) {
        let copy = self.tools.log.php_message(message);
        self.show(&copy);
    }

    fn finish_request(&mut self) -> FinishRequest {
        self.complete();
        match (self.answer, self.after) {
            (Answer::Closed { .. }, _) => FinishRequest::AlreadyClosed,
            (Answer::Complete, AfterRequest::Keep) => {
                self.account(0);
                FinishRequest::KeptOpen
            }
            _ => {
                self.account(0);
                if let Some(client) = self.client.take() {
                    client.hang_up(self.tools.protocol);
                }
                self.answer = Answer::Closed { unheard: 0 };
                FinishRequest::Closed
            }
        }
    }

    fn overran(&mut self) {
        self.tools.own.board.count_soft_timed_out_request();
    }

    fn executed(&mut self, executed: &Executed<'_>) {
        self.say_verdict();
        self.body.lose_patience();
        let memory = u64::try_from(executed.memory_peak).unwrap_or(u64::MAX);
        let cost = self.account(memory);
        self.result = Some((executed.status, cost));
        self.log_access(executed, cost);
    }

    fn denied(&mut self, path: &CStr, errno: i32) {
        let reason = error_text(&io::Error::from_raw_os_error(errno));
        let parts: [&[u8]; 5] = [
            b"Unable to open primary script: ",
            path.to_bytes(),
            b" (",
            reason.as_bytes(),
            b")",
        ];
        self.message(LogLevel::Error, &parts.concat());
    }

    fn authenticated(&mut self, user: &CStr) {
        self.user = user.to_bytes().to_vec();
        self.tools.slot.info(&Description {
            user: user.to_bytes(),
            ..self.request.description
        });
    }

    fn executing(&mut self) {
        self.tools.slot.running();
    }

    fn status(&mut self) -> Option<PoolStatus> {
        Some(self.tools.own.status(Detail::Processes))
    }

    fn answered(&mut self) {
        self.complete();
    }
}
