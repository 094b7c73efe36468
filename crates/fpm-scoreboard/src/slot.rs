//! One slot: the words of one worker, published whole and read whole.
//!
//! A changer must know: between two publications a writer touches only what no reader of the state in force looks
//! at, which is the other copy of the state and the copy of the texts that this state does not name.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::fence;
use std::time::Duration;

use nix::unistd::Pid;

use crate::layout::{self, control, state, texts};
use crate::stage::Stage;
use crate::text;

/// How often a reader starts again because the worker has published meanwhile. A worker publishes a few times per
/// request and a read takes less than a microsecond, so two attempts are rare already.
const ATTEMPTS: usize = 100;

/// What a worker has published of itself, without the texts of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotState {
    /// Its process.
    pub pid: Pid,
    /// The generation of the configuration that it serves.
    pub generation: u64,
    /// When it was started, since 1970.
    pub started: Duration,
    /// What it is doing.
    pub stage: Stage,
    /// Since when it is idle, busy or finished, by the monotonic clock.
    pub since: Duration,
    /// Requests it has accepted.
    pub requests: u64,
    /// Those of them that it did not run because nobody waited for the answer.
    pub abandoned: u64,
    /// When it accepted its present or last request, by the monotonic clock.
    pub accepted: Duration,
    /// The same since 1970.
    pub accepted_at: Duration,
    /// How long its last request took; zero from the acceptance of the next one until that has ended.
    pub duration: Duration,
    /// The CPU time of its last request; zero as `duration`.
    pub cpu: Duration,
    /// The memory peak of its last request, in bytes; zero as `duration`.
    pub memory: u64,
    /// The highest of all its memory peaks, in bytes.
    pub memory_peak: u64,
    /// The length of its present or last request's body in bytes, as the client says; may be negative.
    pub content_length: i64,
}

/// A slot with all that is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotSnapshot {
    /// Its index.
    pub slot: u32,
    /// Whether the worker was told to end after its request.
    pub draining: bool,
    /// Its numbers.
    pub state: SlotState,
    /// The method of its present or last request; at most 15 bytes.
    pub method: Vec<u8>,
    /// The request URI without query; at most 127 bytes.
    pub uri: Vec<u8>,
    /// The query string; at most 511 bytes.
    pub query: Vec<u8>,
    /// The path of the script; at most 255 bytes.
    pub script: Vec<u8>,
    /// The user of HTTP basic authentication; at most 31 bytes.
    pub user: Vec<u8>,
}

/// The words of one copy of the state.
pub(crate) type StateWords = [u64; state::LEN];

/// The words of one slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot<'a> {
    words: &'a [AtomicU64],
}

impl<'a> Slot<'a> {
    /// Takes the words of a slot.
    pub(crate) fn new(words: &'a [AtomicU64]) -> Slot<'a> {
        Slot { words }
    }

    /// Returns a word of the control part.
    pub(crate) fn control(self, word: usize) -> &'a AtomicU64 {
        &self.words[word]
    }

    /// Returns one copy of the texts.
    pub(crate) fn texts(self, copy: usize) -> &'a [AtomicU64] {
        let start = layout::TEXTS + copy * texts::LEN;
        &self.words[start..start + texts::LEN]
    }

    /// Puts a new state in force. Only the slot's single writer calls this: its worker, or the master when there is
    /// no worker.
    pub(crate) fn publish(self, new: &StateWords) {
        let published = self.control(control::PUBLISHED);
        let next = published.load(Relaxed).wrapping_add(1);
        // Whoever sees one of the following stores also sees the publication before it, and so that the state it is
        // reading is no longer in force.
        fence(Release);
        for (word, value) in self.copy(next).iter().zip(new) {
            word.store(*value, Relaxed);
        }
        published.store(next, Release);
    }

    /// Reads the state in force, and with `more` what else belongs to it.
    pub(crate) fn read<T>(self, more: impl Fn(&StateWords) -> T) -> (StateWords, T) {
        let published = self.control(control::PUBLISHED);
        let mut attempts = 0;
        loop {
            let before = published.load(Acquire);
            let mut words = [0; state::LEN];
            for (word, value) in words.iter_mut().zip(self.copy(before)) {
                *word = value.load(Relaxed);
            }
            let rest = more(&words);
            fence(Acquire);
            attempts += 1;
            // A worker that publishes without end has gone mad; every word is one that it wrote.
            if published.load(Relaxed) == before || attempts == ATTEMPTS {
                return (words, rest);
            }
        }
    }

    /// Reads the numbers; `None` in a slot without worker.
    pub(crate) fn state(self) -> Option<SlotState> {
        let (words, ()) = self.read(|_| ());
        SlotState::from_words(&words)
    }

    /// Reads everything; `None` in a slot without worker.
    pub(crate) fn snapshot(self, slot: u32) -> Option<SlotSnapshot> {
        let (words, [method, uri, query, script, user]) = self.read(|words| {
            let lengths = words[state::LENGTHS];
            let last = words[state::USER_LENGTH_AND_TEXTS];
            let copy = self.texts(usize::from(last >> 16 & 1 == 1));
            let load = |(start, most), len| text::load(&copy[start..], most, len & 0xffff);
            [
                load(texts::METHOD, lengths),
                load(texts::URI, lengths >> 16),
                load(texts::QUERY, lengths >> 32),
                load(texts::SCRIPT, lengths >> 48),
                load(texts::USER, last),
            ]
        });
        let state = SlotState::from_words(&words)?;
        let draining = self.control(control::DRAIN).load(Relaxed) != 0;
        Some(SlotSnapshot {
            slot,
            draining,
            state,
            method,
            uri,
            query,
            script,
            user,
        })
    }

    /// Returns the copy that is in force after this publication.
    fn copy(self, published: u64) -> &'a [AtomicU64] {
        let start = layout::STATES + usize::from(published & 1 == 1) * state::LEN;
        &self.words[start..start + state::LEN]
    }
}

impl SlotState {
    /// Takes the numbers apart; `None` when there is no process.
    fn from_words(words: &StateWords) -> Option<SlotState> {
        let pid = i32::try_from(words[state::PID])
            .ok()
            .filter(|pid| *pid > 0)?;
        let time = |word: usize| Duration::from_micros(words[word]);
        Some(SlotState {
            pid: Pid::from_raw(pid),
            generation: words[state::GENERATION],
            started: time(state::STARTED),
            stage: Stage::from_number(words[state::STAGE]),
            since: time(state::SINCE),
            requests: words[state::REQUESTS],
            abandoned: words[state::ABANDONED],
            accepted: time(state::ACCEPTED),
            accepted_at: time(state::ACCEPTED_AT),
            duration: time(state::DURATION),
            cpu: time(state::CPU),
            memory: words[state::MEMORY],
            memory_peak: words[state::MEMORY_PEAK],
            content_length: words[state::CONTENT_LENGTH].cast_signed(),
        })
    }
}
