//! FastCGI on the wire as the specification has it, its rarer corners included.

use fcgi_proto::record::{AfterRequest, RecordType};
use fpmd_tests::{Daemon, Record, Request, Result, Under, pair, pairs, under};

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
    let fpm = Daemon::echo().start()?;
    let script = fpm.site().root().join("t.php");
    let mut connection = fpm.connect()?;
    connection.send_bytes(&Record::begin(AfterRequest::Close).padding(3).bytes())?;
    for (name, value) in [
        ("SCRIPT_FILENAME", &*script.to_string_lossy()),
        ("REQUEST_METHOD", "GET"),
        ("X", "padded"),
    ] {
        connection.send_bytes(
            &Record::new(RecordType::Params, pair(name.as_bytes(), value.as_bytes()))
                .padding(255)
                .bytes(),
        )?;
    }
    connection.send_bytes(&Record::new(RecordType::Params, []).padding(8).bytes())?;
    connection.send_bytes(&Record::new(RecordType::Stdin, []).padding(1).bytes())?;
    assert_eq!(connection.answer()?.text(), "served padded");
    Ok(())
}

#[test]
fn request_ids_are_echoed() -> Result {
    let fpm = Daemon::echo().start()?;
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
    let fpm = Daemon::echo().start()?;
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
    let fpm = Daemon::echo().start()?;
    let names = ["FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS"];
    let content: Vec<u8> = names
        .iter()
        .flat_map(|name| pair(name.as_bytes(), b""))
        .collect();
    let mut connection = fpm.connect()?;
    connection.send_bytes(&Record::new(RecordType::GetValues, content).id(0).bytes())?;
    let reply = connection.record()?;
    let Some(Record {
        kind: RecordType::GetValuesResult,
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
    let fpm = Daemon::echo().start()?;
    let mut connection = fpm.connect()?;
    connection.send_bytes(
        &Record::new(RecordType::GetValues, pair(b"NO_SUCH", b""))
            .id(0)
            .bytes(),
    )?;
    let reply = connection.record()?;
    let Some(Record {
        kind: RecordType::GetValuesResult,
        content,
        ..
    }) = reply
    else {
        panic!("{reply:?}")
    };
    assert_eq!(content, b"");
    Ok(())
}

#[test]
fn pair_split_over_two_records_is_put_together_by_fpmd() -> Result {
    let fpm = Daemon::echo().start()?;
    let params = fpm.request("/t.php").param("X", "split").params_bytes();
    let (first, second) = params.split_at(params.len() - 3);
    let bytes = [
        Record::begin(AfterRequest::Close).bytes(),
        Record::new(RecordType::Params, first).bytes(),
        Record::new(RecordType::Params, second).bytes(),
        Record::new(RecordType::Params, []).bytes(),
        Record::new(RecordType::Stdin, []).bytes(),
    ]
    .concat();
    if under()? == Under::Original {
        let mut connection = fpm.connect()?;
        connection.send_bytes(&bytes)?;
        assert_eq!(connection.wait_for_close()?, []);
        return Ok(());
    }
    let mut connection = fpm.connect()?;
    connection.send_bytes(&bytes)?;
    assert_eq!(connection.answer()?.text(), "served split");
    Ok(())
}

#[test]
fn empty_name_and_empty_value_are_harmless() -> Result {
    let fpm = Daemon::echo().start()?;
    let request = fpm
        .request("/t.php")
        .repeated_param("", "nameless")
        .repeated_param("EMPTY", "")
        .repeated_param("X", "last");
    assert_eq!(fpm.send(&request)?.text(), "served last");
    Ok(())
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
    connection.send_bytes(&Record::new(RecordType::Params, pair(b"LONG", &value)).bytes())?;
    connection.send_bytes(&Record::new(RecordType::Params, []).bytes())?;
    connection.send_bytes(&request.body_bytes(65_535))?;
    assert_eq!(
        connection.answer()?.text(),
        format!("{} 65535", value.len())
    );
    Ok(())
}

#[test]
fn bare_begin_and_end_is_an_empty_answer() -> Result {
    let fpm = Daemon::echo().start()?;
    let answer = fpm.send(&Request::bare())?;
    assert_eq!(
        (answer.status, answer.body.len(), answer.end),
        (200, 0, Some((0, 0)))
    );
    Ok(())
}
#[test]
fn abort_before_the_script_starts_is_survived() -> Result {
    let fpm = Daemon::echo().start()?;
    let head = fpm
        .request("/t.php")
        .post("text/plain", "body")
        .head_bytes();
    let mut connection = fpm.connect()?;
    connection.send_bytes(&head)?;
    connection.send_bytes(&Record::new(RecordType::AbortRequest, []).bytes())?;
    let answer = connection.answer()?;
    assert!(matches!(&*answer.text(), "served -" | ""), "{answer:?}");
    drop(connection);
    Ok(())
}
