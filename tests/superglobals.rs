//! What a script sees of its request: `$_SERVER` and its order, `$_GET`, `$_POST`, `$_COOKIE`, `$_ENV`, `getenv()`.

use fpmd_tests::{Daemon, Fpm, Request, Result};

/// Serves one script as `/t.php`.
fn serve(script: &str) -> Result<Fpm> {
    Daemon::new().file("t.php", script).start()
}

/// Sends `request` for a script that prints an expression's value as JSON.
fn value(expression: &str, change: impl FnOnce(Request) -> Request) -> Result<String> {
    let fpm = serve(&format!("<?php echo json_encode({expression});"))?;
    Ok(fpm
        .send(&change(fpm.request("/t.php?a=1&b[]=2&b[x]=3")))?
        .text())
}

#[test]
fn server_lists_environment_then_parameters_newest_first_then_php_values() -> Result {
    let fpm = Daemon::new()
        .ini("register_argc_argv=0")
        .file("t.php", "<?php echo implode(' ', array_keys($_SERVER));")
        .start()?;
    let script = fpm.site().root().join("t.php");
    let request = Request::bare()
        .param("SCRIPT_FILENAME", script.to_string_lossy().as_bytes())
        .param("REQUEST_METHOD", "GET")
        .param("FIRST", "1")
        .param("SECOND", "2");
    assert_eq!(
        fpm.send(&request)?.text(),
        "USER HOME SECOND FIRST REQUEST_METHOD SCRIPT_FILENAME FCGI_ROLE PHP_SELF REQUEST_TIME_FLOAT REQUEST_TIME"
    );
    Ok(())
}

#[test]
fn repeated_parameter_has_its_last_value_and_its_first_place() -> Result {
    let fpm =
        serve("<?php unset($_SERVER['PHP_SELF']); echo json_encode(array_slice($_SERVER, 2, 3));")?;
    let request = fpm
        .request("/t.php")
        .param("TWICE", "one")
        .param("OTHER", "x")
        .repeated_param("TWICE", "two");
    let text = fpm.send(&request)?.text();
    assert!(text.starts_with(r#"{"OTHER":"x","TWICE":"two","#), "{text}");
    Ok(())
}

#[test]
fn php_self_is_the_script_name_and_the_path_info() -> Result {
    let text = value("$_SERVER['PHP_SELF']", |request| {
        request.param("PATH_INFO", "/more")
    })?;
    assert_eq!(text, r#""\/t.php\/more""#);
    Ok(())
}

#[test]
fn request_time_is_now_as_integer_and_as_float() -> Result {
    let text = value(
        "[is_int($_SERVER['REQUEST_TIME']), is_float($_SERVER['REQUEST_TIME_FLOAT']),
          abs(microtime(true) - $_SERVER['REQUEST_TIME_FLOAT']) < 5,
          (int)$_SERVER['REQUEST_TIME_FLOAT'] - $_SERVER['REQUEST_TIME']]",
        |request| request,
    )?;
    assert_eq!(text, "[true,true,true,0]");
    Ok(())
}

#[test]
fn every_request_has_its_own_time_and_variables() -> Result {
    let fpm = serve(
        "<?php echo $_SERVER['REQUEST_TIME_FLOAT'], ' ', $_SERVER['ONCE'] ?? '-', ' ', $_GET['a'] ?? '-';",
    )?;
    let first = fpm
        .send(&fpm.request("/t.php?a=1").param("ONCE", "here"))?
        .text();
    let second = fpm.get("/t.php")?.text();
    assert!(first.ends_with(" here 1"), "{first}");
    assert!(second.ends_with(" - -"), "{second}");
    assert_ne!(first.split(' ').next(), second.split(' ').next());
    Ok(())
}

#[test]
fn roles_are_named_in_fcgi_role() -> Result {
    use fcgi_proto::record::AfterRequest;
    use fpmd_tests::Record;
    let fpm = serve("<?php echo $_SERVER['FCGI_ROLE'];")?;
    let request = fpm.request("/t.php").bytes();
    for (role, name) in [(1, "RESPONDER"), (2, "AUTHORIZER"), (3, "FILTER")] {
        let mut connection = fpm.connect()?;
        connection.send_bytes(&Record::begin_role(role, AfterRequest::Close).bytes())?;
        connection.send_bytes(&request[16..])?;
        assert_eq!(connection.answer()?.text(), name);
    }
    Ok(())
}

#[test]
fn query_string_fills_get() -> Result {
    assert_eq!(
        value("$_GET", |request| request)?,
        r#"{"a":"1","b":{"0":"2","x":"3"}}"#
    );
    Ok(())
}

#[test]
fn query_string_fills_argv_when_asked() -> Result {
    let daemon = Daemon::new().ini("register_argc_argv=1").file(
        "t.php",
        "<?php echo json_encode([$_SERVER['argv'], $_SERVER['argc']]);",
    );
    let fpm = daemon.start()?;
    assert_eq!(
        fpm.get("/t.php?one+two+3")?.text(),
        r#"[["one","two","3"],3]"#
    );
    assert_eq!(fpm.get("/t.php")?.text(), r#"[[],0]"#);
    Ok(())
}

#[test]
fn cookies_are_decoded_and_the_first_of_a_name_wins() -> Result {
    let text = value("$_COOKIE", |request| {
        request.header("Cookie", "a=1; b=two%20words; a=2; c[x]=y; empty=")
    })?;
    assert_eq!(
        text,
        r#"{"a":"1","b":"two words","c":{"x":"y"},"empty":""}"#
    );
    Ok(())
}

#[test]
fn posted_form_fills_post_and_request() -> Result {
    let text = value("[$_POST, $_REQUEST]", |request| {
        request.form("a=9&n%5B%5D=%C3%A4+b&last")
    })?;
    assert_eq!(
        text,
        r#"[{"a":"9","n":["\u00e4 b"],"last":""},{"a":"9","b":{"0":"2","x":"3"},"n":["\u00e4 b"],"last":""}]"#
    );
    Ok(())
}

#[test]
fn basic_authentication_is_split_into_user_and_password() -> Result {
    let auth = "array_intersect_key($_SERVER, ['PHP_AUTH_USER' => 1, 'PHP_AUTH_PW' => 1, 'PHP_AUTH_DIGEST' => 1, 'HTTP_AUTHORIZATION' => 1])";
    let with = |value: &'static str| move |request: Request| request.header("Authorization", value);
    assert_eq!(
        value(auth, with("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="))?,
        r#"{"HTTP_AUTHORIZATION":"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==","PHP_AUTH_USER":"Aladdin","PHP_AUTH_PW":"open sesame"}"#
    );
    assert_eq!(
        value(auth, with("bAsIc dTo="))?,
        r#"{"HTTP_AUTHORIZATION":"bAsIc dTo=","PHP_AUTH_USER":"u"}"#
    );
    assert_eq!(
        value(auth, with("Digest username=\"u\", nonce=\"n\""))?,
        r#"{"HTTP_AUTHORIZATION":"Digest username=\"u\", nonce=\"n\"","PHP_AUTH_DIGEST":"username=\"u\", nonce=\"n\""}"#
    );
    assert_eq!(
        value(auth, with("Bearer x"))?,
        r#"{"HTTP_AUTHORIZATION":"Bearer x"}"#
    );
    Ok(())
}

#[test]
fn credentials_do_not_leak_into_the_next_request() -> Result {
    let fpm = serve("<?php echo $_SERVER['PHP_AUTH_USER'] ?? 'nobody';")?;
    let with = fpm
        .request("/t.php")
        .header("Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    assert_eq!(fpm.send(&with)?.text(), "Aladdin");
    assert_eq!(fpm.get("/t.php")?.text(), "nobody");
    Ok(())
}

#[test]
fn proxy_header_is_kept_away_from_the_script() -> Result {
    let text = value(
        "[$_SERVER['HTTP_PROXY'] ?? null, $_ENV['HTTP_PROXY'] ?? null, getenv('HTTP_PROXY'), getenv('http_proxy'),
          getenv()['HTTP_PROXY'] ?? null, $_SERVER['HTTP_PROXYS'] ?? null]",
        |request| request.header("Proxy", "http://evil").header("Proxys", "ok"),
    )?;
    assert_eq!(text, r#"[null,null,false,false,"http:\/\/evil","ok"]"#);
    Ok(())
}

#[test]
fn proxy_of_the_environment_wins_over_the_header() -> Result {
    let fpm = Daemon::new()
        .pool("env[HTTP_PROXY] = good")
        .file(
            "t.php",
            "<?php echo json_encode([$_SERVER['HTTP_PROXY'], getenv('HTTP_PROXY')]);",
        )
        .start()?;
    let request = fpm.request("/t.php").header("Proxy", "http://evil");
    assert_eq!(fpm.send(&request)?.text(), r#"["good","good"]"#);
    Ok(())
}

#[test]
fn getenv_sees_the_request_before_the_environment() -> Result {
    let fpm = Daemon::new()
        .pool("env[BOTH] = pool\nenv[POOL] = pool")
        .file(
            "t.php",
            "<?php putenv('PUT=1');
             echo json_encode([getenv('BOTH'), getenv('BOTH', true), getenv('POOL'), getenv('NONE'), getenv('REQUEST_METHOD'),
                getenv('REQUEST_METHOD', true), getenv('PUT'), $_SERVER['BOTH'], isset(getenv()['PUT'], getenv()['REQUEST_METHOD'])]);",
        )
        .start()?;
    let request = fpm.request("/t.php").param("BOTH", "request");
    assert_eq!(
        fpm.send(&request)?.text(),
        r#"["request","pool","pool",false,"GET",false,"1","request",true]"#
    );
    Ok(())
}

#[test]
fn env_holds_what_server_holds_when_asked() -> Result {
    let fpm = Daemon::new()
        .ini("variables_order=EGPCS")
        .file("t.php", "<?php echo json_encode([array_keys(array_diff_key($_SERVER, $_ENV)), $_ENV['REQUEST_METHOD'], $_ENV['USER'] === $_SERVER['USER']]);")
        .start()?;
    let text = fpm.get("/t.php")?.text();
    assert!(text.ends_with(r#","GET",true]"#), "{text}");
    Ok(())
}

#[test]
fn variables_order_leaves_out_what_it_does_not_name() -> Result {
    let fpm = Daemon::new()
        .ini("variables_order=G")
        .file(
            "t.php",
            "<?php echo json_encode([$_GET, $_POST, $_COOKIE, $_SERVER ?? null]);",
        )
        .start()?;
    let request = fpm
        .request("/t.php?a=1")
        .form("b=2")
        .header("Cookie", "c=3");
    assert_eq!(fpm.send(&request)?.text(), r#"[{"a":"1"},[],[],[]]"#);
    Ok(())
}

#[test]
fn default_filter_cleans_parameters_too() -> Result {
    let fpm = Daemon::new()
        .ini("filter.default=special_chars")
        .file("t.php", "<?php echo json_encode([$_GET['a'], $_SERVER['HTTP_X'], filter_input(INPUT_SERVER, 'HTTP_X', FILTER_UNSAFE_RAW)]);")
        .start()?;
    let request = fpm.request("/t.php?a=%3Cb%3E").header("X", "<i>");
    assert_eq!(
        fpm.send(&request)?.text(),
        r##"["&#60;b&#62;","&#60;i&#62;","<i>"]"##
    );
    Ok(())
}

#[test]
fn values_of_any_bytes_and_lengths_arrive_unchanged() -> Result {
    let fpm = serve(
        "<?php echo strlen($_SERVER['V']), ' ', md5($_SERVER['V']), ' ', strlen($_SERVER[str_repeat('N', (int)$_GET['n'])]);",
    )?;
    for length in [0_usize, 1, 126, 127, 128, 129, 255, 256, 8192, 60_000] {
        let value: Vec<u8> = (0..length)
            .map(|at| u8::try_from(at % 255).unwrap_or(0) + 1)
            .collect();
        let name = "N".repeat(length.clamp(1, 5000));
        let request = fpm
            .request(&format!("/t.php?n={}", name.len()))
            .param("V", &value)
            .param(&name, "four");
        let text = fpm.send(&request)?.text();
        assert!(text.starts_with(&format!("{length} ")), "{text}");
        assert!(text.ends_with(" 4"), "{text}");
    }
    Ok(())
}

#[test]
fn value_ends_at_a_nul_octet() -> Result {
    let fpm = serve("<?php echo $_SERVER['V'], ' ', getenv('V'), ' ', $_SERVER['NEXT'];")?;
    let request = fpm
        .request("/t.php")
        .param("V", b"before\0after")
        .param("NEXT", "whole");
    assert_eq!(fpm.send(&request)?.text(), "before before whole");
    Ok(())
}

#[test]
fn thousands_of_parameters_arrive() -> Result {
    let fpm = serve(
        "<?php $n = 0; foreach ($_SERVER as $k => $v) if (preg_match('/^P(\\d+)$/', $k, $m)) $n += (int)($m[1] === $v); echo $n;",
    )?;
    let request = (0..5000).fold(fpm.request("/t.php"), |request, number| {
        request.repeated_param(&format!("P{number}"), number.to_string())
    });
    assert_eq!(fpm.send(&request)?.text(), "5000");
    Ok(())
}

#[test]
fn request_headers_are_listed_newest_first_with_their_usual_spelling() -> Result {
    let script = "json_encode([getallheaders(), apache_request_headers() === getallheaders()])";
    let fpm = serve(&format!("<?php echo {script};"))?;
    let request = Request::get(fpm.site(), "/t.php")
        .header("Host", "example.org")
        .header("X-SHOUTING-name", "a")
        .header("DNT", "1")
        .post("text/plain", "four");
    assert_eq!(
        fpm.send(&request)?.text(),
        r#"[{"Dnt":"1","X-Shouting-Name":"a","Host":"example.org","Content-Length":"4","Content-Type":"text\/plain"},true]"#
    );
    Ok(())
}
