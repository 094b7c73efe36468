//! The application's side of one transport connection: bytes in, requests and body bytes out.
//!
//! The connection serves one request at a time. Rules that a changer must keep:
//! - Records of an id that has no running request are ignored, BEGIN_REQUEST apart (FastCGI 1.0, 3.3). That is also how what is left of
//!   an answered request (its STDIN terminator, an unread body, a late ABORT_REQUEST) gets out of the way on a kept connection.
//! - What is found wrong is answered and survived where the specification has an answer ([`Progress::Reply`], [`StdinRead::Reply`]);
//!   everything else is an `Err`, after which the connection is good for nothing: send [`ProtocolError::reply`] and close it.
//! - Nothing is allocated for a request once buffers have grown to what requests need.
//!
//! Original: main/fastcgi.c

mod body;
mod receive;
mod record_reader;

pub use self::body::StdinRead;
use self::receive::{Received, check_version, starts_something};
use self::record_reader::{Content, RecordReader};
use crate::Limits;
use crate::error::{Limited, ProtocolError, Reply};
use crate::params::{Decoder, Params};
use crate::record::{AfterRequest, BODY_LEN, BeginRequest, RecordType, RequestId, Role};

/// What [`Connection::poll`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Progress {
    /// Read more into [`Connection::space`].
    NeedInput,
    /// The parameters of a request are complete, see [`Connection::request`].
    Request,
    /// Send these bytes and poll again.
    Reply(Reply),
}

/// A request whose parameters are complete.
#[derive(Clone, Debug, Default)]
pub struct Request {
    id: RequestId,
    role: Role,
    after: AfterRequest,
    params: Params,
}

impl Request {
    /// Id of the request, for [`Response::start`](crate::response::Response::start).
    #[must_use]
    pub fn id(&self) -> RequestId {
        self.id
    }

    /// What the web server wants.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Who closes the connection after the answer.
    #[must_use]
    pub fn after(&self) -> AfterRequest {
        self.after
    }

    /// The parameters. The oldest is `FCGI_ROLE`, made from the role.
    #[must_use]
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// The parameters, to be changed.
    #[must_use]
    pub fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }
}

/// How far the running request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No request is running.
    Idle,
    /// BEGIN_REQUEST came.
    Params,
    /// PARAMS are complete, STDIN is not.
    Stdin,
    /// STDIN is complete, DATA (Filter role) is not.
    Data,
    /// All streams are complete.
    Complete,
    /// The client sent ABORT_REQUEST after PARAMS.
    Aborted,
}

/// The application's side of one transport connection.
#[derive(Debug)]
pub struct Connection {
    limits: Limits,
    reader: RecordReader,
    phase: Phase,
    request: Request,
    decoder: Decoder,
    /// Names in a GET_VALUES record; separate from the request's, which may be running.
    values: Params,
    values_decoder: Decoder,
    /// The last request's stream whose end has not been seen. Outlives the request: see [`Connection::is_fully_read`].
    unread: Option<(RequestId, RecordType)>,
    /// The first error, which every later call repeats.
    broken: Option<ProtocolError>,
}

/// What one step of the state machine came to.
enum Step {
    Done,
    NeedInput,
    Reply(Reply),
}

impl Connection {
    /// Returns a connection on which nothing has arrived.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            reader: RecordReader::new(limits.input_bytes),
            phase: Phase::Idle,
            request: Request::default(),
            decoder: Decoder::default(),
            values: Params::new(),
            values_decoder: Decoder::default(),
            unread: None,
            broken: None,
        }
    }

    /// Makes the connection ready for the next transport connection. Buffers are kept, as long as they are not unusually large.
    pub fn reset(&mut self) {
        self.reader.clear();
        self.phase = Phase::Idle;
        self.request.params.reset();
        self.values.reset();
        self.unread = None;
        self.broken = None;
    }

    /// Returns where to read bytes of the peer to. Never empty after `NeedInput`.
    #[must_use]
    pub fn space(&mut self) -> &mut [u8] {
        self.reader.input.space()
    }

    /// Says that `n` bytes were read into [`Connection::space`].
    ///
    /// # Panics
    /// If `n` is larger than the space was.
    pub fn filled(&mut self, n: usize) {
        self.reader.input.filled(n);
    }

    /// Goes on with what has been read, up to the next request. While a request is running it stays at [`Progress::Request`].
    ///
    /// # Errors
    /// A violation after which the connection must be closed (after sending [`ProtocolError::reply`]); repeated by every later call.
    pub fn poll(&mut self) -> Result<Progress, ProtocolError> {
        while matches!(self.phase, Phase::Idle | Phase::Params) {
            match self.step()? {
                Step::Done => {}
                Step::NeedInput => return Ok(Progress::NeedInput),
                Step::Reply(reply) => return Ok(Progress::Reply(reply)),
            }
        }
        self.broken.map_or(Ok(Progress::Request), Err)
    }

    /// The running request; before [`Progress::Request`] and after [`Connection::finish_request`] it is what is left of one.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The running request, to change its parameters.
    ///
    /// # Panics
    /// If called while parameters are still arriving.
    #[must_use]
    pub fn request_mut(&mut self) -> &mut Request {
        assert!(self.phase != Phase::Params, "the parameters are incomplete");
        &mut self.request
    }

    /// Exchanges the request's parameters for `other`, for a caller that reads the body while it holds on to the parameters.
    ///
    /// What comes in is only a spare: the next request clears it and uses its memory.
    ///
    /// # Panics
    /// If called while parameters are still arriving.
    pub fn swap_params(&mut self, other: &mut Params) {
        assert!(self.phase != Phase::Params, "the parameters are incomplete");
        std::mem::swap(&mut self.request.params, other);
    }

    /// Ends the running request after its answer: what is left of its streams will be skipped, and the connection is ready for the next
    /// request.
    pub fn finish_request(&mut self) {
        self.phase = Phase::Idle;
        self.reader.abandon_content();
        while self.broken.is_none() && self.reader.next_is(|header| !starts_something(header)) {
            // The next record is one that is ignored, so the step consumes some of it and can do nothing else.
            let _ignored = self.step();
        }
    }

    /// Returns whether the peer may close the connection here: no request is running and nothing of a next one has arrived.
    #[must_use]
    pub fn is_between_requests(&self) -> bool {
        self.phase == Phase::Idle
            && self.reader.input.is_empty()
            && self.reader.content_is_ignored()
    }

    /// Returns whether all streams of the last request were read to their end, so that closing the socket cannot make the kernel
    /// reset the connection (and the answer with it) because of unread bytes.
    #[must_use]
    pub fn is_fully_read(&self) -> bool {
        self.unread.is_none() && self.reader.is_at_boundary() && self.broken.is_none()
    }

    /// Consumes the next piece of the current record, or starts the next record.
    fn step(&mut self) -> Result<Step, ProtocolError> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        let step = match self.reader.content {
            Content::None => self.next_record(),
            Content::Skip => Ok(self.skip()),
            Content::Begin => self.begin(),
            Content::Params => self.params(),
            Content::Values => self.values(),
            // Only `Connection::read` steps while a body is there; it stops in front of it.
            Content::Body => Ok(Step::NeedInput),
        };
        if let Err(error) = step {
            self.broken = Some(error);
        }
        step
    }

    fn next_record(&mut self) -> Result<Step, ProtocolError> {
        let Some(header) = self.reader.header() else {
            return Ok(Step::NeedInput);
        };
        check_version(header)?;
        match self.receive(header)? {
            Received::Content(content) => {
                self.reader.start(header, content);
                Ok(Step::Done)
            }
            Received::Violation(violation) => {
                self.reader.start(header, Content::Skip);
                Ok(violation.reply().map_or(Step::Done, Step::Reply))
            }
            Received::Reply(reply) => {
                self.reader.start(header, Content::Skip);
                Ok(Step::Reply(reply))
            }
        }
    }

    fn skip(&mut self) -> Step {
        if self.reader.skip_content() {
            Step::Done
        } else {
            Step::NeedInput
        }
    }

    fn begin(&mut self) -> Result<Step, ProtocolError> {
        let Some(body) = self.reader.whole_content() else {
            return Ok(Step::NeedInput);
        };
        let Ok((_, BeginRequest { role: code, after })) = BeginRequest::parse(body) else {
            return Ok(Step::NeedInput);
        };
        let request_id = self.reader.header.request_id;
        self.reader.consume(BODY_LEN);
        let Some(role) = Role::from_code(code) else {
            let unknown = ProtocolError::UnknownRole {
                request_id,
                role: code,
            };
            return match (after, unknown.reply()) {
                (AfterRequest::Keep, Some(reply)) => Ok(Step::Reply(reply)),
                _ => Err(unknown),
            };
        };
        self.request.id = request_id;
        self.request.role = role;
        self.request.after = after;
        self.request.params.clear();
        self.request
            .params
            .set(b"FCGI_ROLE", role.name().as_bytes());
        self.decoder = Decoder::default();
        let last_stream = match role {
            Role::Responder | Role::Authorizer => RecordType::Stdin,
            Role::Filter => RecordType::Data,
        };
        self.unread = Some((request_id, last_stream));
        self.phase = Phase::Params;
        Ok(Step::Done)
    }

    fn params(&mut self) -> Result<Step, ProtocolError> {
        let piece = self.reader.available_content();
        let len = piece.len();
        let request_id = self.request.id;
        self.decoder
            .feed(piece, &mut self.request.params, &self.limits)
            .map_err(|exceeded| over_limit(request_id, exceeded))?;
        self.reader.consume(len);
        Ok(if len > 0 { Step::Done } else { Step::NeedInput })
    }

    fn values(&mut self) -> Result<Step, ProtocolError> {
        let piece = self.reader.available_content();
        let len = piece.len();
        self.values_decoder
            .feed(piece, &mut self.values, &self.limits)
            .map_err(|exceeded| over_limit(RequestId::NULL, exceeded))?;
        self.reader.consume(len);
        if self.reader.content == Content::Values {
            return Ok(if len > 0 { Step::Done } else { Step::NeedInput });
        }
        if !self.values_decoder.is_between_pairs() {
            return Err(ProtocolError::TruncatedPair {
                request_id: RequestId::NULL,
                record_type: RecordType::GetValues,
            });
        }
        Ok(Step::Reply(Reply::values(&self.values)))
    }
}

fn over_limit(request_id: RequestId, (what, limit): (Limited, usize)) -> ProtocolError {
    ProtocolError::Limit {
        request_id,
        what,
        limit,
    }
}

#[cfg(test)]
mod tests;
