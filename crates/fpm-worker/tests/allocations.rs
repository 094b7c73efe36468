//! A worker that has warmed up allocates nothing for a request: its buffers are kept from the one before, and the request's own
//! texts stay where they were read to.
//!
//! What is counted goes through Rust's allocator, which is our own code: PHP asks the C library. The worker is a forked process, as
//! always; its counters are read where they are in its memory.

#![forbid(unsafe_code)]

use std::alloc::System;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::ExitCode;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use fcgi_proto::client::Encoder;
use fcgi_proto::record::{AfterRequest, RequestId, Role};
use fpm_channel::worker::MasterEnd;
use fpm_conf::{LogFormat, LogLevel, Pool};
use fpm_os::fork::{OtherThreads, fork};
use fpm_scoreboard::{Board, Counters, Ledger, PoolBoard, PoolLedger};
use fpm_worker::birth::{self, Assignment, RunsAs};
use fpm_worker::environment::Account;
use fpm_worker::log::Log;
use fpm_worker::status::Reported;
use nix::unistd::Pid;
use sapi::{Engine, StartOptions};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How many requests are enough to warm up, and then how many are counted.
const REQUESTS: usize = 50;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("hello.php");
    fs::write(&script, "<?php echo 'Hello';").expect("a script");
    let socket = folder.path().join("worker.sock");
    let listener = UnixListener::bind(&socket).expect("a socket");
    listener.set_nonblocking(true).expect("a socket");

    let options = StartOptions {
        argv0: c"worker".to_owned(),
        ignore_ini: true,
        ..StartOptions::default()
    };
    let engine = Engine::start(&options, |_| {}).expect("PHP");
    let (master, control) = MasterEnd::create().expect("a control socket");
    let mut share = Some((assignment(listener.into(), control), engine, master));
    let worker = fork(OtherThreads::Refuse, || {
        let (assignment, engine, master) = share.take().expect("one worker");
        drop(master);
        birth::live(Box::new(assignment), engine, None)
    })
    .expect("a worker");

    let request = request(&script);
    exchange(&socket, &request, REQUESTS).expect("answers");
    let before = counters(worker);
    exchange(&socket, &request, REQUESTS).expect("answers");
    let after = counters(worker);
    // The worker ends when its master is gone.
    drop(share);
    // Numbers and bytes of allocations, of allocations that grew, and of those given back.
    if before == after {
        println!("test nothing is allocated for a request ... ok");
        return ExitCode::SUCCESS;
    }
    println!("{REQUESTS} requests changed the allocator's counters from {before:?} to {after:?}");
    ExitCode::FAILURE
}

/// The allocator's counters in a forked process.
fn counters(process: Pid) -> Vec<usize> {
    let memory = File::open(format!("/proc/{process}/mem")).expect("the worker's memory");
    let mut bytes = [0; size_of::<StatsAlloc<System>>()];
    let address = ptr::from_ref(ALLOCATOR).addr() as u64;
    memory
        .read_exact_at(&mut bytes, address)
        .expect("the allocator");
    let (words, _) = bytes.as_chunks::<{ size_of::<usize>() }>();
    words
        .iter()
        .map(|word| usize::from_ne_bytes(*word))
        .collect()
}

/// Sends a request so many times, each on a connection of its own, and reads the answers.
fn exchange(socket: &Path, request: &[u8], times: usize) -> io::Result<()> {
    let mut answer = [0; 4096];
    for _ in 0..times {
        let mut worker = UnixStream::connect(socket)?;
        worker.set_read_timeout(Some(PATIENCE))?;
        worker.write_all(request)?;
        while worker.read(&mut answer)? > 0 {}
        if !answer.windows(5).any(|bytes| bytes == b"Hello") {
            return Err(io::Error::other(
                String::from_utf8_lossy(&answer).into_owned(),
            ));
        }
    }
    Ok(())
}

/// A request as nginx sends it.
fn request(script: &Path) -> Vec<u8> {
    let mut encoder = Encoder::new(RequestId(1));
    encoder.begin(Role::Responder, AfterRequest::Close);
    let file = script.to_string_lossy();
    for (name, value) in [
        ("SCRIPT_FILENAME", &*file),
        ("QUERY_STRING", "a=b"),
        ("REQUEST_METHOD", "GET"),
        ("CONTENT_TYPE", ""),
        ("CONTENT_LENGTH", ""),
        ("SCRIPT_NAME", "/hello.php"),
        ("REQUEST_URI", "/hello.php?a=b"),
        ("DOCUMENT_URI", "/hello.php"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("REMOTE_ADDR", "192.0.2.7"),
        ("HTTP_HOST", "www.example.org"),
        ("HTTP_COOKIE", "session=0123456789abcdef"),
    ] {
        encoder.param(name.as_bytes(), value.as_bytes());
    }
    encoder.end_params().end_stdin();
    encoder.into_bytes()
}

/// What the zygote would give to the worker.
fn assignment(listener: OwnedFd, control: OwnedFd) -> Assignment {
    let pool = Pool::new("www", "/worker.sock");
    let board = board();
    let listener = Arc::new(listener);
    let (_, first_words) = io::pipe().expect("a pipe");
    let (relay, _) = UnixStream::pair().expect("a relay");
    let relay = Arc::new(OwnedFd::from(relay));
    Assignment {
        reported: Reported {
            name: pool.name.clone(),
            manager: pool.pm,
            board: board.clone(),
            listener: Arc::clone(&listener),
            relay: Arc::clone(&relay),
        },
        slot: 0,
        board,
        ledger: ledger(),
        pool,
        index: 0,
        generation: 1,
        listener,
        relay,
        standby: None,
        zygote: Pid::this(),
        control,
        output: None,
        runs_as: RunsAs::Same,
        account: Account::default(),
        access_log: None,
        master: Pid::this(),
        log: Log {
            level: LogLevel::Notice,
            limit: 1024,
        },
        log_format: LogFormat::Fpm,
        first_words,
    }
}

fn ledger() -> PoolLedger {
    let ledger = Ledger::create().expect("a ledger");
    let region = ledger.add_pool().expect("a pool");
    ledger.pool(region).expect("a pool")
}

fn board() -> PoolBoard {
    let board = Board::create().expect("a scoreboard");
    board.add_pool(1, &Counters::default()).expect("a pool").1
}
