//! Why a command was not done, and the exit code for it.

use std::io;
use std::path::PathBuf;

use fpm_control::{Answer, ControlError};

use crate::exit;

/// The daemon could not do it.
const REFUSED: u8 = 1;
/// No daemon takes orders there.
const NOT_REACHED: u8 = 2;
/// The daemon hung up, or does not speak this language.
const NOT_UNDERSTOOD: u8 = 3;
/// The time was over.
const TOO_LATE: u8 = 4;
/// The program on disk is the one that runs.
const NOTHING_TO_DO: u8 = 5;
/// The output cannot be written.
const LOCAL_FAILURE: u8 = 74;

/// What went wrong between the command line and the answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The configuration file cannot be read as far as `control.listen`.
    #[error("cannot find out where the daemon takes orders (--control PATH says it): {error}")]
    Configuration {
        /// Why.
        error: String,
    },
    /// The configuration file has no `control.listen`.
    #[error("{file} has no control.listen: a daemon that runs with it takes no orders")]
    NoSocket {
        /// The file.
        file: String,
    },
    /// Nobody listens.
    #[error("no daemon takes orders at {}: {error}", path.display())]
    Connect {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// The daemon closed the connection, or it broke.
    #[error("the daemon hung up{}", reason(.0.as_ref()))]
    HungUp(Option<io::Error>),
    /// What came makes no sense.
    #[error("{0}; is it the same fpmd?")]
    Language(#[from] ControlError),
    /// The daemon is of another release, whose commands are other ones.
    #[error(
        "{0}: it is of another release and does not know this command; SIGUSR2 to its master has it upgraded"
    )]
    OtherRelease(ControlError),
    /// The daemon answered something else.
    #[error("the daemon gave an answer to another question")]
    Unexpected,
    /// The daemon says no.
    #[error("{0}")]
    Refused(fpm_control::Failure),
    /// The limit was reached.
    #[error("no answer in time; the daemon may still do it")]
    TooLate,
    /// There is no such command to tell of.
    #[error("there is no command {0}")]
    NoSuchCommand(String),
    /// Standard output does not take the answer.
    #[error("cannot write the answer: {0}")]
    Output(#[source] io::Error),
}

impl Failure {
    /// Sorts out an answer that is none to what was asked.
    pub(super) fn unexpected(answer: Answer) -> Failure {
        match answer {
            Answer::Failed(failure) => Failure::Refused(failure),
            _ => Failure::Unexpected,
        }
    }

    /// Returns the exit code that the help text promises.
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Failure::Refused(fpm_control::Failure::SameProgram) => NOTHING_TO_DO,
            Failure::Refused(_) => REFUSED,
            Failure::Configuration { .. } | Failure::NoSocket { .. } | Failure::Connect { .. } => {
                NOT_REACHED
            }
            Failure::HungUp(_)
            | Failure::Language(_)
            | Failure::OtherRelease(_)
            | Failure::Unexpected => NOT_UNDERSTOOD,
            Failure::NoSuchCommand(_) => exit::USAGE,
            Failure::TooLate => TOO_LATE,
            Failure::Output(_) => LOCAL_FAILURE,
        }
    }
}

fn reason(error: Option<&io::Error>) -> String {
    error.map(|error| format!(": {error}")).unwrap_or_default()
}
