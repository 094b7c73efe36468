//! Whether the program on disk can take the place of the running one: what it said and how it ended, to a verdict.
//!
//! Rule: no process in here. Without its word that it reads our state, and without success, nothing is put at risk.

use std::path::PathBuf;
use std::time::Duration;

use fpm_os::error::OsError;
use fpm_os::wait::ExitStatus;

use super::state::{FORMAT, format_of};
use crate::obituary::Ending;

/// A program may take this long until it says what it reads. It has only to be loaded.
pub(crate) const WORD: Duration = Duration::from_secs(10);

/// It may take this long for all, PHP's start included.
pub(crate) const ALL: Duration = Duration::from_secs(60);

/// What is known of a program whose examination is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Examined {
    /// What it has introduced itself with.
    pub(crate) word: Option<Vec<u8>>,
    /// How it ended; `None` when it was ended because it took too long.
    pub(crate) status: Option<ExitStatus>,
}

/// Why the program on disk is not put to work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// It could not be executed.
    #[error("{0}")]
    NotExecuted(#[from] OsError),
    /// It did not say that it can take anything over.
    #[error("it cannot take over from a running program: it exited {} without a word", Ending(*.0))]
    NoWord(ExitStatus),
    /// It reads another format.
    #[error("it reads state {theirs}, the running program writes {FORMAT}")]
    OtherFormat {
        /// What it reads.
        theirs: String,
    },
    /// It or PHP does not start with this command line and configuration.
    #[error("it does not pass the test of the configuration and exited {}", Ending(*.0))]
    TestFailed(ExitStatus),
    /// It took too long.
    #[error("it takes too long to test the configuration")]
    TooSlow,
    /// It took too long to say anything.
    #[error("it does not say within {} seconds that it can take over from a running program", WORD.as_secs())]
    Silent,
    /// It is another program by now.
    #[error("{} has changed while it was examined", .0.display())]
    Changed(PathBuf),
}

/// Judges a program.
pub(crate) fn judge(examined: &Examined) -> Result<(), Refusal> {
    let word = examined.word.as_deref();
    let status = match (word, examined.status) {
        (None, None) => return Err(Refusal::Silent),
        (None, Some(status)) => return Err(Refusal::NoWord(status)),
        (Some(_), None) => return Err(Refusal::TooSlow),
        (Some(_), Some(status)) => status,
    };
    let format = word.and_then(|word| format_of(word.strip_suffix(b"\n")?));
    match format {
        None => Err(Refusal::NoWord(status)),
        Some(format) if format != FORMAT.to_string() => Err(Refusal::OtherFormat {
            theirs: format.to_owned(),
        }),
        Some(_) if status != ExitStatus::Code(0) => Err(Refusal::TestFailed(status)),
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use fpm_os::signal::Signal;

    use super::*;
    use crate::obituary::killed;

    fn verdict(word: Option<&str>, status: Option<ExitStatus>) -> String {
        let examined = Examined {
            word: word.map(|word| word.as_bytes().to_vec()),
            status,
        };
        judge(&examined).map_or_else(|refusal| refusal.to_string(), |()| "good".to_owned())
    }

    #[test]
    fn only_a_program_that_reads_our_state_and_passes_the_test_is_good() {
        let ours = super::super::introduction();
        for (word, status, expected) in [
            (Some(ours.as_str()), Some(ExitStatus::Code(0)), "good"),
            (
                Some(&ours),
                Some(ExitStatus::Code(78)),
                "it does not pass the test of the configuration and exited with code 78",
            ),
            (
                Some(&ours),
                Some(killed(Signal::KILL)),
                "it does not pass the test of the configuration and exited on signal 9 (SIGKILL)",
            ),
            (
                Some(&ours),
                None,
                "it takes too long to test the configuration",
            ),
            (
                Some("fpmd state 0\n"),
                Some(ExitStatus::Code(0)),
                "it reads state 0, the running program writes 1",
            ),
            (
                Some("hello\n"),
                Some(ExitStatus::Code(0)),
                "it cannot take over from a running program: it exited with code 0 without a word",
            ),
            (
                None,
                Some(ExitStatus::Code(64)),
                "it cannot take over from a running program: it exited with code 64 without a word",
            ),
            (
                None,
                None,
                "it does not say within 10 seconds that it can take over from a running program",
            ),
        ] {
            assert_eq!(verdict(word, status), expected);
        }
    }
}
