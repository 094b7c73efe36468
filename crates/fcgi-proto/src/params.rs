//! The parameters of a request: name-value pairs in one arena that is reused from request to request.
//!
//! Order and repeated names follow php-fpm: iteration is newest first, the last value of a name wins, and it keeps the position of the
//! name's first appearance. Names and values are stored with a NUL behind them so that C can have them without a copy; what lies
//! between may contain NULs, so C must use the lengths.
//!
//! Original: the `fcgi_hash` of main/fastcgi.c

mod decoder;
mod index;

use std::ffi::CStr;
use std::ops::Range;

pub use self::decoder::{Decoder, pair};
use self::index::Index;

/// Arena and table sizes in bytes that are kept for the next transport connection; what a huge request needed is given back.
const KEPT_ARENA: usize = 256 << 10;
const KEPT_ENTRIES: usize = 4096;

/// The parameters of one request.
#[derive(Clone, Default)]
pub struct Params {
    /// `name NUL value NUL` of every pair that was ever added since the last [`Params::clear`].
    arena: Vec<u8>,
    /// In order of appearance; removed ones stay as dead entries so that positions hold.
    entries: Vec<Entry>,
    index: Index,
    live: usize,
}

/// Where a pair lies in the arena. Both ranges leave out the NUL, which is at `end`.
#[derive(Clone, Debug)]
struct Entry {
    name: Range<usize>,
    value: Range<usize>,
    hash: u32,
    alive: bool,
}

impl Entry {
    fn has(&self, arena: &[u8], hash: u32, name: &[u8]) -> bool {
        self.hash == hash && arena[self.name.clone()] == *name
    }
}

impl Params {
    /// Returns an empty table; it allocates with the first parameter.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Removes everything and keeps the memory.
    pub fn clear(&mut self) {
        self.arena.clear();
        self.entries.clear();
        self.index.clear();
        self.live = 0;
    }

    /// Removes everything, and gives memory back that only an unusually large request needs.
    pub fn reset(&mut self) {
        self.clear();
        self.arena.shrink_to(KEPT_ARENA);
        self.entries.shrink_to(KEPT_ENTRIES);
        self.index.shrink_to(KEPT_ENTRIES);
    }

    /// Returns the number of parameters.
    #[must_use]
    pub fn len(&self) -> usize {
        self.live
    }

    /// Returns whether there is no parameter.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Returns the value of `name`.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.param(name).map(|param| param.value())
    }

    /// Returns the parameter `name`, for its NUL-terminated forms.
    #[must_use]
    pub fn param(&self, name: &[u8]) -> Option<Param<'_>> {
        let entry = &self.entries[self.position(name)?];
        entry.alive.then(|| self.view(entry))
    }

    /// Gives `name` the value `value`: in place if the parameter is there, else as the newest one.
    pub fn set(&mut self, name: &[u8], value: &[u8]) {
        let start = self.arena.len();
        self.arena.reserve(name.len() + value.len() + 2);
        self.arena.extend_from_slice(name);
        self.arena.push(0);
        self.arena.extend_from_slice(value);
        self.arena.push(0);
        // The hash is taken of the original: reading what was written just now costs more.
        self.commit(start, name.len(), self.index.hash(name));
    }

    /// Removes the parameter `name`. Set again, it is the newest one.
    pub fn remove(&mut self, name: &[u8]) {
        let found = self.position(name);
        if let Some(entry) = found.map(|at| &mut self.entries[at])
            && entry.alive
        {
            entry.alive = false;
            self.live -= 1;
        }
    }

    /// Iterates over the parameters, the newest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Param<'_>> {
        self.entries
            .iter()
            .rev()
            .filter(|entry| entry.alive)
            .map(|entry| self.view(entry))
    }

    /// Makes the pair at the end of the arena a parameter: its name starts at `start`, its value ends with the arena.
    fn commit(&mut self, start: usize, name_len: usize, hash: u32) {
        let name = start..start + name_len;
        let value = name.end + 1..self.arena.len() - 1;
        let bytes = &self.arena[name.clone()];
        let slot = self
            .index
            .slot(hash, |at| self.entries[at].has(&self.arena, hash, bytes));
        match self.index.at(slot).map(|at| &mut self.entries[at]) {
            Some(entry) if entry.alive => entry.value = value,
            _ => {
                self.entries.push(Entry {
                    name,
                    value,
                    hash,
                    alive: true,
                });
                self.live += 1;
                let living = self
                    .entries
                    .iter()
                    .enumerate()
                    .filter(|(_, entry)| entry.alive);
                self.index.insert(
                    slot,
                    self.entries.len() - 1,
                    living.map(|(at, entry)| (at, entry.hash)),
                );
            }
        }
    }

    /// Returns where the entry of `name` is, if there is one, dead or alive.
    fn position(&self, name: &[u8]) -> Option<usize> {
        let hash = self.index.hash(name);
        self.index
            .find(hash, |at| self.entries[at].has(&self.arena, hash, name))
    }

    fn view(&self, entry: &Entry) -> Param<'_> {
        Param {
            name: &self.arena[entry.name.start..=entry.name.end],
            value: &self.arena[entry.value.start..=entry.value.end],
        }
    }
}

/// Equal are tables that iterate equally.
impl PartialEq for Params {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Params {}

impl std::fmt::Debug for Params {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// One parameter. Both slices end with a NUL that does not belong to the name or value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Param<'a> {
    name: &'a [u8],
    value: &'a [u8],
}

impl<'a> Param<'a> {
    /// The name.
    #[must_use]
    pub fn name(&self) -> &'a [u8] {
        &self.name[..self.name.len() - 1]
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &'a [u8] {
        &self.value[..self.value.len() - 1]
    }

    /// The name with one NUL behind it.
    #[must_use]
    pub fn name_with_nul(&self) -> &'a [u8] {
        self.name
    }

    /// The value with one NUL behind it. The value itself may contain NULs.
    #[must_use]
    pub fn value_with_nul(&self) -> &'a [u8] {
        self.value
    }

    /// The name as C sees it: up to its first NUL.
    #[must_use]
    pub fn name_c_str(&self) -> &'a CStr {
        CStr::from_bytes_until_nul(self.name).expect("a NUL ends every name")
    }

    /// The value as C sees it: up to its first NUL.
    #[must_use]
    pub fn value_c_str(&self) -> &'a CStr {
        CStr::from_bytes_until_nul(self.value).expect("a NUL ends every value")
    }
}

impl std::fmt::Debug for Param<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}={}",
            self.name().escape_ascii(),
            self.value().escape_ascii()
        )
    }
}

/// Appends the pair as FastCGI encodes it to `out`.
///
/// # Panics
/// If the name or the value is 2 GiB or longer, which the encoding cannot express.
pub fn encode(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    encode_len(name.len(), out);
    encode_len(value.len(), out);
    out.extend_from_slice(name);
    out.extend_from_slice(value);
}

/// Returns how many bytes [`encode`] appends for a name and a value of these lengths.
#[must_use]
pub fn encoded_len(name_len: usize, value_len: usize) -> usize {
    let prefix = |len: usize| if len < 0x80 { 1 } else { 4 };
    prefix(name_len) + prefix(value_len) + name_len + value_len
}

fn encode_len(len: usize, out: &mut Vec<u8>) {
    match u8::try_from(len) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            assert!(
                len < 1 << 31,
                "a name or value of {len} bytes cannot be encoded"
            );
            out.extend_from_slice(&(len as u32 | 1 << 31).to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests;
