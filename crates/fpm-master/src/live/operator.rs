//! The operator process: started, asked, and started again when it has ended.
//!
//! Rule: nobody waits for it, and nothing that it does or does not do costs anybody a request. It is told only what it asks for.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io::{self, PipeReader};
use std::os::fd::AsFd;
use std::rc::Rc;
use std::time::Duration;

use bstr::ByteSlice;
use fpm_channel::operator::{Answer, Area, FromOperator, MOST_BOARDS, MasterEnd, Parameters};
use fpm_channel::operator::{Part, Scoreboards, Start};
use fpm_channel::{Generation, Next};
use fpm_conf::{Pool, PoolIndex};
use fpm_control::Status;
use fpm_events::{Interest, TimerId};
use fpm_os::clock;
use fpm_os::descriptor::set_nonblocking;
use fpm_os::exec::spawn;
use fpm_os::process::kill;
use fpm_os::shared::Region;
use fpm_os::signal::Signal;
use fpm_os::wait::{Exit, wait};
use nix::unistd::Pid;

use super::outlet::PORTION;
use super::pipes::{Chunk, read};
use super::{Live, PADDING, Setup, Token};
use crate::backoff::Backoff;
use crate::error::MasterError;
use crate::event::Event;
use crate::obituary::{Ending, Lifetime};
use crate::operator::Post;
use crate::program::Program;

/// The name of the role, as fpmd's command line knows it.
const ROLE: &str = "operator";

/// When to start another one: at once as far as people can tell, and hardly ever when none stays.
const AGAIN: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(30));

/// An operator that asks more often than this is not answered.
const PAUSE: Duration = Duration::from_millis(50);

/// Questions taken at once; one is asked before the other is answered only by an operator that has gone mad.
const MOST_QUESTIONS: usize = 64;

/// The post and who is on it.
#[derive(Debug)]
pub(super) struct Seat {
    post: Option<Rc<Post>>,
    process: Option<Process>,
    /// Those that are about to end because their channel was closed.
    dismissed: Vec<Pid>,
    backoff: Backoff,
    /// Set while another one is to be started.
    again: Option<TimerId>,
}

/// An operator process.
#[derive(Debug)]
struct Process {
    pid: Pid,
    channel: MasterEnd,
    stderr: PipeReader,
    started: Duration,
    /// The last answer.
    answered: Option<Duration>,
    /// The scoreboards that it knows.
    shown: Option<Shown>,
}

/// Which scoreboards there are: each generation, with the number of pools that are not its own any more.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Shown {
    serving: Generation,
    generations: Vec<(Generation, usize)>,
}

impl Default for Seat {
    fn default() -> Seat {
        Seat {
            post: None,
            process: None,
            dismissed: Vec::new(),
            backoff: Backoff::new(AGAIN.0, AGAIN.1),
            again: None,
        }
    }
}

impl<P: Program> Live<P> {
    /// Has an operator at the post of the generation that serves, if it has one.
    pub(crate) fn seat_operator(&mut self) {
        let serving = self.generations.get(&self.serving);
        let post = serving.and_then(|setup| setup.operator.clone());
        let same = match (&self.operator.post, &post) {
            (Some(before), Some(post)) => Rc::ptr_eq(before, post),
            (None, None) => true,
            _ => false,
        };
        if same {
            return;
        }
        self.dismiss_operator();
        self.operator.post = post;
        self.operator.backoff.succeeded();
        self.start_operator();
    }

    /// Tells whether there is a post.
    pub(super) fn has_post(&self) -> bool {
        self.operator.post.is_some()
    }

    /// Starts a process if there is a post and nobody is on it.
    pub(super) fn start_operator(&mut self) {
        self.operator.again = None;
        let Some(post) = self.operator.post.clone() else {
            return;
        };
        if self.operator.process.is_some() {
            return;
        }
        match self.try_to_start_operator(&post) {
            Ok(process) => {
                let (pid, address) = (process.pid, &post.settings.listen);
                tracing::info!("operator process {pid} answers at {address}");
                self.watch(&process.channel, Interest::Readable, Token::Operator);
                self.watch(&process.stderr, Interest::Readable, Token::OperatorStderr);
                self.operator.process = Some(process);
            }
            Err(error) => {
                tracing::error!("failed to start the operator process: {error}");
                self.start_operator_later();
            }
        }
    }

    fn try_to_start_operator(&self, post: &Post) -> Result<Process, MasterError> {
        let (channel, theirs) = MasterEnd::create().map_err(MasterError::Process)?;
        let (stderr, writer) = io::pipe().map_err(MasterError::Pipe)?;
        set_nonblocking(&stderr).map_err(MasterError::Pipe)?;
        let name = self.options.executable.as_os_str();
        let arguments = [name, OsStr::new(ROLE), OsStr::new(PADDING)];
        let pid = spawn(
            self.own_program(),
            &arguments,
            theirs.as_fd(),
            writer.as_fd(),
            self.open_files,
        )?;
        channel.start(&Start {
            parameters: Parameters {
                settings: post.settings.clone(),
                run_as: post.run_as.clone(),
            },
            listener: post.as_fd(),
        })?;
        Ok(Process {
            pid,
            channel,
            stderr,
            started: clock::monotonic(),
            answered: None,
            shown: None,
        })
    }

    /// Arms the timer by which [`Live::try_operator_again`] comes, and returns how long that takes.
    pub(super) fn start_operator_later(&mut self) -> Duration {
        let now = clock::monotonic();
        let delay = self.operator.backoff.failed(now);
        let timer = self.events.set_timer(now + delay, Token::Operator);
        self.operator.again = Some(timer);
        delay
    }

    /// Takes leave of the one that is there; it ends because its channel does.
    fn dismiss_operator(&mut self) {
        if let Some(timer) = self.operator.again.take() {
            self.events.cancel_timer(timer);
        }
        if let Some(process) = self.operator.process.take() {
            self.unwatch(&process.channel);
            self.unwatch(&process.stderr);
            self.operator.dismissed.push(process.pid);
        }
    }

    /// Ends it at once: another program takes the place of this one, and starts its own.
    pub(super) fn end_operator(&mut self) {
        let pid = self.operator.process.as_ref().map(|process| process.pid);
        self.dismiss_operator();
        self.operator.dismissed.clear();
        // A process that is killed is gone in a moment, and with it its hold on the address.
        if let Some(pid) = pid {
            let _ = kill(pid, Signal::KILL).and_then(|()| wait(pid).map(drop));
        }
        self.operator.post = None;
    }

    /// A child has ended; tells whether it was an operator.
    pub(super) fn operator_ended(&mut self, exit: &Exit) -> bool {
        let dismissed = &mut self.operator.dismissed;
        if let Some(known) = dismissed.iter().position(|pid| *pid == exit.pid) {
            dismissed.swap_remove(known);
            return true;
        }
        self.read_operator_stderr();
        let process = &mut self.operator.process;
        let Some(process) = process.take_if(|known| known.pid == exit.pid) else {
            return false;
        };
        self.unwatch(&process.channel);
        self.unwatch(&process.stderr);
        let lived = clock::monotonic().saturating_sub(process.started);
        let delay = self.start_operator_later();
        tracing::warn!(
            "operator process {} exited {} {}, another one follows in {delay:?}",
            process.pid,
            Ending(exit.status),
            Lifetime(lived)
        );
        true
    }

    /// It has asked something.
    pub(super) fn on_operator(&mut self, happened: &mut VecDeque<Event>) {
        let Some(process) = &self.operator.process else {
            return;
        };
        let mut asked = false;
        for _ in 0..MOST_QUESTIONS {
            match process.channel.receive() {
                Ok(Next::Message(FromOperator::Ask)) => asked = true,
                Ok(Next::Nothing) => {
                    if asked {
                        happened.push_back(Event::OperatorAsked);
                    }
                    return;
                }
                // Its end is told in another way.
                Ok(Next::Closed) => return,
                Err(error) => {
                    tracing::warn!("operator process {}: {error}", process.pid);
                    break;
                }
            }
        }
        let _ = kill(process.pid, Signal::KILL);
    }

    /// Copies what it has written to its standard error to our own.
    pub(super) fn read_operator_stderr(&mut self) {
        let mut buffer = [0; PORTION];
        if let Some(process) = &mut self.operator.process
            && let Chunk::Bytes(count) = read(&mut process.stderr, &mut buffer)
        {
            self.program.write(&buffer[..count]);
            self.events.set_timer(Duration::ZERO, Token::OperatorStderr);
        }
    }

    /// Answers the operator.
    pub(super) fn inform_operator(&mut self, status: Status) {
        let generations = self.generations.iter();
        let shown = Shown {
            serving: self.serving,
            generations: generations
                .map(|(number, setup)| (*number, setup.gone.len()))
                .collect(),
        };
        let now = clock::monotonic();
        let Some(process) = &self.operator.process else {
            return;
        };
        if process.answered.is_some_and(|then| now < then + PAUSE) {
            return;
        }
        let known = process.shown.as_ref() == Some(&shown);
        let scoreboards = match (!known).then(|| self.scoreboards()).transpose() {
            Ok(scoreboards) => scoreboards,
            Err(error) => {
                tracing::error!("the operator process cannot read the scoreboard: {error}");
                return;
            }
        };
        let answer = Answer {
            status,
            scoreboards,
        };
        if let Err(error) = process.channel.answer(&answer) {
            tracing::debug!("operator process {}: {error}", process.pid);
            return;
        }
        if let Some(process) = &mut self.operator.process {
            process.answered = Some(now);
            process.shown = Some(shown);
        }
    }

    /// Opens the scoreboards of all generations, the one that serves first, as far as they can be sent at once.
    fn scoreboards(&self) -> Result<Scoreboards, MasterError> {
        let serving = self.generations.get_key_value(&self.serving);
        let others = self.generations.iter().rev();
        let others = others.filter(|(number, _)| **number != self.serving);
        // Every generation has the same ledger; the newest knows all that is in it.
        let newest = self.generations.values().next_back();
        let newest = newest.expect("one generation serves");
        let pools = newest.config.pools.iter().zip(&newest.measured);
        let mut scoreboards = Scoreboards {
            boards: Vec::new(),
            areas: Vec::new(),
            ledger: newest.ledgers.for_reading()?,
            parts: pools
                .map(|(pool, (region, _))| Part {
                    pool: pool.name.to_str_lossy().into_owned(),
                    region: *region,
                })
                .collect(),
        };
        for (number, setup) in serving.into_iter().chain(others).take(MOST_BOARDS) {
            let board = u32::try_from(scoreboards.boards.len()).unwrap_or(u32::MAX);
            scoreboards.boards.push(setup.board.for_reading()?);
            let coming = *number > self.serving;
            for ((index, pool), region) in areas(setup) {
                // The slots of a pool that is carried over are shown once, where it serves.
                if !(setup.gone.contains(&index) || coming && setup.carried.contains(&index)) {
                    scoreboards.areas.push(Area {
                        pool: pool.name.to_str_lossy().into_owned(),
                        generation: number.0,
                        board,
                        region: *region,
                    });
                }
            }
        }
        Ok(scoreboards)
    }
}

/// Returns the pools of a generation, and where each has its slots.
fn areas(setup: &Setup) -> impl Iterator<Item = ((PoolIndex, &Pool), &Region)> {
    let pools = (0..).map(PoolIndex).zip(&setup.config.pools);
    pools.zip(&setup.regions)
}

#[cfg(test)]
mod tests;
