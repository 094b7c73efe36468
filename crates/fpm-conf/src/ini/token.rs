//! Tokens of the ini language, and the names that PHP's error messages give them.

use std::borrow::Cow;

use bstr::BString;

/// What the scanner hands to the parser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// Nothing is left, or something that fits no rule.
    End,
    /// `[` at the start of a section.
    Section,
    /// Text in single quotes.
    Raw(BString),
    /// A bare word that may be the name of a constant.
    Constant(BString),
    /// A number.
    Number(BString),
    /// Other text.
    Text(BString),
    /// Blanks between two pieces of a value.
    Whitespace(BString),
    /// Name of an entry.
    Label(BString),
    /// Name of an array, with the bracket that follows it.
    Offset(BString),
    /// `${`
    DollarCurly,
    /// Name of a variable inside `${…}`.
    VarName(BString),
    /// A stretch of text inside double quotes, escapes resolved.
    Quoted(BString),
    /// `:-` inside `${…}`.
    Fallback,
    /// `true`, `on` or `yes`.
    True,
    /// `false`, `off`, `no` or `none`.
    False,
    /// `null`.
    Null,
    /// End of a line, of a comment or of a value.
    EndOfLine,
    /// A character that stands for itself.
    Char(u8),
}

impl Token {
    /// Returns the name as a syntax error prints it.
    pub(super) fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::End => "end of file",
            Self::Section => "TC_SECTION",
            Self::Raw(_) => "TC_RAW",
            Self::Constant(_) => "TC_CONSTANT",
            Self::Number(_) => "TC_NUMBER",
            Self::Text(_) => "TC_STRING",
            Self::Whitespace(_) => "TC_WHITESPACE",
            Self::Label(_) => "TC_LABEL",
            Self::Offset(_) => "TC_OFFSET",
            Self::DollarCurly => "TC_DOLLAR_CURLY",
            Self::VarName(_) => "TC_VARNAME",
            Self::Quoted(_) => "TC_QUOTED_STRING",
            Self::Fallback => "TC_FALLBACK",
            Self::True => "BOOL_TRUE",
            Self::False => "BOOL_FALSE",
            Self::Null => "NULL_NULL",
            Self::EndOfLine => "END_OF_LINE",
            Self::Char(c) => return Cow::Owned(format!("'{}'", char::from(*c))),
        })
    }
}
