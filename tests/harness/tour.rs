//! The pages that a visitor saw on a way through an application, comparable with another visitor's.

use anyhow::ensure;

use crate::{Page, Result};

/// Pages in the order of the visit.
#[derive(Clone, Debug, Default)]
pub struct Tour {
    pages: Vec<(String, u16, String)>,
    blind_to: Vec<String>,
}

impl Tour {
    /// A visit that has not begun.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Leaves out lines with this text, which chance decides in a way that cannot be told.
    #[must_use]
    pub fn blind_to(mut self, text: &str) -> Self {
        self.blind_to.push(text.to_owned());
        self
    }

    /// Remembers a page under a name and hands it back.
    pub fn record<'a>(&mut self, name: &str, page: &'a Page) -> &'a Page {
        let kind = page.header("content-type").unwrap_or_default();
        let is_seen = |line: &&str| !self.blind_to.iter().any(|text| line.contains(text));
        let text = page.text();
        let lines: Vec<String> = text.lines().filter(is_seen).map(without_chance).collect();
        self.pages.push((
            name.to_owned(),
            page.status,
            format!("{kind}\n{}", lines.join("\n")),
        ));
        page
    }

    /// Makes sure that both visitors saw the same.
    ///
    /// # Errors
    /// Fails with the first line that differs.
    pub fn is_like(&self, other: &Self) -> Result {
        ensure!(
            self.pages.len() == other.pages.len(),
            "one tour has more pages"
        );
        for ((name, status, text), (_, other_status, other_text)) in
            self.pages.iter().zip(&other.pages)
        {
            ensure!(
                status == other_status,
                "{name}: {status} here, {other_status} there"
            );
            let (mut lines, mut other_lines) = (text.lines(), other_text.lines());
            loop {
                let (line, other_line) = (lines.next(), other_lines.next());
                ensure!(
                    line == other_line,
                    "{name} differs:\n here: {line:?}\nthere: {other_line:?}"
                );
                if line.is_none() {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// The text with everything blotted out that chance and time decide: numbers and long hexadecimal words.
fn without_chance(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    for piece in text.split_inclusive(|letter: char| !letter.is_ascii_alphanumeric()) {
        let word = piece.trim_end_matches(|letter: char| !letter.is_ascii_alphanumeric());
        let rest = &piece[word.len()..];
        // `T` and `Z` stand between and after the numbers of a date in ISO 8601.
        let is_number = word.bytes().any(|octet| octet.is_ascii_digit())
            && word
                .bytes()
                .all(|octet| octet.is_ascii_digit() || b"TZ".contains(&octet));
        let is_token = word.len() >= 6 && word.bytes().all(|octet| octet.is_ascii_hexdigit());
        if is_number || is_token {
            result.push('#');
        } else {
            result.push_str(word);
        }
        result.push_str(rest);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_chance_is_blotted_out() {
        assert_eq!(
            without_chance("at 12:05 21T10 nonce=\"0a1b2c3d4e\" word2 décor"),
            "at #:# # nonce=\"#\" word2 décor"
        );
    }
}
