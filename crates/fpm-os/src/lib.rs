//! Every call into the operating system behind a safe interface.
//!
//! One module is one idea of the kernel. Nothing here decides anything: no pools, no configuration, no log lines.
//! Two rules: whatever is opened is close-on-exec, and a function that is one system call answers
//! `std::io::Error`, one that is several steps answers [`error::OsError`].

pub mod error;
pub mod memfd;
pub mod seqpacket;
pub mod shared;
pub mod signal;
pub mod wait;
