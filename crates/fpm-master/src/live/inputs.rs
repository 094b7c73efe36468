//! What the event loop tells, translated into events of the master.
//!
//! Rule: what a zygote said is told before its end, and the end of the channel only when all has been told.

use std::collections::VecDeque;
use std::time::Duration;

use fpm_channel::{FromZygote, Next};
use fpm_events::EventError;
use fpm_os::signal::Signal;
use fpm_os::signal::fd::Caught;
use fpm_os::wait::{Exit, reap};
use nix::unistd::{Pid, getppid};

use super::{Live, Token};
use crate::event::{Event, ZygoteId};
use crate::program::Program;

/// The sender of signals that no process has sent.
const KERNEL: Pid = Pid::from_raw(0);

impl<P: Program> Live<P> {
    /// Waits until something happens that the master has to know, appends it to `happened` and returns when it was.
    ///
    /// # Errors
    /// When the kernel refuses to wait.
    pub(crate) fn wait(&mut self, happened: &mut VecDeque<Event>) -> Result<Duration, EventError> {
        self.keep_log_flowing();
        let mut told = Vec::new();
        let now = self.events.wait(&mut told)?;
        for event in told {
            match event {
                fpm_events::Event::Signal(caught) if caught.signal == Signal::CHLD => {
                    self.on_children(happened);
                }
                // A terminal says so when its size changes.
                fpm_events::Event::Signal(caught)
                    if caught.signal == Signal::WINCH && caught.sender == KERNEL => {}
                fpm_events::Event::Signal(caught) => {
                    happened.push_back(match self.is_service_stop(&caught) {
                        true => Event::ServiceStops(caught.signal),
                        false => Event::Signal(caught.signal),
                    });
                }
                fpm_events::Event::Readable(Token::Channel(zygote)) => {
                    self.on_channel(zygote, happened);
                }
                fpm_events::Event::Writable(Token::Channel(zygote)) => {
                    if let Some(zygote) = self.zygotes.get_mut(&zygote) {
                        let _ = zygote.flush();
                    }
                }
                fpm_events::Event::Readable(Token::Listener(pool)) => {
                    happened.push_back(Event::Connection(pool));
                }
                fpm_events::Event::Readable(Token::Resting(connection))
                | fpm_events::Event::Timer(Token::Resting(connection)) => {
                    self.on_resting(connection, happened);
                }
                fpm_events::Event::Timer(Token::Timer(timer)) => {
                    self.timers.remove(&timer);
                    happened.push_back(Event::Due(timer));
                }
                fpm_events::Event::Readable(Token::Control(worker)) => {
                    self.on_control(worker, happened);
                }
                fpm_events::Event::Writable(Token::Control(worker)) => self.flush_control(worker),
                fpm_events::Event::Timer(Token::Control(worker)) => {
                    self.flush_control(worker);
                    self.on_control(worker, happened);
                }
                fpm_events::Event::Readable(Token::ExaminedOutput)
                | fpm_events::Event::Timer(Token::ExaminedOutput) => self.hear_examined(),
                fpm_events::Event::Timer(Token::Examination) => self.hurry_examined(),
                fpm_events::Event::Readable(Token::Other) => self.hear_other(happened),
                fpm_events::Event::Readable(Token::OtherOutput) => self.hear_output_of_other(),
                fpm_events::Event::Readable(Token::Remains(number))
                | fpm_events::Event::Writable(Token::Remains(number))
                | fpm_events::Event::Timer(Token::Remains(number)) => self.on_remain(number),
                fpm_events::Event::Readable(Token::Operator) => self.on_operator(happened),
                fpm_events::Event::Timer(Token::Operator) => self.try_operator_again(),
                fpm_events::Event::Timer(Token::Log) => self.log_timer = None,
                fpm_events::Event::Timer(Token::SlowCaller(caller)) => {
                    self.on_slow_caller(caller, happened);
                }
                fpm_events::Event::Readable(Token::Callers)
                | fpm_events::Event::Timer(Token::Callers) => self.on_calls(),
                fpm_events::Event::Readable(Token::Caller(caller))
                | fpm_events::Event::Writable(Token::Caller(caller))
                | fpm_events::Event::Timer(Token::Caller(caller)) => {
                    self.on_caller(caller, happened);
                }
                fpm_events::Event::Readable(token)
                | fpm_events::Event::Writable(token)
                | fpm_events::Event::Timer(token) => self.on_words(token),
            }
        }
        Ok(now)
    }

    /// Tells whether a signal is the service manager's order to end the service, not an administrator's to one master.
    fn is_service_stop(&self, caught: &Caught) -> bool {
        let ends = matches!(caught.signal, Signal::TERM | Signal::QUIT);
        ends && self.options.notify_socket.is_some() && caught.sender == getppid()
    }

    /// Reaps all children that have ended.
    fn on_children(&mut self, happened: &mut VecDeque<Event>) {
        loop {
            match reap() {
                Ok(Some(exit)) => {
                    if let Some(verdict) = self.examination_ended(&exit) {
                        happened.push_back(Event::Examined(verdict));
                        continue;
                    }
                    if self.operator_ended(&exit) {
                        continue;
                    }
                    if let Some(event) = self.other_ended(&exit) {
                        happened.push_back(event);
                        continue;
                    }
                    if let Some(zygote) = self.zygote_of(&exit) {
                        self.on_channel(zygote, happened);
                    }
                    happened.push_back(Event::Reaped(exit));
                }
                Ok(None) => return,
                Err(error) => {
                    tracing::error!("waitpid() failed: {error}");
                    return;
                }
            }
        }
    }

    fn zygote_of(&self, exit: &Exit) -> Option<ZygoteId> {
        self.zygotes
            .iter()
            .find(|(_, zygote)| zygote.pid == exit.pid)
            .map(|(id, _)| *id)
    }

    /// Takes all that a zygote has said.
    fn on_channel(&mut self, id: ZygoteId, happened: &mut VecDeque<Event>) {
        while let Some(zygote) = self.zygotes.get_mut(&id) {
            match zygote.receive() {
                Next::Message(said) => {
                    if let FromZygote::Exited { worker, .. } = said {
                        self.on_last_words(worker, happened);
                    }
                    happened.push_back(Event::Said(id, said));
                }
                Next::Nothing => return,
                Next::Closed => {
                    // It may have been told before.
                    let _ = self.events.remove(zygote.channel());
                    happened.push_back(Event::HungUp(id));
                    return;
                }
            }
        }
    }

    /// Somebody has written something for the log.
    fn on_words(&mut self, token: Token) {
        match token {
            Token::Output(worker, stream) => self.read_output(worker, stream),
            Token::ZygoteStderr(zygote) => self.read_stderr(zygote),
            Token::OperatorStderr => self.read_operator_stderr(),
            // Told in no other way than those above.
            Token::Channel(_)
            | Token::Control(_)
            | Token::Callers
            | Token::Caller(_)
            | Token::SlowCaller(_)
            | Token::Log
            | Token::Other
            | Token::OtherOutput
            | Token::Examination
            | Token::Operator
            | Token::ExaminedOutput
            | Token::Listener(_)
            | Token::Resting(_)
            | Token::Remains(_)
            | Token::Timer(_) => {}
        }
    }
}
