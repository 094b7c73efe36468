//! The workers are threads here; marks and bell do not know the difference.

use std::hint;
use std::io::{PipeReader, Read, pipe};
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic;
use std::sync::atomic::AtomicU32;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::*;

const LISTENER: u64 = 1;
const END: u64 = 2;

/// A pool with three places.
struct Stage {
    memory: SharedFile,
    marks: Arc<Marks>,
    region: Region,
}

impl Stage {
    fn new(slots: u32) -> Stage {
        let memory = SharedFile::create("test").unwrap();
        let standby = Standby::create(&memory, slots, 3).unwrap();
        let region = standby.region;
        let marks = Arc::new(standby.open(&memory).unwrap());
        Stage {
            memory,
            marks,
            region,
        }
    }

    fn worker(&self, slot: u32) -> Place {
        Place::new(Arc::clone(&self.marks), slot, getppid()).unwrap()
    }

    /// So many workers that have taken the places, or stand by.
    fn idle(&self, workers: u32) -> Vec<Place> {
        (0..workers)
            .map(|slot| {
                let mut worker = self.worker(slot);
                worker.take();
                worker
            })
            .collect()
    }

    fn count(&self, mark: Mark) -> u32 {
        count(&self.marks.mapping, mark)
    }

    /// Whether the bell rings; it does not any more then.
    fn rings(&self) -> bool {
        let set = WaitSet::create().unwrap();
        set.add(&self.marks.bell, BELL, Wake::All).unwrap();
        let rings = !set.wait(Some(Duration::ZERO)).unwrap().is_empty();
        self.marks.bell.answer();
        rings
    }
}

#[test]
fn one_more_waits_than_can_run_and_three_at_least() {
    for (processors, expected) in [(1, 3), (2, 3), (3, 4), (64, 65), (usize::MAX, u32::MAX)] {
        assert_eq!(places(processors), expected, "{processors}");
    }
}

#[test]
fn who_finds_the_places_taken_stands_by() {
    let stage = Stage::new(200);
    let mut workers = stage.idle(3);
    let mut last = stage.worker(199);
    assert!(!last.take());
    assert_eq!(stage.count(Mark::Waits), 3);
    assert_eq!(stage.count(Mark::StandsBy), 1);
    // It goes on waiting as long as it likes.
    assert!(workers[0].take() && workers[0].take());
    assert_eq!(stage.count(Mark::Waits), 3);
}

#[test]
fn who_goes_to_work_and_leaves_only_one_behind_rings() {
    let stage = Stage::new(8);
    let mut workers = stage.idle(4);
    workers[0].leave();
    assert!(!stage.rings());
    workers[1].leave();
    assert!(stage.rings());
    stage.marks.bell.ring();
    workers[3].stand_by().unwrap();
    assert!(workers[3].take());
    workers[3].leave();
    assert!(!stage.rings(), "nobody stands by any more");
}

#[test]
fn nobody_is_called_for_somebody_who_never_waited() {
    let stage = Stage::new(8);
    let mut workers = stage.idle(4);
    let mut busy = stage.worker(7);
    for worker in &mut workers[..2] {
        worker.leave();
    }
    assert!(stage.rings());
    busy.leave();
    assert!(!stage.rings());
}

#[test]
fn what_rang_for_one_who_ends_rings_for_another() {
    let stage = Stage::new(8);
    let mut workers = stage.idle(5);
    for worker in &mut workers[..3] {
        worker.leave();
    }
    stage.marks.bell.ring();
    assert!(workers[3].stand_by().unwrap().contains(BELL));
    assert!(!stage.rings());
    workers[3].give_up();
    assert!(stage.rings());
}

#[test]
fn the_dead_leave_no_marks_behind() {
    let stage = Stage::new(8);
    let workers = stage.idle(5);
    let standby = Standby {
        region: stage.region,
        bell: Bell::create().unwrap(),
        places: 3,
    };
    for slot in [0, 3] {
        standby.forget(&stage.memory, slot).unwrap();
    }
    assert_eq!(stage.count(Mark::Waits), 2);
    assert_eq!(stage.count(Mark::StandsBy), 1);
    drop(workers);
}

#[test]
fn all_orphans_wait() {
    let stage = Stage::new(8);
    let _workers = stage.idle(3);
    let mut orphan = Place::new(Arc::clone(&stage.marks), 5, Pid::from_raw(1 << 22)).unwrap();
    assert!(orphan.take());
    assert_eq!(stage.count(Mark::Waits), 4);
}

#[test]
fn who_goes_to_stand_by_while_the_others_go_to_work_is_called_or_waits() {
    let stage = Stage::new(8);
    let mut last = stage.worker(4);
    let mut others: Vec<_> = (0..3).map(|slot| stage.worker(slot)).collect();
    for _ in 0..50_000 {
        for other in &mut others {
            assert!(other.take());
        }
        let ready = AtomicU32::new(0);
        let together = || {
            ready.fetch_add(1, SeqCst);
            while ready.load(SeqCst) < 2 {
                hint::spin_loop();
            }
        };
        let waits = thread::scope(|scope| {
            scope.spawn(|| {
                together();
                others.iter_mut().for_each(|other| other.leave());
            });
            together();
            last.take()
        });
        assert!(stage.rings() || waits);
        remove(&stage.marks.mapping, Mark::StandsBy, 4);
        last.give_up();
    }
}

/// What a pool's workers have in common beside their marks.
struct Pool {
    listener: UnixListener,
    /// The end of it is that of the workers.
    serving: PipeReader,
    /// Takes a word for each client that has a worker.
    begun: Sender<()>,
}

#[test]
fn as_many_work_as_there_are_clients() {
    const WORKERS: usize = 12;
    let stage = Stage::new(WORKERS as u32);
    let directory = TempDir::new().unwrap();
    let address = directory.path().join("s");
    let listener = UnixListener::bind(&address).unwrap();
    listener.set_nonblocking(true).unwrap();
    let (serving, served) = pipe().unwrap();
    let (begun, beginnings) = channel();
    let pool = Pool {
        listener,
        serving,
        begun,
    };
    let pool = &pool;
    thread::scope(|scope| {
        for slot in 0..WORKERS as u32 {
            let mut worker = stage.worker(slot);
            scope.spawn(move || serve(&mut worker, pool));
        }
        let seen = panic::catch_unwind(|| {
            for round in 0..5000 {
                let connect = |_| UnixStream::connect(&address).unwrap();
                // They all have to be served at once: each stays until all others have a worker.
                let clients: Vec<_> = (0..=round % WORKERS).map(connect).collect();
                for _ in &clients {
                    let beginning = beginnings.recv_timeout(Duration::from_secs(20));
                    beginning.expect("a worker for each client");
                }
            }
        });
        // The workers end in either case, and with them the scope.
        drop(served);
        seen.unwrap();
    });
}

fn serve(place: &mut Place, pool: &Pool) {
    let events = WaitSet::create().unwrap();
    events.add(&pool.listener, LISTENER, Wake::One).unwrap();
    events.add(&pool.serving, END, Wake::All).unwrap();
    place.add(&pool.serving, END).unwrap();
    loop {
        let ready = match place.take() {
            true => events.wait(None).unwrap(),
            false => place.stand_by().unwrap(),
        };
        if ready.contains(END) {
            place.give_up();
            return;
        }
        while let Ok((mut client, _)) = pool.listener.accept() {
            place.leave();
            let _nobody_asks = pool.begun.send(());
            let _gone = client.read(&mut [0]);
        }
    }
}
