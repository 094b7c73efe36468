//! One slot: the words of one worker, published whole and read whole.
//!
//! A changer must know: between two publications a writer touches only what no reader of the state in force looks
//! at, which is the other copy of the state, and the texts while the state in force gives them no length.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::fence;
use std::time::Duration;

use nix::unistd::Pid;

use crate::departure::Departure;
use crate::layout::{self, Text, control, state, texts};
use crate::stage::Stage;

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
    /// When it accepted its present or last request, by the monotonic clock.
    pub accepted: Duration,
    /// The same since 1970.
    pub accepted_at: Duration,
    /// How long its last request took; zero from the acceptance of the next one until that has ended.
    pub duration: Duration,
    /// The CPU time that its last request has cost, from its arrival to its very end; zero until then.
    pub cpu: Duration,
    /// How long the worker was at work meanwhile; zero as `cpu`.
    pub worked: Duration,
    /// The memory peak of its last request, in bytes; zero as `duration`.
    pub memory: u64,
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
    /// Why it has served its share, once it has.
    pub spent: Option<Departure>,
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

    /// Returns the texts.
    pub(crate) fn texts(self) -> &'a [AtomicU64] {
        &self.words[layout::TEXTS..layout::TEXTS + texts::LEN]
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

    /// Reads the numbers in force.
    pub(crate) fn words(self) -> StateWords {
        self.read(&mut [])
    }

    /// Reads everything; `None` in a slot without worker.
    pub(crate) fn snapshot(self, slot: u32) -> Option<SlotSnapshot> {
        let mut copied = [0; texts::LEN];
        let words = self.read(&mut copied);
        let text = |text: Text| text.take(&copied, words[state::LENGTHS]);
        Some(SlotSnapshot {
            slot,
            draining: self.control(control::DRAIN).load(Relaxed) != 0,
            spent: Departure::from_number(self.control(control::SPENT).load(Relaxed)),
            state: SlotState::from_words(&words)?,
            method: text(texts::METHOD),
            uri: text(texts::URI),
            query: text(texts::QUERY),
            script: text(texts::SCRIPT),
            user: text(texts::USER),
        })
    }

    /// Copies the state in force, and as much of its texts as there is room for. Nothing else is done in between:
    /// the shorter it takes the less often it is disturbed.
    fn read(self, copied: &mut [u64]) -> StateWords {
        let published = self.control(control::PUBLISHED);
        let mut words = [0; state::LEN];
        for _ in 0..ATTEMPTS {
            let before = published.load(Acquire);
            for (copy, word) in words.iter_mut().zip(self.copy(before)) {
                *copy = word.load(Relaxed);
            }
            for (copy, word) in copied.iter_mut().zip(self.texts()) {
                *copy = word.load(Relaxed);
            }
            fence(Acquire);
            if published.load(Relaxed) == before {
                break;
            }
        }
        // After so many attempts the worker must have gone mad; every single word is still one that it wrote.
        words
    }

    /// Returns the copy that is in force after this publication.
    fn copy(self, published: u64) -> &'a [AtomicU64] {
        let start = layout::STATES + usize::from(published & 1 == 1) * state::LEN;
        &self.words[start..start + state::LEN]
    }
}

impl SlotState {
    /// Takes the numbers apart; `None` when there is no process.
    pub(crate) fn from_words(words: &StateWords) -> Option<SlotState> {
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
            accepted: time(state::ACCEPTED),
            accepted_at: time(state::ACCEPTED_AT),
            duration: time(state::DURATION),
            cpu: time(state::CPU),
            worked: time(state::WORKED),
            memory: words[state::MEMORY],
            content_length: words[state::CONTENT_LENGTH].cast_signed(),
        })
    }
}
