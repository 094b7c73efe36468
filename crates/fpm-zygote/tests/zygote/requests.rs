//! What a request gets.

use fpm_channel::Login;
use fpm_conf::LogLevel;
use fpm_scoreboard::Stage;

use crate::Test;
use crate::master::Master;
use crate::site::Site;
use crate::web_server::{Connection, Request, ask};

pub(crate) const TESTS: &[Test] = &[
    ("hello", hello),
    ("post", post),
    ("large_answers", large_answers),
    ("statuses", statuses),
    ("path_info", path_info),
    ("finish_request", finish_request),
    ("logs", logs),
    ("settings", settings),
    ("environment", environment),
    ("scoreboard", scoreboard),
    ("keep_alive", keep_alive),
];

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

fn large_answers() {
    let site = Site::new(
        "for ($i = 0; $i < $_GET['n']; $i++) { echo str_repeat('0123456789', $_GET['t']); }",
    );
    let mut master = Master::start(&site);
    let _worker = master.spawn();
    for (n, t) in [(1, 3_000), (1, 500_000), (20_000, 1), (50, 700), (3, 6_553)] {
        let query = format!("n={n}&t={t}");
        let answer = ask(
            &site,
            &Request::get(&site, "x.php").with("QUERY_STRING", &query),
        );
        assert_eq!(answer.body.len(), n * t * 10, "{query}");
        assert!(
            answer.body.chunks(10).all(|ten| ten == b"0123456789"),
            "{query}"
        );
    }
}

fn statuses() {
    let site = Site::new("http_response_code(418); header('X-A: b');");
    site.script("x.txt", "echo 'secret';");
    site.script("gone.php", "header('HTTP/1.1 410 Really gone');");
    let mut master = Master::start(&site);
    let _worker = master.spawn();
    for (name, status, body, stderr) in [
        ("x.php", "Status: 418", "", ""),
        ("gone.php", "Status: 410 Really gone", "", ""),
        (
            "none.php",
            "Status: 404 Not Found",
            "File not found.\n",
            "Primary script unknown",
        ),
        (
            "x.txt",
            "Status: 403 Forbidden",
            "Access denied.\n",
            "Access to the script '{}' has been denied (see security.limit_extensions)",
        ),
    ] {
        let answer = ask(&site, &Request::get(&site, name));
        assert_eq!(answer.head.lines().next(), Some(status), "{name}");
        assert_eq!(answer.text(), body, "{name}");
        let path = site.path(name);
        assert_eq!(
            answer.stderr,
            stderr.replace("{}", path.to_str().expect("plain"))
        );
    }
    let answer = ask(&site, &Request::without_method(&site, "x.php"));
    assert_eq!(
        (answer.text().as_str(), answer.head.contains("Status")),
        ("", false)
    );
}

fn path_info() {
    let site = Site::new(
        "echo $_SERVER['PHP_SELF'], ' ', $_SERVER['PATH_INFO'] ?? '-', ' ', $_SERVER['ORIG_SCRIPT_FILENAME'] ?? '-';",
    );
    let mut master = Master::start(&site);
    let _worker = master.spawn();
    assert_eq!(
        ask(&site, &Request::get(&site, "x.php")).text(),
        "/x.php - -"
    );
    let whole = site.path("x.php/a/b");
    let whole = whole.to_str().expect("plain");
    let request = Request::get(&site, "x.php/a/b").with("PATH_INFO", "/x.php/a/b");
    assert_eq!(
        ask(&site, &request).text(),
        format!("/x.php/a/b /a/b {whole}")
    );
}

fn finish_request() {
    let site = Site::new(
        "echo 'answer';
         $first = fastcgi_finish_request();
         echo 'unheard';
         $second = fastcgi_finish_request();
         file_put_contents(__DIR__ . '/after', json_encode([$first, $second, connection_status()]));",
    );
    let mut master = Master::start(&site);
    let _worker = master.spawn();
    let after = || std::fs::read_to_string(site.path("after")).expect("the script went on");
    assert_eq!(ask(&site, &Request::get(&site, "x.php")).text(), "answer");
    // The next request is answered by the same worker, so the script has ended.
    site.script("y.php", "echo 'y';");
    assert_eq!(ask(&site, &Request::get(&site, "y.php")).text(), "y");
    assert_eq!(after(), "[true,false,0]");
    let mut connection = Connection::open(&site.socket());
    for _ in 0..3 {
        assert_eq!(
            connection.ask(&Request::get(&site, "x.php").keep()).text(),
            "answer"
        );
        assert_eq!(
            connection.ask(&Request::get(&site, "y.php").keep()).text(),
            "y"
        );
        assert_eq!(after(), "[true,true,0]");
    }
}

fn logs() {
    let site = Site::new("error_log('one'); error_log('two'); echo 'x'; error_log('three');");
    let mut master = Master::start(&site);
    let worker = master.spawn_caught();
    let answer = ask(&site, &Request::get(&site, "x.php"));
    assert_eq!(answer.text(), "x");
    assert_eq!(
        answer.stderr,
        "PHP message: one; PHP message: two; PHP message: three"
    );
    let lines = ["one", "two", "three"].map(|text| format!("NOTICE: PHP message: {text}\n"));
    let mark = "\0fscf\0";
    assert_eq!(worker.stderr(mark), lines.concat() + mark);
}

fn settings() {
    let mut site = Site::new(
        "echo ini_get('memory_limit'), ' ', ini_get('precision'), ' ', ini_set('precision', '9') === false ? 'fixed' : 'free';",
    );
    site.php("memory_limit", "77M")
        .php("precision", "11")
        .php("no.such", "1");
    let mut master = Master::start(&site);
    let _worker = master.spawn();
    let request = || Request::get(&site, "x.php");
    assert_eq!(ask(&site, &request()).text(), "77M 11 fixed");
    assert_eq!(
        master.logged(1),
        [(
            LogLevel::Error,
            "Unable to set php_admin_value 'no.such'".into()
        )]
    );
    let answer = ask(
        &site,
        &request().with("PHP_VALUE", "memory_limit=88M\nno.such=1\n[x]"),
    );
    assert_eq!(answer.text(), "88M 11 fixed");
    assert_eq!(
        answer.stderr,
        "Passing INI directive through FastCGI: unable to set 'no.such'; \
         Passing INI directive through FastCGI: only classic entries are allowed"
    );
    assert_eq!(ask(&site, &request()).text(), "88M 11 fixed", "it lasts");
}

fn environment() {
    let mut site = Site::new(
        "echo getenv('A'), ' ', getenv('B'), ' ', getenv('USER'), ' ', getenv('PATH') === false ? 'clear' : 'kept';",
    );
    site.pool.env = vec![
        ("A".into(), "1".into()),
        ("B".into(), "$FPMD_PHP_PREFIX".into()),
    ];
    let mut master = Master::launch(&site, |mut start| {
        start.pools[0].login = Some(Login {
            user: "who".into(),
            home: "/".into(),
        });
        start
    });
    master.hear();
    let _worker = master.spawn();
    let prefix = std::env::var("FPMD_PHP_PREFIX").unwrap_or_default();
    assert_eq!(
        ask(&site, &Request::get(&site, "x.php")).text(),
        format!("1 {prefix} who clear")
    );
}

fn scoreboard() {
    let site = Site::new("echo 'x'; flush(); fgets(fopen(__DIR__ . '/gate', 'r'));");
    let gate = site.path("gate");
    nix::unistd::mkfifo(&gate, nix::sys::stat::Mode::S_IRWXU).expect("a fifo");
    let mut master = Master::start(&site);
    let worker = master.spawn();
    let mut connection = Connection::open(&site.socket());
    let request = Request::get(&site, "x.php")
        .with("QUERY_STRING", "q=1")
        .with("HTTP_AUTHORIZATION", "Basic d2hvOnB3")
        .keep();
    connection.begin(&request, "x");
    let shown = master.board.snapshot(worker.slot).expect("claimed");
    assert_eq!(shown.state.stage, Stage::Running);
    assert_eq!((shown.state.pid, shown.state.requests), (worker.pid, 1));
    assert_eq!(
        (
            &shown.method[..],
            &shown.uri[..],
            &shown.query[..],
            &shown.user[..]
        ),
        (&b"GET"[..], &b"/x.php"[..], &b"q=1"[..], &b"who"[..])
    );
    std::fs::write(gate, b"\n").expect("the script reads");
    connection.answer();
    // A kept connection that rests is an idle worker.
    master.until_stage(&worker, Stage::Resting);
    let totals = master.board.totals();
    assert_eq!((totals.idle, totals.active), (1, 0));
    let shown = master.board.snapshot(worker.slot).expect("claimed");
    assert!(
        shown.state.memory > 100_000 && !shown.state.duration.is_zero(),
        "{shown:?}"
    );
}
