//! What holds whatever a web server sends.

use proptest::collection;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// Pieces from which paths, addresses and nonsense are put together.
fn text_strategy() -> impl Strategy<Value = String> {
    let pieces = [
        "/",
        "/w",
        "/x.php",
        "/sub/y.php",
        "..",
        ".",
        "%2",
        "%00",
        "%41",
        "?q",
        "\\",
        "\0",
        "é",
        "",
        "proxy:fcgi://h",
        "proxy:balancer://",
    ];
    collection::vec(select(pieces.to_vec()), 0..6).prop_map(|pieces| pieces.concat())
}

fn rules_strategy() -> impl Strategy<Value = Rules<'static>> {
    (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(fix, discard, doc_root, decoded)| Rules {
            path_info: if fix { PathInfo::Fix } else { PathInfo::Leave },
            path_translated: if discard {
                PathTranslated::Discard
            } else {
                PathTranslated::Use
            },
            doc_root: doc_root.then_some(&b"/w"[..]),
            proxied_path_info: if decoded {
                ProxiedPathInfo::Decoded
            } else {
                ProxiedPathInfo::AsSent
            },
        },
    )
}

proptest! {
    #[test]
    fn whatever_is_sent_no_script_lies_above_its_path(
        rules in rules_strategy(),
        given in collection::vec(
            (select(vec![
                "SCRIPT_FILENAME", "PATH_TRANSLATED", "PATH_INFO", "SCRIPT_NAME", "REDIRECT_URL",
                "DOCUMENT_ROOT", "SERVER_SOFTWARE",
            ]), text_strategy()),
            0..8,
        ),
    ) {
        let given: Vec<_> = given.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let located = run(rules, &given);
        if let Some(script) = located.target.script(&located.variables) {
            prop_assert!(!script.to_bytes().split(|&byte| byte == b'/').any(|part| part == b".."));
            prop_assert_eq!(located.target.status, 200);
            prop_assert_eq!(located.target.named, Named::Script);
        }
        if rules.path_info == PathInfo::Fix
            && let Some(script) = value(&located.variables, b"SCRIPT_FILENAME")
            && located.target.named == Named::Script
            && !script.is_empty()
        {
            let files = Tree(BTreeSet::from([F, "/w/sub/y.php"]));
            prop_assert!(files.exists(script), "{:?} is no script", script);
        }
    }

    #[test]
    fn a_script_that_exists_is_what_was_sent(
        script_name in text_strategy(),
        path_info in text_strategy(),
    ) {
        let given = [
            ("SCRIPT_FILENAME", F),
            ("SCRIPT_NAME", script_name.as_str()),
            ("PATH_INFO", path_info.as_str()),
        ];
        let mut variables = Params::new();
        for (name, text) in given {
            variables.set(name.as_bytes(), text.as_bytes());
        }
        let located = run(FIX, &given).runs(F);
        prop_assert_eq!(located.variables, variables);
    }
}
