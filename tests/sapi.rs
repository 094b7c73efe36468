//! How PHP presents itself inside the daemon: names, functions, ini entries, phpinfo.

use fpmd_tests::{Daemon, Result, Subject};

/// What a script prints.
fn printed(statements: &str) -> Result<String> {
    Ok(Daemon::new()
        .file("t.php", format!("<?php {statements}"))
        .start()?
        .get("/t.php")?
        .text())
}

#[test]
fn sapi_is_fpm_fcgi() -> Result {
    assert_eq!(
        printed("echo PHP_SAPI, ' ', php_sapi_name(), ' ', zend_version() !== '';")?,
        "fpm-fcgi fpm-fcgi 1"
    );
    Ok(())
}

#[test]
fn module_is_cgi_fcgi_of_phps_version() -> Result {
    let text = printed(
        "echo json_encode([extension_loaded('cgi-fcgi'), (new ReflectionExtension('cgi-fcgi'))->getVersion() === PHP_VERSION]);",
    )?;
    assert_eq!(text, "[true,true]");
    Ok(())
}

#[test]
fn functions_of_the_sapi_exist_and_no_others() -> Result {
    let text = printed(
        "echo json_encode(array_map('function_exists', ['fastcgi_finish_request', 'apache_request_headers', 'getallheaders', 'dl', 'cli_set_process_title',
           'apache_response_headers', 'litespeed_finish_request', 'apache_setenv']));",
    )?;
    assert_eq!(text, "[true,true,true,false,false,false,false,false]");
    Ok(())
}

#[test]
fn functions_declare_their_types() -> Result {
    let text = printed(
        "foreach (['fastcgi_finish_request', 'apache_request_headers', 'getallheaders'] as $f) { $r = new ReflectionFunction($f); echo $r->getReturnType(), $r->getNumberOfParameters(), ' '; }",
    )?;
    assert_eq!(text, "bool0 array0 array0 ");
    Ok(())
}

#[test]
fn ini_entries_have_their_defaults_and_access() -> Result {
    let text = printed(
        "foreach (ini_get_all('cgi-fcgi') as $name => $e) echo $name, ' ', var_export($e['global_value'], true), ' ', $e['access'], \"\\n\";",
    )?;
    assert_eq!(
        text,
        "cgi.discard_path '0' 4\ncgi.fix_pathinfo '1' 4\ncgi.force_redirect '1' 4\ncgi.nph '0' 7\ncgi.redirect_status_env NULL 4\n\
         cgi.rfc2616_headers '0' 7\nfastcgi.error_header NULL 4\nfastcgi.logging '1' 4\nfpm.config NULL 4\n"
    );
    Ok(())
}

#[test]
fn phpinfo_shows_the_sapi_and_its_section() -> Result {
    let text = printed(
        "ob_start(); phpinfo(); echo preg_replace(['/ /', '/\\n+/'], ['', \"\\n\"], strip_tags(str_replace('</td>', '|', ob_get_clean())));",
    )?;
    for part in [
        "ServerAPI|FPM/FastCGI|",
        "\ncgi-fcgi\nphp-fpm|active|\nDirective",
        "cgi.discard_path|",
        "fpm.config|novalue|novalue|",
        "$_SERVER['REQUEST_METHOD']|GET|",
    ] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    Ok(())
}

#[test]
fn php_binary_is_the_daemon() -> Result {
    let program = Subject::from_environment()?.program();
    assert_eq!(printed("echo PHP_BINARY;")?, program.to_string_lossy());
    Ok(())
}

#[test]
fn all_extensions_of_the_installation_are_there() -> Result {
    let output = std::process::Command::new(Subject::from_environment()?.php_cli())
        .args(["-n", "-r", "echo implode(' ', get_loaded_extensions());"])
        .output()?;
    let loaded = printed("echo ' ', implode(' ', get_loaded_extensions()), ' ';")?;
    // pcntl and readline are only built for the command line by PHP's own build.
    for name in String::from_utf8(output.stdout)?
        .split(' ')
        .filter(|name| !matches!(*name, "pcntl" | "readline"))
    {
        assert!(
            loaded.contains(&format!(" {name} ")),
            "{name} is missing in{loaded}"
        );
    }
    Ok(())
}

#[test]
fn databases_pictures_and_archives_work() -> Result {
    let text = printed(
        "$db = new PDO('sqlite::memory:'); $db->exec('create table t (a)'); $db->exec('insert into t values (7)'); echo $db->query('select a from t')->fetchColumn();
         $image = imagecreatetruecolor(3, 2); ob_start(); imagepng($image); echo getimagesizefromstring(ob_get_clean())[0];
         echo gzuncompress(gzcompress('z')), json_decode('[5]')[0], simplexml_load_string('<a><b>6</b></a>')->b, mb_strlen('äö'), ctype_digit('1') ? 'd' : '';",
    )?;
    assert_eq!(text, "73z562d");
    Ok(())
}

#[test]
fn fibers_generators_and_closures_run() -> Result {
    let text = printed(
        "$f = new Fiber(function () { $x = Fiber::suspend('a'); echo $x; Fiber::suspend('c'); }); echo $f->start(); echo $f->resume('b'); echo array_sum(iterator_to_array((function () { yield 1; yield 2; })()));",
    )?;
    assert_eq!(text, "abc3");
    Ok(())
}

#[test]
fn fiber_left_suspended_is_cleaned_up() -> Result {
    let fpm = Daemon::new()
        .file("t.php", "<?php $f = new Fiber(function () { try { Fiber::suspend(); } finally { echo 'finally'; } }); $f->start(); echo 'end ';")
        .start()?;
    for _ in 0..3 {
        assert_eq!(fpm.get("/t.php")?.text(), "end finally");
    }
    Ok(())
}
