//! The area of one pool: its slots, which of them are busy, and its counters.
//!
//! Who writes what: a worker its own slot and its busy bit; the highest number of busy workers and the listen queue
//! together with the others; the master everything else. Original: sapi/fpm/fpm/fpm_scoreboard.c

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::time::Duration;

use fpm_os::shared::Mapping;

use crate::counters::Counters;
use crate::error::ScoreboardError;
use crate::farewell::Farewell;
use crate::layout::{self, SLOT_LEN, control, header, state};
use crate::slot::{Slot, SlotSnapshot, SlotState, StateWords};
use crate::stage::Stage;
use crate::writer::{Birth, SlotWriter, micros, without_worker};

/// How often the listen queue is measured while it is not empty.
const BETWEEN_MEASUREMENTS: Duration = Duration::from_secs(1);

/// The area of one pool in this process. Clones are the same area.
#[derive(Clone, Debug)]
pub struct PoolBoard {
    mapping: Arc<Mapping>,
    slots: u32,
}

/// The queue of a pool's listening socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListenQueue {
    /// Connections waiting now.
    pub waiting: u64,
    /// How many can wait.
    pub capacity: u64,
}

/// What a status page says of a pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// What it has counted, living workers included.
    pub counters: Counters,
    /// The queue of its socket.
    pub listen_queue: ListenQueue,
    /// Workers that are being made.
    pub creating: u64,
    /// Workers that wait.
    pub idle: u64,
    /// Workers that serve a request.
    pub active: u64,
}

impl PoolBoard {
    /// Writes the header of a new area, which is all zero.
    pub(crate) fn format(mapping: Mapping, slots: u32, counters: &Counters) -> PoolBoard {
        let pool = PoolBoard {
            mapping: Arc::new(mapping),
            slots,
        };
        for (word, value) in [
            (header::SLOTS, u64::from(slots)),
            (header::STARTED, counters.started.as_secs()),
            (header::ACCEPTED, counters.accepted),
            (header::ABANDONED, counters.abandoned),
            (header::OVERDUE, counters.overdue),
            (header::MAX_ACTIVE, counters.max_active),
            (header::MAX_CHILDREN_REACHED, counters.max_children_reached),
            (header::SLOW_REQUESTS, counters.slow_requests),
            (header::TIMED_OUT, counters.timed_out),
            (header::OUTGROWN, counters.outgrown),
            (header::SOFT_TIMED_OUT, counters.soft_timed_out),
            (header::RESTS, counters.rests),
            (header::MAX_LISTEN_QUEUE, counters.max_listen_queue),
            (header::MEMORY_PEAK, counters.memory_peak),
        ] {
            pool.header(word).store(value, Relaxed);
        }
        pool.header(header::VERSION).store(layout::VERSION, Release);
        pool
    }

    /// Takes a mapped area.
    pub(crate) fn open(mapping: Mapping) -> Result<PoolBoard, ScoreboardError> {
        let word = |word: usize| {
            mapping
                .words()
                .get(word)
                .map_or(0, |word| word.load(Acquire))
        };
        let len = mapping.words().len() as u64 * 8;
        let slots = PoolBoard::slots_of(word(header::VERSION), word(header::SLOTS), len)?;
        Ok(PoolBoard {
            mapping: Arc::new(mapping),
            slots,
        })
    }

    /// Returns how many slots an area of this length has, of which these are the first words.
    pub(crate) fn slots_of(version: u64, slots: u64, len: u64) -> Result<u32, ScoreboardError> {
        if version != layout::VERSION {
            return Err(ScoreboardError::Layout {
                found: version,
                expected: layout::VERSION,
            });
        }
        match u32::try_from(slots) {
            Ok(slots) if layout::area_len(slots) as u64 * 8 <= len => Ok(slots),
            _ => Err(ScoreboardError::Size { len, slots }),
        }
    }

    /// Returns how many slots there are.
    #[must_use]
    pub fn slots(&self) -> u32 {
        self.slots
    }

    /// Makes this process the writer of a slot that the master keeps for it. For the worker.
    ///
    /// # Errors
    /// [`ScoreboardError::NoSuchSlot`].
    pub fn claim(&self, slot: u32, birth: Birth) -> Result<SlotWriter, ScoreboardError> {
        if slot >= self.slots {
            return Err(ScoreboardError::NoSuchSlot {
                slot,
                slots: self.slots,
            });
        }
        Ok(SlotWriter::begin(self.clone(), slot, birth))
    }

    /// Tells the worker of a slot to end after its request, and how to leave its client. It looks when it is woken or done. For the
    /// master.
    ///
    /// # Panics
    /// When there is no such slot.
    pub fn drain(&self, slot: u32, farewell: Farewell) {
        let word = self.slot(slot).control(control::DRAIN);
        word.store(farewell.number(), Relaxed);
    }

    /// Frees a slot whose worker is gone (reaped, or never made); what it counted stays counted. For the master.
    ///
    /// # Panics
    /// When there is no such slot.
    pub fn release(&self, slot: u32) {
        let area = self.slot(slot);
        area.publish(&without_worker(&area.words()));
        self.set_idle(slot);
        area.control(control::DRAIN).store(0, Relaxed);
        area.control(control::ASKED).store(0, Relaxed);
        area.control(control::RECYCLES).store(0, Relaxed);
        area.control(control::SPENT).store(0, Relaxed);
    }

    /// Reads the numbers of the worker in a slot; `None` when there is none.
    ///
    /// # Panics
    /// When there is no such slot.
    #[must_use]
    pub fn state(&self, slot: u32) -> Option<SlotState> {
        SlotState::from_words(&self.slot(slot).words())
    }

    /// Reads all that is known of the worker in a slot; `None` when there is none.
    ///
    /// # Panics
    /// When there is no such slot.
    #[must_use]
    pub fn snapshot(&self, slot: u32) -> Option<SlotSnapshot> {
        self.slot(slot).snapshot(slot)
    }

    /// Reads all that is known of every worker, in the order of their slots.
    #[must_use]
    pub fn snapshots(&self) -> Vec<SlotSnapshot> {
        (0..self.slots)
            .filter_map(|slot| self.snapshot(slot))
            .collect()
    }

    /// Returns how many workers were told to end and have not ended.
    #[must_use]
    pub fn draining(&self) -> u64 {
        let marks = (0..self.slots).map(|slot| self.slot(slot).control(control::DRAIN));
        marks.filter(|mark| mark.load(Relaxed) != 0).count() as u64
    }

    /// Adds everything up. What is counted never goes back.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let header = |word| self.header(word).load(Relaxed);
        let mut totals = Totals {
            counters: Counters {
                started: Duration::from_secs(header(header::STARTED)),
                accepted: header(header::ACCEPTED),
                abandoned: header(header::ABANDONED),
                overdue: header(header::OVERDUE),
                memory_peak: header(header::MEMORY_PEAK),
                max_active: header(header::MAX_ACTIVE),
                max_children_reached: header(header::MAX_CHILDREN_REACHED),
                slow_requests: header(header::SLOW_REQUESTS),
                timed_out: header(header::TIMED_OUT),
                outgrown: header(header::OUTGROWN),
                soft_timed_out: header(header::SOFT_TIMED_OUT),
                rests: header(header::RESTS),
                max_listen_queue: header(header::MAX_LISTEN_QUEUE),
            },
            listen_queue: ListenQueue {
                waiting: header(header::LISTEN_QUEUE),
                capacity: header(header::LISTEN_QUEUE_LEN),
            },
            ..Totals::default()
        };
        for slot in 0..self.slots {
            totals.add(&self.slot(slot).words());
        }
        totals
    }

    /// Adds what has been counted elsewhere. For the master.
    pub fn add(&self, counted: &Counters) {
        for (word, count) in [
            (header::ACCEPTED, counted.accepted),
            (header::ABANDONED, counted.abandoned),
            (header::OVERDUE, counted.overdue),
            (header::MAX_CHILDREN_REACHED, counted.max_children_reached),
            (header::SLOW_REQUESTS, counted.slow_requests),
            (header::TIMED_OUT, counted.timed_out),
            (header::OUTGROWN, counted.outgrown),
            (header::SOFT_TIMED_OUT, counted.soft_timed_out),
            (header::RESTS, counted.rests),
        ] {
            self.header(word).fetch_add(count, Relaxed);
        }
        for (word, highest) in [
            (header::MAX_ACTIVE, counted.max_active),
            (header::MAX_LISTEN_QUEUE, counted.max_listen_queue),
            (header::MEMORY_PEAK, counted.memory_peak),
        ] {
            self.header(word).fetch_max(highest, Relaxed);
        }
    }

    /// Notes how many connections wait and can wait. For whoever has measured it.
    pub fn record_listen_queue(&self, queue: ListenQueue) {
        self.header(header::LISTEN_QUEUE)
            .store(queue.waiting, Relaxed);
        self.header(header::LISTEN_QUEUE_LEN)
            .store(queue.capacity, Relaxed);
        self.header(header::MAX_LISTEN_QUEUE)
            .fetch_max(queue.waiting, Relaxed);
    }

    /// Tells, to one of all that ask within a second, that it is time to measure the listen queue `now` (monotonic).
    #[must_use]
    pub fn is_time_to_measure(&self, now: Duration) -> bool {
        let measured = self.header(header::QUEUE_MEASURED);
        let (now, last) = (micros(now), measured.load(Relaxed));
        now.saturating_sub(last) >= micros(BETWEEN_MEASUREMENTS)
            && measured
                .compare_exchange(last, now, Relaxed, Relaxed)
                .is_ok()
    }

    /// Notes that the listen queue was empty `now` (monotonic): a client came to a worker that waited for one.
    pub fn note_empty_queue(&self, now: Duration) {
        self.header(header::QUEUE_EMPTY)
            .fetch_max(micros(now), Relaxed);
    }

    /// Notes that there is a worker `now` (monotonic) that will look at the listen queue. What was in it before the pool's
    /// first worker, nobody knows; it counts as empty then.
    pub fn note_first_look(&self, now: Duration) {
        let empty = self.header(header::QUEUE_EMPTY);
        // Another worker was first.
        let _known = empty.compare_exchange(0, micros(now), Relaxed, Relaxed);
    }

    /// Returns for how long the listen queue may not have been empty: nobody who is in it `now` (monotonic) is known to have
    /// waited longer.
    #[must_use]
    pub fn longest_wait(&self, now: Duration) -> Duration {
        let empty = self.header(header::QUEUE_EMPTY).load(Relaxed);
        now.saturating_sub(Duration::from_micros(empty))
    }

    /// Counts that more workers were wanted than `pm.max_children`. For the master.
    pub fn count_max_children_reached(&self) {
        self.header(header::MAX_CHILDREN_REACHED)
            .fetch_add(1, Relaxed);
    }

    /// Counts a request that took longer than `request_slowlog_timeout`. For the master.
    pub fn count_slow_request(&self) {
        self.header(header::SLOW_REQUESTS).fetch_add(1, Relaxed);
    }

    /// Counts that the pool gets no new workers for a while (`pm.crash_budget`). For the master.
    pub fn count_rest(&self) {
        self.header(header::RESTS).fetch_add(1, Relaxed);
    }

    /// Counts a request whose script gets a time-out error (`request_soft_timeout`). For the worker.
    pub fn count_soft_timed_out_request(&self) {
        self.header(header::SOFT_TIMED_OUT).fetch_add(1, Relaxed);
    }

    /// Counts a request that took longer than `request_terminate_timeout`. For the master.
    pub fn count_timed_out_request(&self) {
        self.header(header::TIMED_OUT).fetch_add(1, Relaxed);
    }

    /// Returns the words of a slot.
    pub(crate) fn slot(&self, slot: u32) -> Slot<'_> {
        assert!(slot < self.slots, "slot {slot} of {}", self.slots);
        let start = layout::slot_start(self.slots, slot);
        Slot::new(&self.mapping.words()[start..start + SLOT_LEN])
    }

    /// Marks the slot's worker as busy and counts how many are.
    pub(crate) fn set_busy(&self, slot: u32) {
        let (word, bit) = self.busy(slot);
        let with_this = word.fetch_or(bit, AcqRel) | bit;
        // Exact up to 64 slots. With more, a worker may be counted that has just become idle.
        let others = self
            .busy_words()
            .iter()
            .filter(|other| !std::ptr::eq(*other, word));
        let active: u32 = others.map(|other| other.load(Relaxed).count_ones()).sum();
        let active = u64::from(active + with_this.count_ones());
        let max = self.header(header::MAX_ACTIVE);
        if max.load(Relaxed) < active {
            max.fetch_max(active, Relaxed);
        }
    }

    /// Marks the slot's worker as idle.
    pub(crate) fn set_idle(&self, slot: u32) {
        let (word, bit) = self.busy(slot);
        word.fetch_and(!bit, AcqRel);
    }

    /// Returns a word of the header.
    pub(crate) fn header(&self, word: usize) -> &AtomicU64 {
        &self.mapping.words()[word]
    }

    /// Returns the words with the busy bits.
    fn busy_words(&self) -> &[AtomicU64] {
        &self.mapping.words()[header::LEN..header::LEN + (self.slots as usize).div_ceil(64)]
    }

    /// Returns the word and the bit of a slot.
    fn busy(&self, slot: u32) -> (&AtomicU64, u64) {
        (&self.busy_words()[slot as usize / 64], 1 << (slot % 64))
    }
}

impl Totals {
    /// Adds one slot.
    fn add(&mut self, words: &StateWords) {
        let counters = &mut self.counters;
        counters.accepted += words[state::SLOT_REQUESTS];
        counters.abandoned += words[state::SLOT_ABANDONED];
        counters.overdue += words[state::SLOT_OVERDUE];
        counters.memory_peak = counters.memory_peak.max(words[state::SLOT_MEMORY_PEAK]);
        match SlotState::from_words(words).map(|state| state.stage) {
            None => {}
            Some(Stage::Creating) => self.creating += 1,
            Some(Stage::Accepting | Stage::Resting) => self.idle += 1,
            Some(_) => self.active += 1,
        }
    }
}

#[cfg(test)]
mod tests;
