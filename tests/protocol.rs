//! FastCGI on the wire: the odd but valid, the broken, and the hostile. Whatever comes, the next client is served.

use std::time::Duration;

use fpmd_tests::{
    Connection, Daemon, Fpm, Kind, Record, Request, Result, Subject, Under, pair, pairs,
};

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
fn request_may_come_octet_by_octet() -> Result {
    for daemon in [Daemon::new(), Daemon::new().tcp()] {
        let fpm = daemon
            .file(
                "t.php",
                "<?php echo 'served ', file_get_contents('php://input');",
            )
            .start()?;
        let mut connection = fpm.connect()?;
        for octet in fpm.request("/t.php").post("text/plain", "body").bytes() {
            connection.send_bytes(&[octet])?;
        }
        assert_eq!(connection.answer()?.text(), "served body");
    }
    Ok(())
}

#[test]
fn parameters_may_come_in_many_padded_records() -> Result {
    let fpm = serve()?;
    let script = fpm.site().root().join("t.php");
    let mut connection = fpm.connect()?;
    connection.send_bytes(&Record::begin(0).padding(3).bytes())?;
    for (name, value) in [
        ("SCRIPT_FILENAME", &*script.to_string_lossy()),
        ("REQUEST_METHOD", "GET"),
        ("X", "padded"),
    ] {
        connection.send_bytes(
            &Record::new(Kind::Params, pair(name.as_bytes(), value.as_bytes()))
                .padding(255)
                .bytes(),
        )?;
    }
    connection.send_bytes(&Record::new(Kind::Params, []).padding(8).bytes())?;
    connection.send_bytes(&Record::new(Kind::Stdin, []).padding(1).bytes())?;
    assert_eq!(connection.answer()?.text(), "served padded");
    Ok(())
}

#[test]
fn request_ids_are_echoed() -> Result {
    let fpm = serve()?;
    for id in [1, 2, 255, 256, 0xffff] {
        let answer = fpm.send(&fpm.request("/t.php").id(id))?;
        assert!(
            answer.records.iter().all(|record| record.id == id),
            "{id}: {answer:?}"
        );
    }
    Ok(())
}

#[test]
fn reserved_octets_and_flags_are_ignored() -> Result {
    let fpm = serve()?;
    let mut bytes = fpm.request("/t.php").bytes();
    bytes[7] = 0xff;
    bytes[10] = 0xfe;
    bytes[11..16].fill(0xff);
    let mut connection = fpm.connect()?;
    connection.send_bytes(&bytes)?;
    assert_eq!(connection.answer()?.text(), "served -");
    assert!(connection.wait_for_close()?.is_empty());
    Ok(())
}

#[test]
fn daemon_says_that_it_does_not_multiplex() -> Result {
    let fpm = serve()?;
    let names = ["FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS"];
    let content: Vec<u8> = names
        .iter()
        .flat_map(|name| pair(name.as_bytes(), b""))
        .collect();
    let mut connection = fpm.connect()?;
    connection.send_bytes(&Record::new(Kind::GetValues, content).id(0).bytes())?;
    let reply = connection.record()?;
    let Some(Record {
        kind: Kind::GetValuesResult,
        id: 0,
        content,
        ..
    }) = reply
    else {
        panic!("{reply:?}")
    };
    let values = pairs(&content);
    assert!(
        values.contains(&("FCGI_MPXS_CONNS".to_owned(), "0".to_owned())),
        "{values:?}"
    );
    connection.send(&fpm.request("/t.php"))?;
    assert_eq!(connection.answer()?.text(), "served -");
    Ok(())
}

#[test]
fn unknown_values_are_not_answered() -> Result {
    let fpm = serve()?;
    let mut connection = fpm.connect()?;
    connection.send_bytes(
        &Record::new(Kind::GetValues, pair(b"NO_SUCH", b""))
            .id(0)
            .bytes(),
    )?;
    let reply = connection.record()?;
    let Some(Record {
        kind: Kind::GetValuesResult,
        content,
        ..
    }) = reply
    else {
        panic!("{reply:?}")
    };
    assert_eq!(content, []);
    Ok(())
}

#[test]
fn pair_split_over_two_records_is_put_together_by_fpmd() -> Result {
    let fpm = serve()?;
    let params = fpm.request("/t.php").param("X", "split").params_bytes();
    let (first, second) = params.split_at(params.len() - 3);
    let bytes = [
        Record::begin(0).bytes(),
        Record::new(Kind::Params, first).bytes(),
        Record::new(Kind::Params, second).bytes(),
        Record::new(Kind::Params, []).bytes(),
        Record::new(Kind::Stdin, []).bytes(),
    ]
    .concat();
    if under()? == Under::Original {
        return is_refused(&fpm, &bytes);
    }
    let mut connection = fpm.connect()?;
    connection.send_bytes(&bytes)?;
    assert_eq!(connection.answer()?.text(), "served split");
    Ok(())
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
    assert_eq!(fpmd_tests::Answer::of(served).text(), "served -body");
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
fn empty_name_and_empty_value_are_harmless() -> Result {
    let fpm = serve()?;
    let request = fpm
        .request("/t.php")
        .repeated_param("", "nameless")
        .repeated_param("EMPTY", "")
        .repeated_param("X", "last");
    assert_eq!(fpm.send(&request)?.text(), "served last");
    serves_on(&fpm)
}

#[test]
fn largest_records_are_accepted() -> Result {
    let fpm = Daemon::new()
        .file(
            "t.php",
            "<?php echo strlen($_SERVER['LONG']), ' ', strlen(file_get_contents('php://input'));",
        )
        .start()?;
    let value = vec![b'v'; 65_535 - 4 - 5];
    let mut connection = fpm.connect()?;
    let request = fpm.request("/t.php").post("text/plain", vec![b'b'; 65_535]);
    let head = request.head_bytes();
    connection.send_bytes(&head[..head.len() - 8])?;
    connection.send_bytes(&Record::new(Kind::Params, pair(b"LONG", &value)).bytes())?;
    connection.send_bytes(&Record::new(Kind::Params, []).bytes())?;
    connection.send_bytes(&request.body_bytes(65_535))?;
    assert_eq!(
        connection.answer()?.text(),
        format!("{} 65535", value.len())
    );
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
fn silent_client_is_sent_away_after_five_seconds() -> Result {
    let fpm = serve()?;
    let mut silent = fpm.connect()?;
    let mut waiting = fpm.begin(&fpm.request("/t.php"))?;
    assert!(waiting.is_silent_for(Duration::from_secs(2))?);
    assert_eq!(waiting.answer()?.text(), "served -");
    assert_eq!(silent.wait_for_close()?, []);
    Ok(())
}

#[test]
fn slow_client_is_served_in_the_end_and_holds_only_one_worker() -> Result {
    let fpm = Daemon::new()
        .workers(2)
        .file("t.php", "<?php echo 'served -';")
        .start()?;
    let bytes = fpm.request("/t.php").bytes();
    let mut slow = fpm.connect()?;
    for octet in &bytes[..3] {
        slow.send_bytes(&[*octet])?;
        assert!(slow.is_silent_for(Duration::from_secs(1))?);
        serves_on(&fpm)?;
    }
    slow.send_bytes(&bytes[3..])?;
    assert_eq!(slow.answer()?.text(), "served -");
    Ok(())
}

#[test]
fn client_that_never_closes_after_its_answer_holds_the_original_but_not_fpmd() -> Result {
    let fpm = serve()?;
    let mut stubborn = fpm.begin(&fpm.request("/t.php"))?;
    stubborn.answer()?;
    let mut next = fpm.begin(&fpm.request("/t.php"))?;
    if under()? == Under::Original {
        assert!(next.is_silent_for(Duration::from_secs(1))?);
        drop(stubborn);
    }
    assert_eq!(next.answer()?.text(), "served -");
    Ok(())
}

#[test]
fn client_that_keeps_talking_after_its_answer_does_not_hold_fpmd() -> Result {
    let fpm = serve()?;
    let mut talker = fpm.begin(&fpm.request("/t.php"))?;
    talker.answer()?;
    for _ in 0..50 {
        talker.send_if_wanted(&Record::new(Kind::Stdin, [0; 1000]).bytes());
    }
    let mut next = fpm.begin(&fpm.request("/t.php"))?;
    if under()? == Under::Original {
        drop(talker);
    }
    assert_eq!(next.answer()?.text(), "served -");
    Ok(())
}

#[test]
fn half_closed_client_still_gets_its_answer() -> Result {
    for daemon in [Daemon::new(), Daemon::new().tcp()] {
        let fpm = daemon.file("t.php", "<?php echo 'served';").start()?;
        let mut connection: Connection = fpm.begin(&fpm.request("/t.php"))?;
        connection.shut_down_sending()?;
        assert_eq!(connection.answer()?.text(), "served");
    }
    Ok(())
}

#[test]
fn abort_before_the_script_starts_is_survived() -> Result {
    let fpm = serve()?;
    let head = fpm
        .request("/t.php")
        .post("text/plain", "body")
        .head_bytes();
    let mut connection = fpm.connect()?;
    connection.send_bytes(&head)?;
    connection.send_bytes(&Record::new(Kind::AbortRequest, []).bytes())?;
    let answer = connection.answer()?;
    assert!(matches!(&*answer.text(), "served -" | ""), "{answer:?}");
    drop(connection);
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

#[test]
fn bare_begin_and_end_is_an_empty_answer() -> Result {
    let fpm = serve()?;
    let answer = fpm.send(&Request::bare())?;
    assert_eq!(
        (answer.status, answer.body.len(), answer.end),
        (200, 0, Some((0, 0)))
    );
    serves_on(&fpm)
}
