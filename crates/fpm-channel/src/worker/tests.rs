//! A master and a worker on real sockets, polite and not.

use std::io::{IoSlice, Read, Seek, Write};

use super::*;

fn control() -> (MasterEnd, WorkerEnd) {
    let (master, theirs) = MasterEnd::create().unwrap();
    (master, WorkerEnd::adopt(theirs))
}

fn log(text: &str) -> Arc<File> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    Arc::new(file)
}

/// Takes all that has come, in words.
fn heard(worker: &mut WorkerEnd) -> Vec<String> {
    let mut heard = Vec::new();
    loop {
        match worker.receive().unwrap() {
            Next::Message(ToWorker::Look) => heard.push("look".to_owned()),
            Next::Message(ToWorker::AccessLog(file)) => {
                let (mut file, mut text) = (File::from(file), String::new());
                file.rewind().unwrap();
                file.read_to_string(&mut text).unwrap();
                heard.push(text);
            }
            Next::Nothing => return heard,
            Next::Closed => {
                heard.push("end".to_owned());
                return heard;
            }
        }
    }
}

#[test]
fn orders_arrive_in_turn_with_their_descriptors_and_then_the_end() {
    let (mut master, mut worker) = control();
    assert_eq!(master.send(ToWorker::Look).unwrap(), Flushed::All);
    let sent = master.send(ToWorker::AccessLog(log("one")));
    assert_eq!(sent.unwrap(), Flushed::All);
    assert_eq!(heard(&mut worker), ["look", "one"]);
    drop(master);
    assert_eq!(heard(&mut worker), ["end"]);
}

#[test]
fn for_a_stopped_worker_only_the_last_of_each_kind_is_kept() {
    let (mut master, mut worker) = control();
    let mut sent = 0;
    while master.send(ToWorker::Look).unwrap() == Flushed::All {
        sent += 1;
    }
    for text in ["one", "two"] {
        let kept = master.send(ToWorker::AccessLog(log(text))).unwrap();
        assert_eq!(kept, Flushed::Waiting);
    }
    assert_eq!(heard(&mut worker).len(), sent);
    assert_eq!(master.flush().unwrap(), Flushed::All);
    assert_eq!(heard(&mut worker), ["two", "look"]);
    assert_eq!(master.flush().unwrap(), Flushed::All);
    assert!(heard(&mut worker).is_empty());
}

#[test]
fn a_worker_that_is_gone_is_told_as_such() {
    let (mut master, worker) = control();
    drop(worker);
    let refused = master.send(ToWorker::Look).unwrap_err();
    assert!(matches!(refused, ChannelError::Closed), "{refused}");
    assert!(matches!(master.receive().unwrap(), Next::Closed));
}

#[test]
fn what_a_worker_says_arrives_and_never_waits() {
    let (mut master, worker) = control();
    let said = FromWorker::AccessLinesLost(7);
    let mut sent = 0;
    while worker.send(&said).unwrap() == Flushed::All {
        sent += 1;
    }
    drop(worker);
    for _ in 0..sent {
        match master.receive().unwrap() {
            Next::Message(Heard::Said(heard)) => assert_eq!(heard, said),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(master.receive().unwrap(), Next::Closed));
}

#[test]
fn another_thread_of_the_worker_waits_until_there_is_room() {
    let (mut master, worker) = control();
    let said = FromWorker::AccessLinesLost(7);
    let sender = worker.sender().unwrap();
    let mut sent = 1;
    while worker.send(&said).unwrap() == Flushed::All {
        sent += 1;
    }
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| sender.send(&said));
        for _ in 0..sent {
            while !matches!(master.receive().unwrap(), Next::Message(_)) {}
        }
        assert!(thread.join().unwrap().is_ok());
    });
    drop(master);
    let refused = sender.send(&said).unwrap_err();
    assert!(matches!(refused, ChannelError::Closed), "{refused}");
}

#[test]
fn the_last_words_of_a_worker_arrive_though_it_has_not_listened() {
    let (mut master, worker) = control();
    worker.send(&FromWorker::AccessLinesLost(7)).unwrap();
    master.send(ToWorker::Look).unwrap();
    drop(worker);
    assert!(matches!(master.receive(), Ok(Next::Message(_))));
    assert!(matches!(master.receive(), Ok(Next::Closed)));
}

#[test]
fn nonsense_is_an_error_and_descriptors_of_a_worker_are_closed() {
    let (mut master, worker) = control();
    let (mut reader, writer) = io::pipe().unwrap();
    let message = packet(&FromWorker::AccessLinesLost(1)).unwrap();
    for packet in [&b"nonsense"[..], &message] {
        let rights = [writer.as_fd(); 3];
        let parts = [IoSlice::new(packet)];
        seqpacket::send(&worker, &parts, &rights, Patience::AtOnce).unwrap();
    }
    drop(writer);
    assert!(master.receive().is_err());
    assert!(matches!(master.receive(), Ok(Next::Message(_))));
    assert_eq!(reader.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_connection_arrives_before_the_end_of_its_worker() {
    let (mut master, worker) = control();
    let (mut reader, writer) = io::pipe().unwrap();
    assert_eq!(worker.hand_over(&writer).unwrap(), Flushed::All);
    drop((worker, writer));
    let Next::Message(Heard::Connection(connection)) = master.receive().unwrap() else {
        panic!("a connection");
    };
    File::from(connection).write_all(b"x").unwrap();
    assert_eq!(reader.read(&mut [0; 2]).unwrap(), 1);
    assert!(matches!(master.receive(), Ok(Next::Closed)));
}

#[test]
fn a_connection_that_the_master_has_no_room_for_stays_with_its_worker() {
    let (mut master, worker) = control();
    let (_reader, writer) = io::pipe().unwrap();
    while worker.send(&FromWorker::Spent).unwrap() == Flushed::All {}
    assert_eq!(worker.hand_over(&writer).unwrap(), Flushed::Waiting);
    while matches!(master.receive().unwrap(), Next::Message(_)) {}
    assert_eq!(worker.hand_over(&writer).unwrap(), Flushed::All);
}

#[test]
fn a_connection_that_is_none_is_an_error() {
    let (mut master, worker) = control();
    let packet = wire::encode(&Report::<FromWorker>::Connection).unwrap();
    let parts = [IoSlice::new(&packet)];
    seqpacket::send(&worker, &parts, &[], Patience::AtOnce).unwrap();
    let error = master.receive().unwrap_err();
    assert!(matches!(error, ChannelError::Descriptors { .. }), "{error}");
}

#[test]
fn an_order_without_its_descriptor_is_an_error() {
    let (master, mut worker) = control();
    for (order, descriptors) in [
        (Order::AccessLog, vec![]),
        (
            Order::Look,
            vec![worker.as_fd().try_clone_to_owned().unwrap()],
        ),
    ] {
        let rights: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
        master.transmit(&order, &rights).unwrap();
        let error = worker.receive().unwrap_err();
        assert!(matches!(error, ChannelError::Descriptors { .. }), "{error}");
    }
}
