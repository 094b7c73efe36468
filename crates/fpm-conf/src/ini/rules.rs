//! The patterns of the scanner, as nom recognizers, and which of them apply in which state.
//!
//! A changer must know two things. The longest match wins, the first of equals. And the recognizers are nom's
//! *streaming* ones on purpose: the scanner ends its text with a NUL that belongs to no pattern which could end there,
//! so `Incomplete` means exactly "this pattern would run past the end of the line", where PHP's scanner gives up too.

use nom::branch::alt;
use nom::bytes::streaming::{tag, tag_no_case, take_while, take_while_m_n, take_while1};
use nom::combinator::{opt, recognize};
use nom::{IResult, Needed, Parser};

/// What is done with the text that a pattern matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    SectionStart,
    SectionEnd,
    OffsetStart,
    OffsetEnd,
    Raw,
    VariableStart,
    VariableEnd,
    VariableName,
    FallbackStart,
    True,
    False,
    Null,
    Label,
    Assign,
    EndOfLine,
    Constant,
    Number,
    Text,
    Whitespace,
    Operator,
    StrayAssign,
    QuoteStart,
    QuoteEnd,
    QuotedText,
    Character,
    Skip,
    GiveUpValue,
}

type Matched<'t> = IResult<&'t [u8], &'t [u8]>;

/// A pattern and its action.
pub(super) type Rule = (fn(&[u8]) -> Matched<'_>, Action);

/// Outside of everything, names allowed as PHP 8.2 allows them.
pub(super) const INITIAL_82: &[Rule] = &[
    (bracket, Action::SectionStart),
    (
        |i| recognize((label_82, tag("["), blanks)).parse(i),
        Action::OffsetStart,
    ),
    (yes, Action::True),
    (no, Action::False),
    (null, Action::Null),
    (label_82, Action::Label),
    (assign, Action::Assign),
    (outside_character, Action::Character),
    (blanks1, Action::Skip),
    (line_end, Action::EndOfLine),
    (comment, Action::EndOfLine),
];

/// Outside of everything, since PHP 8.3.
pub(super) const INITIAL_84: &[Rule] = &[
    (bracket, Action::SectionStart),
    (
        |i| recognize((label_84, tag("["), blanks)).parse(i),
        Action::OffsetStart,
    ),
    (yes, Action::True),
    (no, Action::False),
    (null, Action::Null),
    (label_84, Action::Label),
    (assign, Action::Assign),
    (outside_character, Action::Character),
    (blanks1, Action::Skip),
    (line_end, Action::EndOfLine),
    (comment, Action::EndOfLine),
];

/// Between the brackets of a section.
pub(super) const SECTION: &[Rule] = &[
    (raw, Action::Raw),
    (
        |i| recognize((tag("]"), blanks, opt(newline))).parse(i),
        Action::SectionEnd,
    ),
    (variable_start, Action::VariableStart),
    (constant, Action::Constant),
    (number, Action::Number),
    (section_text, Action::Text),
    (quote_start, Action::QuoteStart),
    (blanks1, Action::Whitespace),
];

/// Between the brackets of an array's key.
pub(super) const OFFSET: &[Rule] = &[
    (raw, Action::Raw),
    (
        |i| recognize((blanks, tag("]"))).parse(i),
        Action::OffsetEnd,
    ),
    (variable_start, Action::VariableStart),
    (constant, Action::Constant),
    (number, Action::Number),
    (section_text, Action::Text),
    (quote_start, Action::QuoteStart),
    (blanks1, Action::Whitespace),
];

/// After the equals sign.
pub(super) const VALUE: &[Rule] = &[
    (raw, Action::Raw),
    (variable_start, Action::VariableStart),
    (yes, Action::True),
    (no, Action::False),
    (null, Action::Null),
    (line_end, Action::EndOfLine),
    (constant, Action::Constant),
    (number, Action::Number),
    (
        |i| recognize((byte(|b| b"&|^~()!".contains(&b)), blanks)).parse(i),
        Action::Operator,
    ),
    (|i| tag("=").parse(i), Action::StrayAssign),
    (value_text, Action::Text),
    (quote_start, Action::QuoteStart),
    (blanks1, Action::Whitespace),
    (comment, Action::EndOfLine),
    (any, Action::GiveUpValue),
];

/// Inside double quotes.
pub(super) const QUOTES: &[Rule] = &[
    (variable_start, Action::VariableStart),
    (
        |i| recognize((tag("\""), blanks)).parse(i),
        Action::QuoteEnd,
    ),
    (any, Action::QuotedText),
];

/// Inside `${…}` in PHP 8.2.
pub(super) const VARIABLE_82: &[Rule] = &[
    (label_82, Action::VariableName),
    (variable_end, Action::VariableEnd),
];

/// Inside `${…}` since PHP 8.3.
pub(super) const VARIABLE_84: &[Rule] = &[
    (|i| tag(":-").parse(i), Action::FallbackStart),
    (variable_name, Action::VariableName),
    (variable_end, Action::VariableEnd),
];

/// After the `:-` of `${…:-…}`.
pub(super) const FALLBACK: &[Rule] = &[
    (variable_start, Action::VariableStart),
    (variable_end, Action::VariableEnd),
    (constant, Action::Constant),
    (number, Action::Number),
    (fallback_text, Action::Text),
    (quote_start, Action::QuoteStart),
    (blanks1, Action::Whitespace),
];

fn byte<'t>(
    allowed: impl Fn(u8) -> bool,
) -> impl Parser<&'t [u8], Output = &'t [u8], Error = nom::error::Error<&'t [u8]>> {
    take_while_m_n(1, 1, allowed)
}

fn any(i: &[u8]) -> Matched<'_> {
    byte(|_| true).parse(i)
}

fn blanks(i: &[u8]) -> Matched<'_> {
    take_while(is_blank).parse(i)
}

fn blanks1(i: &[u8]) -> Matched<'_> {
    take_while1(is_blank).parse(i)
}

fn newline(i: &[u8]) -> Matched<'_> {
    alt((tag("\r\n"), tag("\n"), tag("\r"))).parse(i)
}

fn line_end(i: &[u8]) -> Matched<'_> {
    recognize((blanks, newline)).parse(i)
}

fn comment(i: &[u8]) -> Matched<'_> {
    recognize((
        blanks,
        tag(";"),
        take_while(|b| b != b'\r' && b != b'\n'),
        newline,
    ))
    .parse(i)
}

fn bracket(i: &[u8]) -> Matched<'_> {
    tag("[").parse(i)
}

fn assign(i: &[u8]) -> Matched<'_> {
    recognize((blanks, tag("="), blanks)).parse(i)
}

/// Characters that have no meaning outside of a value. `+` to `/` covers the comma, minus and full stop.
fn outside_character(i: &[u8]) -> Matched<'_> {
    byte(|b| b":[]\"'()&|^*=%$!~<>?@{}".contains(&b) || (b'+'..=b'/').contains(&b)).parse(i)
}

fn raw(i: &[u8]) -> Matched<'_> {
    recognize((tag("'"), take_while1(|b| b != b'\''), tag("'"))).parse(i)
}

fn quote_start(i: &[u8]) -> Matched<'_> {
    recognize((blanks, tag("\""))).parse(i)
}

fn variable_start(i: &[u8]) -> Matched<'_> {
    tag("${").parse(i)
}

fn variable_end(i: &[u8]) -> Matched<'_> {
    tag("}").parse(i)
}

/// The first character of a variable's name; the scanner finds the rest, which no single pattern describes.
fn variable_name(i: &[u8]) -> Matched<'_> {
    byte(is_label_84).parse(i)
}

fn label_82(i: &[u8]) -> Matched<'_> {
    take_while1(is_label_82).parse(i)
}

fn label_84(i: &[u8]) -> Matched<'_> {
    take_while1(is_label_84).parse(i)
}

fn yes(i: &[u8]) -> Matched<'_> {
    recognize((
        alt((tag_no_case("true"), tag_no_case("on"), tag_no_case("yes"))),
        blanks,
    ))
    .parse(i)
}

fn no(i: &[u8]) -> Matched<'_> {
    let word = alt((
        tag_no_case("false"),
        tag_no_case("off"),
        tag_no_case("none"),
        tag_no_case("no"),
    ));
    recognize((word, blanks)).parse(i)
}

fn null(i: &[u8]) -> Matched<'_> {
    recognize((tag_no_case("null"), blanks)).parse(i)
}

fn constant(i: &[u8]) -> Matched<'_> {
    let first = byte(|b| b.is_ascii_alphabetic() || b == b'_');
    recognize((
        first,
        take_while(|b: u8| b.is_ascii_alphanumeric() || b == b'_'),
    ))
    .parse(i)
}

/// An integer with an optional minus, or a number with a point and no minus.
fn number(i: &[u8]) -> Matched<'_> {
    let digits = || take_while1(|b: u8| b.is_ascii_digit());
    let point = || tag(".");
    alt((
        recognize((digits(), point(), opt(digits()))),
        recognize((point(), digits())),
        recognize((opt(tag("-")), digits())),
    ))
    .parse(i)
}

/// Text of an unquoted value: no blanks, operators, quotes; a dollar takes what follows it along.
fn value_text(i: &[u8]) -> Matched<'_> {
    pieces(i, |b| !b"$= \t\n\r;&|^~()!\"'\0".contains(&b), Escapes::No)
}

/// Text of a section's name or of a key: nearly everything; a backslash takes what follows it along.
fn section_text(i: &[u8]) -> Matched<'_> {
    pieces(i, |b| !b"$\n\r;\"']\\".contains(&b), Escapes::Yes)
}

/// Text of a variable's fallback.
fn fallback_text(i: &[u8]) -> Matched<'_> {
    pieces(i, |b| !b"$\n\r;\"'}\\".contains(&b), Escapes::Yes)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Escapes {
    Yes,
    No,
}

/// Matches the longest run of pieces: a plain byte, `\` with any byte if `escapes`, `$` with anything but `{` and NUL,
/// or `$\` with any byte.
///
/// The pieces overlap (`$\` followed by `\`), so all cuts are followed at once: bit `n` of `open` says that a piece
/// ends `n` bytes further on.
fn pieces(i: &[u8], plain: fn(u8) -> bool, escapes: Escapes) -> Matched<'_> {
    let mut open = 1u8;
    let mut longest = 0;
    let mut at = 0;
    while open != 0 {
        if open & 1 != 0 {
            if at >= i.len() {
                return Err(nom::Err::Incomplete(Needed::new(1)));
            }
            longest = at;
            let (first, second) = (i[at], i.get(at + 1).copied());
            if plain(first) {
                open |= 1 << 1;
            }
            if escapes == Escapes::Yes && first == b'\\' && second.is_some() {
                open |= 1 << 2;
            }
            if first == b'$' && second.is_some_and(|b| b != b'{' && b != 0) {
                open |= 1 << 2;
                if second == Some(b'\\') && i.len() > at + 2 {
                    open |= 1 << 3;
                }
            }
        }
        open >>= 1;
        at += 1;
    }
    if longest == 0 {
        return Err(nom::Err::Error(nom::error::Error::new(
            i,
            nom::error::ErrorKind::TakeWhile1,
        )));
    }
    Ok((&i[longest..], &i[..longest]))
}

fn is_blank(b: u8) -> bool {
    b == b' ' || b == b'\t'
}

fn is_label_82(b: u8) -> bool {
    !b"=\n\r\t;&|^$~(){}!\"[".contains(&b)
}

/// Tells whether a name may contain this byte since PHP 8.3.
pub(super) fn is_label_84(b: u8) -> bool {
    !b"=\n\r\t;&|^$~(){}!\"[]\0".contains(&b)
}
