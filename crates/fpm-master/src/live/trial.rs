//! A start of PHP on trial: a zygote as the master would start it, which is told to end as soon as PHP is up.

use std::os::fd::OwnedFd;

use fpm_channel::{FromZygote, Generation, Next, ToZygote};
use fpm_conf::Config;
use fpm_control::Scope;
use fpm_os::poll::{self, Interest};
use fpm_os::wait::wait;

use super::pipes::Chunk;
use super::zygote::LiveZygote;
use super::{Setup, outlet};
use crate::error::MasterError;
use crate::journal::line;
use crate::program::Options;

/// Starts PHP as a start with this configuration would: as the same user, with the same php.ini, extensions and preload
/// script. No socket is touched. What PHP says is logged; what the zygote writes to its standard error is given to `write`.
/// Returns PHP's version.
///
/// This waits for as long as PHP takes: it is for a program that does nothing else.
///
/// # Errors
/// Why PHP does not start.
pub fn try_php(
    config: Config,
    options: &Options,
    write: impl FnMut(&[u8]),
) -> Result<String, MasterError> {
    let setup = Setup::without_sockets(config, options, None, &Scope::All)?;
    let zygote = LiveZygote::start(&options.executable, Generation(1), &setup, options, None)?;
    Trial {
        zygote,
        write,
        writes: true,
        outcome: None,
    }
    .run()
}

struct Trial<W> {
    zygote: LiveZygote,
    write: W,
    /// Whether somebody may still write to the standard error.
    writes: bool,
    outcome: Option<Result<String, MasterError>>,
}

impl<W: FnMut(&[u8])> Trial<W> {
    /// Listens until the zygote has hung up, and says how it went.
    fn run(mut self) -> Result<String, MasterError> {
        loop {
            let waited = if self.writes {
                poll::wait_any([self.zygote.channel(), self.zygote.stderr()], None).map(drop)
            } else {
                poll::wait(self.zygote.channel(), Interest::Readable, None).map(drop)
            };
            waited.map_err(MasterError::Process)?;
            self.pass_on();
            if self.hear() == Heard::TheEnd {
                break;
            }
        }
        let status = wait(self.zygote.pid).map_err(MasterError::Process)?;
        self.pass_on();
        self.outcome
            .unwrap_or(Err(MasterError::ZygoteEnded { status }))
    }

    /// Takes what the zygote says on its channel.
    fn hear(&mut self) -> Heard {
        loop {
            match self.zygote.receive() {
                Next::Message(FromZygote::Ready { php_version }) => {
                    self.outcome = Some(Ok(php_version));
                    // One that is gone has ended, which is about to be seen.
                    let _gone = self.zygote.send(&ToZygote::<OwnedFd>::Quit);
                }
                Next::Message(FromZygote::Failed { reason }) => {
                    self.outcome = Some(Err(MasterError::Php { reason }));
                }
                Next::Message(FromZygote::Log { level, text }) => {
                    line(level, format_args!("{text}"));
                }
                // About workers, of which there are none.
                Next::Message(_) => {}
                Next::Nothing => return Heard::AllSoFar,
                Next::Closed => return Heard::TheEnd,
            }
        }
    }

    /// Takes what the zygote has written to its standard error.
    fn pass_on(&mut self) {
        let mut buffer = [0; outlet::PORTION];
        while self.writes {
            match self.zygote.read_stderr(&mut buffer) {
                Chunk::Bytes(count) => (self.write)(&buffer[..count]),
                Chunk::Nothing => return,
                Chunk::End => self.writes = false,
            }
        }
    }
}

/// What is left to be heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    /// There may be more to come.
    AllSoFar,
    /// The zygote has hung up.
    TheEnd,
}
