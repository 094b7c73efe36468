//! Clients that do not behave.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use fcgi_proto::client::Encoder;
use fcgi_proto::record::{AfterRequest, RecordType, RequestId, Role};

use crate::Test;
use crate::master::Master;
use crate::site::Site;
use crate::web_server::{Connection, Request, ask};

pub(crate) const TESTS: &[Test] = &[
    ("silent_client", silent_client),
    ("bytes_one_by_one", bytes_one_by_one),
    ("nonsense_is_closed_on", nonsense_is_closed_on),
    ("truncated_requests", truncated_requests),
    ("interleaved_requests", interleaved_requests),
    (
        "half_closed_client_gets_its_answer",
        half_closed_client_gets_its_answer,
    ),
    ("client_that_never_closes", client_that_never_closes),
    ("requests_nobody_waits_for", requests_nobody_waits_for),
    (
        "client_gone_during_the_answer",
        client_gone_during_the_answer,
    ),
    ("unread_bodies", unread_bodies),
    ("more_body_than_announced", more_body_than_announced),
    ("requests_in_one_packet", requests_in_one_packet),
    ("management_records", management_records),
];

/// A site whose script tells which process has run it, and a master with one worker.
struct Scene {
    site: Site,
    master: Master,
    worker: crate::master::Worker,
}

impl Scene {
    fn new(code: &str) -> Scene {
        let site = Site::new(code);
        let mut master = Master::start(&site);
        let worker = master.spawn();
        Scene {
            site,
            master,
            worker,
        }
    }

    fn request(&self) -> Request {
        Request::get(&self.site, "x.php")
    }

    fn connect(&self) -> Connection {
        Connection::open(&self.site.socket())
    }

    /// Makes sure that the worker is alive and well.
    #[track_caller]
    fn still_serves(&self) {
        self.site.script("pid.php", "echo getmypid();");
        let answer = ask(&self.site, &Request::get(&self.site, "pid.php"));
        assert_eq!(answer.text(), self.worker.pid.to_string());
    }
}

fn silent_client() {
    let scene = Scene::new("echo 'x';");
    let since = Instant::now();
    assert_eq!(scene.connect().rest(), b"");
    let waited = since.elapsed();
    assert!(waited >= Duration::from_millis(4900), "{waited:?}");
    scene.still_serves();
}

fn bytes_one_by_one() {
    let scene = Scene::new("echo $_POST['a'] ?? 'none';");
    let kind = "application/x-www-form-urlencoded";
    let request = Request::post(&scene.site, "x.php", kind, b"a=slowly");
    let mut connection = scene.connect();
    for byte in request.encoded() {
        connection.send(&[byte]);
    }
    assert_eq!(connection.answer().text(), "slowly");
    scene.still_serves();
}

fn nonsense_is_closed_on() {
    let scene = Scene::new("echo 'x';");
    for nonsense in [
        &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 TLS",
        &[0; 100],
        &[0xff; 100],
    ] {
        let mut connection = scene.connect();
        connection.send(nonsense);
        let mut rest = Vec::new();
        // The worker may close before it has read everything, which resets the connection.
        let _reset = connection.stream().read_to_end(&mut rest);
        assert_eq!(rest, b"");
        scene.still_serves();
    }
}

fn truncated_requests() {
    let scene = Scene::new("echo 'x';");
    let whole = scene.request().encoded();
    for len in [1, 8, 16, 20, whole.len() - 20] {
        let mut connection = scene.connect();
        connection.send(&whole[..len]);
        connection
            .stream()
            .shutdown(Shutdown::Write)
            .expect("connected");
        connection.rest();
        scene.still_serves();
    }
}

fn interleaved_requests() {
    let scene = Scene::new("echo file_get_contents('php://input');");
    let request = Request::post(&scene.site, "x.php", "text/plain", b"first").encoded();
    let mut other = Encoder::new(RequestId(2));
    other.begin(Role::Responder, AfterRequest::Close);
    // The other request begins in front of the first one's body.
    let body = request.len() - 8 - 16;
    let mut connection = scene.connect();
    connection.send(&request[..body]);
    connection.send(other.as_bytes());
    connection.send(&request[body..]);
    let answers = connection.rest();
    assert!(
        answers.windows(5).any(|five| five == b"first"),
        "{answers:?}"
    );
    let refused = [
        1,
        RecordType::EndRequest.code(),
        0,
        2,
        0,
        8,
        0,
        0,
        0,
        0,
        0,
        0,
        1,
    ];
    assert!(answers.windows(13).any(|end| end == refused), "{answers:?}");
    scene.still_serves();
}

fn half_closed_client_gets_its_answer() {
    let scene = Scene::new("echo 'answer';");
    let mut connection = scene.connect();
    connection.send(&scene.request().encoded());
    connection
        .stream()
        .shutdown(Shutdown::Write)
        .expect("connected");
    assert_eq!(connection.answer().text(), "answer");
}

fn client_that_never_closes() {
    let scene = Scene::new("echo 'x';");
    let mut answered = scene.connect();
    answered.ask(&scene.request());
    let mut never_read = scene.connect();
    never_read.send(&scene.request().encoded());
    // With both still open, the only worker goes on.
    scene.still_serves();
    drop((answered, never_read));
}

fn requests_nobody_waits_for() {
    let scene = Scene::new("echo 'x'; flush(); fgets(fopen(__DIR__ . '/gate', 'r')); echo 'y';");
    let (gate, ran) = (scene.site.path("gate"), scene.site.path("ran"));
    nix::unistd::mkfifo(&gate, nix::sys::stat::Mode::S_IRWXU).expect("a fifo");
    let counting = "file_put_contents(__DIR__ . '/ran', 'x', FILE_APPEND);";
    scene.site.script("count.php", counting);
    let mut busy = scene.connect();
    busy.begin(&scene.request(), "x");
    let count = Request::get(&scene.site, "count.php");
    for _ in 0..10 {
        scene.connect().send(&count.encoded());
    }
    let mut patient = scene.connect();
    patient.send(&count.encoded());
    let mut gate = std::fs::File::create(gate).expect("the script has it open");
    gate.write_all(b"\n").expect("the script reads");
    assert_eq!(busy.answer().text(), "xy");
    patient.answer();
    assert_eq!(std::fs::read(ran).expect("written"), b"x");
    assert_eq!(scene.master.board.totals().counters.abandoned, 10);
    scene.still_serves();
}

fn client_gone_during_the_answer() {
    let scene = Scene::new(
        "register_shutdown_function(fn () => file_put_contents(__DIR__ . '/end', connection_status()));
         echo 'x'; flush();
         while (true) { echo str_repeat('x', 100_000); }",
    );
    let mut connection = scene.connect();
    connection.begin(&scene.request(), "x");
    drop(connection);
    scene.still_serves();
    assert_eq!(
        std::fs::read(scene.site.path("end")).expect("written"),
        b"1"
    );
}

fn unread_bodies() {
    let scene = Scene::new("echo 'x';");
    for keep in [false, true] {
        let mut request = Request::post(&scene.site, "x.php", "text/plain", &[b'x'; 1_000_000])
            .with("REQUEST_METHOD", "PUT");
        if keep {
            request = request.keep();
        }
        let mut connection = scene.connect();
        for _ in 0..if keep { 3 } else { 1 } {
            assert_eq!(connection.ask(&request).text(), "x");
        }
    }
    scene.still_serves();
}

fn more_body_than_announced() {
    let scene = Scene::new("echo file_get_contents('php://input');");
    let request = Request::post(&scene.site, "x.php", "text/plain", &[b'x'; 300_000])
        .with("CONTENT_LENGTH", "5")
        .keep();
    let mut connection = scene.connect();
    for _ in 0..3 {
        assert_eq!(connection.ask(&request).text(), "xxxxx");
    }
    drop(connection);
    let none = Request::post(&scene.site, "x.php", "text/plain", b"xyz").with("CONTENT_LENGTH", "");
    assert_eq!(ask(&scene.site, &none).text(), "");
    scene.still_serves();
}

fn requests_in_one_packet() {
    let scene = Scene::new("echo $_GET['n'];");
    let request = |n: &str| {
        scene
            .request()
            .with("QUERY_STRING", &format!("n={n}"))
            .keep()
    };
    let mut connection = scene.connect();
    connection.send(
        &[
            request("1").encoded(),
            request("2").encoded(),
            request("3").encoded(),
        ]
        .concat(),
    );
    for n in ["1", "2", "3"] {
        assert_eq!(connection.answer().text(), n);
    }
    drop(connection);
    scene.still_serves();
}

fn management_records() {
    let scene = Scene::new("echo 'x';");
    let mut connection = scene.connect();
    connection.send(&fcgi_proto::client::get_values(&[b"FCGI_MPXS_CONNS"]));
    let mut result = [0; 32];
    let count = connection.stream().read(&mut result).expect("an answer");
    assert_eq!(result[..2], [1, RecordType::GetValuesResult.code()]);
    assert!(
        result[..count].ends_with(b"FCGI_MPXS_CONNS0") || count > 24,
        "{result:?}"
    );
    assert_eq!(connection.ask(&scene.request()).text(), "x");
    drop(connection);
    scene.still_serves();
}
