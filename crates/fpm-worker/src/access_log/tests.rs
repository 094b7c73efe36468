//! Every specifier and modifier against the text that php-fpm's documentation and source give it.

use std::fs;
use std::time::Duration;

use expect_test::expect;
use fcgi_proto::params::Params;
use fpm_scoreboard::{Description, Finished};
use sapi::CSlice;

use super::*;

fn params() -> Params {
    let mut params = Params::new();
    params.set(b"SERVER_NAME", b"example.org");
    params.set(b"EMPTY", b"");
    params.set(b"HTTP_USER_AGENT", b"a\nb\rc");
    params
}

fn entry(params: &Params) -> Entry<'_> {
    Entry {
        request: Description {
            method: b"GET",
            uri: b"/x.php",
            query: b"a=1",
            script: b"/www/x.php",
            user: b"me",
            content_length: 12,
        },
        params,
        client: Some("::ffff:192.0.2.1".parse().unwrap()),
        status: 404,
        headers: &[],
        cost: Finished {
            duration: Duration::from_micros(1_234_567),
            memory: 3 * 1024 * 1024 + 2047,
        },
        ended: Duration::from_secs(1_795_256_400),
        id: b"id\xff",
        waited: Some(Duration::from_micros(1500)),
    }
}

fn writer() -> Writer {
    Writer {
        pool: "www".into(),
        generation: 7,
        process: Pid::from_raw(11),
        parent: Pid::from_raw(10),
    }
}

fn cpu() -> CpuTimes {
    CpuTimes {
        user: Duration::from_micros(600_000),
        system: Duration::from_micros(17_283),
    }
}

fn line(format: &str, entry: &Entry<'_>) -> String {
    let (writer, cpu) = (writer(), cpu());
    let mut line = Vec::new();
    let format = Format::compile(format.into());
    entry::compose(&format, entry, &writer, cpu, &mut line);
    String::from_utf8(line).unwrap()
}

#[test]
fn specifiers_and_modifiers() {
    let params = params();
    let mut entry = entry(&params);
    let headers = [
        CSlice::new(b"Content-type: text/html; charset=UTF-8"),
        CSlice::new(b"X-Empty: "),
        CSlice::new(b"X-No:blank"),
    ];
    entry.headers = &headers;
    for (format, expected) in [
        ("%C %{total}C %{User}C %{SYSTEM}C", "50.00 50.00 48.60 1.40"),
        ("%d %{seconds}d", "1.235 1.235"),
        (
            "%{milli}d %{milliseconds}d %{mili}d %{miliseconds}d",
            "1234.567 1234.567 1234.567 1234.567",
        ),
        ("%{micro}d %{microseconds}d", "1234567 1234567"),
        (
            "%{SERVER_NAME}e %{EMPTY}e %{NOPE}e %{server_name}e",
            "example.org  - -",
        ),
        ("%{HTTP_USER_AGENT}e", "a.b.c"),
        ("%f", "/www/x.php"),
        ("%l", "12"),
        ("%m", "GET"),
        ("%M %{bytes}M", "3147775 3147775"),
        ("%{kilo}M %{kilobytes}M", "3073 3073"),
        ("%{mega}M %{megabytes}M", "3 3"),
        ("%n", "www"),
        ("%{Content-type}o", "text/html; charset=UTF-8"),
        ("%{Content-Type}o %{X-Empty}o %{X-No}o", "- - -"),
        ("%p %P", "11 10"),
        ("%r%Q%q", "/x.php?a=1"),
        ("%R", "192.0.2.1"),
        ("%s", "404"),
        ("%{%s}t %{%s}T", "1795256398 1795256400"),
        ("%u", "me"),
        ("%%", "%"),
    ] {
        assert_eq!(line(format, &entry), expected, "{format}");
    }
    // Whatever the time zone is.
    let times = line(
        "%t|%{%d/%b/%Y:%H:%M:%S %z}t|%T|%{%d/%b/%Y:%H:%M:%S %z}T",
        &entry,
    );
    let times: Vec<_> = times.split('|').collect();
    assert_eq!((times[0], times[2]), (times[1], times[3]));
    assert_eq!(times[0].len(), "21/Nov/2026:10:19:58 +0000".len());
}

#[test]
fn what_is_not_known() {
    let params = params();
    let entry = Entry {
        request: Description::default(),
        client: None,
        cost: Finished::default(),
        ..entry(&params)
    };
    assert_eq!(line("%R|%u|%m|%r|%q|%Q|%f|%l", &entry), "-||-||||-|0");
    assert_eq!(line("%d %{micro}d %C %M", &entry), "0.000 0 0.00 0");
}

#[test]
fn the_default_format() {
    let params = params();
    let mut entry = entry(&params);
    entry.request.user = b"";
    let text = line("%R - %u %t \"%m %r\" %s", &entry);
    assert!(text.starts_with("192.0.2.1 -  "), "{text}");
    assert!(text.ends_with(" \"GET /x.php\" 404"), "{text}");
}

#[test]
fn long_lines_are_cut_and_empty_ones_left_out() {
    for (len, written, length) in [
        (0, Written::Nothing, 0),
        (1, Written::Whole, 2),
        (1024, Written::Whole, 1025),
        (1025, Written::Truncated, 1025),
        (9000, Written::Truncated, 1025),
    ] {
        let mut line = vec![b'x'; len];
        assert_eq!(finish(&mut line), written);
        assert_eq!(line.len(), length);
    }
}

#[test]
fn suppressed_paths() {
    let params = params();
    let plain = {
        let mut entry = entry(&params);
        entry.request.query = b"";
        entry.request.content_length = 0;
        entry.request.uri = b"/ping";
        entry.status = 200;
        entry
    };
    let paths = ["/ping".into(), "/x/y".into()];
    let check = |alter: &dyn Fn(&mut Entry<'_>), expected: bool| {
        let mut entry = plain;
        alter(&mut entry);
        assert_eq!(is_suppressed(&paths, &entry), expected);
    };
    check(&|_| {}, true);
    check(&|entry| entry.request.method = b"HEAD", true);
    check(&|entry| entry.request.content_length = -1, true);
    check(&|entry| entry.request.uri = b"/x/y", true);
    check(&|entry| entry.status = 299, true);
    check(&|entry| entry.request.method = b"POST", false);
    check(&|entry| entry.request.method = b"get", false);
    check(&|entry| entry.request.content_length = 1, false);
    check(&|entry| entry.request.query = b"a", false);
    check(&|entry| entry.request.uri = b"/ping/", false);
    check(&|entry| entry.status = 199, false);
    check(&|entry| entry.status = 300, false);
}

#[test]
fn lines_are_appended_to_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    fs::write(&path, "before\n").unwrap();
    let mut pool = Pool::new("www", "/run/x.sock");
    pool.access_format = Some("%m %s %C".into());
    pool.access_suppress_path = vec!["/ping".into()];
    let open = || {
        let file = fs::OpenOptions::new().append(true).open(&path).unwrap();
        AccessLog::new(file.into(), &pool, 7, Pid::from_raw(1)).unwrap()
    };
    let (mut one, mut other) = (open(), open());
    let params = params();
    let entry = entry(&params);
    assert_eq!(one.write(&entry), Written::Whole);
    assert_eq!(other.write(&entry), Written::Whole);
    assert_eq!(one.write(&entry), Written::Whole);
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 4);
    assert!(
        text.lines()
            .skip(1)
            .all(|line| line.starts_with("GET 404 "))
    );
    pool.access_format = None;
    let file = File::open(&path).unwrap();
    assert!(AccessLog::new(file.into(), &pool, 7, Pid::from_raw(1)).is_none());
}

#[test]
fn objects_say_all_that_is_known() {
    let params = params();
    let mut entry = entry(&params);
    let (writer, cpu) = (writer(), cpu());
    let line = String::from_utf8(object::compose(&entry, &writer, cpu)).unwrap();
    let (_, rest) = line.split_once("\",\"level\"").unwrap();
    expect![[r#"
        :"notice","pool":"www","pid":11,"generation":7,"request_id":"id?","client":"192.0.2.1","user":"me","method":"GET","uri":"/x.php","query":"a=1","script":"/www/x.php","status":404,"duration":1.234567,"cpu_user":0.600000,"cpu_system":0.017283,"memory":3147775,"queue_wait":0.001500}
    "#]]
    .assert_eq(&rest.replace('\u{fffd}', "?"));
    entry.client = None;
    entry.waited = None;
    entry.request = Description::default();
    let line = object::compose(&entry, &writer, cpu);
    let object: serde_json::Value = serde_json::from_slice(&line).unwrap();
    for name in [
        "client",
        "user",
        "method",
        "uri",
        "query",
        "script",
        "queue_wait",
    ] {
        assert_eq!(object.get(name), None, "{name}");
    }
}
