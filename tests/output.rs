//! The answer's body on its way out: sizes, flushing, buffers, the two streams and their framing.

use fcgi_proto::record::RecordType;
use fpmd_tests::{Daemon, Fpm, Gate, PhpVersion, Result, Subject};

fn serve(script: &str) -> Result<Fpm> {
    Daemon::new().file("t.php", script).start()
}

#[test]
fn output_of_any_size_arrives_whole() -> Result {
    let fpm = serve("<?php mt_srand(7); $n = (int)$_GET['n']; $s = ''; while (strlen($s) < $n) $s .= pack('V', mt_rand()); $s = substr($s, 0, $n);
        foreach ($_GET['piece'] ? str_split($s, (int)$_GET['piece']) : [$s] as $part) echo $part; error_log('');")?;
    let whole = fpm.get("/t.php?n=300000&piece=0")?.body;
    assert_eq!(whole.len(), 300_000);
    for size in [
        1_usize, 7, 8, 8100, 8191, 8192, 8193, 65_527, 65_528, 65_529, 65_535, 65_536, 131_072,
        300_000,
    ] {
        for piece in [0, 1000, 8192, 65_536] {
            let body = fpm.get(&format!("/t.php?n={size}&piece={piece}"))?.body;
            assert!(
                body == whole[..size],
                "{size} octets in pieces of {piece} came as {}",
                body.len()
            );
        }
    }
    Ok(())
}

#[test]
fn empty_output_is_just_headers() -> Result {
    let answer = serve("<?php ")?.get("/t.php")?;
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert_eq!(answer.end, Some((0, 0)));
    Ok(())
}

#[test]
fn records_are_well_formed() -> Result {
    let fpm = serve("<?php echo str_repeat('x', 200000); error_log('mid'); echo 'tail';")?;
    let answer = fpm.send(&fpm.request("/t.php").id(0x1234))?;
    for record in &answer.records {
        assert_eq!(record.id, 0x1234, "{:?}", record.kind);
        assert_eq!(
            (record.content.len() + usize::from(record.padding)) % 8,
            0,
            "{:?} of {}",
            record.kind,
            record.content.len()
        );
        assert!(
            record.kind == RecordType::EndRequest || !record.content.is_empty(),
            "empty {:?}",
            record.kind
        );
    }
    let kinds: Vec<RecordType> = answer.records.iter().map(|record| record.kind).collect();
    assert_eq!(kinds.last(), Some(&RecordType::EndRequest));
    assert_eq!(
        kinds
            .iter()
            .filter(|kind| **kind == RecordType::EndRequest)
            .count(),
        1
    );
    assert!(answer.text().ends_with("xtail"));
    Ok(())
}

/// Runs a script that says `first`, waits at the gate, and says `second`; fails unless `first` comes while it waits.
fn expect_two_pieces(script: &str) -> Result {
    let fpm = serve(script)?;
    let gate = Gate::new(fpm.site(), "gate")?;
    let mut connection = fpm.begin(&fpm.request("/t.php"))?;
    connection.output_until("first")?;
    gate.open()?;
    assert_eq!(connection.answer()?.body, b"second");
    Ok(())
}

#[test]
fn flush_sends_what_there_is() -> Result {
    expect_two_pieces(
        "<?php echo 'first'; flush(); fgets(fopen(__DIR__ . '/../var/gate', 'r')); echo 'second';",
    )
}

#[test]
fn flush_before_any_output_sends_headers_in_newer_php() -> Result {
    let fpm = serve("<?php header('A: 1'); flush(); echo json_encode(headers_sent());")?;
    let newer = Subject::from_environment()?.php() >= PhpVersion(8, 4);
    assert_eq!(fpm.get("/t.php")?.text(), newer.to_string());
    Ok(())
}

#[test]
fn without_flush_a_small_answer_is_one_piece() -> Result {
    let fpm = serve("<?php for ($i = 0; $i < 100; $i++) echo 'x'; ")?;
    let answer = fpm.get("/t.php")?;
    let kinds: Vec<RecordType> = answer.records.iter().map(|record| record.kind).collect();
    assert_eq!(kinds, [RecordType::Stdout, RecordType::EndRequest]);
    Ok(())
}

#[test]
fn implicit_flush_sends_every_echo() -> Result {
    expect_two_pieces(
        "<?php ob_implicit_flush(); echo 'first'; fgets(fopen(__DIR__ . '/../var/gate', 'r')); echo 'second';",
    )
}

#[test]
fn output_buffers_nest_and_filter() -> Result {
    let fpm = serve(
        "<?php ob_start(fn($s) => strtoupper($s)); echo 'a'; ob_start(fn($s) => strrev($s)); echo 'bc'; ob_end_flush(); echo 'd'; ob_end_flush(); ob_start(); echo 'gone'; ob_end_clean(); echo 'e'; ob_start(); echo 'f';",
    )?;
    assert_eq!(fpm.get("/t.php")?.text(), "ACBDef");
    Ok(())
}

#[test]
fn compressed_output_is_announced() -> Result {
    let fpm = Daemon::new()
        .ini("zlib.output_compression=1")
        .file("t.php", "<?php echo str_repeat('x', 10000);")
        .start()?;
    let answer = fpm.send(&fpm.request("/t.php").header("Accept-Encoding", "gzip"))?;
    assert_eq!(answer.header("Content-Encoding"), Some("gzip"));
    assert_eq!(answer.body.get(..2), Some(&[0x1f, 0x8b][..]));
    assert!(answer.body.len() < 500);
    assert_eq!(fpm.get("/t.php")?.body.len(), 10_000);
    Ok(())
}

#[test]
fn messages_go_to_the_error_stream_in_their_order() -> Result {
    let fpm = serve("<?php error_log('one'); echo 'x'; error_log('two');")?;
    let answer = fpm.get("/t.php")?;
    assert_eq!(answer.stderr, "PHP message: one; PHP message: two");
    assert_eq!(answer.text(), "x");
    let kinds: Vec<RecordType> = answer.records.iter().map(|record| record.kind).collect();
    assert_eq!(
        kinds,
        [
            RecordType::Stderr,
            RecordType::Stdout,
            RecordType::Stderr,
            RecordType::EndRequest
        ]
    );
    Ok(())
}

#[test]
fn messages_can_be_kept_from_the_error_stream() -> Result {
    let fpm = Daemon::new()
        .ini("fastcgi.logging=0")
        .file("t.php", "<?php error_log('one'); echo 'x';")
        .start()?;
    let answer = fpm.get("/t.php")?;
    assert_eq!((&*answer.stderr, &*answer.text()), ("", "x"));
    Ok(())
}

#[test]
fn output_stream_wrappers_write_to_the_answer() -> Result {
    let fpm = serve(
        "<?php fwrite(fopen('php://output', 'w'), 'a'); readfile(__FILE__ . '.txt'); fpassthru(fopen('data:,c', 'r')); printf('%s', 'd'); ?>e<?= 'f' ?>\ng\n",
    )?;
    fpm.site().write("t.php.txt", "b")?;
    assert_eq!(fpm.get("/t.php")?.text(), "abcdefg\n");
    Ok(())
}

#[test]
fn standard_streams_of_the_worker_are_not_the_answer() -> Result {
    let fpm = serve(
        "<?php fwrite(fopen('php://stdout', 'w'), 'lost'); fwrite(fopen('php://stderr', 'w'), 'lost'); echo 'seen', defined('STDIN') ? '!' : '';",
    )?;
    let answer = fpm.get("/t.php")?;
    assert_eq!((&*answer.text(), &*answer.stderr), ("seen", ""));
    Ok(())
}

#[test]
fn fifty_megabytes_stream_through() -> Result {
    let fpm = Daemon::new()
        .ini("memory_limit=16M")
        .file(
            "t.php",
            "<?php for ($i = 0; $i < 50; $i++) echo str_repeat(chr(65 + $i % 26), 1 << 20);",
        )
        .start()?;
    let body = fpm.get("/t.php")?.body;
    assert_eq!(body.len(), 50 << 20);
    assert!(body.chunks(1 << 20).enumerate().all(|(at, chunk)| {
        chunk
            .iter()
            .all(|octet| usize::from(*octet) == 65 + at % 26)
    }));
    Ok(())
}
