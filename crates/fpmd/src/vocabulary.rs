//! What names in the configuration mean that only the environment or PHP knows.
//!
//! Rule: PHP never starts in this process. When the configuration has such a name, a forked child starts PHP, answers questions
//! for as long as the configuration is read, and goes. Whose pools there are is not known yet: extensions start there as nobody,
//! and the preload script does not run.

use std::cell::RefCell;
use std::env;
use std::ffi::{CString, OsStr};
use std::io::IoSlice;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use bstr::{BStr, BString};
use fpm_channel::PhpOptions;
use fpm_conf::Vocabulary;
use fpm_os::fork::{OtherThreads, fork};
use fpm_os::seqpacket::{self, Patience};
use fpm_os::stdio::{StandardStream, open_null};
use fpm_os::wait::wait;
use nix::unistd::Pid;
use sapi::Engine;

use crate::php;

/// The longest question and answer, in bytes.
const LONGEST: usize = 64 * 1024;
/// First byte of an answer that has a value.
const KNOWN: u8 = 1;
/// First byte of an answer that has none.
const UNKNOWN: u8 = 0;

/// PHP's settings, then the environment.
#[derive(Debug)]
pub(crate) struct Words<'a> {
    php: &'a PhpOptions,
    oracle: RefCell<Asked>,
}

/// Whether PHP was needed.
#[derive(Debug)]
enum Asked {
    NotYet,
    Answering(Oracle),
    /// It could not be started; the zygote will say why.
    InVain,
}

/// The child that knows PHP's settings and constants.
#[derive(Debug)]
struct Oracle {
    socket: OwnedFd,
    pid: Pid,
}

/// What a question is about: its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    /// A value of php.ini or `-d`.
    Setting = b's',
    /// A constant.
    Constant = b'c',
}

impl<'a> Words<'a> {
    /// Makes a vocabulary that starts PHP, if it must, as the command line says.
    pub(crate) fn new(php: &'a PhpOptions) -> Words<'a> {
        Words {
            php,
            oracle: RefCell::new(Asked::NotYet),
        }
    }

    /// Returns what php.ini or `-d` says about a name.
    pub(crate) fn setting(&self, name: &BStr) -> Option<BString> {
        self.ask(Kind::Setting, name)
    }

    fn ask(&self, kind: Kind, name: &BStr) -> Option<BString> {
        let mut asked = self.oracle.borrow_mut();
        if let Asked::NotYet = *asked {
            *asked = Oracle::start(self.php).map_or(Asked::InVain, Asked::Answering);
        }
        match &*asked {
            Asked::Answering(oracle) => oracle.ask(kind, name),
            Asked::NotYet | Asked::InVain => None,
        }
    }
}

impl Vocabulary for Words<'_> {
    fn variable(&self, name: &BStr) -> Option<BString> {
        let environment =
            || env::var_os(OsStr::from_bytes(name)).map(|value| BString::from(value.into_vec()));
        self.ask(Kind::Setting, name).or_else(environment)
    }

    fn constant(&self, name: &BStr) -> Option<BString> {
        // Only names in capitals are worth a start of PHP; a word like `dynamic` is a word.
        let like_a_constant = name
            .iter()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_')
            && name.contains(&b'_');
        like_a_constant
            .then(|| self.ask(Kind::Constant, name))
            .flatten()
    }
}

impl Oracle {
    fn start(options: &PhpOptions) -> Option<Oracle> {
        let (ours, theirs) = seqpacket::pair().ok()?;
        let mut ours = Some(ours);
        let pid = fork(OtherThreads::Refuse, || {
            // With a copy of this end in its own hands the child would wait for ever.
            ours = None;
            // What PHP has to say about its start is said by the zygote's.
            if open_null()
                .and_then(|null| StandardStream::Error.replace(&null))
                .is_err()
            {
                return crate::exit::SOFTWARE;
            }
            match php::start_as_nobody(options) {
                Ok(engine) => answer_all(&engine, &theirs),
                Err(_) => crate::exit::SOFTWARE,
            }
        })
        .ok()?;
        Some(Oracle { socket: ours?, pid })
    }

    fn ask(&self, kind: Kind, name: &BStr) -> Option<BString> {
        let kind = [kind as u8];
        let question = [IoSlice::new(&kind), IoSlice::new(name)];
        seqpacket::send(&self.socket, &question, &[], Patience::Wait).ok()?;
        let mut buffer = vec![0; LONGEST];
        let answer = seqpacket::receive(&self.socket, &mut buffer, Patience::Wait).ok()?;
        match buffer.get(..answer.len)?.split_first()? {
            (&KNOWN, value) => Some(value.into()),
            _ => None,
        }
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        // It ends when the socket does; that is now, and not after this function.
        if let Ok((closed, _)) = seqpacket::pair() {
            self.socket = closed;
        }
        let _ = wait(self.pid);
    }
}

/// Answers questions until nobody asks any more.
fn answer_all(engine: &Engine, socket: impl AsFd) -> u8 {
    let mut buffer = vec![0; LONGEST];
    loop {
        let question = match seqpacket::receive(&socket, &mut buffer, Patience::Wait) {
            Ok(question) if question.len > 0 => &buffer[..question.len],
            _ => return crate::exit::OK,
        };
        let value = match question.split_first() {
            Some((kind, name)) => CString::new(name).ok().and_then(|name| {
                if *kind == Kind::Setting as u8 {
                    engine.configured(&name)
                } else {
                    engine.constant(&name)
                }
            }),
            None => None,
        };
        let first = [if value.is_some() { KNOWN } else { UNKNOWN }];
        let answer = [
            IoSlice::new(&first),
            IoSlice::new(value.as_ref().map_or(&[][..], |value| value)),
        ];
        if seqpacket::send(&socket, &answer, &[], Patience::Wait).is_err() {
            return crate::exit::OK;
        }
    }
}
