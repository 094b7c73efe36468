//! The place in a text where the results stand.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

const BEGIN: &str = "<!-- bench -->\n";
const END: &str = "<!-- /bench -->";

/// A text with a place for the results.
pub(super) struct Place {
    file: PathBuf,
}

impl Place {
    /// Makes sure that a file has the place: better before the measurements than after.
    ///
    /// # Errors
    /// When it has none.
    pub(super) fn find(file: &Path) -> anyhow::Result<Place> {
        let place = Place {
            file: file.to_owned(),
        };
        place.replaced("").map(|_| place)
    }

    /// Puts results there, in the place of those before.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn put(&self, results: &str) -> anyhow::Result<()> {
        let text = self.replaced(results)?;
        fs::write(&self.file, text).with_context(|| format!("cannot write {}", self.file.display()))
    }

    fn replaced(&self, results: &str) -> anyhow::Result<String> {
        let text = fs::read_to_string(&self.file)
            .with_context(|| format!("cannot read {}", self.file.display()))?;
        match replaced(&text, results) {
            Some(text) => Ok(text),
            None => bail!(
                "{} has no lines {} and {END}",
                self.file.display(),
                BEGIN.trim_end()
            ),
        }
    }
}

/// The text with other results, if it has a place for them.
fn replaced(text: &str, results: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{results}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_take_the_place_of_those_before() {
        let text = "a\n<!-- bench -->\nold\n<!-- /bench -->\nb\n";
        let expected = "a\n<!-- bench -->\n| new |\n<!-- /bench -->\nb\n";
        assert_eq!(replaced(text, "| new |\n").as_deref(), Some(expected));
        assert_eq!(replaced(expected, "| new |\n").as_deref(), Some(expected));
        assert_eq!(replaced("a <!-- bench -->\n", ""), None);
        assert_eq!(replaced("", ""), None);
    }
}
