//! The ini language as far as one physical line goes: text in, statements out.
//!
//! A changer must know: php-fpm hands its scanner one line at a time, so nothing here may look at a neighbouring line.
//! The oracle is PHP itself: `parse_ini_string($line, true, INI_SCANNER_NORMAL)`.
//!
//! Original: Zend/zend_ini_scanner.l, Zend/zend_ini_parser.y

mod parser;
mod rules;
mod scanner;
#[cfg(test)]
mod tests;
mod token;

use bstr::BString;

pub(crate) use parser::{integer, parse_line};

/// One thing that a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Statement {
    /// `[name]`
    Section(BString),
    /// `name = value`; without a value when the line is a bare word.
    Entry {
        name: BString,
        value: Option<BString>,
    },
    /// `name[key] = value`
    Element {
        name: BString,
        key: BString,
        value: BString,
    },
}

/// What a line says until its end or until its first syntax error.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ParsedLine {
    /// The statements, which count even when an error follows them.
    pub(crate) statements: Vec<Statement>,
    /// The error that ended the line early, in PHP's words: `syntax error, … on line 1`.
    pub(crate) error: Option<String>,
}
