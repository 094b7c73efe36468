//! Puts the tokens of a line together into statements.
//!
//! A changer must know: PHP's parser is a generated one, and its errors name up to four tokens that it expected in that
//! very state; more than four are not named. The lists here are those of the generated tables.

use bstr::{BString, ByteSlice};

use super::scanner::Scanner;
use super::token::Token;
use super::{ParsedLine, Statement};
use crate::{PhpVersion, Vocabulary, constants};

/// How deep parentheses, `~`, `!` and fallbacks may nest. PHP allows some thousands, no configuration uses three.
const MAX_NESTING: u32 = 200;

/// Parses one line, given without its line feed. Variables and constants are looked up in `vocabulary`.
pub(crate) fn parse_line(line: &[u8], php: PhpVersion, vocabulary: &dyn Vocabulary) -> ParsedLine {
    let mut parser = Parser {
        scanner: Scanner::new(line, php),
        ahead: None,
        php,
        vocabulary,
        nesting: 0,
        statements: Vec::new(),
    };
    let error = parser
        .statements()
        .err()
        .map(|SyntaxError { message, line }| format!("{message} on line {line}"));
    ParsedLine {
        statements: parser.statements,
        error,
    }
}

struct Parser<'v> {
    scanner: Scanner,
    ahead: Option<Token>,
    php: PhpVersion,
    vocabulary: &'v dyn Vocabulary,
    nesting: u32,
    statements: Vec<Statement>,
}

struct SyntaxError {
    message: String,
    line: u32,
}

/// Whether a bare word stands for the constant of that name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Words {
    Literal,
    Constants,
}

impl Parser<'_> {
    fn statements(&mut self) -> Result<(), SyntaxError> {
        loop {
            let statement = match self.next() {
                Token::End => return Ok(()),
                Token::EndOfLine => continue,
                Token::Section => {
                    let name = self.text(Words::Literal)?.unwrap_or_default();
                    self.expect(b']', &["']'"])?;
                    Statement::Section(name)
                }
                Token::Label(name) => {
                    let value = if *self.peek() == Token::Char(b'=') {
                        self.next();
                        Some(self.value()?)
                    } else {
                        None
                    };
                    Statement::Entry { name, value }
                }
                Token::Offset(name) => {
                    let key = self.text(Words::Constants)?.unwrap_or_default();
                    self.expect(b']', &["']'"])?;
                    self.expect(b'=', &["'='"])?;
                    Statement::Element {
                        name,
                        key,
                        value: self.value()?,
                    }
                }
                other => return Err(self.unexpected(&other, &[])),
            };
            self.statements.push(statement);
        }
    }

    /// Parses what stands right of an equals sign.
    fn value(&mut self) -> Result<BString, SyntaxError> {
        let word: &[u8] = match self.peek() {
            Token::True => b"1",
            Token::False | Token::Null | Token::EndOfLine => b"",
            _ => return self.expression(),
        };
        self.next();
        Ok(word.into())
    }

    /// Parses operands joined by `|`, `&` and `^`, which all bind alike, from left to right.
    fn expression(&mut self) -> Result<BString, SyntaxError> {
        let mut left = self.operand()?;
        loop {
            let combine: fn(i32, i32) -> i32 = match self.peek() {
                Token::Char(b'|') => |a, b| a | b,
                Token::Char(b'&') => |a, b| a & b,
                Token::Char(b'^') => |a, b| a ^ b,
                _ => return Ok(left),
            };
            self.next();
            let right = self.operand()?;
            left = combine(integer(&left), integer(&right)).to_string().into();
        }
    }

    fn operand(&mut self) -> Result<BString, SyntaxError> {
        let Token::Char(c @ (b'~' | b'!' | b'(')) = *self.peek() else {
            return match self.text(Words::Constants)? {
                Some(text) => Ok(text),
                None => {
                    let token = self.next();
                    Err(self.unexpected(&token, &[]))
                }
            };
        };
        self.next();
        self.descend()?;
        let value = match c {
            b'~' => (!integer(&self.operand()?)).to_string().into(),
            b'!' => i32::from(integer(&self.operand()?) == 0).to_string().into(),
            _ => {
                let inner = self.expression()?;
                self.expect(b')', &["'^'", "'|'", "'&'", "')'"])?;
                inner
            }
        };
        self.nesting -= 1;
        Ok(value)
    }

    /// Parses adjacent pieces of text, which are joined; `None` when there is no piece at all.
    fn text(&mut self, words: Words) -> Result<Option<BString>, SyntaxError> {
        let mut joined: Option<BString> = None;
        loop {
            let piece = match self.peek() {
                Token::Raw(_)
                | Token::Constant(_)
                | Token::Number(_)
                | Token::Text(_)
                | Token::Whitespace(_) => match self.next() {
                    Token::Constant(name) if words == Words::Constants => self.constant(name),
                    Token::Raw(text)
                    | Token::Constant(text)
                    | Token::Number(text)
                    | Token::Text(text)
                    | Token::Whitespace(text) => text,
                    _ => return Ok(joined),
                },
                Token::DollarCurly => {
                    self.next();
                    self.variable()?
                }
                Token::Char(b'"') => {
                    self.next();
                    self.quoted()?
                }
                _ => return Ok(joined),
            };
            match &mut joined {
                Some(text) => text.extend_from_slice(&piece),
                None => joined = Some(piece),
            }
        }
    }

    /// Parses the rest of a text in double quotes.
    fn quoted(&mut self) -> Result<BString, SyntaxError> {
        let mut joined = BString::default();
        loop {
            match self.next() {
                Token::Quoted(text) => joined.extend_from_slice(&text),
                Token::DollarCurly => joined.extend_from_slice(&self.variable()?),
                Token::Char(b'"') => return Ok(joined),
                other => {
                    return Err(
                        self.unexpected(&other, &["TC_DOLLAR_CURLY", "TC_QUOTED_STRING", "'\"'"])
                    );
                }
            }
        }
    }

    /// Parses the rest of `${NAME}` or `${NAME:-fallback}`.
    fn variable(&mut self) -> Result<BString, SyntaxError> {
        let name = match self.next() {
            Token::VarName(name) => name,
            other => return Err(self.unexpected(&other, &["TC_VARNAME"])),
        };
        let fallback = match self.next() {
            Token::Char(b'}') => BString::default(),
            Token::Fallback => {
                self.descend()?;
                let fallback = self.text(Words::Constants)?.unwrap_or_default();
                self.nesting -= 1;
                self.expect(b'}', &["'}'"])?;
                fallback
            }
            other if self.php == PhpVersion::Php82 => return Err(self.unexpected(&other, &["'}'"])),
            other => return Err(self.unexpected(&other, &["TC_FALLBACK", "'}'"])),
        };
        Ok(self.vocabulary.variable(name.as_bstr()).unwrap_or(fallback))
    }

    fn constant(&self, name: BString) -> BString {
        if let Some(value) = constants::lookup(&name, self.php) {
            return value;
        }
        self.vocabulary.constant(name.as_bstr()).unwrap_or(name)
    }

    fn descend(&mut self) -> Result<(), SyntaxError> {
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            return Err(SyntaxError {
                message: "memory exhausted in Unknown".into(),
                line: self.scanner.line(),
            });
        }
        Ok(())
    }

    fn peek(&mut self) -> &Token {
        self.ahead.get_or_insert_with(|| self.scanner.next())
    }

    fn next(&mut self) -> Token {
        self.ahead.take().unwrap_or_else(|| self.scanner.next())
    }

    fn expect(&mut self, c: u8, expected: &[&str]) -> Result<(), SyntaxError> {
        let token = self.next();
        if token == Token::Char(c) {
            Ok(())
        } else {
            Err(self.unexpected(&token, expected))
        }
    }

    fn unexpected(&self, token: &Token, expected: &[&str]) -> SyntaxError {
        let mut message = format!("syntax error, unexpected {}", token.name());
        if !expected.is_empty() {
            message.push_str(", expecting ");
            message.push_str(&expected.join(" or "));
        }
        message.push_str(" in Unknown");
        SyntaxError {
            message,
            line: self.scanner.line(),
        }
    }
}

/// Reads a number as atoi(3) does, keeping the low 32 bits of what strtol(3) returns.
#[expect(
    clippy::cast_possible_truncation,
    reason = "atoi(3) is a cast of strtol(3) to int"
)]
pub(crate) fn integer(text: &[u8]) -> i32 {
    let text = text.trim_start_with(|c| matches!(c, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r'));
    let (sign, digits) = match text.first() {
        Some(b'-') => (-1, &text[1..]),
        Some(b'+') => (1, &text[1..]),
        _ => (1, text),
    };
    let mut number: i64 = 0;
    for digit in digits.iter().take_while(|b| b.is_ascii_digit()) {
        number = number
            .saturating_mul(10)
            .saturating_add(sign * i64::from(digit - b'0'));
    }
    number as i32
}
