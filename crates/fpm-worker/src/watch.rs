//! What a worker waits for between requests: clients, being called to wait for clients, and being told to end.
//!
//! It is told to end in three ways: through its control socket (look at your slot), by the end of that socket (the master is
//! gone), and by SIGQUIT. All three mean the same, and all three are only looked at here: a request that has begun is finished. The master
//! uses the socket alone, which interrupts nothing that a script does; SIGQUIT from outside cuts a `sleep()`, as with php-fpm.
//!
//! Original: fcgi_accept_request in main/fastcgi.c, sig_soft_quit in sapi/fpm/fpm/fpm_signals.c.

mod accept_error;
mod sources;

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use fpm_channel::worker::{FromWorker, ToWorker, WorkerEnd};
use fpm_channel::{Flushed, Next};
use fpm_os::epoll::{Ready, WaitSet, Wake};
use fpm_os::signal::quit::QuitFlag;
use fpm_os::{clock, listener, poll};
use fpm_scoreboard::{Farewell, SlotWriter};

use self::accept_error::{Remedy, remedy};
pub(crate) use self::sources::Sources;
use crate::access_log::AccessLog;
use crate::client::{Arrival, Client};
use crate::log::Log;
use crate::standby::Place;

const LISTENER: u64 = 0;
const CONTROL: u64 = 1;
const QUIT: u64 = 2;
const RELAY: u64 = 3;

/// How long to leave the system alone when it is short of descriptors or memory.
const SHORTAGE: Duration = Duration::from_millis(500);

/// How often in a row; then the worker ends, for a new one has none of what this one may have leaked.
const SHORTAGES: u32 = 4;

/// How many clients may be taken without waiting in between.
const IN_A_ROW: u32 = 32;

/// Whether the worker goes on after what it is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Course {
    /// Yes.
    Serving,
    /// No.
    Ending,
}

/// What ended a wait for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waited {
    /// It has sent something, or is gone.
    Speaks,
    /// The worker is to end, and the client rests.
    ToLeave,
}

/// The descriptors a worker waits on.
#[derive(Debug)]
pub(crate) struct Watch {
    events: WaitSet,
    /// Nothing when all of the pool's idle workers wait for clients.
    place: Option<Place>,
    sources: Sources,
    control: WorkerEnd,
    quit: QuitFlag,
    course: Course,
    /// What the master can do for the clients of a worker that ends.
    heir: Farewell,
    /// The access log: the master may give it another file whenever the worker waits.
    pub(crate) access_log: Option<AccessLog>,
    /// Clients taken from the queue since the last wait.
    in_a_row: u32,
    /// How long nothing was to be done.
    slept: Duration,
}

impl Watch {
    /// Takes over a worker's sources of clients, its place among the pool's idle workers, control socket and access log; `quit` says
    /// whether SIGQUIT has come.
    ///
    /// # Errors
    /// When the kernel is short of what this takes.
    pub(crate) fn new(
        sources: Sources,
        place: Option<Place>,
        control: WorkerEnd,
        quit: QuitFlag,
        access_log: Option<AccessLog>,
    ) -> io::Result<Watch> {
        let events = WaitSet::create()?;
        sources.watch(&events)?;
        events.add(&control, CONTROL, Wake::All)?;
        events.add(quit, QUIT, Wake::All)?;
        if let Some(place) = &place {
            place.add(&control, CONTROL)?;
            place.add(quit, QUIT)?;
        }
        Ok(Watch {
            events,
            place,
            sources,
            control,
            quit,
            course: Course::Serving,
            heir: Farewell::HandOver,
            access_log,
            // What the master has said since it asked for this worker comes before the first client.
            in_a_row: IN_A_ROW,
            slept: Duration::ZERO,
        })
    }

    /// Returns whether the worker was told to end, as far as that can be told without a system call.
    pub(crate) fn course(&self, slot: &SlotWriter) -> Course {
        if self.quit.is_set() || slot.is_draining() {
            return Course::Ending;
        }
        self.course
    }

    /// Returns how a worker that ends leaves a client on whose kept connection no request is under way.
    ///
    /// SIGQUIT comes from outside, perhaps for all processes at once: nobody is counted on then.
    pub(crate) fn farewell(&self, slot: &SlotWriter) -> Farewell {
        match (self.quit.is_set(), self.heir) {
            (false, Farewell::HandOver) => slot.farewell().unwrap_or(Farewell::HandOver),
            _ => Farewell::Close,
        }
    }

    /// Gives a client, on whose kept connection no request is under way, to whoever serves when this worker does not any more. Tells
    /// whether that was possible.
    pub(crate) fn hand_over(&self, client: &Client) -> bool {
        matches!(self.control.hand_over(client), Ok(Flushed::All))
    }

    /// Waits for a client; `None` means that the worker is to end.
    ///
    /// The queue is asked first: what is there saves the wait, and has been waiting for a worker to become free.
    pub(crate) fn next_client(&mut self, slot: &SlotWriter, log: &Log) -> Option<Client> {
        let client = self.take_client(slot, log);
        if let Some(place) = &mut self.place {
            match client {
                Some(_) => place.leave(),
                None => place.give_up(),
            }
        }
        client
    }

    fn take_client(&mut self, slot: &SlotWriter, log: &Log) -> Option<Client> {
        let mut shortages = 0;
        // Only the set of descriptors tells that the master is gone.
        let mut waited = self.in_a_row >= IN_A_ROW;
        let mut arrival = Arrival::Queued;
        while self.course(slot) == Course::Serving {
            let taken = if waited {
                self.in_a_row = 0;
                let ready = self.ready(&mut arrival).ok()?;
                if ready.contains(CONTROL) || ready.contains(QUIT) {
                    self.take(slot);
                }
                // A client that this worker was woken for is taken even by one that is to end: nobody else was woken.
                if !Sources::is_for_a_client(&ready) {
                    continue;
                }
                self.sources.take(&self.events, &ready, arrival)
            } else {
                self.sources.accept(arrival)
            };
            let error = match taken {
                Ok(client) => {
                    self.in_a_row += u32::from(!waited);
                    return Some(client);
                }
                Err(error) => error,
            };
            match remedy(&error) {
                Remedy::TryAgain => {
                    if error.kind() == io::ErrorKind::WouldBlock {
                        // The queue is empty: who comes from now on finds somebody waiting.
                        arrival = Arrival::Met;
                    }
                }
                Remedy::End => {
                    // Without a master the sockets are shut down.
                    self.take(slot);
                    if self.course == Course::Serving {
                        log.system_error(b"failed to accept a connection", &error);
                    }
                    return None;
                }
                Remedy::Pause => {
                    shortages += 1;
                    if shortages == 1 {
                        log.system_error(b"failed to accept a connection, trying again", &error);
                    }
                    if shortages == SHORTAGES || self.pause(slot) == Course::Ending {
                        return None;
                    }
                    arrival = Arrival::Queued;
                }
            }
            waited = true;
        }
        None
    }

    /// Returns what there is to do, at last: somebody for whom nothing was there but this worker is met.
    fn ready(&mut self, arrival: &mut Arrival) -> io::Result<Ready> {
        if *arrival == Arrival::Queued {
            let ready = self.events.wait(Some(Duration::ZERO))?;
            if !ready.is_empty() {
                return Ok(ready);
            }
            *arrival = Arrival::Met;
        }
        if let Some(place) = &mut self.place
            && !place.take()
        {
            // Who comes meanwhile does not find this worker waiting.
            *arrival = Arrival::Queued;
            self.sources.ignore_listener(&self.events)?;
            let asleep = clock::monotonic();
            let ready = place.stand_by();
            self.slept += clock::monotonic().saturating_sub(asleep);
            self.sources.watch_listener(&self.events)?;
            return ready;
        }
        let asleep = clock::monotonic();
        let ready = self.events.wait(None);
        self.slept += clock::monotonic().saturating_sub(asleep);
        ready
    }

    /// Waits until a client has sent something, at most for `limit`.
    ///
    /// When the worker is told to end, that ends the wait for a client that rests. One that was just taken keeps the time it has
    /// (`limit`): it has been promised an answer, and may itself be waiting for a processor.
    ///
    /// # Errors
    /// `TimedOut`, and what poll(2) answers.
    pub(crate) fn client(
        &mut self,
        client: &Client,
        limit: Option<Duration>,
        slot: &SlotWriter,
    ) -> io::Result<Waited> {
        let mut now = clock::monotonic();
        let deadline = limit.map(|limit| now + limit);
        while self.course == Course::Serving {
            let left = deadline.map(|deadline| deadline.saturating_sub(now));
            let watched = [client.as_fd(), self.control.as_fd(), self.quit.as_fd()];
            let [readable, control, quit] = poll::wait_any(watched, left)?;
            let asleep = std::mem::replace(&mut now, clock::monotonic());
            self.slept += now.saturating_sub(asleep);
            if control || quit {
                self.take(slot);
            }
            if readable {
                return Ok(Waited::Speaks);
            }
            if !(control || quit) {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
        let Some(deadline) = deadline else {
            return Ok(Waited::ToLeave);
        };
        client.wait(deadline.saturating_sub(clock::monotonic()))?;
        Ok(Waited::Speaks)
    }

    /// Returns for how long there was nothing to do since this was last asked.
    pub(crate) fn take_slept(&mut self) -> Duration {
        std::mem::take(&mut self.slept)
    }

    /// A request is over: if the access log takes lines again that did not, the master is told what is missing there.
    pub(crate) fn after_request(&mut self) {
        if self
            .access_log
            .as_ref()
            .is_some_and(AccessLog::has_recovered)
        {
            self.report_lost_lines();
        }
    }

    /// Tells the master of lines that are missing in the access log. If there is no room for that, it is told later.
    pub(crate) fn report_lost_lines(&mut self) {
        if let Some(log) = &mut self.access_log
            && log.lost() > 0
            && let Ok(Flushed::All) = self.control.send(&FromWorker::AccessLinesLost(log.lost()))
        {
            log.forget_lost();
        }
    }

    /// Tells the master that this worker has served its share. If there is no room for that, its end tells it.
    pub(crate) fn report_spent(&self) {
        let _unsent = self.control.send(&FromWorker::Spent);
    }

    /// Leaves everything alone for a while but being told to end.
    fn pause(&mut self, slot: &SlotWriter) -> Course {
        if let Some(place) = &mut self.place {
            place.give_up();
        }
        let watched = [self.control.as_fd(), self.quit.as_fd()];
        if let Ok([true, _] | [_, true]) = poll::wait_any(watched, Some(SHORTAGE)) {
            self.take(slot);
        }
        self.course
    }

    /// Takes in what came through the control socket and as a signal.
    fn take(&mut self, slot: &SlotWriter) {
        loop {
            match self.control.receive() {
                Ok(Next::Message(ToWorker::Look)) => {}
                Ok(Next::Message(ToWorker::AccessLog(file))) => {
                    if let Some(log) = &mut self.access_log {
                        log.write_to(file);
                    }
                }
                Ok(Next::Nothing) => break,
                Ok(Next::Closed) => {
                    // Nobody else will serve these connections; a new daemon must be able to take the address.
                    if !slot.is_socket_shared() {
                        let _already = listener::shut_down(self.sources.listener());
                    }
                    (self.course, self.heir) = (Course::Ending, Farewell::Close);
                    break;
                }
                // Something was lost that a new worker will know.
                Err(_) => {
                    (self.course, self.heir) = (Course::Ending, Farewell::Close);
                    break;
                }
            }
        }
        self.course = self.course(slot);
    }
}

#[cfg(test)]
mod tests;
