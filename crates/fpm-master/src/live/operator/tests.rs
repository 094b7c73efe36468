//! A machine without room for the operator process.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::mpsc;
use std::thread;

use fpm_conf::{Config, Operator, OperatorAddress, Percent};
use fpm_events::EventLoop;
use fpm_os::signal::set::SignalSet;
use nix::unistd::Uid;

use super::*;
use crate::program::{Backlog, Options, Speaker, Starter, Words};
use fpm_control::Scope;

/// A program that has neither a pid file nor a log.
struct Bare;

impl Program for Bare {
    fn launched(&mut self) -> Result<(), MasterError> {
        Ok(())
    }

    fn leave_pid_file(&mut self) -> Result<(), MasterError> {
        Ok(())
    }

    fn take_pid_file_back(&mut self) {}

    fn remove_old_pid_file(&mut self, _of: Pid) {}

    fn load(&mut self) -> Result<Config, Vec<String>> {
        Err(Vec::new())
    }

    fn preview(&self) -> Result<Config, Vec<String>> {
        Err(Vec::new())
    }

    fn adopt(&mut self) {}

    fn reopen_log(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn room(&self, _speaker: &Speaker<'_>) -> usize {
        0
    }

    fn worker_said(&mut self, _speaker: &Speaker<'_>, _words: &Words<'_>) {}

    fn write(&mut self, _bytes: &[u8]) {}

    fn flush_log(&mut self) -> Backlog {
        Backlog::default()
    }

    fn finish_log(&mut self) {}
}

/// A daemon with an operator's post at this place, and nothing else.
fn with_post(place: &Path) -> Live<Bare> {
    let options = Options {
        executable: "/fpmd".into(),
        arguments: Vec::new(),
        php: fpm_channel::PhpOptions::default(),
        starter: Starter::Unprivileged(Uid::from_raw(1000)),
        stderr: None,
        notify_socket: None,
        store: None,
    };
    let mut config = Config::default();
    config.global.operator = Some(Operator {
        listen: OperatorAddress::Unix(place.as_os_str().as_bytes().into()),
        user: "nobody".into(),
        group: None,
        ready_queue: Percent(50),
        ready_busy: Percent(100),
    });
    let first = Setup::new(config, &options, &[], None, &Scope::All).unwrap();
    let events = EventLoop::create(&SignalSet::empty()).unwrap();
    Live::new(Bare, options, first, None, events)
}

#[test]
fn a_process_that_cannot_be_forked_is_tried_again_less_and_less_often() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("operator");
    let mut live = with_post(&place);
    // What has several threads is never forked by the master: an error like that of a machine without room.
    let (stop, stopped) = mpsc::channel::<()>();
    let thread = thread::spawn(move || stopped.recv());
    live.seat_operator();
    for delay in [50, 100, 200] {
        assert!(live.operator.process.is_none() && live.operator.again.is_some());
        let known = live.operator.backoff.delay();
        assert_eq!(known, Some(Duration::from_millis(delay)));
        live.try_operator_again();
    }
    // Who comes meanwhile waits for the one that comes at last.
    UnixStream::connect(&place).unwrap();
    drop(stop);
    thread.join().unwrap().unwrap_err();
}

#[test]
fn an_address_that_the_program_before_waited_for_is_waited_for_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("operator");
    let mut live = with_post(&place);
    live.leave_post();
    let other = UnixListener::bind(&place).unwrap();
    live.take_post_back();
    assert!(!live.has_post() && live.operator.again.is_some());
    drop(other);
    live.try_operator_again();
    assert!(live.has_post());
}
