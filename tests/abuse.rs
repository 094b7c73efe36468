//! Broken and hostile traffic. Whatever comes, no worker ends and the next client is served.

use fcgi_proto::record::{AfterRequest, RecordType};
use fpmd_tests::{Answer, Daemon, Fpm, Record, Result, Under, pair, under};

/// Sends `bytes` and then nothing more; returns what comes back until the daemon closes.
fn reply_to(fpm: &Fpm, bytes: &[u8]) -> Result<Vec<Record>> {
    let mut connection = fpm.connect()?;
    connection.send_if_wanted(bytes);
    let replies = connection.wait_for_close()?;
    drop(connection);
    fpm.serves_on()?;
    Ok(replies)
}

/// The daemon closes without a word.
fn is_refused(fpm: &Fpm, bytes: &[u8]) -> Result {
    assert_eq!(reply_to(fpm, bytes)?, []);
    Ok(())
}

/// What END_REQUEST says, if that is all that was said: the request's id and the protocol status.
fn verdict(records: &[Record]) -> Option<(u16, u8)> {
    match records {
        [
            Record {
                kind: RecordType::EndRequest,
                id,
                content,
                ..
            },
        ] => Some((*id, *content.get(4)?)),
        _ => None,
    }
}

/// Tells whether no script has said anything.
fn says_nothing(records: &[Record]) -> bool {
    let mut kinds = records.iter().map(|record| record.kind);
    kinds.all(|kind| kind != RecordType::Stdout)
}

#[test]
fn unknown_role_is_refused() -> Result {
    let fpm = Daemon::echo().start()?;
    for role in [0, 4, 0xffff] {
        let bytes = [
            Record::begin_role(role, AfterRequest::Close).bytes(),
            fpm.request("/t.php").bytes()[16..].to_vec(),
        ]
        .concat();
        match under()? {
            Under::Original => is_refused(&fpm, &bytes)?,
            // 3 is FCGI_UNKNOWN_ROLE.
            Under::Fpmd => assert_eq!(
                verdict(&reply_to(&fpm, &bytes)?),
                Some((1, 3)),
                "role {role}"
            ),
        }
    }
    Ok(())
}

#[test]
fn unknown_management_record_is_refused() -> Result {
    let fpm = Daemon::echo().start()?;
    let bytes = Record::new(RecordType::Other(99), "content").id(0).bytes();
    match under()? {
        Under::Original => is_refused(&fpm, &bytes),
        Under::Fpmd => {
            let mut connection = fpm.connect()?;
            connection.send_bytes(&bytes)?;
            let reply = connection.record()?;
            let Some(Record {
                kind: RecordType::UnknownType,
                id: 0,
                content,
                ..
            }) = reply
            else {
                panic!("{reply:?}")
            };
            assert_eq!(content.first(), Some(&99));
            connection.send(&fpm.request("/t.php"))?;
            assert_eq!(connection.answer()?.text(), "served -");
            Ok(())
        }
    }
}

#[test]
fn second_request_in_the_middle_of_the_first_is_refused_by_fpmd() -> Result {
    let fpm = Daemon::echo().start()?;
    let request = fpm.request("/t.php").post("text/plain", "body");
    let other = fpm.request("/t.php").id(2);
    let mut connection = fpm.connect()?;
    connection.send_bytes(&request.head_bytes())?;
    connection.send_bytes(&other.head_bytes())?;
    connection.send_bytes(&request.body_bytes(2))?;
    if under()? == Under::Original {
        // Anything but STDIN is the end of the body to it.
        assert_eq!(connection.answer()?.text(), "served -");
        drop(connection);
        return fpm.serves_on();
    }
    let mut records = Vec::new();
    while let Some(record) = connection.record()? {
        records.push(record);
    }
    let (refused, served): (Vec<Record>, Vec<Record>) =
        records.into_iter().partition(|record| record.id == 2);
    // 1 is FCGI_CANT_MPX_CONN.
    assert_eq!(verdict(&refused), Some((2, 1)));
    assert_eq!(Answer::of(served).text(), "served -body");
    fpm.serves_on()
}

#[test]
fn begin_record_of_a_wrong_length_is_refused() -> Result {
    let fpm = Daemon::echo().start()?;
    for length in [0, 7, 9, 1000] {
        let mut content = vec![0; length];
        if let Some(role) = content.get_mut(1) {
            *role = 1;
        }
        let bytes = [
            Record::new(RecordType::BeginRequest, content).bytes(),
            fpm.request("/t.php").bytes()[16..].to_vec(),
        ]
        .concat();
        let replies = reply_to(&fpm, &bytes)?;
        assert!(says_nothing(&replies), "{length}: {replies:?}");
    }
    Ok(())
}

#[test]
fn records_before_begin_are_refused() -> Result {
    let fpm = Daemon::echo().start()?;
    for kind in [
        RecordType::Params,
        RecordType::Stdin,
        RecordType::Data,
        RecordType::Stdout,
        RecordType::EndRequest,
        RecordType::AbortRequest,
        RecordType::Other(0),
        RecordType::Other(200),
    ] {
        let mut connection = fpm.connect()?;
        connection.send_if_wanted(&Record::new(kind, "x").bytes());
        connection.shut_down_sending().ok();
        let replies = connection.wait_for_close()?;
        assert!(says_nothing(&replies), "{kind:?}: {replies:?}");
    }
    fpm.serves_on()
}

#[test]
fn version_zero_is_refused() -> Result {
    let fpm = Daemon::echo().start()?;
    let mut bytes = fpm.request("/t.php").bytes();
    bytes[0] = 0;
    is_refused(&fpm, &bytes)
}

#[test]
fn truncated_requests_end_quietly() -> Result {
    let fpm = Daemon::echo().start()?;
    let bytes = fpm.request("/t.php").head_bytes();
    for length in [
        0,
        1,
        7,
        8,
        9,
        15,
        16,
        17,
        23,
        24,
        30,
        100,
        bytes.len() - 9,
        bytes.len() - 1,
    ] {
        let mut connection = fpm.connect()?;
        connection.send_bytes(&bytes[..length])?;
        connection.shut_down_sending()?;
        assert_eq!(connection.wait_for_close()?, [], "{length} octets");
    }
    fpm.serves_on()
}

#[test]
fn pair_that_claims_more_than_there_is_is_refused() -> Result {
    let fpm = Daemon::echo().start()?;
    for content in [
        &b"\x05\x05ab"[..],
        b"\x80\x00",
        b"\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x01\xff\xff\xff\xffx",
        b"\x05",
    ] {
        let bytes = [
            Record::begin(AfterRequest::Close).bytes(),
            Record::new(RecordType::Params, content).bytes(),
            Record::new(RecordType::Params, []).bytes(),
            Record::new(RecordType::Stdin, []).bytes(),
        ]
        .concat();
        let replies = reply_to(&fpm, &bytes)?;
        assert!(says_nothing(&replies), "{content:?}: {replies:?}");
    }
    Ok(())
}

#[test]
fn flood_of_parameters_does_not_take_the_daemon_down() -> Result {
    let fpm = Daemon::echo().start()?;
    let mut connection = fpm.connect()?;
    connection.send_bytes(&Record::begin(AfterRequest::Close).bytes())?;
    let record = Record::new(RecordType::Params, pair(b"FLOOD", &[b'x'; 65_000])).bytes();
    for _ in 0..200 {
        connection.send_if_wanted(&record);
    }
    drop(connection);
    fpm.serves_on()
}

#[test]
fn http_on_the_fastcgi_port_is_refused() -> Result {
    let fpm = Daemon::echo().start()?;
    let mut connection = fpm.connect()?;
    connection.send_bytes(b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n")?;
    connection.shut_down_sending().ok();
    assert_eq!(connection.wait_for_close()?, []);
    drop(connection);
    fpm.serves_on()
}

#[test]
fn noise_is_survived() -> Result {
    let fpm = Daemon::echo().start()?;
    let mut state = 0x9e37_79b9_u32;
    let mut octet = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[2]
    };
    let good = fpm.request("/t.php").post("text/plain", "body").bytes();
    for round in 0..300 {
        let mut bytes: Vec<u8> = if round % 3 == 0 {
            (0..200).map(|_| octet()).collect()
        } else {
            good.clone()
        };
        for _ in 0..3 {
            let at = (usize::from(octet()) << 8 | usize::from(octet())) % bytes.len();
            bytes[at] = octet();
        }
        let mut connection = fpm.connect()?;
        connection.send_if_wanted(&bytes);
        connection.shut_down_sending().ok();
        drop(connection);
    }
    fpm.serves_on()
}

#[test]
fn connections_that_come_and_go_are_harmless() -> Result {
    let fpm = Daemon::echo().start()?;
    for _ in 0..200 {
        drop(fpm.connect()?);
    }
    fpm.serves_on()
}

#[test]
fn request_after_garbage_on_a_kept_connection_is_refused() -> Result {
    let fpm = Daemon::echo().start()?;
    let mut connection = fpm.begin(&fpm.request("/t.php").keep_connection())?;
    connection.answer()?;
    connection.send_if_wanted(&[0xff; 64]);
    assert!(says_nothing(&connection.wait_for_close()?));
    drop(connection);
    fpm.serves_on()
}
