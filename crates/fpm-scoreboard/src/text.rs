//! Texts in words: only as many words are touched as the text has, and its length goes into a word with the others.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use crate::layout::Text;

impl Text {
    /// Stores as much of `bytes` as fits into its place among `texts`, and returns its length as a part of
    /// [`LENGTHS`](crate::layout::state::LENGTHS).
    pub(crate) fn store(self, texts: &[AtomicU64], bytes: &[u8]) -> u64 {
        let bytes = &bytes[..bytes.len().min(self.most)];
        let (whole, rest) = bytes.as_chunks::<8>();
        let mut words = texts[self.word..].iter();
        for (chunk, word) in whole.iter().zip(&mut words) {
            word.store(u64::from_ne_bytes(*chunk), Relaxed);
        }
        if let Some(word) = words.next().filter(|_| !rest.is_empty()) {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            word.store(u64::from_ne_bytes(last), Relaxed);
        }
        (bytes.len() as u64) << self.shift
    }

    /// Takes it out of a copy of the texts and their lengths.
    pub(crate) fn take(self, texts: &[u64], lengths: u64) -> Vec<u8> {
        let len = lengths >> self.shift & ((1 << self.bits) - 1);
        let len = usize::try_from(len).unwrap_or(self.most).min(self.most);
        let words = &texts[self.word..][..len.div_ceil(8)];
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        bytes.truncate(len);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::texts;

    #[test]
    fn a_text_comes_back_and_leaves_its_neighbours_alone() {
        for text in [
            texts::METHOD,
            texts::URI,
            texts::QUERY,
            texts::SCRIPT,
            texts::USER,
        ] {
            for len in 0..text.most + 10 {
                let words: Vec<_> = (0..texts::LEN).map(|_| AtomicU64::new(u64::MAX)).collect();
                let bytes: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
                let lengths = text.store(&words, &bytes);
                let words: Vec<_> = words.iter().map(|word| word.load(Relaxed)).collect();
                let shown = &bytes[..len.min(text.most)];
                assert_eq!(text.take(&words, lengths), shown);
                let end = text.word + shown.len().div_ceil(8);
                assert!(words[..text.word].iter().all(|word| *word == u64::MAX));
                assert!(words[end..].iter().all(|word| *word == u64::MAX));
            }
        }
    }

    #[test]
    fn a_length_that_nobody_wrote_is_cut() {
        assert_eq!(texts::METHOD.take(&[0; texts::LEN], u64::MAX).len(), 15);
    }
}
