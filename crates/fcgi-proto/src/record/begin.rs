//! BEGIN_REQUEST: the role that is asked for, and who closes the connection.

use nom::bytes::streaming::take;
use nom::number::streaming::{be_u8, be_u16};
use nom::{IResult, Parser};

use super::BODY_LEN;

/// What a web server wants of the application for one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Role {
    /// Produce an answer, as a CGI program does.
    #[default]
    Responder,
    /// Decide whether the request is allowed.
    Authorizer,
    /// Produce an answer out of the request and a second stream, DATA.
    Filter,
}

impl Role {
    /// Returns the number that stands for the role on the wire.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Responder => 1,
            Self::Authorizer => 2,
            Self::Filter => 3,
        }
    }

    /// Returns the role that `code` stands for, if there is one.
    #[must_use]
    pub const fn from_code(code: u16) -> Option<Self> {
        match code {
            1 => Some(Self::Responder),
            2 => Some(Self::Authorizer),
            3 => Some(Self::Filter),
            _ => None,
        }
    }

    /// Returns the role's name, the value of the parameter `FCGI_ROLE`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Responder => "RESPONDER",
            Self::Authorizer => "AUTHORIZER",
            Self::Filter => "FILTER",
        }
    }
}

/// Who closes the connection after the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AfterRequest {
    /// The application does (`FCGI_KEEP_CONN` not set).
    #[default]
    Close,
    /// The web server does; it may send more requests before (`FCGI_KEEP_CONN` set).
    Keep,
}

/// The body of BEGIN_REQUEST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BeginRequest {
    /// Number of the wanted role, see [`Role::from_code`].
    pub role: u16,
    /// Who closes the connection after the answer.
    pub after: AfterRequest,
}

impl BeginRequest {
    /// Parses the body; only bit 0 of the flags means something.
    ///
    /// # Errors
    /// `Incomplete` while fewer than [`BODY_LEN`] bytes are there.
    pub fn parse(input: &[u8]) -> IResult<&[u8], Self> {
        let (rest, (role, flags, _reserved)) = (be_u16, be_u8, take(5usize)).parse(input)?;
        let after = if flags & 1 == 0 {
            AfterRequest::Close
        } else {
            AfterRequest::Keep
        };
        Ok((rest, Self { role, after }))
    }

    /// Returns the body as it goes over the wire.
    #[must_use]
    pub fn encode(&self) -> [u8; BODY_LEN] {
        let [role1, role0] = self.role.to_be_bytes();
        [
            role1,
            role0,
            u8::from(self.after == AfterRequest::Keep),
            0,
            0,
            0,
            0,
            0,
        ]
    }
}
