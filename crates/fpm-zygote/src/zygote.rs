//! The zygote's process: its event loop and what it does about each event.
//!
//! Workers go on above these frames: what is large is boxed, and what is done before the first fork has functions of its own, which
//! are not inlined (`worker.rs` says why).

use std::io::{self, PipeReader, PipeWriter, Read};
use std::os::fd::OwnedFd;

use bstr::{BStr, BString, ByteSlice};
use fpm_channel::{FromZygote, Next, Spawn, ToZygote, ZygoteEnd};
use fpm_conf::{LogLevel, PoolIndex};
use fpm_events::{Event, EventLoop, Interest};
use fpm_os::descriptor::set_nonblocking;
use fpm_os::error::OsError;
use fpm_os::fork::{OtherThreads, fork};
use fpm_os::signal::Signal;
use fpm_os::signal::set::SignalSet;
use fpm_os::title::ProcessTitle;
use fpm_os::{listener, process, wait};
use fpm_worker::birth::words::Listener;
use fpm_worker::exit;
use nix::errno::Errno;

use crate::children::{Child, Children};
use crate::error::ZygoteError;
use crate::start::{self, Stage};
use crate::worker;

/// What the event loop watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Channel,
    FirstWords,
}

/// A zygote whose PHP is up. All of it is given up in a forked child.
#[derive(Debug)]
struct Zygote {
    channel: ZygoteEnd,
    events: EventLoop<Source>,
    /// Whether the channel may hold a message.
    readable: bool,
    children: Children,
    /// No more workers are asked for.
    quitting: bool,
    /// The master is gone.
    orphaned: bool,
    /// What workers say that cannot begin their work.
    first_words: PipeReader,
    /// The other end, for the workers.
    for_workers: PipeWriter,
    listener: Listener,
    stage: Box<Stage>,
    /// `None` where the kernel does not tell where the title is.
    title: Option<ProcessTitle>,
}

/// Serves the master behind `channel` until it is told to end, or the master is gone, and the last worker has ended.
///
/// To be called in a process with a single thread, before anything keeps a pointer into the environment.
///
/// # Errors
/// When PHP does not start, when the master makes no sense, or when the kernel is short of what a zygote needs.
pub fn run(channel: OwnedFd) -> Result<(), ZygoteError> {
    let mut place = Some(Zygote::start(ZygoteEnd::adopt(channel))?);
    while let Some(zygote) = &mut place {
        let Some(spawn) = zygote.next_order()? else {
            break;
        };
        fork_worker(&mut place, spawn);
    }
    if let Some(zygote) = place {
        zygote.end();
    }
    Ok(())
}

/// Forks a worker. In the child, whose process ends in here, nothing is left in `place`.
fn fork_worker(place: &mut Option<Box<Zygote>>, spawn: Spawn) {
    let child = Child {
        worker: spawn.worker,
        pool: spawn.pool,
        slot: spawn.slot,
    };
    let worker = child.worker;
    let known = place
        .as_mut()
        .is_some_and(|zygote| zygote.prepare(child.pool));
    let forked = if known {
        fork(OtherThreads::LeaveBehind, || match place.take() {
            Some(zygote) => zygote.become_worker(spawn),
            None => exit::SOFTWARE,
        })
    } else {
        Err(OsError::Call {
            call: "fork()",
            errno: Errno::EINVAL,
        })
    };
    let Some(zygote) = place else {
        return;
    };
    match forked {
        Ok(pid) => {
            zygote.children.add(pid, child);
            zygote.report(&FromZygote::Spawned { worker, pid });
        }
        Err(error) => {
            let errno = match error {
                OsError::Call { errno, .. } => errno,
                _ => Errno::EAGAIN,
            };
            zygote.report(&FromZygote::SpawnFailed {
                worker,
                errno: errno as i32,
            });
        }
    }
}

impl Zygote {
    #[inline(never)]
    fn start(mut channel: ZygoteEnd) -> Result<Box<Zygote>, ZygoteError> {
        // A terminal's signals come here too; what they mean is the master's to say.
        let signals: SignalSet = [
            Signal::CHLD,
            Signal::INT,
            Signal::QUIT,
            Signal::TERM,
            Signal::HUP,
            Signal::USR1,
            Signal::USR2,
        ]
        .into_iter()
        .collect();
        let mut events = EventLoop::create(&signals)?;
        let mut title = ProcessTitle::claim().ok();
        let start = start::receive(&mut channel)?;
        if let Some(title) = &mut title {
            let generation = start.parameters.generation.0;
            title.set(format!("php-fpm: zygote process (generation {generation})").as_bytes());
        }
        let (first_words, for_workers) = io::pipe().map_err(ZygoteError::call("pipe()"))?;
        set_nonblocking(&first_words).map_err(ZygoteError::call("fcntl()"))?;
        let stage = Box::new(start::start(start, &mut channel)?);
        events.add(&channel, Interest::Both, Source::Channel)?;
        events.add(&first_words, Interest::Readable, Source::FirstWords)?;
        Ok(Box::new(Zygote {
            channel,
            events,
            readable: true,
            children: Children::default(),
            quitting: false,
            orphaned: false,
            first_words,
            for_workers,
            listener: Listener::default(),
            stage,
            title,
        }))
    }

    /// Goes about everything else until there is a worker to fork; `None` when there is nothing left to do.
    fn next_order(&mut self) -> Result<Option<Spawn>, ZygoteError> {
        let mut told = Vec::new();
        loop {
            if self.readable {
                if let Some(spawn) = self.receive()? {
                    return Ok(Some(spawn));
                }
                self.readable = false;
            }
            if self.quitting && self.children.is_empty() {
                return Ok(None);
            }
            self.events.wait(&mut told)?;
            for event in told.drain(..) {
                match event {
                    Event::Readable(Source::Channel) => self.readable = true,
                    Event::Writable(Source::Channel) => self.flush(),
                    Event::Signal(caught) if caught.signal == Signal::CHLD => self.reap()?,
                    Event::Readable(Source::FirstWords) => self.hear(),
                    _ => {}
                }
            }
        }
    }

    /// Obeys the master up to the next order to fork.
    fn receive(&mut self) -> Result<Option<Spawn>, ZygoteError> {
        loop {
            match self.channel.receive()? {
                Next::Message(ToZygote::Spawn(spawn)) => return Ok(Some(spawn)),
                Next::Message(ToZygote::Kill { worker, signal }) => {
                    if let Some(pid) = self.children.process(worker) {
                        // It may have ended, which is about to be noticed.
                        let _ended = process::kill(pid, signal);
                    }
                }
                Next::Message(ToZygote::Quit) => self.quitting = true,
                Next::Message(ToZygote::Start(_)) => return Err(ZygoteError::NotStarted),
                Next::Nothing => return Ok(None),
                Next::Closed => {
                    self.orphan();
                    return Ok(None);
                }
            }
        }
    }

    /// Tells whether a worker of this pool can be made, after making what it shares with the others. Without that all wait for clients.
    #[inline(never)]
    fn prepare(&mut self, pool: PoolIndex) -> bool {
        if !worker::has_pool(&self.stage, pool) {
            return false;
        }
        if let Err(error) = self.stage.decide_standby(pool) {
            let pools = &self.stage.parameters.config.pools;
            let index = usize::try_from(pool.0).unwrap_or(usize::MAX);
            let name = pools
                .get(index)
                .map_or(BStr::new(""), |pool| pool.name.as_bstr());
            let text = format!("[pool {name}] all idle children wait for connections: {error}");
            self.log(LogLevel::Warning, text.into());
        }
        true
    }

    /// Reports every worker that has ended, after what it had to say.
    fn reap(&mut self) -> Result<(), ZygoteError> {
        self.hear();
        while let Some(exit) = wait::reap().map_err(ZygoteError::call("waitpid()"))? {
            if let Some(Child { worker, pool, slot }) = self.children.remove(exit.pid) {
                if let Err(error) = self.stage.standbys.forget(pool, slot) {
                    let text = format!("cannot remove the marks of a dead worker: {error}");
                    self.log(LogLevel::Warning, text.into());
                }
                self.report(&FromZygote::Exited {
                    worker,
                    pid: exit.pid,
                    status: exit.status,
                });
            }
        }
        Ok(())
    }

    /// Passes on what workers say that cannot begin their work.
    fn hear(&mut self) {
        // On the stack that all workers go on with: not more than a line or two.
        let mut buffer = [0; 256];
        while let Ok(count @ 1..) = self.first_words.read(&mut buffer) {
            for (level, text) in self.listener.hear(&buffer[..count]) {
                self.log(level, text);
            }
        }
    }

    fn log(&mut self, level: LogLevel, text: BString) {
        self.report(&FromZygote::Log { level, text });
    }

    /// Tells the master something, as long as there is one. One that cannot be told anything is gone.
    fn report(&mut self, message: &FromZygote) {
        if !self.orphaned && self.channel.send(message).is_err() {
            self.orphan();
        }
    }

    fn flush(&mut self) {
        if !self.orphaned && self.channel.flush().is_err() {
            self.orphan();
        }
    }

    /// The master is gone. Its ends of the workers' control sockets are gone with it, so they end after their requests. That may
    /// take long: the addresses are given free at once for a new daemon, but for those at which another one serves already.
    fn orphan(&mut self) {
        self.orphaned = true;
        self.quitting = true;
        for pool in &self.stage.parameters.pools {
            let board = self.stage.board.map(pool.area);
            let own = board.is_ok_and(|board| !board.is_socket_shared());
            let socket = self.stage.listeners.get(pool.listener as usize);
            if let Some(socket) = socket.filter(|_| own) {
                let _already = listener::shut_down(socket);
            }
        }
    }

    /// Turns the forked child into a worker.
    fn become_worker(self: Box<Self>, spawn: Spawn) -> u8 {
        // In this order: the worker's own things stay, channel and events go at once.
        let Zygote {
            stage,
            mut title,
            for_workers,
            channel,
            events,
            first_words,
            ..
        } = *self;
        drop((channel, events, first_words));
        worker::live(stage, spawn, for_workers, title.as_mut())
    }

    /// Ends the process's work: the last report is sent, then PHP goes.
    fn end(mut self) {
        if !self.orphaned {
            // If it cannot be told, the master sees the end of the channel instead.
            let _untold = self.channel.flush_wait();
        }
        self.stage.engine.shutdown();
    }
}
