//! Broken and hostile traffic. Whatever comes, no worker ends and the next client is served.

use fpmd_tests::{Answer, Daemon, Fpm, Kind, Record, Result, Subject, Under, pair};

fn serve() -> Result<Fpm> {
    Daemon::new()
        .file(
            "t.php",
            "<?php echo 'served ', $_SERVER['X'] ?? '-', file_get_contents('php://input');",
        )
        .start()
}

fn under() -> Result<Under> {
    Ok(Subject::from_environment()?.under())
}

/// The worker lives and serves.
fn serves_on(fpm: &Fpm) -> Result {
    assert_eq!(fpm.get("/t.php")?.text(), "served -");
    assert_eq!(fpm.log().lines_with("exited"), Vec::<String>::new());
    Ok(())
}

/// Sends `bytes` and then nothing more; returns what comes back until the daemon closes.
fn reply_to(fpm: &Fpm, bytes: &[u8]) -> Result<Vec<Record>> {
    let mut connection = fpm.connect()?;
    connection.send_if_wanted(bytes);
    let replies = connection.wait_for_close()?;
    drop(connection);
    serves_on(fpm)?;
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
                kind: Kind::EndRequest,
                id,
                content,
                ..
            },
        ] => Some((*id, *content.get(4)?)),
        _ => None,
    }
}

#[test]
fn unknown_role_is_refused() -> Result {
    let fpm = serve()?;
    for role in [0, 4, 0xffff] {
        let bytes = [
            Record::begin_role(role, 0).bytes(),
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
    let fpm = serve()?;
    let bytes = Record::new(Kind::Other(99), "content").id(0).bytes();
    match under()? {
        Under::Original => is_refused(&fpm, &bytes),
        Under::Fpmd => {
            let mut connection = fpm.connect()?;
            connection.send_bytes(&bytes)?;
            let reply = connection.record()?;
            let Some(Record {
                kind: Kind::UnknownType,
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
    let fpm = serve()?;
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
        return serves_on(&fpm);
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
    serves_on(&fpm)
}

#[test]
fn begin_record_of_a_wrong_length_is_refused() -> Result {
    let fpm = serve()?;
    for length in [0, 7, 9, 1000] {
        let mut content = vec![0; length];
        if let Some(role) = content.get_mut(1) {
            *role = 1;
        }
        let bytes = [
            Record::new(Kind::BeginRequest, content).bytes(),
            fpm.request("/t.php").bytes()[16..].to_vec(),
        ]
        .concat();
        let replies = reply_to(&fpm, &bytes)?;
        assert!(
            replies.iter().all(|record| record.kind != Kind::Stdout),
            "{length}: {replies:?}"
        );
    }
    Ok(())
}

#[test]
fn records_before_begin_are_refused() -> Result {
    let fpm = serve()?;
    for kind in [
        Kind::Params,
        Kind::Stdin,
        Kind::Data,
        Kind::Stdout,
        Kind::EndRequest,
        Kind::AbortRequest,
        Kind::Other(0),
        Kind::Other(200),
    ] {
        let mut connection = fpm.connect()?;
        connection.send_if_wanted(&Record::new(kind, "x").bytes());
        connection.shut_down_sending().ok();
        let replies = connection.wait_for_close()?;
        assert!(
            replies.iter().all(|record| record.kind != Kind::Stdout),
            "{kind:?}: {replies:?}"
        );
    }
    serves_on(&fpm)
}

#[test]
fn version_zero_is_refused() -> Result {
    let fpm = serve()?;
    let mut bytes = fpm.request("/t.php").bytes();
    bytes[0] = 0;
    is_refused(&fpm, &bytes)
}

#[test]
fn truncated_requests_end_quietly() -> Result {
    let fpm = serve()?;
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
    serves_on(&fpm)
}

#[test]
fn pair_that_claims_more_than_there_is_is_refused() -> Result {
    let fpm = serve()?;
    for content in [
        &b"\x05\x05ab"[..],
        b"\x80\x00",
        b"\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x01\xff\xff\xff\xffx",
        b"\x05",
    ] {
        let bytes = [
            Record::begin(0).bytes(),
            Record::new(Kind::Params, content).bytes(),
            Record::new(Kind::Params, []).bytes(),
            Record::new(Kind::Stdin, []).bytes(),
        ]
        .concat();
        let replies = reply_to(&fpm, &bytes)?;
        assert!(
            replies.iter().all(|record| record.kind != Kind::Stdout),
            "{content:?}: {replies:?}"
        );
    }
    Ok(())
}

#[test]
fn flood_of_parameters_does_not_take_the_daemon_down() -> Result {
    let fpm = serve()?;
    let mut connection = fpm.connect()?;
    connection.send_bytes(&Record::begin(0).bytes())?;
    let record = Record::new(Kind::Params, pair(b"FLOOD", &[b'x'; 65_000])).bytes();
    for _ in 0..200 {
        connection.send_if_wanted(&record);
    }
    drop(connection);
    serves_on(&fpm)
}

#[test]
fn http_on_the_fastcgi_port_is_refused() -> Result {
    let fpm = serve()?;
    let mut connection = fpm.connect()?;
    connection.send_bytes(b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n")?;
    connection.shut_down_sending().ok();
    assert_eq!(connection.wait_for_close()?, []);
    drop(connection);
    serves_on(&fpm)
}

#[test]
fn noise_is_survived() -> Result {
    let fpm = serve()?;
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
    serves_on(&fpm)
}

#[test]
fn connections_that_come_and_go_are_harmless() -> Result {
    let fpm = serve()?;
    for _ in 0..200 {
        drop(fpm.connect()?);
    }
    serves_on(&fpm)
}

#[test]
fn request_after_garbage_on_a_kept_connection_is_refused() -> Result {
    let fpm = serve()?;
    let mut connection = fpm.begin(&fpm.request("/t.php").keep_connection())?;
    connection.answer()?;
    connection.send_if_wanted(&[0xff; 64]);
    assert!(
        connection
            .wait_for_close()?
            .iter()
            .all(|record| record.kind != Kind::Stdout)
    );
    drop(connection);
    serves_on(&fpm)
}
