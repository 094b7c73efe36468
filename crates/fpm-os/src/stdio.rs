//! Standard input, output and error.
//!
//! Original: sapi/fpm/fpm/fpm_stdio.c

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;

use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout};

/// One of the three descriptors that every process has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandardStream {
    /// Descriptor 0.
    Input,
    /// Descriptor 1.
    Output,
    /// Descriptor 2.
    Error,
}

impl StandardStream {
    /// Makes the stream another name of `target`; it stays open across exec.
    ///
    /// # Errors
    /// What dup2(2) answers.
    pub fn replace(self, target: impl AsFd) -> io::Result<()> {
        match self {
            StandardStream::Input => dup2_stdin(target)?,
            StandardStream::Output => dup2_stdout(target)?,
            StandardStream::Error => dup2_stderr(target)?,
        }
        Ok(())
    }
}

/// Opens /dev/null for reading and writing.
///
/// # Errors
/// What open(2) answers.
pub fn open_null() -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open("/dev/null")
}
