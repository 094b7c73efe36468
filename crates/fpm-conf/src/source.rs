//! Reads a file and what it includes as one stream of statements.
//!
//! A changer must know two quirks that messages show: the line counter starts anew with every file and goes on from the
//! included file's count when that is done, and which section is open is not the business of a file at all.
//!
//! Original: sapi/fpm/fpm/fpm_conf.c (`fpm_conf_load_ini_file`, `fpm_conf_ini_parser_include`)

use std::collections::VecDeque;

use bstr::{BStr, BString, ByteSlice};

use crate::glob::{GlobError, glob};
use crate::ini::{ParsedLine, Statement, parse_line};
use crate::items::Stopped;
use crate::options::Surroundings;
use crate::prefix::Prefixes;
use crate::report::{Message, Report, text};
use crate::{LogLevel, PhpVersion};

/// How many files may be open within each other.
const MAX_DEPTH: usize = 5;

/// Reads files; an iterator over what they say.
pub(crate) struct Source<'a> {
    around: Surroundings<'a>,
    prefixes: Prefixes<'a>,
    php: PhpVersion,
    /// The files that are open, the main one first.
    open: Vec<OpenFile>,
    line: u32,
    /// What the line at hand still says.
    rest: ParsedRest,
    /// What there is to say.
    pub(crate) report: Report,
}

#[derive(Default)]
struct ParsedRest {
    statements: VecDeque<Statement>,
    error: Option<String>,
    /// The pattern of an `include` in this line; acted on when the line is done.
    include: Option<BString>,
}

struct OpenFile {
    name: BString,
    text: Vec<u8>,
    /// Where the next line starts; none when the last line has been read.
    at: Option<usize>,
    /// Files to read before the next line.
    includes: VecDeque<BString>,
}

impl<'a> Source<'a> {
    /// Prepares to read; [`open`](Self::open) has to follow.
    pub(crate) fn new(around: Surroundings<'a>, prefixes: Prefixes<'a>, php: PhpVersion) -> Self {
        Self {
            around,
            prefixes,
            php,
            open: Vec::new(),
            line: 0,
            rest: ParsedRest::default(),
            report: Report::default(),
        }
    }

    /// Opens a file, whose statements come next.
    pub(crate) fn open(&mut self, name: &BStr) -> Result<(), Stopped> {
        if name.is_empty() {
            self.report
                .log(LogLevel::Error, "configuration filename is empty");
            return Err(Stopped);
        }
        let text = match self.around.files.read(name) {
            Ok(text) => text,
            Err(error) => {
                self.report.system_error(
                    text!("failed to open configuration file '", name, "'"),
                    &error,
                );
                return Err(Stopped);
            }
        };
        if self.open.len() >= MAX_DEPTH {
            self.report.log(
                LogLevel::Error,
                "failed to include more than 5 files recursively",
            );
            return Err(Stopped);
        }
        self.line = 0;
        self.open.push(OpenFile {
            name: name.to_owned(),
            text,
            at: Some(0),
            includes: VecDeque::new(),
        });
        Ok(())
    }

    /// Reports what is wrong with the statement at hand.
    pub(crate) fn refuse(&mut self, reason: &BStr) {
        let name = self
            .open
            .last()
            .map_or(BStr::new(""), |file| file.name.as_bstr());
        let line = self.line.to_string();
        self.report
            .log(LogLevel::Error, text!("[", name, ":", line, "] ", reason));
    }

    /// Reports what follows when reading stops: the syntax error at the end of the line, and each file that was
    /// included in vain.
    pub(crate) fn abandon(&mut self) {
        if let Some(error) = self.rest.error.take() {
            self.report
                .messages
                .push(Message::Stderr(text!("PHP:  ", error, "\n")));
        }
        while let Some(file) = self.open.pop() {
            if let Some(includer) = self.open.last() {
                let includer = includer.name.clone();
                self.unable_to_include(file.name.as_bstr(), includer.as_bstr());
            }
        }
    }

    fn unable_to_include(&mut self, name: &BStr, includer: &BStr) {
        let line = self.line.to_string();
        self.report.log(
            LogLevel::Error,
            text!(
                "Unable to include ",
                name,
                " from ",
                includer,
                " at line ",
                line
            ),
        );
    }

    /// Returns the next statement of the line at hand; keeps an `include` for the end of the line.
    fn next_of_line(&mut self) -> Result<Option<Statement>, Stopped> {
        while let Some(statement) = self.rest.statements.pop_front() {
            match statement {
                Statement::Entry { value: None, .. } => {
                    self.refuse("value is NULL for a ZEND_INI_PARSER_ENTRY".into());
                    return Err(Stopped);
                }
                Statement::Entry {
                    name,
                    value: Some(pattern),
                } if name == "include" => {
                    if self.rest.include.is_some() {
                        self.refuse("two includes at the same time !".into());
                        return Err(Stopped);
                    }
                    self.rest.include = Some(pattern);
                }
                other => return Ok(Some(other)),
            }
        }
        if self.rest.error.is_some() {
            Err(Stopped)
        } else {
            Ok(None)
        }
    }

    /// Expands an include pattern to the files to read before the next line.
    fn include(&mut self, pattern: &BStr) -> Result<(), Stopped> {
        let pattern = self
            .prefixes
            .global(pattern, self.prefixes.build.prefix.as_bstr());
        let Some(file) = self.open.last_mut() else {
            return Ok(());
        };
        let place = text!(" from ", file.name, " at line ", self.line.to_string(), ".");
        match glob(pattern.as_bstr(), self.around.files) {
            Ok(paths) => file
                .includes
                .extend(paths.into_iter().filter(|path| !path.ends_with(b"/"))),
            Err(GlobError::NoMatch) => {
                self.report.log(
                    LogLevel::Warning,
                    text!("Nothing matches the include pattern '", pattern, "'", place),
                );
            }
            Err(error @ GlobError::Aborted) => {
                let code = error.code().to_string();
                self.report.log(
                    LogLevel::Error,
                    text!(
                        "Unable to globalize '",
                        pattern,
                        "' (ret=",
                        code,
                        ")",
                        place
                    ),
                );
                return Err(Stopped);
            }
        }
        Ok(())
    }

    /// Goes on to the next line of the innermost file; returns whether there is anything left at all.
    fn advance(&mut self) -> bool {
        let Some(file) = self.open.last_mut() else {
            return false;
        };
        let Some(start) = file.at else {
            self.open.pop();
            return !self.open.is_empty();
        };
        let rest = &file.text[start..];
        let length = rest.find_byte(b'\n');
        file.at = length.map(|length| start + length + 1);
        self.line += 1;
        let line = &rest[..length.unwrap_or(rest.len())];
        if !line.is_empty() {
            let ParsedLine { statements, error } =
                parse_line(line, self.php, self.around.vocabulary);
            self.rest = ParsedRest {
                statements: statements.into(),
                error,
                include: None,
            };
        }
        true
    }

    fn step(&mut self) -> Result<Option<Statement>, Stopped> {
        loop {
            if let Some(statement) = self.next_of_line()? {
                return Ok(Some(statement));
            }
            if let Some(pattern) = self.rest.include.take() {
                self.include(pattern.as_bstr())?;
            }
            if let Some(file) = self.open.last_mut()
                && let Some(path) = file.includes.pop_front()
            {
                let includer = file.name.clone();
                if self.open(path.as_bstr()).is_err() {
                    self.unable_to_include(path.as_bstr(), includer.as_bstr());
                    return Err(Stopped);
                }
                continue;
            }
            if !self.advance() {
                return Ok(None);
            }
        }
    }
}

impl Iterator for Source<'_> {
    type Item = Result<Statement, Stopped>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}
