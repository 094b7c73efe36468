//! Hash index over the names of a [`Params`](super::Params) table: open addressing, positions only.
//!
//! The names are chosen by the peer, so the hash is seeded per table: nobody can make all of them fall on one slot. Nothing is ever
//! removed from the index but by [`Index::clear`]; a slot may be pointed at a younger entry of the same name.

use std::hash::{BuildHasher, RandomState};

/// Number of slots after [`Index::clear`]; enough for the 25 to 40 parameters of a usual request.
const FIRST_SLOTS: usize = 128;

/// A slot that no name has.
const FREE: u32 = u32::MAX;

/// Gives the index the name at a position.
pub(super) trait Name {
    fn name(&self, at: usize) -> &[u8];
}

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

    /// Returns the position of `name`.
    pub(super) fn find(&self, names: &impl Name, name: &[u8]) -> Option<usize> {
        if self.slots.is_empty() {
            None
        } else {
            self.at(self.probe(names, name))
        }
    }

    /// Returns the slot of `name`: the one that it has, else the one for [`Index::insert`].
    pub(super) fn slot(&mut self, names: &impl Name, name: &[u8]) -> usize {
        if self.slots.is_empty() {
            self.slots.resize(FIRST_SLOTS, FREE);
        }
        self.probe(names, name)
    }

    /// Returns the position in `slot`.
    pub(super) fn at(&self, slot: usize) -> Option<usize> {
        match self.slots[slot] {
            FREE => None,
            at => Some(at as usize),
        }
    }

    /// Puts the position `at` into the slot that [`Index::slot`] returned for its name.
    pub(super) fn insert(&mut self, slot: usize, at: usize, names: &impl Name) {
        if self.slots[slot] == FREE {
            self.used += 1;
        }
        self.slots[slot] = u32::try_from(at).expect("fewer parameters than 2^32");
        if self.used * 2 > self.slots.len() {
            self.grow(names);
        }
    }

    fn grow(&mut self, names: &impl Name) {
        let old: Vec<u32> = self
            .slots
            .iter()
            .copied()
            .filter(|&at| at != FREE)
            .collect();
        let len = self.slots.len() * 2;
        self.slots.clear();
        self.slots.resize(len, FREE);
        for at in old {
            let slot = self.probe(names, names.name(at as usize));
            self.slots[slot] = at;
        }
    }

    /// Returns the slot of `name`, or the free one where it belongs.
    fn probe(&self, names: &impl Name, name: &[u8]) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = hash(self.seed, name) as usize & mask;
        loop {
            match self.slots[slot] {
                FREE => return slot,
                at if names.name(at as usize) == name => return slot,
                _ => slot = (slot + 1) & mask,
            }
        }
    }
}

/// Hashes 8 bytes at a time by a folded multiplication; short and fast, and of no use without the seed.
fn hash(seed: u64, name: &[u8]) -> u64 {
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
    let fold = |a: u64, b: u64| {
        let product = u128::from(a) * u128::from(b);
        (product >> 64) as u64 ^ product as u64
    };
    let mut state = seed ^ name.len() as u64;
    let (words, rest) = name.as_chunks::<8>();
    for word in words {
        state = fold(state ^ u64::from_le_bytes(*word), MULTIPLIER);
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    fold(fold(state ^ u64::from_le_bytes(last), MULTIPLIER), seed | 1)
}
