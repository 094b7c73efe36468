//! The master at work: what is set up before anything starts, and the loop.
//!
//! Rule: what a generation needs is set up in `live/setup.rs`; here is what the master's process itself needs.

use std::collections::VecDeque;

use fpm_conf::Config;
use fpm_control::Scope;
use fpm_events::EventLoop;
use fpm_os::clock;
use fpm_os::process::become_subreaper;
use fpm_os::signal::Signal;
use fpm_os::signal::set::{Disposition, SignalSet, set_disposition};

use crate::company::Beside;
use crate::descriptors::make_room;
use crate::error::MasterError;
use crate::event::{Event, Timer};
use crate::inherited::Inherited;
use crate::listeners::Listeners;
use crate::live::{Live, Remains, Setup, Token};
use crate::master::{Master, Outcome};
use crate::program::{Options, Program};
use crate::upgrade::heritage::{Left, Whole};

/// What the master wants to be told.
const SIGNALS: [Signal; 8] = [
    Signal::TERM,
    Signal::INT,
    Signal::QUIT,
    Signal::USR1,
    Signal::USR2,
    Signal::HUP,
    Signal::WINCH,
    Signal::CHLD,
];

/// A master that has all it needs: users, scoreboard, sockets.
#[derive(Debug)]
pub struct Prepared {
    options: Options,
    setup: Setup,
    open_files: Option<u64>,
    events: EventLoop<Token>,
    remains: Remains,
    beside: Option<Beside>,
}

/// A master that goes on with what another program had.
#[derive(Debug)]
pub struct Adopted {
    options: Options,
    whole: Whole,
    events: EventLoop<Token>,
}

impl Prepared {
    /// Sets up the process and the first generation, with the sockets that are `inherited`; from here on the signals that the master listens to are blocked.
    ///
    /// # Errors
    /// The first thing that fails; what was opened is closed again.
    pub fn new(
        config: Config,
        options: Options,
        inherited: Inherited,
    ) -> Result<Prepared, MasterError> {
        let events = become_master()?;
        let open_files = make_room(&config);
        let listeners = Listeners::inherit(&config, inherited, options.store.as_ref());
        let setup = Setup::new(config, &options, &[listeners], None, &Scope::All)?;
        setup.listeners.announce_uncounted();
        Ok(Prepared {
            options,
            setup,
            open_files,
            events,
            remains: Remains::default(),
            beside: None,
        })
    }

    /// Sets up the process and the first generation, with the sockets that the program before has left.
    ///
    /// # Errors
    /// As [`Prepared::new`].
    pub fn succeeding(
        config: Config,
        options: Options,
        left: Left,
    ) -> Result<Prepared, MasterError> {
        left.announce();
        let events = become_master()?;
        // What was raised by the program before is not what children are to have.
        let open_files = left.open_files.or(make_room(&config));
        let known = left.sockets.all();
        let found = Listeners::inherit(&config, left.found, options.store.as_ref());
        let setup = Setup::new(config, &options, &[known.clone(), found], None, &Scope::All)?;
        known.remove_files(std::slice::from_ref(&setup.listeners));
        Ok(Prepared {
            options,
            setup,
            open_files,
            events,
            remains: left.remains,
            beside: None,
        })
    }

    /// Sets up the process and the first generation, with the sockets of the master that has started this one.
    ///
    /// # Errors
    /// As [`Prepared::new`].
    pub fn beside(
        config: Config,
        options: Options,
        beside: Beside,
    ) -> Result<Prepared, MasterError> {
        tracing::info!("serving beside process {}, at its sockets", beside.elder);
        let events = become_master()?;
        let open_files = make_room(&config);
        let known = [beside.sockets.clone()];
        let setup = Setup::new(config, &options, &known, None, &Scope::All)?;
        setup.listeners.announce_uncounted();
        Ok(Prepared {
            options,
            setup,
            open_files,
            events,
            remains: Remains::default(),
            beside: Some(beside),
        })
    }

    /// Runs until a signal ends it.
    ///
    /// # Errors
    /// When PHP does not start, or the program cannot be launched.
    pub fn run(self, program: impl Program) -> Result<(), MasterError> {
        let Prepared {
            options,
            setup,
            open_files,
            events,
            remains,
            beside,
        } = self;
        let config = setup.config.clone();
        let mut live = Live::new(program, options, setup, open_files, events);
        live.keep_remains(remains);
        live.seat_operator();
        let elder = beside.as_ref().map(|beside| beside.elder);
        if let Some(beside) = beside {
            live.join(beside);
        }
        let mut master = Master::new(&config, live);
        if let Some(elder) = elder {
            master.join(elder);
        }
        master.start(clock::monotonic());
        let outcome = work(&mut master);
        master.world().close();
        outcome
    }
}

impl Adopted {
    /// Sets up the process.
    ///
    /// # Errors
    /// When the kernel is short of what a master needs.
    pub fn new(options: Options, whole: Whole) -> Result<Adopted, MasterError> {
        Ok(Adopted {
            options,
            whole,
            events: become_master()?,
        })
    }

    /// Goes on, begins with a reload, and runs until a signal ends it.
    ///
    /// # Errors
    /// When the kernel refuses to wait.
    pub fn run(self, program: impl Program) -> Result<(), MasterError> {
        let Adopted {
            options,
            whole,
            events,
        } = self;
        let decided = whole.decided.clone();
        let waiting: Vec<_> = whole.callers.iter().map(|(caller, _)| *caller).collect();
        let configs: Vec<_> = whole
            .generations
            .values()
            .map(|setup| setup.config.clone())
            .collect();
        let configs: Vec<_> = configs.iter().collect();
        let mut live = Live::adopted(program, options, whole, events);
        live.take_post_back();
        let mut master = Master::adopted(&decided, &configs, live);
        master.resume(clock::monotonic(), &decided, &waiting);
        let outcome = work(&mut master);
        master.world().close();
        outcome
    }
}

/// Makes this process what a master is; the signals that it listens to are blocked from here on.
fn become_master() -> Result<EventLoop<Token>, MasterError> {
    // Workers whose zygote dies are to be ours.
    become_subreaper().map_err(MasterError::Process)?;
    set_disposition(Signal::PIPE, Disposition::Ignore).map_err(MasterError::Process)?;
    Ok(EventLoop::create(
        &SIGNALS.into_iter().collect::<SignalSet>(),
    )?)
}

fn work<P: Program>(master: &mut Master<Live<P>>) -> Result<(), MasterError> {
    let mut happened = VecDeque::new();
    loop {
        match master.take_outcome() {
            Some(Outcome::Stopped) => return Ok(()),
            Some(Outcome::Failed(error)) => return Err(error),
            None => {}
        }
        let now = master.world().wait(&mut happened)?;
        while let Some(event) = next(&mut happened) {
            master.on_event(now, event);
        }
    }
}

/// Takes the next event. Another program takes over when all others have been dealt with: it would never hear of what this one has
/// read already.
fn next(happened: &mut VecDeque<Event>) -> Option<Event> {
    if let [Event::Due(Timer::HandOver), _, ..] = happened.make_contiguous() {
        happened.rotate_left(1);
    }
    happened.pop_front()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hand_over_comes_last() {
        let quit = Event::Signal(Signal::QUIT);
        let hand_over = Event::Due(Timer::HandOver);
        let report = Event::Due(Timer::Report);
        for (happened, expected) in [
            (vec![&hand_over], vec![&hand_over]),
            (vec![&quit, &hand_over], vec![&quit, &hand_over]),
            (
                vec![&hand_over, &quit, &report],
                vec![&quit, &report, &hand_over],
            ),
        ] {
            let mut happened: VecDeque<_> = happened.into_iter().cloned().collect();
            let mut told = Vec::new();
            while let Some(event) = next(&mut happened) {
                told.push(event);
            }
            assert_eq!(told.iter().collect::<Vec<_>>(), expected);
        }
    }
}
