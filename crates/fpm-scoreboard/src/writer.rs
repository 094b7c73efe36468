//! The worker's side of its slot.
//!
//! A changer must know: this is on the way of every request. A step is a handful of plain stores and no system call;
//! only the bytes that a text has are copied.

use std::sync::atomic::Ordering::{Relaxed, Release};
use std::sync::atomic::fence;
use std::time::Duration;

use nix::unistd::Pid;

use crate::farewell::Farewell;
use crate::layout::{control, state, texts};
use crate::pool::PoolBoard;
use crate::slot::StateWords;
use crate::stage::Stage;

/// Who a worker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Birth {
    /// Its process.
    pub pid: Pid,
    /// The generation of the configuration that it serves.
    pub generation: u64,
    /// When it was started, since 1970.
    pub started: Duration,
}

/// What a request wants. Texts that are too long for the scoreboard are cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Description<'a> {
    /// Its method.
    pub method: &'a [u8],
    /// Its URI without query.
    pub uri: &'a [u8],
    /// Its query string.
    pub query: &'a [u8],
    /// The path of its script.
    pub script: &'a [u8],
    /// The user of HTTP basic authentication.
    pub user: &'a [u8],
    /// The length of its body in bytes, as the client says.
    pub content_length: i64,
}

/// What a request has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Finished {
    /// How long it took.
    pub duration: Duration,
    /// Its memory peak, in bytes.
    pub memory: u64,
}

/// The single writer of a slot.
#[derive(Debug)]
pub struct SlotWriter {
    pool: PoolBoard,
    slot: u32,
    /// The state that was published last, or is about to be.
    words: StateWords,
}

impl SlotWriter {
    /// Publishes a worker that is being made.
    pub(crate) fn begin(pool: PoolBoard, slot: u32, birth: Birth) -> SlotWriter {
        let mut words = without_worker(&pool.slot(slot).words());
        words[state::PID] = u64::from(birth.pid.as_raw().unsigned_abs());
        words[state::GENERATION] = birth.generation;
        words[state::STARTED] = micros(birth.started);
        words[state::STAGE] = Stage::Creating.number();
        let writer = SlotWriter { pool, slot, words };
        writer.publish();
        writer
    }

    /// Notes that the worker waits for a connection since `now` (monotonic).
    pub fn accepting(&mut self, now: Duration) {
        self.wait(Stage::Accepting, now);
    }

    /// Notes that the worker waits since `now` (monotonic) for a request on the connection that it has.
    pub fn resting(&mut self, now: Duration) {
        self.wait(Stage::Resting, now);
    }

    fn wait(&mut self, stage: Stage, now: Duration) {
        self.words[state::STAGE] = stage.number();
        self.words[state::SINCE] = micros(now);
        self.publish();
        self.pool.set_idle(self.slot);
    }

    /// Notes that a request has begun to arrive `now` (monotonic), which is `now_since_1970` by the wall clock.
    /// What was known of the request before is forgotten.
    pub fn reading_headers(&mut self, now: Duration, now_since_1970: Duration) {
        let words = &mut self.words;
        words[state::STAGE] = Stage::ReadingHeaders.number();
        words[state::SINCE] = micros(now);
        words[state::REQUESTS] += 1;
        words[state::SLOT_REQUESTS] += 1;
        words[state::ACCEPTED] = micros(now);
        words[state::ACCEPTED_AT] = micros(now_since_1970);
        words[state::DURATION] = 0;
        words[state::CPU] = 0;
        words[state::WORKED] = 0;
        words[state::MEMORY] = 0;
        words[state::CONTENT_LENGTH] = 0;
        words[state::LENGTHS] = 0;
        self.publish();
        self.pool.set_busy(self.slot);
    }

    /// Notes what the request wants.
    pub fn info(&mut self, description: &Description<'_>) {
        if self.words[state::LENGTHS] != 0 {
            // The request was described before: no reader may look at the texts while they change.
            self.words[state::LENGTHS] = 0;
            self.publish();
        }
        // Whoever sees one of the following stores also sees the publication before it, which has no texts.
        fence(Release);
        let words = self.pool.slot(self.slot).texts();
        self.words[state::LENGTHS] = texts::METHOD.store(words, description.method)
            | texts::URI.store(words, description.uri)
            | texts::QUERY.store(words, description.query)
            | texts::SCRIPT.store(words, description.script)
            | texts::USER.store(words, description.user);
        self.words[state::CONTENT_LENGTH] = description.content_length.cast_unsigned();
        self.words[state::STAGE] = Stage::Info.number();
        self.publish();
    }

    /// Notes that the request will not be run because nobody waits for the answer.
    pub fn abandoned(&mut self) {
        self.words[state::SLOT_ABANDONED] += 1;
        self.publish();
    }

    /// Notes that the request is refused because it has waited too long.
    pub fn overdue(&mut self) {
        self.words[state::SLOT_OVERDUE] += 1;
        self.publish();
    }

    /// Notes that the script runs.
    pub fn running(&mut self) {
        self.words[state::STAGE] = Stage::Running.number();
        self.publish();
    }

    /// Notes that the script has ended `now` (monotonic), and what it has cost. It may be called again when more has
    /// been done for the same request (after `fastcgi_finish_request`).
    pub fn finished(&mut self, now: Duration, cost: &Finished) {
        let words = &mut self.words;
        words[state::STAGE] = Stage::Finished.number();
        words[state::SINCE] = micros(now);
        words[state::DURATION] = micros(cost.duration);
        words[state::MEMORY] = cost.memory;
        words[state::SLOT_MEMORY_PEAK] = words[state::SLOT_MEMORY_PEAK].max(cost.memory);
        self.publish();
    }

    /// Says how much CPU time the request has cost that is over now, and how long the worker was at work for it. It is
    /// published together with what the worker does next.
    pub fn worked(&mut self, cpu: Duration, time: Duration) {
        self.words[state::CPU] = micros(cpu);
        self.words[state::WORKED] = micros(time);
    }

    /// Returns the pool's area.
    pub(crate) fn pool(&self) -> &PoolBoard {
        &self.pool
    }

    /// Tells whether the master wants the worker to end after its request.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.farewell().is_some()
    }

    /// Returns how the master wants the worker to leave its client, if it is to end.
    #[must_use]
    pub fn farewell(&self) -> Option<Farewell> {
        let word = self.pool.slot(self.slot).control(control::DRAIN);
        Farewell::from_number(word.load(Relaxed))
    }

    /// Returns how many requests the worker has accepted.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.words[state::REQUESTS]
    }

    /// Puts the present state in force.
    fn publish(&self) {
        self.pool.slot(self.slot).publish(&self.words);
    }
}

/// Returns the state of a slot without worker: what all its workers have counted, and nothing else.
pub(crate) fn without_worker(words: &StateWords) -> StateWords {
    let mut left = [0; state::LEN];
    for word in [
        state::SLOT_REQUESTS,
        state::SLOT_ABANDONED,
        state::SLOT_OVERDUE,
        state::SLOT_MEMORY_PEAK,
    ] {
        left[word] = words[word];
    }
    left
}

/// Turns a time into what shared memory holds.
pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
