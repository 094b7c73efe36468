//! Conversations over real sockets, sane and insane.

use std::fs::{File, Metadata};
use std::io::{IoSlice, Read, Write};
use std::os::unix::fs::MetadataExt;

use fpm_conf::{Config, LogLevel, Pool, PoolIndex};
use fpm_os::shared::Region;
use fpm_os::signal::Signal;
use fpm_os::wait::ExitStatus;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::Pid;

use super::*;
use crate::message::{Generation, Login, PhpOptions, PoolStart, RunAs, SlotIndex, WorkerId};

fn channel() -> (MasterEnd, ZygoteEnd) {
    let (master, theirs) = MasterEnd::create().unwrap();
    (master, ZygoteEnd::adopt(theirs))
}

/// A zygote that hears whatever the test says, and the test's end of the socket.
fn insane() -> (OwnedFd, ZygoteEnd) {
    let (ours, theirs) = seqpacket::pair().unwrap();
    (ours, ZygoteEnd::adopt(theirs))
}

fn say(socket: &OwnedFd, packet: &[u8], descriptors: &[BorrowedFd<'_>]) {
    seqpacket::send(
        socket,
        &[IoSlice::new(packet)],
        descriptors,
        Patience::AtOnce,
    )
    .unwrap();
}

fn order(socket: &OwnedFd, order: &Order, descriptors: &[BorrowedFd<'_>]) {
    say(socket, &wire::encode(order).unwrap(), descriptors);
}

fn message<T>(next: Result<Next<T>, ChannelError>) -> T {
    match next {
        Ok(Next::Message(message)) => message,
        Ok(Next::Nothing) => panic!("nothing there"),
        Ok(Next::Closed) => panic!("closed"),
        Err(error) => panic!("{error}"),
    }
}

fn null() -> File {
    File::open("/dev/null").unwrap()
}

fn same_file(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

fn metadata(descriptor: &OwnedFd) -> Metadata {
    File::from(descriptor.try_clone().unwrap())
        .metadata()
        .unwrap()
}

fn parameters(pools: usize) -> Parameters {
    let names = (0..pools).map(|number| format!("pool{number}"));
    let pool = PoolStart {
        area: Region {
            offset: 65_536,
            len: 4096,
        },
        ledger: Region {
            offset: 0,
            len: 4096,
        },
        listener: 1,
        run_as: Some(RunAs {
            uid: 33,
            gid: 33,
            user: "www-data".into(),
        }),
        login: Some(Login {
            user: "www-data".into(),
            home: b"/home/\xff".into(),
        }),
    };
    Parameters {
        generation: Generation(7),
        config: Config {
            pools: names
                .map(|name| Pool::new(&name, "/run/php.sock"))
                .collect(),
            ..Config::default()
        },
        php: PhpOptions {
            defines: vec![b"a=\xfe".into()],
            ..PhpOptions::default()
        },
        pools: vec![pool; pools],
    }
}

fn spawn(worker: u64, control: BorrowedFd<'_>) -> ToZygote<BorrowedFd<'_>> {
    let (pool, slot) = (PoolIndex(1), SlotIndex(2));
    ToZygote::Spawn(Spawn {
        worker: WorkerId(worker),
        pool,
        slot,
        control,
        access_log: None,
        output: None,
    })
}

#[test]
fn a_start_arrives_with_thousands_of_sockets_in_order() {
    const LISTENERS: usize = 1500;
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    assert!(most > 4000, "this machine allows only {most} open files");
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();

    let (mut master, mut zygote) = channel();
    let [scoreboard, ledger] =
        ["scoreboard", "ledger"].map(|name| memfd::freeze(name, b"").unwrap());
    let sockets: Vec<_> = (0..7)
        .map(|_| memfd::freeze("listener", b"").unwrap())
        .collect();
    let expected = parameters(2000);
    let descriptors = sockets.iter().map(AsFd::as_fd).cycle();
    let start = Start {
        parameters: expected.clone(),
        scoreboard: scoreboard.as_fd(),
        ledger: ledger.as_fd(),
        listeners: descriptors.clone().take(LISTENERS).collect(),
        relays: descriptors.skip(1).take(LISTENERS).collect(),
    };
    master.send(&ToZygote::Start(Box::new(start))).unwrap();
    master.send(&spawn(1, scoreboard.as_fd())).unwrap();
    let ToZygote::Start(start) = message(zygote.wait()) else {
        panic!("not a start");
    };
    assert_eq!(start.parameters, expected);
    for (received, sent) in [(&start.scoreboard, &scoreboard), (&start.ledger, &ledger)] {
        assert!(same_file(&metadata(received), &metadata(sent)));
    }
    let sockets: Vec<_> = sockets.iter().map(metadata).collect();
    for (received, first) in [(start.listeners, 0), (start.relays, 1)] {
        assert_eq!(received.len(), LISTENERS);
        for (received, sent) in received.iter().zip(sockets.iter().cycle().skip(first)) {
            assert!(same_file(&metadata(received), sent));
        }
    }
    assert!(matches!(message(zygote.receive()), ToZygote::Spawn(_)));
    assert!(matches!(zygote.receive(), Ok(Next::Nothing)));
}

#[test]
fn a_start_without_listeners_is_complete_at_once() {
    let (mut master, mut zygote) = channel();
    let null = null();
    let start = Start {
        parameters: parameters(0),
        scoreboard: null.as_fd(),
        ledger: null.as_fd(),
        listeners: vec![],
        relays: vec![],
    };
    master.send(&ToZygote::Start(Box::new(start))).unwrap();
    assert!(matches!(message(zygote.receive()), ToZygote::Start(_)));
}

#[test]
fn a_worker_is_asked_for_with_its_pipes() {
    let (mut master, mut zygote) = channel();
    let [control, stdout, stderr] = [(), (), ()].map(|()| std::io::pipe().unwrap());
    let output = Some(Output {
        stdout: stdout.1.as_fd(),
        stderr: stderr.1.as_fd(),
    });
    let (pool, slot) = (PoolIndex(1), SlotIndex(2));
    let control_end = control.0.as_fd();
    let request = Spawn {
        worker: WorkerId(3),
        pool,
        slot,
        control: control_end,
        access_log: None,
        output,
    };
    master.send(&ToZygote::Spawn(request)).unwrap();
    let ToZygote::Spawn(received) = message(zygote.receive()) else {
        panic!("not a spawn");
    };
    assert_eq!(
        (received.worker, received.pool, received.slot),
        (WorkerId(3), pool, slot)
    );

    let (mut to_control, mut from_stdout, mut from_stderr) = (control.1, stdout.0, stderr.0);
    drop((stdout.1, stderr.1));
    to_control.write_all(b"c").unwrap();
    let mut byte = [0];
    File::from(received.control).read_exact(&mut byte).unwrap();
    assert_eq!(byte, *b"c");
    let output = received.output.unwrap();
    File::from(output.stdout).write_all(b"o").unwrap();
    File::from(output.stderr).write_all(b"e").unwrap();
    let mut said = String::new();
    from_stdout.read_to_string(&mut said).unwrap();
    from_stderr.read_to_string(&mut said).unwrap();
    assert_eq!(said, "oe");
}

#[test]
fn the_descriptors_of_a_worker_are_told_apart() {
    let (mut master, mut zygote) = channel();
    let files: Vec<_> = ["control", "log", "stdout", "stderr"]
        .map(|name| memfd::freeze(name, b"").unwrap())
        .into();
    let [control, log, stdout, stderr] = &files[..] else {
        panic!("four files");
    };
    for access_log in [None, Some(log.as_fd())] {
        for captured in [None, Some((stdout.as_fd(), stderr.as_fd()))] {
            let request = Spawn {
                worker: WorkerId(3),
                pool: PoolIndex(1),
                slot: SlotIndex(2),
                control: control.as_fd(),
                access_log,
                output: captured.map(|(stdout, stderr)| Output { stdout, stderr }),
            };
            master.send(&ToZygote::Spawn(request)).unwrap();
            let ToZygote::Spawn(received) = message(zygote.receive()) else {
                panic!("not a spawn");
            };
            let same = |received: &OwnedFd, sent| same_file(&metadata(received), &metadata(sent));
            assert!(same(&received.control, control));
            assert_eq!(received.access_log.is_some(), access_log.is_some());
            assert!(received.access_log.is_none_or(|file| same(&file, log)));
            assert_eq!(received.output.is_some(), captured.is_some());
            assert!(received.output.is_none_or(|output| {
                same(&output.stdout, stdout) && same(&output.stderr, stderr)
            }));
        }
    }
}

#[test]
fn what_a_zygote_says_arrives() {
    let (mut master, mut zygote) = channel();
    let pid = Pid::from_raw(4711);
    let killed = ExitStatus::Signal {
        signal: Signal::SEGV,
        core_dumped: true,
    };
    for said in [
        FromZygote::Ready {
            php_version: "8.4.1".to_owned(),
        },
        FromZygote::Failed {
            reason: b"no \xff".into(),
        },
        FromZygote::Spawned {
            worker: WorkerId(u64::MAX),
            pid,
        },
        FromZygote::SpawnFailed {
            worker: WorkerId(1),
            errno: 11,
        },
        FromZygote::Exited {
            worker: WorkerId(1),
            pid,
            status: killed,
        },
        FromZygote::Exited {
            worker: WorkerId(1),
            pid,
            status: ExitStatus::Code(70),
        },
        FromZygote::Log {
            level: LogLevel::Warning,
            text: "careful".into(),
        },
    ] {
        zygote.send(&said).unwrap();
        assert_eq!(message(master.receive()), said);
    }
    assert!(matches!(master.receive(), Ok(Next::Nothing)));
}

#[test]
fn what_a_master_orders_arrives() {
    let (mut master, mut zygote) = channel();
    let kill = ToZygote::<BorrowedFd<'_>>::Kill {
        worker: WorkerId(5),
        signal: Signal::QUIT,
    };
    master.send(&kill).unwrap();
    master.send(&ToZygote::<BorrowedFd<'_>>::Quit).unwrap();
    let expected = (WorkerId(5), Signal::QUIT);
    assert!(matches!(
        message(zygote.receive()),
        ToZygote::Kill { worker, signal } if (worker, signal) == expected
    ));
    assert!(matches!(message(zygote.receive()), ToZygote::Quit));
}

#[test]
fn messages_wait_for_room_and_keep_their_order_and_descriptors() {
    const WORKERS: u64 = 3000;
    let (mut master, mut zygote) = channel();
    let null = null();
    for worker in 0..WORKERS {
        master.send(&spawn(worker, null.as_fd())).unwrap();
    }
    assert_eq!(
        master.flush().unwrap(),
        Flushed::Waiting,
        "the kernel has no room for so many"
    );
    let mut next = 0;
    while next < WORKERS {
        match zygote.receive().unwrap() {
            Next::Message(ToZygote::Spawn(spawn)) => {
                assert_eq!(spawn.worker, WorkerId(next));
                assert!(same_file(
                    &metadata(&spawn.control),
                    &null.metadata().unwrap()
                ));
                next += 1;
            }
            Next::Nothing => drop(master.flush().unwrap()),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(master.flush().unwrap(), Flushed::All);
}

#[test]
fn the_last_words_are_heard_before_the_end() {
    let (mut master, mut zygote) = channel();
    let words = FromZygote::Failed {
        reason: "no memory".into(),
    };
    zygote.send(&words).unwrap();
    zygote.flush_wait().unwrap();
    drop(zygote);
    assert_eq!(message(master.receive()), words);
    assert!(matches!(master.receive(), Ok(Next::Closed)));
    let quit = master.send(&ToZygote::<BorrowedFd<'_>>::Quit);
    assert!(matches!(quit, Err(ChannelError::Closed)));

    let (master, mut zygote) = channel();
    drop(master);
    assert!(matches!(zygote.wait(), Ok(Next::Closed)));
    assert!(matches!(zygote.send(&words), Err(ChannelError::Closed)));
}

#[test]
fn an_end_with_unread_messages_is_an_end() {
    let (mut master, zygote) = channel();
    master.send(&ToZygote::<BorrowedFd<'_>>::Quit).unwrap();
    drop(zygote);
    assert!(matches!(master.receive(), Ok(Next::Closed)));
}

#[test]
fn a_message_that_is_too_large_is_refused_by_its_sender() {
    let (mut master, mut zygote) = channel();
    let text = vec![b'x'; MAX_PACKET].into();
    let refused = zygote.send(&FromZygote::Log {
        level: LogLevel::Notice,
        text,
    });
    assert!(matches!(
        refused,
        Err(ChannelError::TooLarge {
            limit: MAX_PACKET,
            ..
        })
    ));
    zygote
        .send(&FromZygote::Ready {
            php_version: String::new(),
        })
        .unwrap();
    assert!(matches!(
        message(master.receive()),
        FromZygote::Ready { .. }
    ));
}

#[test]
fn packets_of_another_version_size_or_shape_are_told_apart() {
    let quit = wire::encode(&Order::Quit).unwrap();
    let too_long: Vec<u8> = quit.iter().copied().chain(*b"x").collect();
    let too_large = vec![wire::VERSION; MAX_PACKET + 1];
    for (packet, expected) in [
        (&[wire::VERSION + 1, 0][..], "OtherVersion"),
        (b"GET / HTTP/1.1", "OtherVersion"),
        (&[wire::VERSION], "Garbage"),
        (&[wire::VERSION, 0xff, 0xff], "Garbage"),
        (&too_long, "Garbage"),
        (&too_large, "Truncated"),
    ] {
        let (socket, mut zygote) = insane();
        say(&socket, packet, &[]);
        let error = zygote.receive().unwrap_err();
        assert!(
            format!("{error:?}").starts_with(expected),
            "{error:?} instead of {expected}"
        );
    }
}

#[test]
fn a_wrong_number_of_descriptors_is_told() {
    let null = null();
    let spawn = Order::Spawn {
        worker: WorkerId(1),
        pool: PoolIndex(0),
        slot: SlotIndex(0),
    };
    let start = Order::Start {
        release: RELEASE.to_owned(),
        listeners: 0,
    };
    for (message, sent, needed) in [
        (&spawn, 0, 1),
        (&spawn, 5, 4),
        (&start, 1, 3),
        (&Order::Quit, 1, 0),
    ] {
        let (socket, mut zygote) = insane();
        order(&socket, message, &vec![null.as_fd(); sent]);
        match zygote.receive() {
            Err(ChannelError::Descriptors { expected, found }) => {
                assert_eq!((expected, found), (needed, sent));
            }
            other => panic!("{other:?}"),
        }
    }
    let (mut master, theirs) = MasterEnd::create().unwrap();
    let ready = FromZygote::Ready {
        php_version: String::new(),
    };
    say(&theirs, &wire::encode(&ready).unwrap(), &[null.as_fd()]);
    assert!(matches!(
        master.receive(),
        Err(ChannelError::Descriptors {
            expected: 0,
            found: 1
        })
    ));
}

#[test]
fn a_start_that_is_not_whole_is_told() {
    let null = null();
    let payload = postcard::to_allocvec(&parameters(1)).unwrap();
    let payload = memfd::freeze("payload", &payload).unwrap();
    // The first packet of a start with two listeners.
    let begun = || {
        let (socket, zygote) = insane();
        let start = Order::Start {
            release: RELEASE.to_owned(),
            listeners: 2,
        };
        let descriptors = [payload.as_fd(), null.as_fd(), null.as_fd()];
        order(&socket, &start, &descriptors);
        (socket, zygote)
    };

    let (socket, mut zygote) = begun();
    assert!(
        matches!(zygote.receive(), Ok(Next::Nothing)),
        "two listeners and their relays are missing"
    );
    order(&socket, &Order::Quit, &[]);
    assert!(matches!(zygote.receive(), Err(ChannelError::OutOfOrder)));

    let (socket, mut zygote) = begun();
    order(&socket, &Order::Descriptors, &[null.as_fd(); 3]);
    assert!(
        matches!(zygote.receive(), Ok(Next::Nothing)),
        "a relay is missing"
    );
    order(&socket, &Order::Descriptors, &[null.as_fd(); 2]);
    let too_many = zygote.receive();
    assert!(matches!(
        too_many,
        Err(ChannelError::Descriptors {
            expected: 4,
            found: 5
        })
    ));

    let (socket, mut zygote) = insane();
    order(&socket, &Order::Descriptors, &[null.as_fd()]);
    assert!(matches!(zygote.receive(), Err(ChannelError::OutOfOrder)));

    let (socket, mut zygote) = begun();
    drop(socket);
    assert!(matches!(zygote.wait(), Ok(Next::Closed)));
}

#[test]
fn a_start_of_another_release_or_with_a_bad_payload_is_told() {
    let null = null();
    let refused = |release: &str, payload: BorrowedFd<'_>| {
        let (socket, mut zygote) = insane();
        let start = Order::Start {
            release: release.to_owned(),
            listeners: 0,
        };
        order(&socket, &start, &[payload, null.as_fd(), null.as_fd()]);
        zygote.receive().unwrap_err()
    };
    let junk = memfd::freeze("payload", b"junk").unwrap();
    let other = refused("99.0.0", junk.as_fd());
    assert!(matches!(other, ChannelError::OtherRelease { theirs, .. } if theirs == "99.0.0"));
    assert!(matches!(
        refused(RELEASE, junk.as_fd()),
        ChannelError::Garbage(_)
    ));
    assert!(
        matches!(refused(RELEASE, null.as_fd()), ChannelError::Io(_)),
        "not sealed"
    );
}
