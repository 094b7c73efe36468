//! The clients against a web server of a few lines.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use super::*;
use crate::bench::case::Connection;

/// Serves what `answer` says to every request without a body; ends with the process.
fn server(answer: impl Fn(usize) -> Vec<u8> + Send + Sync + 'static) -> Address {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let SocketAddr::V4(address) = listener.local_addr().unwrap() else {
        panic!("127.0.0.1 is of version 4")
    };
    thread::spawn(move || {
        thread::scope(|scope| {
            for stream in listener.incoming() {
                let (mut stream, answer) = (stream.unwrap(), &answer);
                scope.spawn(move || {
                    let mut space = [0; 1024];
                    let mut served = 0;
                    while let Ok(count) = stream.read(&mut space)
                        && count > 0
                    {
                        if stream.write_all(&answer(served)).is_err() {
                            break;
                        }
                        served += 1;
                    }
                });
            }
        });
    });
    Address::Tcp(address)
}

fn question(connection: Connection) -> Question {
    Question {
        protocol: Protocol::Http,
        bytes: b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        body: b"hello".to_vec(),
        connection,
    }
}

fn run_on(address: &Address, connection: Connection, failures: Failures) -> anyhow::Result<Run> {
    run(&Plan {
        address,
        question: &question(connection),
        clients: 3,
        threads: 2,
        until: Until::Requests(50),
        failures,
    })
}

#[test]
fn a_run_has_as_many_requests_as_were_asked_for() {
    let address = server(|_| b"HTTP/1.1 200 OK\r\n\r\nhello".to_vec());
    for connection in [Connection::OneRequest, Connection::Kept] {
        let run = run_on(&address, connection, Failures::Fatal).unwrap();
        assert_eq!((run.requests, run.failures), (50, 0));
        assert!(run.quantile(0.5) > 0.0 && run.quantile(0.5) <= run.quantile(0.999));
        assert!(run.requests_per_second() > 0.0);
    }
}

#[test]
fn a_run_with_a_wrong_answer_does_not_count() {
    let address = server(|served| match served {
        7 => b"HTTP/1.1 200 OK\r\n\r\nhallo".to_vec(),
        _ => b"HTTP/1.1 200 OK\r\n\r\nhello".to_vec(),
    });
    let error = run_on(&address, Connection::Kept, Failures::Counted)
        .err()
        .unwrap();
    assert!(format!("{error:#}").contains("byte 1 differs"), "{error:#}");
}

#[test]
fn a_missing_answer_is_counted_or_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let SocketAddr::V4(address) = listener.local_addr().unwrap() else {
        panic!("127.0.0.1 is of version 4")
    };
    // Nobody listens there any more.
    drop(listener);
    let address = Address::Tcp(address);
    let run = run_on(&address, Connection::OneRequest, Failures::Counted).unwrap();
    assert_eq!((run.requests, run.failures), (0, 50));
    assert!(run_on(&address, Connection::OneRequest, Failures::Fatal).is_err());
}
