//! Texts in words: only as many words are touched as the text has.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// Stores as much of `text` as fits into `most` bytes from the first of `words` on, and returns how much that was.
pub(crate) fn store(words: &[AtomicU64], most: usize, text: &[u8]) -> u64 {
    let text = &text[..text.len().min(most)];
    let (whole, rest) = text.as_chunks::<8>();
    for (word, bytes) in words.iter().zip(whole) {
        word.store(u64::from_ne_bytes(*bytes), Relaxed);
    }
    if !rest.is_empty() {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        words[whole.len()].store(u64::from_ne_bytes(last), Relaxed);
    }
    text.len() as u64
}

/// Loads a text of `len` bytes, at most `most`.
pub(crate) fn load(words: &[AtomicU64], most: usize, len: u64) -> Vec<u8> {
    let len = usize::try_from(len).unwrap_or(most).min(most);
    let mut text = Vec::with_capacity(len.next_multiple_of(8));
    for word in &words[..len.div_ceil(8)] {
        text.extend(word.load(Relaxed).to_ne_bytes());
    }
    text.truncate(len);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_comes_back_and_leaves_its_neighbours_alone() {
        for len in 0..40 {
            let words: Vec<AtomicU64> = (0..6).map(|_| AtomicU64::new(u64::MAX)).collect();
            let text: Vec<u8> = (0..len).collect();
            let stored = store(&words[..4], 31, &text);
            assert_eq!(stored, u64::from(len).min(31));
            assert_eq!(load(&words[..4], 31, stored), text[..text.len().min(31)]);
            assert!(words[4..].iter().all(|word| word.load(Relaxed) == u64::MAX));
        }
    }

    #[test]
    fn a_length_that_nobody_wrote_is_cut() {
        let words: Vec<AtomicU64> = (0..2).map(|_| AtomicU64::new(0)).collect();
        assert_eq!(load(&words, 15, u64::MAX).len(), 15);
    }
}
