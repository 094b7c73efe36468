//! nginx in front: the usual configurations, kept connections, buffering on and off, errors.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;

use fpmd_tests::{Daemon, Fpm, Multipart, Nginx, PATIENCE, Page, Result};

/// A daemon that nginx's user may connect to.
fn daemon() -> Daemon {
    Daemon::new().pool("listen.mode = 0666").workers(2)
}

/// The location block that nginx's documentation gives for PHP.
const PHP: &str = "location ~ \\.php$ { {pass} }";

#[test]
fn php_and_static_files_are_served_side_by_side() -> Result {
    let fpm = daemon()
        .file("index.php", "<?php echo 'index ', $_SERVER['HTTP_HOST'];")
        .file("style.css", "b { color: red }")
        .start()?;
    let nginx = Nginx::start(&fpm, PHP)?;
    let browser = nginx.browser();
    assert_eq!(browser.get("/")?.text(), format!("index {}", nginx.host()));
    assert_eq!(browser.get("/style.css")?.text(), "b { color: red }");
    assert_eq!(browser.get("/none.php")?.status, 404);
    assert_eq!(browser.get("/none.php")?.text(), "File not found.\n");
    nginx.log().wait_for("FastCGI sent in stderr: \"Primary script unknown\" while reading response header from upstream")?;
    Ok(())
}

#[test]
fn path_info_is_split_by_nginx() -> Result {
    let location = "location ~ ^(.+\\.php)(/.*)?$ { fastcgi_split_path_info ^(.+\\.php)(/.*)$; {pass} fastcgi_param PATH_INFO $fastcgi_path_info; }";
    let fpm = daemon().file("a.php", "<?php echo json_encode([$_SERVER['SCRIPT_NAME'], $_SERVER['PATH_INFO'], $_SERVER['PHP_SELF'], $_GET]);").start()?;
    let nginx = Nginx::start(&fpm, location)?;
    assert_eq!(
        nginx.browser().get("/a.php/x/y?q=1")?.text(),
        r#"["\/a.php","\/x\/y","\/a.php\/x\/y",{"q":"1"}]"#
    );
    Ok(())
}

#[test]
fn front_controller_gets_every_path() -> Result {
    let location =
        "location / { try_files $uri /index.php?$query_string; } location ~ \\.php$ { {pass} }";
    let fpm = daemon()
        .file(
            "index.php",
            "<?php echo $_SERVER['REQUEST_URI'], ' ', json_encode($_GET);",
        )
        .start()?;
    let nginx = Nginx::start(&fpm, location)?;
    assert_eq!(
        nginx.browser().get("/blog/2026/post?x=%20y")?.text(),
        r#"/blog/2026/post?x=%20y {"x":" y"}"#
    );
    Ok(())
}

#[test]
fn upstream_connections_can_be_kept() -> Result {
    let fpm = daemon().file("t.php", "<?php echo $_GET['n'];").start()?;
    let nginx = Nginx::start(&fpm, "location ~ \\.php$ { fastcgi_keep_conn on; {pass} }")?;
    thread::scope(|scope| {
        let visitors: Vec<_> = (0..2)
            .map(|visitor| {
                let nginx = &nginx;
                scope.spawn(move || -> Result {
                    let browser = nginx.browser();
                    for number in 0..300 {
                        let page = browser.get(&format!("/t.php?n={visitor}.{number}"))?;
                        assert_eq!(
                            (page.status, page.text()),
                            (200, format!("{visitor}.{number}"))
                        );
                    }
                    Ok(())
                })
            })
            .collect();
        visitors.into_iter().try_for_each(|visitor| {
            visitor
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    })?;
    assert_eq!(fpm.log().lines_with("exited"), Vec::<String>::new());
    Ok(())
}

fn uploaded(fpm: &Fpm, location: &str) -> Result<Page> {
    let nginx = Nginx::start(fpm, location)?;
    let content: Vec<u8> = (0_u32..3_000_000)
        .map(|at| at.to_le_bytes()[(at % 3) as usize])
        .collect();
    let form =
        Multipart::new()
            .field("a", "1")
            .file("f", "x.bin", "application/octet-stream", &content);
    nginx.browser().upload("/t.php", &[], &form)
}

#[test]
fn uploads_arrive_buffered_and_unbuffered() -> Result {
    let fpm = daemon()
        .ini("upload_max_filesize=8M")
        .file("t.php", "<?php echo $_POST['a'], ' ', $_FILES['f']['size'], ' ', crc32(file_get_contents($_FILES['f']['tmp_name']));")
        .start()?;
    let buffered = uploaded(&fpm, PHP)?.text();
    assert!(buffered.starts_with("1 3000000 "), "{buffered}");
    let unbuffered = uploaded(
        &fpm,
        "location ~ \\.php$ { fastcgi_request_buffering off; {pass} }",
    )?;
    assert_eq!(unbuffered.text(), buffered);
    Ok(())
}

#[test]
fn body_in_a_file_is_read_from_the_file() -> Result {
    let fpm = daemon()
        .ini("upload_max_filesize=8M")
        .file("t.php", "<?php echo $_POST['a'], ' ', $_FILES['f']['size'], ' ', basename(dirname($_SERVER['REQUEST_BODY_FILE'], 1)) !== '';")
        .start()?;
    let location = "location ~ \\.php$ { client_body_in_file_only clean; fastcgi_pass_request_body off; fastcgi_param REQUEST_BODY_FILE $request_body_file; {pass} }";
    assert_eq!(uploaded(&fpm, location)?.text(), "1 3000000 1");
    Ok(())
}

#[test]
fn unbuffered_answer_comes_as_it_is_flushed() -> Result {
    let fpm = daemon()
        .file("t.php", "<?php echo 'first'; flush(); fgets(fopen(__DIR__ . '/../var/gate', 'r')); echo 'second';")
        .start()?;
    let gate = fpmd_tests::Gate::new(fpm.site(), "gate")?;
    let nginx = Nginx::start(&fpm, "location ~ \\.php$ { fastcgi_buffering off; {pass} }")?;
    let mut stream = TcpStream::connect(nginx.host())?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /t.php HTTP/1.0\r\n\r\n")?;
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while !text.ends_with("first") {
        let count = stream.read(&mut buffer)?;
        assert_ne!(count, 0, "closed after {text}");
        text += &String::from_utf8_lossy(&buffer[..count]);
    }
    gate.open()?;
    stream.read_to_string(&mut text)?;
    assert!(text.ends_with("firstsecond"), "{text}");
    Ok(())
}

#[test]
fn large_answers_come_whole() -> Result {
    let fpm = daemon()
        .ini("memory_limit=16M")
        .file(
            "t.php",
            "<?php for ($i = 0; $i < 300; $i++) echo str_repeat(chr(65 + $i % 26), 100000);",
        )
        .start()?;
    for location in [
        PHP,
        "location ~ \\.php$ { fastcgi_keep_conn on; {pass} }",
        "location ~ \\.php$ { fastcgi_buffering off; {pass} }",
    ] {
        let body = Nginx::start(&fpm, location)?.browser().get("/t.php")?.body;
        assert_eq!(body.len(), 30_000_000, "{location}");
        assert!(body.chunks(100_000).enumerate().all(|(at, chunk)| {
            chunk
                .iter()
                .all(|octet| usize::from(*octet) == 65 + at % 26)
        }));
    }
    Ok(())
}

#[test]
fn statuses_headers_and_cookies_pass_through() -> Result {
    let fpm = daemon()
        .file("t.php", "<?php http_response_code((int)$_GET['s']); header('X-A: 1'); setcookie('c', '1'); if ($_GET['s'] === '304') exit; echo 'body';")
        .file("login.php", "<?php echo $_SERVER['PHP_AUTH_USER'] ?? '', ':', $_SERVER['PHP_AUTH_PW'] ?? '', $_COOKIE['c'] ?? '-';")
        .start()?;
    let nginx = Nginx::start(&fpm, PHP)?;
    let browser = nginx.browser();
    for status in [200, 201, 304, 403, 404, 418, 500, 503] {
        let page = browser.get(&format!("/t.php?s={status}"))?;
        assert_eq!((page.status, page.header("x-a")), (status, Some("1")));
    }
    let page = browser.get_with("/login.php", &[("Authorization", "Basic dXNlcjpwYXNz")])?;
    assert_eq!(page.text(), "user:pass1");
    Ok(())
}

#[test]
fn crashed_worker_is_a_502_and_the_next_page_is_fine() -> Result {
    let fpm = daemon()
        .file("crash.php", "<?php posix_kill(getmypid(), SIGSEGV);")
        .file("well.php", "<?php echo 'well';")
        .start()?;
    let nginx = Nginx::start(&fpm, PHP)?;
    let browser = nginx.browser();
    assert_eq!(browser.get("/crash.php")?.status, 502);
    assert_eq!(browser.get("/well.php")?.text(), "well");
    Ok(())
}

#[test]
fn visitor_who_leaves_ends_the_script() -> Result {
    let fpm = daemon()
        .file(
            "t.php",
            "<?php register_shutdown_function(fn() => file_put_contents(__DIR__ . '/../var/report', connection_status() . \"\\n\"));
             for ($i = 0; $i < 100000; $i++) { echo str_repeat('x', 10000); flush(); }",
        )
        .start()?;
    let report = fpmd_tests::Gate::new(fpm.site(), "report")?;
    let nginx = Nginx::start(&fpm, PHP)?;
    let mut stream = TcpStream::connect(nginx.host())?;
    stream.write_all(b"GET /t.php HTTP/1.0\r\n\r\n")?;
    let mut first = [0; 1000];
    stream.read_exact(&mut first)?;
    drop(stream);
    assert_eq!(report.wait()?, "1");
    Ok(())
}
