//! What names in values mean: `${NAME}` and bare words that are PHP constants.

use bstr::{BStr, BString};

/// Looks up what a value refers to.
///
/// `load` knows the constants of PHP's core itself; it asks for the others.
pub trait Vocabulary {
    /// Returns what `${name}` stands for: the setting of php.ini or `-d` with this name, else the environment variable.
    fn variable(&self, name: &BStr) -> Option<BString>;

    /// Returns the text of a PHP constant.
    fn constant(&self, name: &BStr) -> Option<BString>;
}
