//! Where everything is, in words of eight bytes.
//!
//! ```text
//! header (24 words) · busy bits (one per slot, rounded up to 8 words) · slot · slot · …
//! slot: control (8 words) · state A (18) · state B (18) · texts (118) · padding
//! ```
//! A changer must know: raise [`VERSION`] with every change; generations of different releases share the memory.

/// Marks the memory of this layout.
pub const VERSION: u64 = 0x6670_6d64_0000_000c;

/// Words of the header of a pool's area.
pub(crate) mod header {
    /// [`super::VERSION`].
    pub(crate) const VERSION: usize = 0;
    /// Number of slots.
    pub(crate) const SLOTS: usize = 1;
    /// When the pool was started first, in seconds since 1970.
    pub(crate) const STARTED: usize = 2;
    /// Requests accepted in other areas of the pool, before this one was made.
    pub(crate) const ACCEPTED: usize = 3;
    /// The same of requests not run because nobody waited for the answer.
    pub(crate) const ABANDONED: usize = 4;
    /// The same of the highest memory peak, in bytes.
    pub(crate) const MEMORY_PEAK: usize = 5;
    /// Most workers that were busy at once. Written by all.
    pub(crate) const MAX_ACTIVE: usize = 6;
    /// How often `pm.max_children` was reached.
    pub(crate) const MAX_CHILDREN_REACHED: usize = 7;
    /// Requests slower than `request_slowlog_timeout`.
    pub(crate) const SLOW_REQUESTS: usize = 8;
    /// Connections waiting now.
    pub(crate) const LISTEN_QUEUE: usize = 9;
    /// Most connections that waited at once.
    pub(crate) const MAX_LISTEN_QUEUE: usize = 10;
    /// How many connections can wait.
    pub(crate) const LISTEN_QUEUE_LEN: usize = 11;
    /// When the queue was last measured, in microseconds of the monotonic clock. Written by workers.
    pub(crate) const QUEUE_MEASURED: usize = 12;
    /// When a worker last took a client that found the queue empty, or the pool's first worker began, in microseconds of the
    /// monotonic clock.
    pub(crate) const QUEUE_EMPTY: usize = 13;
    /// As [`ACCEPTED`] of requests refused because they had waited too long.
    pub(crate) const OVERDUE: usize = 14;
    /// Requests that took longer than `request_terminate_timeout`.
    pub(crate) const TIMED_OUT: usize = 15;
    /// Workers that were replaced because of `pm.max_memory`. Written by workers.
    pub(crate) const OUTGROWN: usize = 16;
    /// 1 while another daemon may serve at the pool's socket, too.
    pub(crate) const SHARED: usize = 23;
    /// Requests whose scripts got a time-out error because of `request_soft_timeout`. Written by workers.
    pub(crate) const SOFT_TIMED_OUT: usize = 17;
    /// How often the pool got no new workers for a while because of `pm.crash_budget`.
    pub(crate) const RESTS: usize = 18;
    /// Length of the header.
    pub(crate) const LEN: usize = 24;
}

/// Words of a slot's control part, outside of the two copies.
pub(crate) mod control {
    /// Counts publications; its lowest bit tells which state is in force.
    pub(crate) const PUBLISHED: usize = 0;
    /// Not 0 when the worker shall end after its request: a [`Farewell`](crate::Farewell). Written by the master.
    pub(crate) const DRAIN: usize = 1;
    /// How often the worker was asked what it is doing. Written by the master, waited for by the worker's watchdog.
    pub(crate) const ASKED: usize = 2;
    /// 1 when the worker has served its share and is about to end. Written by the worker.
    pub(crate) const RECYCLES: usize = 3;
    /// Why the worker has served its share, as the number of a `Departure`; 0 while it has not. Written by the worker.
    pub(crate) const SPENT: usize = 4;
    /// Length of the control part: one cache line.
    pub(crate) const LEN: usize = 8;
}

/// Words of one copy of a slot's state.
pub(crate) mod state {
    /// Process id; 0 in a slot without worker.
    pub(crate) const PID: usize = 0;
    /// Generation of the configuration.
    pub(crate) const GENERATION: usize = 1;
    /// Start of the worker, in microseconds since 1970.
    pub(crate) const STARTED: usize = 2;
    /// Stage, as its number.
    pub(crate) const STAGE: usize = 3;
    /// Last change between idle and busy or to finished, in microseconds of the monotonic clock.
    pub(crate) const SINCE: usize = 4;
    /// Requests accepted by the worker.
    pub(crate) const REQUESTS: usize = 5;
    /// When the present or last request was accepted, in microseconds of the monotonic clock.
    pub(crate) const ACCEPTED: usize = 6;
    /// The same in microseconds since 1970.
    pub(crate) const ACCEPTED_AT: usize = 7;
    /// How long the last request took, in microseconds.
    pub(crate) const DURATION: usize = 8;
    /// CPU time that the last request has cost, in microseconds.
    pub(crate) const CPU: usize = 9;
    /// Memory peak of the last request, in bytes.
    pub(crate) const MEMORY: usize = 10;
    /// Length of the request's body, as the client says.
    pub(crate) const CONTENT_LENGTH: usize = 11;
    /// Lengths of the texts: 8 bits method, 8 URI, 16 query, 16 script, 16 user.
    pub(crate) const LENGTHS: usize = 12;
    /// Requests accepted by all workers that this slot ever had.
    pub(crate) const SLOT_REQUESTS: usize = 13;
    /// Those of them not run because nobody waited for the answer.
    pub(crate) const SLOT_ABANDONED: usize = 14;
    /// The highest memory peak of all of them, in bytes.
    pub(crate) const SLOT_MEMORY_PEAK: usize = 15;
    /// Those of them refused because they had waited too long.
    pub(crate) const SLOT_OVERDUE: usize = 16;
    /// How long the worker was at work for the last request, in microseconds.
    pub(crate) const WORKED: usize = 17;
    /// Length of one copy.
    pub(crate) const LEN: usize = 18;
}

/// The texts of a request. The original's buffers, which end with a NUL: one byte less is shown.
pub(crate) mod texts {
    use super::Text;

    /// The method.
    pub(crate) const METHOD: Text = Text {
        word: 0,
        most: 15,
        shift: 0,
        bits: 8,
    };
    /// The request URI.
    pub(crate) const URI: Text = Text {
        word: 2,
        most: 127,
        shift: 8,
        bits: 8,
    };
    /// The query string.
    pub(crate) const QUERY: Text = Text {
        word: 18,
        most: 511,
        shift: 16,
        bits: 16,
    };
    /// The script's path.
    pub(crate) const SCRIPT: Text = Text {
        word: 82,
        most: 255,
        shift: 32,
        bits: 16,
    };
    /// The user.
    pub(crate) const USER: Text = Text {
        word: 114,
        most: 31,
        shift: 48,
        bits: 16,
    };
    /// Length of all, in words.
    pub(crate) const LEN: usize = 118;
}

/// Where one text of a request is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text {
    /// Its first word in the texts.
    pub(crate) word: usize,
    /// The most bytes it has.
    pub(crate) most: usize,
    /// The lowest bit of its length in [`state::LENGTHS`].
    pub(crate) shift: u32,
    /// How many bits its length has there.
    pub(crate) bits: u32,
}

/// First word of the two states in a slot.
pub(crate) const STATES: usize = control::LEN;
/// First word of the texts in a slot.
pub(crate) const TEXTS: usize = STATES + 2 * state::LEN;
/// Length of a slot: whole cache lines.
pub(crate) const SLOT_LEN: usize = (TEXTS + texts::LEN).next_multiple_of(8);

/// Returns the length of a pool's busy bits, in words.
pub(crate) fn busy_len(slots: u32) -> usize {
    (slots as usize).div_ceil(64).next_multiple_of(8)
}

/// Returns the first word of a slot.
pub(crate) fn slot_start(slots: u32, slot: u32) -> usize {
    header::LEN + busy_len(slots) + slot as usize * SLOT_LEN
}

/// Returns the length of a pool's area, in words.
pub(crate) fn area_len(slots: u32) -> usize {
    slot_start(slots, slots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_room_and_do_not_overlap() {
        let (mut word, mut bit) = (0, 0);
        for text in [
            texts::METHOD,
            texts::URI,
            texts::QUERY,
            texts::SCRIPT,
            texts::USER,
        ] {
            assert_eq!((text.word, text.shift), (word, bit));
            assert!(text.most < 1 << text.bits);
            word += (text.most + 1) / 8;
            bit += text.bits;
        }
        assert_eq!((word, bit), (texts::LEN, 64));
    }

    #[test]
    fn slots_begin_at_cache_lines_and_follow_each_other() {
        for slots in [0, 1, 63, 64, 65, 512, 513, 10_000] {
            assert!(slot_start(slots, 0).is_multiple_of(8));
            assert!(slot_start(slots, 0) >= header::LEN + (slots as usize).div_ceil(64));
            assert_eq!(slot_start(slots, slots), area_len(slots));
        }
        assert!(SLOT_LEN.is_multiple_of(8));
    }
}
