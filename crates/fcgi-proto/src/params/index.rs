//! Hash index of a [`Params`](super::Params) table: open addressing, positions only.
//!
//! The names are chosen by the peer, so the hash is seeded per table: nobody can make all of them fall on one slot. Nothing is ever
//! removed from the index but by [`Index::clear`]; a removed entry stays until its slot gets a younger one of the same name.

use std::hash::{BuildHasher, RandomState};

/// Number of slots after [`Index::clear`]; enough for the 25 to 40 parameters of a usual request.
const FIRST_SLOTS: usize = 128;

/// A slot that no name has.
const FREE: u32 = u32::MAX;

#[derive(Clone)]
pub(super) struct Index {
    /// Positions of entries, or [`FREE`]. The length is 0 or a power of two, at most half of it used.
    slots: Vec<u32>,
    used: usize,
    seed: u64,
}

impl Default for Index {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            used: 0,
            seed: RandomState::new().hash_one(0),
        }
    }
}

impl Index {
    pub(super) fn clear(&mut self) {
        self.slots.clear();
        self.used = 0;
    }

    pub(super) fn shrink_to(&mut self, slots: usize) {
        self.slots.shrink_to(slots);
    }

    /// Hashes 8 bytes at a time by a folded multiplication: short and fast, and of no use without the seed.
    pub(super) fn hash(&self, name: &[u8]) -> u32 {
        const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
        let fold = |a: u64, b: u64| {
            let product = u128::from(a) * u128::from(b);
            (product >> 64) as u64 ^ product as u64
        };
        let mut state = self.seed ^ name.len() as u64;
        let last = if let Some(last) = name.last_chunk::<8>() {
            // The last word overlaps the one before, so that there is no rest.
            for word in name[..name.len() - 1].as_chunks::<8>().0 {
                state = fold(state ^ u64::from_le_bytes(*word), MULTIPLIER);
            }
            u64::from_le_bytes(*last)
        } else if let (Some(first), Some(last)) = (name.first_chunk::<4>(), name.last_chunk::<4>())
        {
            u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last))
        } else {
            name.iter()
                .fold(0, |word, &byte| word << 8 | u64::from(byte))
        };
        fold(fold(state ^ last, MULTIPLIER), self.seed | 1) as u32
    }

    /// Returns the position of the entry that has the hash and is the `same`.
    pub(super) fn find(&self, hash: u32, same: impl Fn(usize) -> bool) -> Option<usize> {
        if self.slots.is_empty() {
            None
        } else {
            self.at(self.probe(hash, same))
        }
    }

    /// Returns the slot of a name: the one that it has, else the one for [`Index::insert`].
    pub(super) fn slot(&mut self, hash: u32, same: impl Fn(usize) -> bool) -> usize {
        if self.slots.is_empty() {
            self.slots.resize(FIRST_SLOTS, FREE);
        }
        self.probe(hash, same)
    }

    /// Returns the position in `slot`.
    pub(super) fn at(&self, slot: usize) -> Option<usize> {
        match self.slots[slot] {
            FREE => None,
            at => Some(at as usize),
        }
    }

    /// Puts the position `at` into the slot that [`Index::slot`] returned for its name. When the index grows, it is filled again with
    /// `all` positions that count and their hashes; no two of them have the same name.
    pub(super) fn insert(
        &mut self,
        slot: usize,
        at: usize,
        all: impl Iterator<Item = (usize, u32)>,
    ) {
        if self.slots[slot] == FREE {
            self.used += 1;
        }
        self.slots[slot] = position(at);
        if self.used * 2 > self.slots.len() {
            let len = self.slots.len() * 2;
            self.slots.clear();
            self.slots.resize(len, FREE);
            self.used = 0;
            for (at, hash) in all {
                let slot = self.probe(hash, |_| false);
                self.slots[slot] = position(at);
                self.used += 1;
            }
        }
    }

    /// Returns the slot of the entry that is the `same`, or the free one where it belongs.
    fn probe(&self, hash: u32, same: impl Fn(usize) -> bool) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            match self.slots[slot] {
                FREE => return slot,
                at if same(at as usize) => return slot,
                _ => slot = (slot + 1) & mask,
            }
        }
    }
}

fn position(at: usize) -> u32 {
    u32::try_from(at).expect("fewer than 2^32 parameters")
}
