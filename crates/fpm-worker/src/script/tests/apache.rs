//! What Apache's ways of calling FastCGI (handler, ProxyPass, balancer, Action) make of a request's variables.

use super::*;

#[test]
fn apache_handler_with_path_info() {
    run(
        FIX,
        &[
            ("SCRIPT_FILENAME", "proxy:fcgi://h:9000/w/x.php"),
            ("PATH_INFO", "/pinfo"),
            ("SCRIPT_NAME", "/x.php"),
        ],
    )
    .runs(F)
    .has(&[
        ("SCRIPT_FILENAME", F),
        ("PATH_INFO", "/pinfo"),
        ("SCRIPT_NAME", "/x.php"),
    ])
    .lacks(&["ORIG_SCRIPT_FILENAME", "ORIG_PATH_INFO"])
    .php_self("/x.php/pinfo");
}

#[test]
fn apache_handler_with_query_and_other_prefixes() {
    for prefix in [
        "proxy:fcgi://localhost",
        "PROXY:fcgi://h:9000",
        "proxy:balancer://h",
    ] {
        run(
            FIX,
            &[
                ("SCRIPT_FILENAME", &format!("{prefix}{F}?q=1")),
                ("SCRIPT_NAME", "/x.php"),
            ],
        )
        .runs(F)
        .php_self("/x.php");
    }
    run(LEAVE, &[("SCRIPT_FILENAME", "proxy:fcgi://host?q=/x")]).runs("/x");
    run(LEAVE, &[("SCRIPT_FILENAME", "proxy:fcgi://host?q")]).runs("proxy:fcgi://host");
    run(LEAVE, &[("SCRIPT_FILENAME", "/a?b")]).runs("/a?b");
}

#[test]
fn apache_proxypass_takes_path_info_off_script_name() {
    run(
        FIX,
        &[
            ("SCRIPT_FILENAME", "proxy:fcgi://h/w/x.php/pinfo"),
            ("SCRIPT_NAME", "/x.php/pinfo"),
        ],
    )
    .runs(F)
    .has(&[
        ("SCRIPT_NAME", "/x.php"),
        ("ORIG_SCRIPT_NAME", "/x.php/pinfo"),
        ("PATH_INFO", "/pinfo"),
        ("ORIG_SCRIPT_FILENAME", "/w/x.php/pinfo"),
        ("PATH_TRANSLATED", "/w/pinfo"),
    ])
    .php_self("/x.php/pinfo");
}

#[test]
fn apache_proxypass_encoded() {
    let given = [
        ("SCRIPT_FILENAME", "proxy:fcgi://h/w/x.php/1%20+2"),
        ("SCRIPT_NAME", "/x.php/1 +2"),
    ];
    run(FIX, &given)
        .has(&[("SCRIPT_NAME", "/x.php"), ("PATH_INFO", "/1 +2")])
        .php_self("/x.php/1 +2");
    let old = Rules {
        proxied_path_info: ProxiedPathInfo::AsSent,
        ..FIX
    };
    run(old, &given)
        .has(&[("SCRIPT_NAME", "/x.php"), ("PATH_INFO", "/1%20+2")])
        .php_self("/x.php/1%20+2");
}

#[test]
fn apache_proxypass_with_another_tail() {
    run(
        FIX,
        &[
            ("SCRIPT_FILENAME", "proxy:fcgi://h/w/x.php/pinfoy"),
            ("SCRIPT_NAME", "/x.php/pinfox"),
        ],
    )
    .runs(F)
    .has(&[("SCRIPT_NAME", "/x.php/pinfox"), ("PATH_INFO", "/pinfoy")])
    .lacks(&["ORIG_SCRIPT_NAME"])
    .php_self("/x.php/pinfox/pinfoy");
}

#[test]
fn apache_balancer_that_keeps_its_prefix_to_itself() {
    run(
        FIX,
        &[
            ("SCRIPT_FILENAME", "/w/x.php/pinfo"),
            ("PATH_INFO", "/w/x.php/pinfo"),
            ("SCRIPT_NAME", ""),
        ],
    )
    .runs(F)
    .has(&[
        ("SCRIPT_NAME", F),
        ("ORIG_SCRIPT_NAME", ""),
        ("PATH_INFO", "/pinfo"),
        ("ORIG_PATH_INFO", "/w/x.php/pinfo"),
    ])
    .php_self("/w/x.php/pinfo");
}

#[test]
fn apache_action_redirection() {
    run(
        FIX,
        &[
            ("SCRIPT_FILENAME", "/usr/lib/cgi-bin/php"),
            ("SCRIPT_NAME", "/php-fcgi/php"),
            ("PATH_TRANSLATED", F),
            ("PATH_INFO", "/x.php"),
            ("REDIRECT_URL", "/x.php"),
        ],
    )
    .runs(F)
    .has(&[
        ("SCRIPT_FILENAME", F),
        ("ORIG_SCRIPT_FILENAME", "/usr/lib/cgi-bin/php"),
        ("SCRIPT_NAME", "/x.php"),
        ("ORIG_SCRIPT_NAME", "/php-fcgi/php"),
        ("ORIG_PATH_INFO", "/x.php"),
        ("ORIG_PATH_TRANSLATED", F),
    ])
    .lacks(&["PATH_INFO", "PATH_TRANSLATED"])
    .php_self("/x.php");
}

#[test]
fn apache_action_redirection_with_path_info() {
    run(
        FIX,
        &[
            ("SCRIPT_FILENAME", "/usr/lib/cgi-bin/php"),
            ("SCRIPT_NAME", "/php-fcgi/php"),
            ("PATH_TRANSLATED", "/w/x.php/info"),
            ("PATH_INFO", "/x.php/info"),
            ("REDIRECT_URL", "/x.php/info"),
            ("DOCUMENT_ROOT", "/w"),
        ],
    )
    .runs(F)
    .has(&[
        ("SCRIPT_NAME", "/x.php"),
        ("PATH_INFO", "/info"),
        ("PATH_TRANSLATED", "/w/info"),
        ("ORIG_PATH_TRANSLATED", "/w/x.php/info"),
    ]);
}
