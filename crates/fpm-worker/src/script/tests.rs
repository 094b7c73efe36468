//! The worked examples of the behaviour specification (10.7), the cases of the original's test-suite, and the rules one by one.

use std::collections::BTreeSet;

use super::*;

mod apache;
mod properties;

const F: &str = "/w/x.php";

/// A file system with these files and every directory above them.
struct Tree(BTreeSet<&'static str>);

impl Files for Tree {
    fn exists(&self, path: &CStr) -> bool {
        self.is_regular(path.to_bytes()) || path == c"/w"
    }

    fn is_regular(&self, path: &[u8]) -> bool {
        str::from_utf8(path).is_ok_and(|path| self.0.contains(path))
    }
}

/// What came out: the variables (oldest first) and the target.
struct Located {
    variables: Params,
    target: Target,
    rule: PathInfo,
}

impl Located {
    #[track_caller]
    fn has(self, expected: &[(&str, &str)]) -> Self {
        for (name, value) in expected {
            let found = self.variables.get(name.as_bytes()).map(text);
            assert_eq!(found.as_deref(), Some(*value), "{name}");
        }
        self
    }

    #[track_caller]
    fn lacks(self, names: &[&str]) -> Self {
        for name in names {
            assert_eq!(self.variables.get(name.as_bytes()), None, "{name}");
        }
        self
    }

    #[track_caller]
    fn runs(self, script: &str) -> Self {
        let found = self.target.script(&self.variables);
        let found = found.map(|found| text(found.to_bytes()));
        assert_eq!(found.as_deref(), Some(script));
        self
    }

    #[track_caller]
    fn runs_nothing(self, status: u16) -> Self {
        assert_eq!(self.target.script(&self.variables), None);
        assert_eq!(self.target.status, status);
        self
    }

    #[track_caller]
    fn php_self(self, expected: &str) -> Self {
        let mut found = b"of the request before".to_vec();
        php_self(
            &self.variables,
            self.target.uri(&self.variables),
            self.rule,
            &mut found,
        );
        assert_eq!(text(&found), expected);
        self
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const FIX: Rules<'static> = Rules {
    path_info: PathInfo::Fix,
    path_translated: PathTranslated::Use,
    doc_root: None,
    proxied_path_info: ProxiedPathInfo::Decoded,
};

const LEAVE: Rules<'static> = Rules {
    path_info: PathInfo::Leave,
    ..FIX
};

fn run(rules: Rules<'_>, given: &[(&str, &str)]) -> Located {
    let mut variables = Params::new();
    for (name, value) in given {
        variables.set(name.as_bytes(), value.as_bytes());
    }
    let files = Tree(BTreeSet::from([F, "/w/sub/y.php"]));
    let target = locate(&mut variables, &rules, &files);
    Located {
        variables,
        target,
        rule: rules.path_info,
    }
}

#[test]
fn plain_request_changes_nothing() {
    let located = run(
        FIX,
        &[
            ("SCRIPT_FILENAME", F),
            ("SCRIPT_NAME", "/x.php"),
            ("PATH_INFO", ""),
            ("DOCUMENT_ROOT", "/w"),
        ],
    )
    .runs(F)
    .php_self("/x.php")
    .lacks(&[
        "ORIG_SCRIPT_FILENAME",
        "ORIG_SCRIPT_NAME",
        "PATH_TRANSLATED",
    ]);
    assert_eq!(located.variables.len(), 4);
    assert_eq!(located.target.status, 200);
}

#[test]
fn nothing_named() {
    let located = run(FIX, &[("REQUEST_METHOD", "GET"), ("SCRIPT_NAME", "/x.php")])
        .runs_nothing(200)
        .php_self("");
    assert_eq!(located.target.named, Named::Nothing);
    assert_eq!(located.target.uri(&located.variables), None);
}

#[test]
fn nginx_path_info_that_was_split_by_the_server_is_kept() {
    run(
        FIX,
        &[
            ("SCRIPT_FILENAME", F),
            ("SCRIPT_NAME", "/x.php"),
            ("PATH_INFO", "/test"),
            ("DOCUMENT_ROOT", "/w"),
        ],
    )
    .runs(F)
    .has(&[("PATH_INFO", "/test"), ("SCRIPT_NAME", "/x.php")])
    .php_self("/x.php/test");
}

#[test]
fn unsplit_path_is_cut_back() {
    run(
        FIX,
        &[
            ("SCRIPT_FILENAME", "/w/x.php/a/b"),
            ("SCRIPT_NAME", "/x.php/a/b"),
            ("PATH_INFO", "/x.php/a/b"),
            ("DOCUMENT_ROOT", "/w/"),
        ],
    )
    .runs(F)
    .has(&[
        ("SCRIPT_FILENAME", F),
        ("ORIG_SCRIPT_FILENAME", "/w/x.php/a/b"),
        ("SCRIPT_NAME", "/x.php"),
        ("ORIG_SCRIPT_NAME", "/x.php/a/b"),
        ("PATH_INFO", "/a/b"),
        ("ORIG_PATH_INFO", "/x.php/a/b"),
        ("PATH_TRANSLATED", "/w/a/b"),
    ])
    .php_self("/x.php/a/b");
}

#[test]
fn path_info_as_long_as_what_was_cut_off_stays() {
    run(
        FIX,
        &[
            ("SCRIPT_FILENAME", "/w/x.php/test"),
            ("SCRIPT_NAME", "/x.php"),
            ("PATH_INFO", "/test"),
        ],
    )
    .runs(F)
    .has(&[
        ("PATH_INFO", "/test"),
        ("PATH_TRANSLATED", "/w/test"),
        ("SCRIPT_NAME", "/x.php"),
    ])
    .lacks(&["ORIG_PATH_INFO", "ORIG_SCRIPT_NAME"])
    .php_self("/x.php/test");
}

#[test]
fn cve_2019_11043_empty_path_info_does_not_underflow() {
    let tail = format!("{F}/{}", "A".repeat(35));
    run(
        FIX,
        &[
            ("SCRIPT_FILENAME", &tail),
            ("SCRIPT_NAME", "/x.php"),
            ("PATH_INFO", ""),
        ],
    )
    .runs(F)
    .has(&[("PATH_INFO", ""), ("ORIG_SCRIPT_FILENAME", &tail)])
    .lacks(&["ORIG_PATH_INFO"])
    .php_self("/x.php");
}

#[test]
fn missing_script() {
    run(
        FIX,
        &[
            ("SCRIPT_FILENAME", "/w/none.php"),
            ("SCRIPT_NAME", "/none.php"),
        ],
    )
    .runs_nothing(404)
    .has(&[("ORIG_SCRIPT_FILENAME", "/w/none.php")])
    .lacks(&["SCRIPT_FILENAME", "ORIG_SCRIPT_NAME"])
    .php_self("/none.php");
}

#[test]
fn missing_script_without_script_name() {
    let located = run(FIX, &[("SCRIPT_FILENAME", "none")]).runs_nothing(404);
    assert_eq!(located.target.uri(&located.variables), None);
    located.lacks(&["SCRIPT_NAME", "SCRIPT_FILENAME"]);
}

#[test]
fn directories() {
    // Without a slash it exists and fails later (by its extension); with one nothing is found.
    run(FIX, &[("SCRIPT_FILENAME", "/w")]).runs("/w");
    run(FIX, &[("SCRIPT_FILENAME", "/w/")]).runs_nothing(404);
    // The slash is looked at even when a file of that name exists.
    run(FIX, &[("SCRIPT_FILENAME", "/w/x.php/")]).runs(F);
}

#[test]
fn backslashes_separate_when_no_slash_is_left() {
    let mut variables = Params::new();
    variables.set(b"SCRIPT_FILENAME", b"x.php\\info");
    let target = locate(&mut variables, &FIX, &Tree(BTreeSet::from(["x.php"])));
    assert_eq!(target.script(&variables), Some(c"x.php"));
}

#[test]
fn a_path_that_climbs_is_refused() {
    for path in ["/w/../w/x.php", "../x.php", "/w/..", ".."] {
        run(LEAVE, &[("SCRIPT_FILENAME", path)]).runs_nothing(200);
    }
    for path in ["/w/..x.php", "/w/x..", "/w/.../x.php"] {
        run(LEAVE, &[("SCRIPT_FILENAME", path)]).runs(path);
    }
}

#[test]
fn iis_path_info() {
    let iis = |path_info| {
        run(
            LEAVE,
            &[
                ("SERVER_SOFTWARE", "Microsoft-IIS/10.0"),
                ("SCRIPT_FILENAME", F),
                ("SCRIPT_NAME", "/x.php"),
                ("PATH_INFO", path_info),
            ],
        )
    };
    iis("/x.php/info").has(&[("PATH_INFO", "/info"), ("ORIG_PATH_INFO", "/x.php/info")]);
    iis("/x.php")
        .has(&[("ORIG_PATH_INFO", "/x.php")])
        .lacks(&["PATH_INFO"])
        .php_self("/x.php");
    iis("/other")
        .has(&[("PATH_INFO", "/other")])
        .lacks(&["ORIG_PATH_INFO"]);
}

#[test]
fn doc_root_stands_in_for_a_missing_document_root() {
    let rules = Rules {
        doc_root: Some(b"/ini"),
        ..FIX
    };
    run(rules, &[("SCRIPT_FILENAME", F)]).has(&[("DOCUMENT_ROOT", "/ini")]);
    run(rules, &[("SCRIPT_FILENAME", F), ("DOCUMENT_ROOT", "/sent")])
        .has(&[("DOCUMENT_ROOT", "/sent")]);
}

#[test]
fn without_fixing_variables_stay() {
    let discard = Rules {
        path_translated: PathTranslated::Discard,
        ..LEAVE
    };
    let given = [
        ("SCRIPT_FILENAME", "/none.php"),
        ("SCRIPT_NAME", "/x.php"),
        ("PATH_INFO", "/pinfo"),
        ("PATH_TRANSLATED", F),
    ];
    run(discard, &given)
        .runs("/none.php")
        .has(&given)
        .php_self("/pinfo");
    run(LEAVE, &given).runs(F).has(&given).php_self("/pinfo");
    // An empty PATH_INFO counts, a missing one does not.
    run(
        LEAVE,
        &[
            ("SCRIPT_FILENAME", F),
            ("SCRIPT_NAME", "/x.php"),
            ("PATH_INFO", ""),
        ],
    )
    .php_self("");
    run(LEAVE, &[("SCRIPT_FILENAME", F), ("SCRIPT_NAME", "/x.php")]).php_self("/x.php");
    // Without SCRIPT_FILENAME only PATH_TRANSLATED is left, whatever cgi.discard_path says.
    run(
        discard,
        &[("PATH_TRANSLATED", F), ("SCRIPT_NAME", "/x.php")],
    )
    .runs(F)
    .lacks(&["SCRIPT_FILENAME"]);
}

#[test]
fn values_end_at_a_nul() {
    run(
        FIX,
        &[
            ("SCRIPT_FILENAME", "/w/x.php\0.png"),
            ("SCRIPT_NAME", "/x.php\0/info"),
        ],
    )
    .runs(F)
    .php_self("/x.php");
    run(
        FIX,
        &[
            ("SCRIPT_FILENAME", "proxy:fcgi://h/w/x.php/a%00b"),
            ("SCRIPT_NAME", "/x.php/a"),
        ],
    )
    .has(&[("PATH_INFO", "/a"), ("SCRIPT_NAME", "/x.php/a")]);
}
