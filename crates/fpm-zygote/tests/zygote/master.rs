//! The master's part: starts the zygote, asks for workers, hears what becomes of them.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{PipeReader, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use bstr::BString;
use fpm_channel::worker::ToWorker;
use fpm_channel::{
    FromZygote, Generation, MasterEnd, Next, Output, Parameters, PhpOptions, PoolStart, SlotIndex,
    Spawn, Start, ToZygote, WorkerId, worker,
};
use fpm_conf::{Config, Global, LogLevel, PoolIndex};
use fpm_os::descriptor::set_nonblocking;
use fpm_os::exec;
use fpm_os::poll::{self, Interest, Waited};
use fpm_os::relay::Relay;
use fpm_os::signal::Signal;
use fpm_os::wait::{self, ExitStatus};
use fpm_scoreboard::{Board, Counters, Farewell, Ledger, PoolBoard, Stage};
use nix::unistd::Pid;

use crate::site::Site;

/// The argument that makes this program a zygote.
pub(crate) const ROLE: &str = "zygote";

/// How long anything may take before a test has failed.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// A master with one zygote and one pool.
pub(crate) struct Master {
    channel: MasterEnd,
    /// Nothing ever comes through it.
    _relay: Relay,
    pub(crate) zygote: Pid,
    pub(crate) board: PoolBoard,
    free_slots: BTreeSet<u32>,
    stderr: PipeReader,
    workers: u64,
    /// What the zygote has logged.
    logged: Vec<(LogLevel, BString)>,
}

/// A worker as the master knows it. When it is dropped the worker loses its master.
#[must_use]
pub(crate) struct Worker {
    pub(crate) id: WorkerId,
    pub(crate) pid: Pid,
    pub(crate) slot: u32,
    control: Option<worker::MasterEnd>,
    stderr: Option<PipeReader>,
}

impl Master {
    /// Starts a zygote for the site and waits until its PHP is up.
    pub(crate) fn start(site: &Site) -> Master {
        let mut master = Master::launch(site, |start| start);
        match master.hear() {
            FromZygote::Ready { php_version } => assert!(php_version.starts_with("8.")),
            other => panic!("{other:?}"),
        }
        master
    }

    /// Starts a zygote with an altered `Start`.
    pub(crate) fn launch(site: &Site, alter: impl FnOnce(Parameters) -> Parameters) -> Master {
        let board = Board::create().expect("memory");
        let (area, pool) = board
            .add_pool(site.pool.pm_max_children, &Counters::default())
            .expect("memory");
        let ledger = Ledger::create().expect("memory");
        let parameters = Parameters {
            generation: Generation(7),
            config: Config {
                name: "test.conf".into(),
                global: Global::default(),
                pools: vec![site.pool.clone()],
                heartbeat: None,
            },
            php: PhpOptions {
                argv0: "fpmd".into(),
                ignore_ini: true,
                ..PhpOptions::default()
            },
            pools: vec![PoolStart {
                area,
                ledger: ledger.add_pool().expect("memory"),
                listener: 0,
                run_as: None,
                login: None,
            }],
        };
        let listener = site.listen();
        let (mut channel, theirs) = MasterEnd::create().expect("a socket pair");
        let (stderr, stderr_writer) = std::io::pipe().expect("a pipe");
        set_nonblocking(&stderr).expect("fcntl");
        let program = std::env::current_exe().expect("/proc");
        let padding = OsStr::new("                                                        ");
        let arguments = [program.as_os_str(), OsStr::new(ROLE), padding];
        let zygote = exec::spawn(
            &program,
            &arguments,
            theirs.as_fd(),
            stderr_writer.as_fd(),
            None,
        )
        .expect("this program can be executed");
        let relay = Relay::create().expect("a socket pair");
        let start = Start {
            parameters: alter(parameters),
            scoreboard: board.as_fd(),
            ledger: ledger.as_fd(),
            listeners: vec![listener.as_fd()],
            relays: vec![relay.exit()],
        };
        channel
            .send(&ToZygote::Start(Box::new(start)))
            .expect("the zygote listens");
        Master {
            channel,
            _relay: relay,
            zygote,
            free_slots: (0..pool.slots()).collect(),
            board: pool,
            stderr,
            workers: 0,
            logged: Vec::new(),
        }
    }

    /// Returns the next message that is no log line.
    pub(crate) fn hear(&mut self) -> FromZygote {
        loop {
            match self.channel.receive().expect("the zygote makes sense") {
                Next::Message(FromZygote::Log { level, text }) => self.logged.push((level, text)),
                Next::Message(message) => return message,
                Next::Nothing => self.wait(),
                Next::Closed => panic!("the zygote is gone: {}", self.stderr()),
            }
        }
    }

    fn wait(&self) {
        let waited = poll::wait(&self.channel, Interest::Readable, Some(DEADLINE)).expect("poll");
        assert_eq!(
            waited,
            Waited::Ready,
            "the zygote says nothing: {}",
            self.stderr()
        );
    }

    /// Returns what the zygote has written to its stderr so far.
    fn stderr(&self) -> String {
        drain(&self.stderr)
    }

    /// Has a worker made.
    pub(crate) fn spawn(&mut self) -> Worker {
        self.spawn_with(None)
    }

    /// Has a worker made whose output is caught.
    pub(crate) fn spawn_caught(&mut self) -> Worker {
        let (stdout, stdout_writer) = std::io::pipe().expect("a pipe");
        let (stderr, stderr_writer) = std::io::pipe().expect("a pipe");
        drop(stdout);
        set_nonblocking(&stderr).expect("fcntl");
        let output = Output {
            stdout: OwnedFd::from(stdout_writer),
            stderr: OwnedFd::from(stderr_writer),
        };
        let mut worker = self.spawn_with(Some(output));
        worker.stderr = Some(stderr);
        worker
    }

    fn spawn_with(&mut self, output: Option<Output>) -> Worker {
        let slot = self.free_slots.pop_first().expect("a free slot");
        let (id, control) = self.order(PoolIndex(0), slot, output);
        match self.hear() {
            FromZygote::Spawned { worker, pid } if worker == id => Worker {
                id,
                pid,
                slot,
                control: Some(control),
                stderr: None,
            },
            other => panic!("{other:?}"),
        }
    }

    /// Orders a worker of a pool that does not exist; returns the worker's id and what the zygote says to that.
    pub(crate) fn order_of_unknown_pool(&mut self) -> (WorkerId, FromZygote) {
        let (id, _control) = self.order(PoolIndex(99), 0, None);
        (id, self.hear())
    }

    fn order(
        &mut self,
        pool: PoolIndex,
        slot: u32,
        output: Option<Output>,
    ) -> (WorkerId, worker::MasterEnd) {
        self.workers += 1;
        let id = WorkerId(self.workers);
        let (ours, theirs) = worker::MasterEnd::create().expect("a socket");
        let spawn = Spawn {
            worker: id,
            pool,
            slot: SlotIndex(slot),
            control: theirs,
            access_log: None,
            output,
        };
        self.channel
            .send(&ToZygote::Spawn(spawn))
            .expect("the zygote listens");
        (id, ours)
    }

    pub(crate) fn kill(&mut self, worker: &Worker, signal: Signal) {
        let kill: ToZygote<BorrowedFd<'_>> = ToZygote::Kill {
            worker: worker.id,
            signal,
        };
        self.channel.send(&kill).expect("the zygote listens");
    }

    pub(crate) fn quit(&mut self) {
        let quit: ToZygote<BorrowedFd<'_>> = ToZygote::Quit;
        self.channel.send(&quit).expect("the zygote listens");
    }

    /// Has the slot of a worker that has ended for another one.
    pub(crate) fn release(&mut self, worker: &Worker) {
        self.board.release(worker.slot);
        self.free_slots.insert(worker.slot);
    }

    /// Tells a worker to end after its request.
    pub(crate) fn drain(&self, worker: &mut Worker) {
        self.board.drain(worker.slot, Farewell::Close);
        let control = worker.control.as_mut().expect("not given up");
        control.send(ToWorker::Look).expect("the worker lives");
    }

    /// Waits until the zygote has logged so many lines.
    pub(crate) fn logged(&mut self, count: usize) -> &[(LogLevel, BString)] {
        while self.logged.len() < count {
            match self.channel.receive().expect("the zygote makes sense") {
                Next::Message(FromZygote::Log { level, text }) => self.logged.push((level, text)),
                Next::Nothing => self.wait(),
                other => panic!("{other:?}"),
            }
        }
        &self.logged
    }

    /// Waits until a worker has reached a stage.
    pub(crate) fn until_stage(&self, worker: &Worker, stage: Stage) {
        let since = Instant::now();
        while self.board.state(worker.slot).map(|state| state.stage) != Some(stage) {
            assert!(
                since.elapsed() < DEADLINE,
                "the worker never comes to {stage:?}"
            );
            std::thread::yield_now();
        }
    }

    /// Waits for a worker's end.
    pub(crate) fn exit_of(&mut self, worker: &Worker) -> ExitStatus {
        match self.hear() {
            FromZygote::Exited {
                worker: ended,
                pid,
                status,
            } if ended == worker.id && pid == worker.pid => status,
            other => panic!("{other:?}"),
        }
    }

    /// Is gone; returns how the zygote ended then.
    pub(crate) fn die(self) -> ExitStatus {
        drop(self.channel);
        wait::wait(self.zygote).expect("it is our child")
    }

    /// Waits for the zygote's end.
    pub(crate) fn zygote_exit(self) -> ExitStatus {
        wait::wait(self.zygote).expect("it is our child")
    }
}

impl Worker {
    /// Closes the master's end of the control socket.
    pub(crate) fn give_up(&mut self) {
        self.control = None;
    }

    /// Returns what the worker writes to its stderr, up to what ends with `end`.
    pub(crate) fn stderr(&self, end: &str) -> String {
        let stderr = self.stderr.as_ref().expect("its output is caught");
        let mut text = String::new();
        while !text.ends_with(end) {
            let waited = poll::wait(stderr, Interest::Readable, Some(DEADLINE)).expect("poll");
            assert_eq!(waited, Waited::Ready, "only {text:?}");
            let more = drain(stderr);
            assert_ne!(more, "", "it ends with {text:?}");
            text.push_str(&more);
        }
        text
    }
}

fn drain(mut pipe: &PipeReader) -> String {
    let mut text = Vec::new();
    // WouldBlock is the end of what is there.
    let _end = pipe.read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}
