//! Why there is no answer to judge.

use std::io;

use fcgi_proto::ProtocolError;
use fcgi_proto::record::{ProtocolStatus, RecordType};

use super::options::Address;
use super::{LOCAL_FAILURE, NO_ANSWER, NOT_CONNECTED, TOO_LATE};

/// What went wrong between the command line and a complete answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Standard input cannot be read.
    #[error("cannot read the body: {0}")]
    Body(#[source] io::Error),
    /// No connection.
    #[error("cannot connect to {address}: {error}")]
    Connect {
        /// Where to.
        address: Address,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// The limit was reached.
    #[error("no complete answer in time")]
    TooLate,
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Connection(#[source] io::Error),
    /// The application closed the connection without END_REQUEST.
    #[error("the application closed the connection before the answer was complete")]
    Closed,
    /// What came is no FastCGI.
    #[error("the application breaks the protocol: {0}")]
    Protocol(#[from] ProtocolError),
    /// The application did not understand a record.
    #[error("the application does not know {0} records")]
    NotUnderstood(RecordType),
    /// The application did not take the request.
    #[error("the application refused the request: {0:?}")]
    Refused(ProtocolStatus),
    /// The answer does not begin with a header block.
    #[error("the answer has no header block")]
    NoHeaders,
    /// Standard output does not take the answer.
    #[error("cannot write the answer: {0}")]
    Output(#[source] io::Error),
}

impl Failure {
    /// Returns the exit code that the help text promises.
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Connect { .. } => NOT_CONNECTED,
            Self::TooLate => TOO_LATE,
            Self::Connection(_)
            | Self::Closed
            | Self::Protocol(_)
            | Self::NotUnderstood(_)
            | Self::Refused(_)
            | Self::NoHeaders => NO_ANSWER,
            Self::Body(_) | Self::Output(_) => LOCAL_FAILURE,
        }
    }
}
