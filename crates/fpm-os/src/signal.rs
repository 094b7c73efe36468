//! Signals by number and name, kept as numbers because real-time signals have no name.
//!
//! Rule: a new signal that the master listens to or logs gets its constant and its line in `NAMES`.
//!
//! Original: sapi/fpm/fpm/fpm_signals.c

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::OsError;

pub mod fd;
pub mod quit;
pub mod set;

/// One signal of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i32", into = "i32")]
pub struct Signal(i32);

/// Names of the standard signals of Linux; the synonyms (SIGIOT, SIGPOLL) are left out.
const NAMES: [(i32, &str); 31] = [
    (libc::SIGHUP, "SIGHUP"),
    (libc::SIGINT, "SIGINT"),
    (libc::SIGQUIT, "SIGQUIT"),
    (libc::SIGILL, "SIGILL"),
    (libc::SIGTRAP, "SIGTRAP"),
    (libc::SIGABRT, "SIGABRT"),
    (libc::SIGBUS, "SIGBUS"),
    (libc::SIGFPE, "SIGFPE"),
    (libc::SIGKILL, "SIGKILL"),
    (libc::SIGUSR1, "SIGUSR1"),
    (libc::SIGSEGV, "SIGSEGV"),
    (libc::SIGUSR2, "SIGUSR2"),
    (libc::SIGPIPE, "SIGPIPE"),
    (libc::SIGALRM, "SIGALRM"),
    (libc::SIGTERM, "SIGTERM"),
    (libc::SIGSTKFLT, "SIGSTKFLT"),
    (libc::SIGCHLD, "SIGCHLD"),
    (libc::SIGCONT, "SIGCONT"),
    (libc::SIGSTOP, "SIGSTOP"),
    (libc::SIGTSTP, "SIGTSTP"),
    (libc::SIGTTIN, "SIGTTIN"),
    (libc::SIGTTOU, "SIGTTOU"),
    (libc::SIGURG, "SIGURG"),
    (libc::SIGXCPU, "SIGXCPU"),
    (libc::SIGXFSZ, "SIGXFSZ"),
    (libc::SIGVTALRM, "SIGVTALRM"),
    (libc::SIGPROF, "SIGPROF"),
    (libc::SIGWINCH, "SIGWINCH"),
    (libc::SIGIO, "SIGIO"),
    (libc::SIGPWR, "SIGPWR"),
    (libc::SIGSYS, "SIGSYS"),
];

impl Signal {
    /// Ends a process at once, politely.
    pub const TERM: Signal = Signal(libc::SIGTERM);
    /// The terminal's Ctrl-C; the original treats it as [`Signal::TERM`].
    pub const INT: Signal = Signal(libc::SIGINT);
    /// Asks for a graceful end.
    pub const QUIT: Signal = Signal(libc::SIGQUIT);
    /// Asks to reopen the log files.
    pub const USR1: Signal = Signal(libc::SIGUSR1);
    /// Asks for a reload.
    pub const USR2: Signal = Signal(libc::SIGUSR2);
    /// Asks for a reload too, as in nginx.
    pub const HUP: Signal = Signal(libc::SIGHUP);
    /// Asks to drain all workers and keep the sockets, as in nginx.
    pub const WINCH: Signal = Signal(libc::SIGWINCH);
    /// A child has ended.
    pub const CHLD: Signal = Signal(libc::SIGCHLD);
    /// A write to a pipe or socket that nobody reads.
    pub const PIPE: Signal = Signal(libc::SIGPIPE);
    /// Ends a process without its consent.
    pub const KILL: Signal = Signal(libc::SIGKILL);
    /// Stops a process without its consent.
    pub const STOP: Signal = Signal(libc::SIGSTOP);
    /// Lets a stopped process go on.
    pub const CONT: Signal = Signal(libc::SIGCONT);
    /// Invalid memory reference; counts for `emergency_restart_threshold`.
    pub const SEGV: Signal = Signal(libc::SIGSEGV);
    /// Bus error; counts for `emergency_restart_threshold`.
    pub const BUS: Signal = Signal(libc::SIGBUS);
    /// The process gave itself up.
    pub const ABRT: Signal = Signal(libc::SIGABRT);
    /// What it executed is no instruction.
    pub const ILL: Signal = Signal(libc::SIGILL);
    /// Impossible arithmetic.
    pub const FPE: Signal = Signal(libc::SIGFPE);
    /// A system call that it may not make.
    pub const SYS: Signal = Signal(libc::SIGSYS);
    /// A trap that nobody set.
    pub const TRAP: Signal = Signal(libc::SIGTRAP);
    /// Its processor time is used up (RLIMIT_CPU).
    pub const XCPU: Signal = Signal(libc::SIGXCPU);

    /// Takes a signal by its number; `None` when the kernel has no such signal.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Signal> {
        (1..=libc::SIGRTMAX())
            .contains(&number)
            .then_some(Signal(number))
    }

    /// Returns the number, as kill(2) takes it.
    #[must_use]
    pub fn number(self) -> i32 {
        self.0
    }

    /// Returns the name with its `SIG`, or an empty text for a signal that has none (the original prints
    /// those as `on signal 35 ()`).
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES
            .iter()
            .find(|(number, _)| *number == self.0)
            .map_or("", |(_, name)| name)
    }
}

impl TryFrom<i32> for Signal {
    type Error = OsError;

    fn try_from(number: i32) -> Result<Signal, OsError> {
        Signal::from_number(number).ok_or(OsError::NoSuchSignal { number })
    }
}

impl From<Signal> for i32 {
    fn from(signal: Signal) -> i32 {
        signal.number()
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            "" => write!(f, "signal {}", self.0),
            name => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_kernels() {
        for (signal, name) in [
            (Signal::TERM, "SIGTERM"),
            (Signal::CHLD, "SIGCHLD"),
            (Signal::SEGV, "SIGSEGV"),
        ] {
            assert_eq!(signal.name(), name);
            assert_eq!(signal.to_string(), name);
        }
        assert_eq!(Signal(35).name(), "");
        assert_eq!(Signal(35).to_string(), "signal 35");
    }

    #[test]
    fn every_standard_signal_has_a_name() {
        for number in 1..=31 {
            assert_ne!(Signal(number).name(), "", "signal {number}");
        }
    }

    #[test]
    fn numbers_outside_the_kernels_range_are_refused() {
        assert_eq!(Signal::from_number(0), None);
        assert_eq!(Signal::from_number(-1), None);
        assert_eq!(Signal::from_number(65), None);
        assert_eq!(Signal::from_number(15), Some(Signal::TERM));
        assert_eq!(Signal::from_number(64).map(Signal::number), Some(64));
    }
}
