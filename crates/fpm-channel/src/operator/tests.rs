//! A master and an operator on a real socket.

use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;

use fpm_conf::{OperatorAddress, Percent};
use fpm_control::{DaemonMeasured, PoolStatus, State};

use super::*;

fn channel() -> (MasterEnd, OperatorEnd) {
    let (master, theirs) = MasterEnd::create().unwrap();
    (master, OperatorEnd::adopt(theirs))
}

fn null() -> OwnedFd {
    File::open("/dev/null").unwrap().into()
}

fn status(pools: usize) -> Status {
    Status {
        pid: 1,
        version: "0.1.0".to_owned(),
        configuration: "/etc/php-fpm.conf".to_owned(),
        started_at: 7,
        state: State::Serving,
        beside: None,
        reload_failure: None,
        measured: DaemonMeasured::default(),
        generations: Vec::new(),
        pools: vec![PoolStatus::default(); pools],
    }
}

fn area(board: u32) -> Area {
    Area {
        pool: "www".to_owned(),
        generation: 3,
        board,
        region: Region {
            offset: 65_536,
            len: 8,
        },
    }
}

fn part() -> Part {
    let Area { pool, region, .. } = area(0);
    Part { pool, region }
}

#[test]
fn the_listener_comes_first_with_its_settings() {
    let (master, operator) = channel();
    let parameters = Parameters {
        settings: Operator {
            listen: OperatorAddress::Loopback((Ipv4Addr::LOCALHOST, 9253).into()),
            user: "nobody".into(),
            group: None,
            ready_queue: Percent(50),
            ready_busy: Percent(100),
        },
        run_as: None,
    };
    let listener = null();
    let sent = master.start(&Start {
        parameters: parameters.clone(),
        listener: listener.as_fd(),
    });
    assert_eq!(sent.unwrap(), Flushed::All);
    let Next::Message(ToOperator::Start(start)) = operator.wait().unwrap() else {
        panic!("no start");
    };
    assert_eq!(start.parameters, parameters);
    assert_ne!(start.listener.as_raw_fd(), listener.as_raw_fd());
}

#[test]
fn a_question_is_answered_however_many_pools_there_are() {
    let (master, operator) = channel();
    assert!(matches!(master.receive().unwrap(), Next::Nothing));
    assert_eq!(operator.ask().unwrap(), Flushed::All);
    let asked = master.receive().unwrap();
    assert!(matches!(asked, Next::Message(FromOperator::Ask)));
    let boards = [null(), null()];
    let answer = Answer {
        status: status(10_000),
        scoreboards: Some(Scoreboards {
            boards: boards.iter().map(AsFd::as_fd).collect(),
            areas: vec![area(0), area(1)],
            ledger: boards[0].as_fd(),
            parts: vec![part()],
        }),
    };
    assert_eq!(master.answer(&answer).unwrap(), Flushed::All);
    let Next::Message(ToOperator::Answer(received)) = operator.receive().unwrap() else {
        panic!("no answer");
    };
    assert_eq!(received.status, answer.status);
    let scoreboards = received.scoreboards.unwrap();
    assert_eq!(scoreboards.boards.len(), 2);
    assert_eq!(scoreboards.areas, [area(0), area(1)]);
    assert_eq!(scoreboards.parts, [part()]);
}

#[test]
fn an_operator_that_does_not_listen_is_not_waited_for_and_the_end_is_seen() {
    let (master, operator) = channel();
    let answer = Answer::<OwnedFd> {
        status: status(1),
        scoreboards: None,
    };
    let mut sent = 0;
    while master.answer(&answer).unwrap() == Flushed::All {
        sent += 1;
    }
    assert!(sent > 0);
    for _ in 0..sent {
        assert!(matches!(operator.receive().unwrap(), Next::Message(_)));
    }
    drop(master);
    assert!(matches!(operator.wait().unwrap(), Next::Closed));
    assert!(matches!(operator.ask(), Err(ChannelError::Closed)));
}

#[test]
fn nonsense_is_an_error() {
    let (one, other) = seqpacket::pair().unwrap();
    let (master, operator) = (MasterEnd { socket: one }, OperatorEnd { socket: other });
    let say = |socket: BorrowedFd<'_>, packet: &[u8], descriptors: &[BorrowedFd<'_>]| {
        let packet = [io::IoSlice::new(packet)];
        seqpacket::send(socket, &packet, descriptors, Patience::AtOnce).unwrap();
    };
    let null = null();
    let ask = wire::encode(&FromOperator::Ask).unwrap();
    say(operator.as_fd(), &ask, &[null.as_fd()]);
    assert!(master.receive().is_err(), "a descriptor that nobody wants");
    say(operator.as_fd(), &[0, 0], &[]);
    assert!(master.receive().is_err(), "another version");
    for order in [Order::Start, Order::Answer] {
        let order = wire::encode(&order).unwrap();
        say(master.as_fd(), &order, &[]);
        assert!(operator.receive().is_err(), "no payload");
        say(master.as_fd(), &order, &[null.as_fd(), null.as_fd()]);
        assert!(operator.receive().is_err(), "a payload that could change");
    }
}
