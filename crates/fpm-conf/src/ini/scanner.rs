//! Cuts a line into tokens; knows in which state (section, key, value, quotes …) it is.
//!
//! A changer must know: `text` ends with a NUL that is not part of the line, see [`rules`].

use bstr::{BString, ByteSlice};

use super::rules::{self, Action, Rule, is_label_84};
use super::token::Token;
use crate::PhpVersion;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Initial,
    Section,
    Offset,
    Value,
    Quotes,
    Variable,
    Fallback,
}

/// Holds the place in a line and the state there.
#[derive(Debug)]
pub(super) struct Scanner {
    /// The line with its line feed, and a NUL behind it.
    text: Vec<u8>,
    at: usize,
    state: State,
    outer: Vec<State>,
    php: PhpVersion,
    line: u32,
}

impl Scanner {
    /// Starts at the beginning of `line`, which comes without its line feed. A NUL ends it, a byte-order mark is skipped.
    pub(super) fn new(line: &[u8], php: PhpVersion) -> Self {
        let mut text = line.to_vec();
        text.push(b'\n');
        if let Some(nul) = text.find_byte(0) {
            text.truncate(nul);
        }
        let at = if text.len() > 3 && text.starts_with(b"\xef\xbb\xbf") {
            3
        } else {
            0
        };
        text.push(0);
        Self {
            text,
            at,
            state: State::Initial,
            outer: Vec::new(),
            php,
            line: 1,
        }
    }

    /// Returns the number of the line that the scanner is on, counted from 1 within its text.
    pub(super) fn line(&self) -> u32 {
        self.line
    }

    /// Returns the next token; after the last one, [`Token::End`] again and again.
    pub(super) fn next(&mut self) -> Token {
        loop {
            if self.at >= self.limit() {
                if self.state != State::Value {
                    return Token::End;
                }
                self.state = State::Initial;
                return Token::EndOfLine;
            }
            let Some((action, length)) = longest(self.rules(), &self.text[self.at..]) else {
                return Token::End;
            };
            let start = self.at;
            self.at += length;
            if let Some(token) = self.act(action, start) {
                return token;
            }
        }
    }

    fn limit(&self) -> usize {
        self.text.len() - 1
    }

    fn rules(&self) -> &'static [Rule] {
        let old = self.php == PhpVersion::Php82;
        match self.state {
            State::Initial if old => rules::INITIAL_82,
            State::Initial => rules::INITIAL_84,
            State::Section => rules::SECTION,
            State::Offset => rules::OFFSET,
            State::Value => rules::VALUE,
            State::Quotes => rules::QUOTES,
            State::Variable if old => rules::VARIABLE_82,
            State::Variable => rules::VARIABLE_84,
            State::Fallback => rules::FALLBACK,
        }
    }

    /// Turns the text from `start` into a token; `None` when it is to be skipped.
    fn act(&mut self, action: Action, start: usize) -> Option<Token> {
        let matched: BString = self.text[start..self.at].into();
        Some(match action {
            Action::Skip => return None,
            Action::SectionStart => {
                self.state = State::Section;
                Token::Section
            }
            Action::SectionEnd => {
                self.state = State::Initial;
                self.line += 1;
                Token::Char(b']')
            }
            Action::OffsetStart => {
                self.state = State::Offset;
                let name = matched.trim_end_with(|c| matches!(c, '[' | ' ' | '\t' | '\r' | '\n'));
                Token::Offset(without_leading_blanks(name))
            }
            Action::OffsetEnd => {
                self.state = State::Initial;
                Token::Char(b']')
            }
            Action::Raw => Token::Raw(matched[1..matched.len() - 1].into()),
            Action::VariableStart => {
                self.enter(State::Variable);
                Token::DollarCurly
            }
            Action::VariableEnd => {
                self.leave();
                Token::Char(b'}')
            }
            Action::VariableName => return Some(self.variable_name(start)),
            Action::FallbackStart => return Some(self.fallback()),
            Action::True => Token::True,
            Action::False => Token::False,
            Action::Null => Token::Null,
            Action::Label => Token::Label(trimmed(&matched)),
            Action::Assign => {
                self.state = State::Value;
                Token::Char(b'=')
            }
            Action::EndOfLine => {
                if self.state == State::Value {
                    self.state = State::Initial;
                }
                self.line += 1;
                Token::EndOfLine
            }
            Action::Constant => Token::Constant(matched),
            Action::Number => Token::Number(matched),
            Action::Text => Token::Text(matched),
            Action::Whitespace => Token::Whitespace(matched),
            Action::Operator | Action::Character => Token::Char(matched[0]),
            Action::StrayAssign => {
                self.at = start;
                self.state = State::Initial;
                Token::EndOfLine
            }
            Action::GiveUpValue => {
                self.state = State::Initial;
                Token::EndOfLine
            }
            Action::QuoteStart => {
                self.enter(State::Quotes);
                Token::Char(b'"')
            }
            Action::QuoteEnd => {
                self.leave();
                Token::Char(b'"')
            }
            Action::QuotedText => self.quoted_text(start),
        })
    }

    fn enter(&mut self, state: State) {
        self.outer.push(self.state);
        self.state = state;
    }

    fn leave(&mut self) {
        self.state = self.outer.pop().unwrap_or(State::Initial);
    }

    /// Reads the name in `${…}`: PHP 8.2 has matched it whole, later ones end it at `:-` too.
    fn variable_name(&mut self, start: usize) -> Token {
        if self.php != PhpVersion::Php82 {
            // A name of one character directly before `:-` is lost: PHP then sees the `:-` alone and complains.
            if self.text[self.at..].starts_with(b":-") {
                self.at += 1;
                return self.fallback();
            }
            let limit = self.limit();
            while self.at < limit
                && is_label_84(self.text[self.at])
                && !self.text[self.at..].starts_with(b":-")
            {
                self.at += 1;
            }
        }
        Token::VarName(trimmed(&self.text[start..self.at]))
    }

    fn fallback(&mut self) -> Token {
        self.leave();
        self.enter(State::Fallback);
        Token::Fallback
    }

    /// Reads text in double quotes up to the closing quote or the next `${`, and resolves its escapes.
    fn quoted_text(&mut self, start: usize) -> Token {
        let text = &self.text[..self.limit()];
        let mut end = start;
        while end < text.len() {
            match text[end] {
                b'"' => break,
                b'$' if text.get(end + 1) == Some(&b'{') => break,
                b'\\' if end + 1 < text.len() => {
                    // "C:\path\" at the end of a line: the quote is not escaped (PHP's special case for Windows).
                    let last = matches!(text.get(end + 2), None | Some(b'\n' | b'\r'));
                    if text[end + 1] == b'"' && last {
                        end += 1;
                        break;
                    }
                    end += 2;
                }
                _ => end += 1,
            }
        }
        let (quoted, lines) = unescape(&text[start..end]);
        self.at = end;
        self.line += lines;
        Token::Quoted(quoted)
    }
}

/// Resolves `\\`, `\"` and `\$`; returns the text and the number of line ends in it.
fn unescape(text: &[u8]) -> (BString, u32) {
    let mut plain = BString::default();
    let mut lines = 0;
    let mut at = 0;
    while at < text.len() {
        if text[at] == b'\\' {
            at += 1;
            match text.get(at) {
                None => {
                    plain.push(b'\\');
                    break;
                }
                Some(b'"' | b'\\' | b'$') => {}
                Some(_) => plain.push(b'\\'),
            }
        }
        plain.push(text[at]);
        if text[at] == b'\n' || (text[at] == b'\r' && text.get(at + 1) != Some(&b'\n')) {
            lines += 1;
        }
        at += 1;
    }
    (plain, lines)
}

/// Returns the first of the rules with the longest match; none also when any of them would read past the text.
fn longest(rules: &[Rule], text: &[u8]) -> Option<(Action, usize)> {
    let mut best: Option<(Action, usize)> = None;
    for (recognize, action) in rules {
        match recognize(text) {
            Ok((_, matched)) if best.is_none_or(|(_, length)| matched.len() > length) => {
                best = Some((*action, matched.len()));
            }
            Ok(_) | Err(nom::Err::Error(_) | nom::Err::Failure(_)) => {}
            Err(nom::Err::Incomplete(_)) => return None,
        }
    }
    best
}

fn without_leading_blanks(text: &[u8]) -> BString {
    text.trim_start_with(|c| c == ' ' || c == '\t').into()
}

fn trimmed(text: &[u8]) -> BString {
    without_leading_blanks(text.trim_end_with(|c| matches!(c, ' ' | '\t' | '\r' | '\n')))
}
