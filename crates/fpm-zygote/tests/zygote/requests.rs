//! What a request gets.

use crate::Test;
use crate::master::Master;
use crate::site::Site;
use crate::web_server::{Connection, Request, ask};

pub(crate) const TESTS: &[Test] = &[("hello", hello), ("post", post), ("keep_alive", keep_alive)];

fn hello() {
    let site = Site::new("echo 'hello ', PHP_SAPI;");
    let mut master = Master::start(&site);
    let _worker = master.spawn();
    let answer = ask(&site, &Request::get(&site, "x.php"));
    assert_eq!(answer.text(), "hello fpm-fcgi");
    assert!(
        answer
            .head
            .contains("Content-type: text/html; charset=UTF-8"),
        "{}",
        answer.head
    );
    assert_eq!(answer.stderr, "");
}

fn post() {
    let site = Site::new("echo md5($_POST['a'] ?? ''), ' ', strlen($_POST['a'] ?? '');");
    let mut master = Master::start(&site);
    let _worker = master.spawn();
    for len in [0, 10, 70_000, 3_000_000] {
        let mut body = b"a=".to_vec();
        body.resize(2 + len, b'x');
        let request = Request::post(&site, "x.php", "application/x-www-form-urlencoded", &body);
        let answer = ask(&site, &request);
        assert!(
            answer.text().ends_with(&format!(" {len}")),
            "{}",
            answer.text()
        );
    }
}

fn keep_alive() {
    let site = Site::new("echo getmypid();");
    let mut master = Master::start(&site);
    let worker = master.spawn();
    let mut connection = Connection::open(&site.socket());
    for _ in 0..3 {
        let answer = connection.ask(&Request::get(&site, "x.php").keep());
        assert_eq!(answer.text(), worker.pid.to_string());
    }
    connection.ask(&Request::get(&site, "x.php"));
    assert_eq!(connection.rest(), b"");
}
