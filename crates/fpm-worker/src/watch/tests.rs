//! A watch with real sockets, and the test as the master.

use std::fs::{File, read_link, read_to_string};
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::thread;

use fcgi_proto::params::Params;
use fpm_channel::worker::{Heard, MasterEnd};
use fpm_conf::{LogLevel, Pool};
use fpm_os::process;
use fpm_os::relay::{self, Passed, Relay};
use fpm_os::shared::SharedFile;
use fpm_os::signal::Signal;
use fpm_scoreboard::{Birth, Board, Counters, Description, Finished, PoolBoard};
use nix::unistd::{getppid, gettid};
use tempfile::TempDir;

use super::*;
use crate::access_log::Entry;
use crate::standby::Standby;

const LOG: Log = Log {
    level: LogLevel::Alert,
    limit: 1024,
};

/// What a worker has between requests, and what the master has of it.
struct Scene {
    directory: TempDir,
    watch: Watch,
    slot: SlotWriter,
    board: PoolBoard,
    control: Option<MasterEnd>,
    relay: Option<Relay>,
}

impl Scene {
    fn new() -> Scene {
        Scene::with(None)
    }

    /// A worker all of whose places are taken by others.
    fn surplus() -> Scene {
        let memory = SharedFile::create("test").unwrap();
        let standby = Standby::create(&memory, 8, 3).unwrap();
        let marks = Arc::new(standby.open(&memory).unwrap());
        for slot in 1..=3 {
            let mut other = Place::new(Arc::clone(&marks), slot, getppid()).unwrap();
            assert!(other.take());
        }
        Scene::with(Some(Place::new(marks, 0, getppid()).unwrap()))
    }

    fn with(place: Option<Place>) -> Scene {
        // A process has one such flag; nobody sends the signal here.
        static QUIT_FLAG: OnceLock<QuitFlag> = OnceLock::new();
        let quit = *QUIT_FLAG.get_or_init(|| QuitFlag::install(Signal::QUIT).unwrap());
        let directory = TempDir::new().unwrap();
        let listener = UnixListener::bind(directory.path().join("s")).unwrap();
        listener.set_nonblocking(true).unwrap();
        let (master, control) = MasterEnd::create().unwrap();
        let control = WorkerEnd::adopt(control);
        let relay = Relay::create().unwrap();
        let exit = relay.exit().try_clone_to_owned().unwrap();
        let sources = Sources::new(Arc::new(listener.into()), Arc::new(exit));
        let file = Board::create().unwrap();
        let (_, board) = file.add_pool(1, &Counters::default()).unwrap();
        let birth = Birth {
            pid: process::id(),
            generation: 1,
            started: Duration::ZERO,
        };
        Scene {
            watch: Watch::new(sources, place, control, quit, None).unwrap(),
            slot: board.claim(0, birth).unwrap(),
            board,
            directory,
            control: Some(master),
            relay: Some(relay),
        }
    }

    fn connect(&self) -> UnixStream {
        UnixStream::connect(self.directory.path().join("s")).unwrap()
    }

    fn next(&mut self) -> Option<Client> {
        self.watch.next_client(&self.slot, &LOG)
    }

    fn wait(&mut self, client: &Client, limit: Option<Duration>) -> Result<Waited, io::ErrorKind> {
        self.watch
            .client(client, limit, &self.slot)
            .map_err(|error| error.kind())
    }

    fn tell(&mut self, message: ToWorker<Arc<File>>) {
        self.control.as_mut().unwrap().send(message).unwrap();
    }

    fn drain(&mut self) {
        self.board.drain(0, Farewell::HandOver);
        self.tell(ToWorker::Look);
    }
}

#[test]
fn whoever_stands_by_ends_when_it_is_told() {
    let mut scene = Scene::surplus();
    scene.drain();
    assert!(scene.next().is_none());
}

#[test]
fn a_client_that_is_there_is_taken_before_anybody_stands_by() {
    let mut scene = Scene::surplus();
    for _ in 0..2 * IN_A_ROW + 3 {
        let _client = scene.connect();
        assert_eq!(scene.next().unwrap().arrival(), Arrival::Queued);
    }
}

#[test]
fn whoever_is_woken_while_it_stands_by_looks_for_clients_first() {
    let mut scene = Scene::surplus();
    let path = scene.directory.path().join("s");
    let mut master = scene.control.take().unwrap();
    let stat = format!("/proc/self/task/{}/stat", gettid());
    let waker = thread::spawn(move || {
        while !read_to_string(&stat).unwrap().contains(") S ") {}
        // Those who wait do not come: they are not there.
        let client = UnixStream::connect(path).unwrap();
        master.send(ToWorker::Look).unwrap();
        (client, master)
    });
    assert_eq!(scene.next().unwrap().arrival(), Arrival::Queued);
    waker.join().unwrap();
}

#[test]
fn clients_are_taken_in_turn() {
    let mut scene = Scene::new();
    let clients: Vec<UnixStream> = (0..IN_A_ROW + 3).map(|_| scene.connect()).collect();
    for mut client in clients {
        client.write_all(b"x").unwrap();
        let taken = scene.next().unwrap();
        assert_eq!(taken.read(&mut [0; 2]).unwrap(), 1);
        // More of them than may be taken without a wait.
        assert!(scene.watch.in_a_row <= IN_A_ROW);
        assert_eq!(taken.arrival(), Arrival::Queued);
    }
}

#[test]
fn who_finds_the_worker_waiting_was_met() {
    let mut scene = Scene::new();
    let path = scene.directory.path().join("s");
    let stat = format!("/proc/self/task/{}/stat", gettid());
    let client = thread::spawn(move || {
        // The worker has found nobody and sleeps.
        while !read_to_string(&stat).unwrap().contains(") S ") {}
        UnixStream::connect(path).unwrap()
    });
    assert_eq!(scene.next().unwrap().arrival(), Arrival::Met);
    client.join().unwrap();
}

#[test]
fn the_masters_word_goes_before_a_client() {
    let mut scene = Scene::new();
    let _client = scene.connect();
    scene.drain();
    assert!(scene.next().is_none());
    assert_eq!(scene.watch.course(&scene.slot), Course::Ending);
}

#[test]
fn a_client_that_the_worker_was_woken_for_is_served_before_it_ends() {
    let mut scene = Scene::new();
    let this = read_link("/proc/thread-self").unwrap();
    let (board, socket) = (scene.board.clone(), scene.directory.path().join("s"));
    let master = thread::spawn(move || {
        // Only then the kernel has woken nobody else.
        while !is_asleep(&this) {
            thread::yield_now();
        }
        board.drain(0, Farewell::HandOver);
        UnixStream::connect(socket).unwrap()
    });
    assert!(scene.next().is_some());
    assert!(scene.next().is_none());
    master.join().unwrap();
}

/// Tells whether a thread of this process waits in the kernel (proc(5), the field after the name).
fn is_asleep(thread: &Path) -> bool {
    let stat = read_to_string(Path::new("/proc").join(thread).join("stat")).unwrap();
    stat.rsplit_once(") ").unwrap().1.starts_with('S')
}

#[test]
fn an_order_alone_means_nothing() {
    let mut scene = Scene::new();
    scene.tell(ToWorker::Look);
    scene.tell(ToWorker::Look);
    let client = scene.connect();
    // The queue is looked at first; with an empty one the order is read.
    let taken = scene.next().unwrap();
    assert_eq!(
        scene.wait(&taken, Some(Duration::from_millis(1))),
        Err(io::ErrorKind::TimedOut)
    );
    assert_eq!(scene.watch.course(&scene.slot), Course::Serving);
    drop(client);
}

#[test]
fn without_a_master_the_address_is_given_free() {
    let mut scene = Scene::new();
    scene.control = None;
    assert!(scene.next().is_none());
    let refused = UnixStream::connect(scene.directory.path().join("s"));
    assert_eq!(
        refused.unwrap_err().kind(),
        io::ErrorKind::ConnectionRefused
    );
}

#[test]
fn an_address_at_which_another_master_serves_is_left_alone() {
    let mut scene = Scene::new();
    scene.board.share_socket();
    scene.control = None;
    assert!(scene.next().is_none());
    scene.connect();
    scene.board.own_socket();
    assert!(!scene.slot.is_socket_shared());
}

#[test]
fn a_master_that_dies_is_noticed_under_load() {
    let mut scene = Scene::new();
    scene.control = None;
    let mut served = 0;
    let clients: Vec<UnixStream> = (0..2 * IN_A_ROW).map(|_| scene.connect()).collect();
    while scene.next().is_some() {
        served += 1;
    }
    // The one more is the one it was woken for.
    assert!(served <= IN_A_ROW + 1, "{served}");
    drop(clients);
}

#[test]
fn a_resting_client_does_not_keep_the_worker() {
    let mut scene = Scene::new();
    let mut other = scene.connect();
    let client = scene.next().unwrap();
    scene.drain();
    assert_eq!(scene.wait(&client, None), Ok(Waited::ToLeave));
    // It is in somebody else's hands then, with what it sends.
    assert!(scene.watch.hand_over(&client));
    drop(client);
    other.write_all(b"x").unwrap();
    match scene.control.as_mut().unwrap().receive().unwrap() {
        Next::Message(Heard::Connection(connection)) => {
            let mut connection = UnixStream::from(connection);
            assert_eq!(connection.read(&mut [0; 2]).unwrap(), 1);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_would_not_be_served_by_anybody_else_is_kept() {
    let scene = Scene::new();
    let farewell = |scene: &Scene| scene.watch.farewell(&scene.slot);
    assert_eq!(farewell(&scene), Farewell::HandOver);
    for told in [Farewell::Close, Farewell::HandOver] {
        scene.board.drain(0, told);
        assert_eq!(farewell(&scene), told);
    }
    let mut scene = Scene::new();
    scene.control = None;
    assert!(scene.next().is_none());
    assert_eq!(farewell(&scene), Farewell::Close);
}

#[test]
fn clients_of_other_workers_are_taken_over_first() {
    let mut scene = Scene::new();
    let _queued = scene.connect();
    let (ours, mut client) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let relay = scene.relay.as_ref().unwrap();
    assert_eq!(relay.pass(&ours).unwrap(), Passed::Yes);
    client.write_all(b"x").unwrap();
    let taken = scene.next().unwrap();
    assert_eq!(taken.arrival(), Arrival::TakenOver);
    assert_eq!(taken.read(&mut [0; 2]).unwrap(), 1);
    assert_eq!(scene.next().unwrap().arrival(), Arrival::Queued);
}

#[test]
fn whoever_finds_nothing_at_one_source_looks_at_the_other() {
    let mut scene = Scene::new();
    let relay = scene.relay.as_ref().unwrap();
    let (ours, _client) = UnixStream::pair().unwrap();
    relay.pass(&ours).unwrap();
    let ready = scene.watch.events.wait(None).unwrap();
    assert!(ready.contains(RELAY) && !ready.contains(LISTENER));
    relay::take(relay.exit()).unwrap();
    let _queued = scene.connect();
    let sources = &mut scene.watch.sources;
    let taken = sources.take(&scene.watch.events, &ready, Arrival::Met);
    assert_eq!(taken.unwrap().arrival(), Arrival::Met);

    let _queued = scene.connect();
    let ready = scene.watch.events.wait(None).unwrap();
    assert!(ready.contains(LISTENER) && !ready.contains(RELAY));
    let sources = &mut scene.watch.sources;
    drop(sources.accept(Arrival::Met).unwrap());
    scene.relay.as_ref().unwrap().pass(&ours).unwrap();
    let taken = sources.take(&scene.watch.events, &ready, Arrival::Met);
    assert_eq!(taken.unwrap().arrival(), Arrival::TakenOver);
}

#[test]
fn a_relay_that_has_ended_is_not_looked_at_any_more() {
    let mut scene = Scene::new();
    scene.relay = None;
    let _client = scene.connect();
    assert_eq!(scene.next().unwrap().arrival(), Arrival::Queued);
    let ready = scene.watch.events.wait(Some(Duration::ZERO)).unwrap();
    assert!(ready.is_empty());
}

#[test]
fn a_client_that_was_taken_has_its_time_although_the_worker_is_to_end() {
    let mut scene = Scene::new();
    let _silent = scene.connect();
    let client = scene.next().unwrap();
    scene.drain();
    let (asked, limit) = (clock::monotonic(), Duration::from_millis(100));
    assert_eq!(
        scene.wait(&client, Some(limit)),
        Err(io::ErrorKind::TimedOut)
    );
    assert!(clock::monotonic() - asked >= limit);
}

#[test]
fn a_client_may_take_its_time_but_not_for_ever() {
    let mut scene = Scene::new();
    let mut other = scene.connect();
    let client = scene.next().unwrap();
    let limit = Some(Duration::from_millis(1));
    assert_eq!(scene.wait(&client, limit), Err(io::ErrorKind::TimedOut));
    other.write_all(b"x").unwrap();
    assert_eq!(scene.wait(&client, limit), Ok(Waited::Speaks));
    assert_eq!(scene.wait(&client, None), Ok(Waited::Speaks));
}

/// Writes a line for a request that has ended.
fn log_request(scene: &mut Scene) {
    let params = Params::new();
    let log = scene.watch.access_log.as_mut().unwrap();
    log.write(&Entry {
        request: Description::default(),
        params: &params,
        client: None,
        status: 200,
        headers: &[],
        cost: Finished::default(),
        ended: Duration::ZERO,
        id: b"",
        waited: None,
    });
    scene.watch.after_request();
}

fn open(path: &Path) -> File {
    let mut options = File::options();
    options.append(true).create(true).open(path).unwrap()
}

#[test]
fn the_master_gives_the_access_log_another_file_and_hears_of_lost_lines() {
    let mut scene = Scene::new();
    let mut pool = Pool::new("www", "/run/www.sock");
    pool.access_format = Some("%n".into());
    let path = scene.directory.path().join("log");
    // Every write to it fails with ENOSPC (full(4)).
    let full = open(Path::new("/dev/full"));
    scene.watch.access_log = AccessLog::new(full.into(), &pool, 1, process::id());
    log_request(&mut scene);
    log_request(&mut scene);
    let mut client = scene.connect();
    let taken = scene.next().unwrap();
    scene.tell(ToWorker::AccessLog(Arc::new(open(&path))));
    client.write_all(b"x").unwrap();
    assert_eq!(scene.wait(&taken, None), Ok(Waited::Speaks));
    log_request(&mut scene);
    log_request(&mut scene);
    assert_eq!(read_to_string(path).unwrap(), "www\nwww\n");
    let master = scene.control.as_mut().unwrap();
    match master.receive().unwrap() {
        Next::Message(Heard::Said(said)) => assert_eq!(said, FromWorker::AccessLinesLost(2)),
        other => panic!("{other:?}"),
    }
    assert!(matches!(master.receive(), Ok(Next::Nothing)));
}
