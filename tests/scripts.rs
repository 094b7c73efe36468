//! From FastCGI parameters to the script that runs: path info and the spellings of other web servers.

use fpmd_tests::{Answer, Daemon, Fpm, PhpVersion, Request, Result, Subject};

const SHOW: &str = "<?php
    $all = ['SCRIPT_FILENAME', 'SCRIPT_NAME', 'PATH_INFO', 'PHP_SELF', 'PATH_TRANSLATED', 'ORIG_SCRIPT_FILENAME', 'ORIG_SCRIPT_NAME',
            'ORIG_PATH_INFO', 'ORIG_PATH_TRANSLATED', 'DOCUMENT_ROOT'];
    foreach ($all as $name) if (isset($_SERVER[$name])) echo $name, '=', $_SERVER[$name], \"\\n\";";

fn daemon() -> Daemon {
    Daemon::new()
        .file("x.php", SHOW)
        .file("other.php", "<?php echo 'other';")
}

/// Sends nothing but the given parameters; `{root}` stands for the document root.
fn ask(fpm: &Fpm, params: &[(&str, &str)]) -> Result<Answer> {
    let root = fpm.site().root().to_string_lossy().into_owned();
    let request = params.iter().fold(
        Request::bare().param("REQUEST_METHOD", "GET"),
        |request, (name, value)| request.param(name, value.replace("{root}", &root)),
    );
    fpm.send(&request)
}

/// What the script sees, with `{root}` for the document root.
fn seen(fpm: &Fpm, params: &[(&str, &str)]) -> Result<String> {
    Ok(ask(fpm, params)?
        .text()
        .replace(&*fpm.site().root().to_string_lossy(), "{root}"))
}

#[test]
fn plain_request_keeps_what_the_server_says() -> Result {
    let fpm = daemon().start()?;
    let params = [
        ("SCRIPT_FILENAME", "{root}/x.php"),
        ("SCRIPT_NAME", "/x.php"),
        ("DOCUMENT_ROOT", "{root}"),
    ];
    assert_eq!(
        seen(&fpm, &params)?,
        "SCRIPT_FILENAME={root}/x.php\nSCRIPT_NAME=/x.php\nPHP_SELF=/x.php\nDOCUMENT_ROOT={root}\n"
    );
    Ok(())
}

#[test]
fn apache_proxy_prefix_is_removed() -> Result {
    let fpm = daemon().start()?;
    for prefix in [
        "proxy:fcgi://localhost:9000",
        "PROXY:FCGI://localhost",
        "proxy:balancer://php",
    ] {
        let script = format!("{prefix}{{root}}/x.php");
        let params = [
            ("SCRIPT_FILENAME", &*script),
            ("PATH_INFO", "/pinfo"),
            ("SCRIPT_NAME", "/x.php"),
        ];
        assert_eq!(
            seen(&fpm, &params)?,
            "SCRIPT_FILENAME={root}/x.php\nSCRIPT_NAME=/x.php\nPATH_INFO=/pinfo\nPHP_SELF=/x.php/pinfo\n"
        );
    }
    Ok(())
}

#[test]
fn query_in_an_apache_proxy_script_is_cut_off() -> Result {
    let fpm = daemon().start()?;
    let params = [
        (
            "SCRIPT_FILENAME",
            "proxy:fcgi://localhost:9000{root}/x.php?q=1",
        ),
        ("SCRIPT_NAME", "/x.php"),
    ];
    assert_eq!(
        seen(&fpm, &params)?,
        "SCRIPT_FILENAME={root}/x.php\nSCRIPT_NAME=/x.php\nPHP_SELF=/x.php\n"
    );
    Ok(())
}

#[test]
fn apache_proxy_pass_gets_its_path_info_back() -> Result {
    let fpm = daemon().start()?;
    let params = [
        (
            "SCRIPT_FILENAME",
            "proxy:fcgi://localhost:9000{root}/x.php/pinfo",
        ),
        ("SCRIPT_NAME", "/x.php/pinfo"),
    ];
    let expected = "SCRIPT_FILENAME={root}/x.php\nSCRIPT_NAME=/x.php\nPATH_INFO=/pinfo\nPHP_SELF=/x.php/pinfo\n";
    let text = seen(&fpm, &params)?;
    assert!(text.starts_with(expected), "{text}");
    assert!(text.contains("ORIG_SCRIPT_NAME=/x.php/pinfo\n"), "{text}");
    Ok(())
}

#[test]
fn encoded_path_info_of_an_apache_proxy_pass_is_decoded_by_newer_php() -> Result {
    let fpm = daemon().start()?;
    let params = [
        (
            "SCRIPT_FILENAME",
            "proxy:fcgi://localhost:9000{root}/x.php/1%20+2",
        ),
        ("SCRIPT_NAME", "/x.php/1 +2"),
    ];
    let text = seen(&fpm, &params)?;
    let path_info = if Subject::from_environment()?.php() >= PhpVersion(8, 4) {
        "/1 +2"
    } else {
        "/1%20+2"
    };
    assert!(
        text.contains(&format!("\nPATH_INFO={path_info}\n")),
        "{text}"
    );
    Ok(())
}

#[test]
fn apache_proxy_pass_with_another_script_name_leaves_it() -> Result {
    let fpm = daemon().start()?;
    let params = [
        (
            "SCRIPT_FILENAME",
            "proxy:fcgi://localhost:9000{root}/x.php/pinfoy",
        ),
        ("SCRIPT_NAME", "/x.php/pinfox"),
    ];
    let text = seen(&fpm, &params)?;
    assert!(
        text.contains(
            "\nSCRIPT_NAME=/x.php/pinfox\nPATH_INFO=/pinfoy\nPHP_SELF=/x.php/pinfox/pinfoy\n"
        ),
        "{text}"
    );
    assert!(!text.contains("ORIG_SCRIPT_NAME"), "{text}");
    Ok(())
}

#[test]
fn apache_balancer_with_the_real_path_as_path_info() -> Result {
    let fpm = daemon().start()?;
    let params = [
        ("SCRIPT_FILENAME", "proxy:balancer://php{root}/x.php/pinfo"),
        ("PATH_INFO", "{root}/x.php/pinfo"),
        ("SCRIPT_NAME", ""),
    ];
    let text = seen(&fpm, &params)?;
    assert!(text.starts_with("SCRIPT_FILENAME={root}/x.php\n"), "{text}");
    assert!(text.contains("\nPATH_INFO=/pinfo\n"), "{text}");
    Ok(())
}

#[test]
fn path_info_is_found_by_stripping_the_script_name_back() -> Result {
    let fpm = daemon().start()?;
    let params = [
        ("SCRIPT_FILENAME", "{root}/x.php/one/two"),
        ("PATH_INFO", "/x.php/one/two"),
        ("SCRIPT_NAME", "/x.php/one/two"),
        ("DOCUMENT_ROOT", "{root}"),
    ];
    assert_eq!(
        seen(&fpm, &params)?,
        "SCRIPT_FILENAME={root}/x.php\nSCRIPT_NAME=/x.php\nPATH_INFO=/one/two\nPHP_SELF=/x.php/one/two\n\
         PATH_TRANSLATED={root}/one/two\nORIG_SCRIPT_FILENAME={root}/x.php/one/two\nORIG_SCRIPT_NAME=/x.php/one/two\n\
         ORIG_PATH_INFO=/x.php/one/two\nDOCUMENT_ROOT={root}\n"
    );
    Ok(())
}

#[test]
fn empty_path_info_with_a_long_tail_is_not_rewound() -> Result {
    let fpm = daemon().start()?;
    let script = format!("{{root}}/x.php/{}", "A".repeat(35));
    let params = [
        ("SCRIPT_FILENAME", &*script),
        ("PATH_INFO", ""),
        ("SCRIPT_NAME", "/x.php"),
    ];
    let text = seen(&fpm, &params)?;
    assert!(text.contains("\nPATH_INFO=\n"), "{text}");
    Ok(())
}

#[test]
fn nginx_path_info_is_kept() -> Result {
    let fpm = daemon().start()?;
    let params = [
        ("SCRIPT_FILENAME", "{root}/x.php"),
        ("SCRIPT_NAME", "/x.php"),
        ("PATH_INFO", "/test"),
        ("DOCUMENT_ROOT", "{root}"),
    ];
    let text = seen(&fpm, &params)?;
    assert!(
        text.contains("\nPATH_INFO=/test\nPHP_SELF=/x.php/test\n"),
        "{text}"
    );
    Ok(())
}

#[test]
fn redirected_request_runs_the_translated_path() -> Result {
    let fpm = daemon().start()?;
    let params = [
        ("SCRIPT_FILENAME", "{root}/other.php"),
        ("PATH_TRANSLATED", "{root}/x.php"),
        ("REDIRECT_URL", "/x.php"),
        ("SCRIPT_NAME", "/other.php"),
        ("PATH_INFO", "/x.php"),
    ];
    assert_eq!(
        seen(&fpm, &params)?,
        "SCRIPT_FILENAME={root}/x.php\nSCRIPT_NAME=/x.php\nPHP_SELF=/x.php\nORIG_SCRIPT_FILENAME={root}/other.php\n\
         ORIG_SCRIPT_NAME=/other.php\nORIG_PATH_INFO=/x.php\nORIG_PATH_TRANSLATED={root}/x.php\n"
    );
    Ok(())
}

#[test]
fn translated_path_alone_is_enough() -> Result {
    let fpm = daemon().start()?;
    assert_eq!(
        ask(&fpm, &[("PATH_TRANSLATED", "{root}/other.php")])?.text(),
        "other"
    );
    Ok(())
}

#[test]
fn iis_path_info_loses_the_script_name() -> Result {
    let fpm = daemon().start()?;
    let params = [
        ("SERVER_SOFTWARE", "Microsoft-IIS/10.0"),
        ("SCRIPT_FILENAME", "{root}/x.php"),
        ("SCRIPT_NAME", "/x.php"),
        ("PATH_INFO", "/x.php/pinfo"),
    ];
    let text = seen(&fpm, &params)?;
    assert!(
        text.contains("\nPATH_INFO=/pinfo\n") && text.contains("ORIG_PATH_INFO=/x.php/pinfo\n"),
        "{text}"
    );
    Ok(())
}

#[test]
fn without_fix_pathinfo_nothing_is_rewritten() -> Result {
    let fpm = daemon()
        .ini("cgi.fix_pathinfo=0")
        .ini("cgi.discard_path=1")
        .start()?;
    let params = [
        ("SCRIPT_FILENAME", "{root}/x.php"),
        ("SCRIPT_NAME", "/x.php"),
        ("PATH_INFO", "/pinfo"),
        ("PATH_TRANSLATED", "{root}/other.php"),
    ];
    assert_eq!(
        seen(&fpm, &params)?,
        "SCRIPT_FILENAME={root}/x.php\nSCRIPT_NAME=/x.php\nPATH_INFO=/pinfo\nPHP_SELF=/pinfo\nPATH_TRANSLATED={root}/other.php\n"
    );
    Ok(())
}

#[test]
fn without_fix_pathinfo_the_translated_path_runs_unless_discarded() -> Result {
    let fpm = daemon().ini("cgi.fix_pathinfo=0").start()?;
    let params = [
        ("SCRIPT_FILENAME", "{root}/x.php"),
        ("PATH_TRANSLATED", "{root}/other.php"),
    ];
    assert_eq!(ask(&fpm, &params)?.text(), "other");
    Ok(())
}

#[test]
fn script_runs_in_its_own_directory() -> Result {
    let fpm = Daemon::new()
        .file(
            "deep/er/t.php",
            "<?php echo getcwd() === __DIR__ ? 'yes' : getcwd();",
        )
        .start()?;
    assert_eq!(fpm.get("/deep/er/t.php")?.text(), "yes");
    Ok(())
}

#[test]
fn document_root_of_php_ini_overrides_the_servers_path() -> Result {
    let fpm = daemon().ini("doc_root={dir}/www").start()?;
    let params = [
        ("SCRIPT_FILENAME", "/nowhere/other.php"),
        ("SCRIPT_NAME", "/other.php"),
        ("DOCUMENT_ROOT", "/nowhere"),
    ];
    assert_eq!(ask(&fpm, &params)?.status, 404);
    let params = [
        ("SCRIPT_FILENAME", "{root}/x.php"),
        ("SCRIPT_NAME", "/other.php"),
    ];
    assert_eq!(ask(&fpm, &params)?.text(), "other");
    Ok(())
}

#[test]
fn head_request_has_headers_only() -> Result {
    let fpm = daemon().start()?;
    let answer = fpm.send(&fpm.request("/other.php").method("HEAD"))?;
    assert_eq!((answer.status, &*answer.text()), (200, ""));
    assert_eq!(
        answer.header("Content-type"),
        Some("text/html; charset=UTF-8")
    );
    Ok(())
}
