//! Every call into the operating system behind a safe interface.
//!
//! One module is one idea of the kernel. Nothing here decides anything: no pools, no configuration, no log lines.
//! Two rules: whatever is opened is close-on-exec, and a function that is one system call answers
//! `std::io::Error`, one that is several steps answers [`error::OsError`]. What the standard library does well is
//! not wrapped again: files, `io::pipe`, `io::stderr().as_fd().try_clone_to_owned()`.

pub mod account;
pub mod acl;
pub mod bell;
pub mod capabilities;
pub mod clock;
pub mod connection;
pub mod cpus;
pub mod descriptor;
pub mod environment;
pub mod epoll;
pub mod error;
pub mod exec;
pub mod fork;
pub mod futex;
pub mod handover;
pub mod identity;
pub mod limits;
pub mod listener;
pub mod memfd;
pub mod memory;
pub mod notification;
pub mod own_memory;
pub mod peer;
pub mod poll;
pub mod process;
pub mod relay;
pub mod seqpacket;
pub mod shared;
pub mod signal;
pub mod sink;
pub mod stdio;
mod tcp_info;
pub mod title;
pub mod wait;
