//! What is said about files that cannot be read or included, and the line numbers in it.

use expect_test::{Expect, expect};

use super::*;

#[test]
fn files_that_cannot_be_read() {
    let missing = load(
        "/none".into(),
        &options(),
        Surroundings {
            files: &files(""),
            accounts: &MemoryAccounts,
            vocabulary: &MemoryVocabulary,
        },
    );
    let expected = "ERROR: failed to open configuration file '/none': No such file or directory (2)\nERROR: failed to load configuration file '/none'\n";
    assert_eq!(written(missing.unwrap_err().report()), expected);

    let empty = load(
        "".into(),
        &options(),
        Surroundings {
            files: &files(""),
            accounts: &MemoryAccounts,
            vocabulary: &MemoryVocabulary,
        },
    );
    let expected =
        "ERROR: configuration filename is empty\nERROR: failed to load configuration file ''\n";
    assert_eq!(written(empty.unwrap_err().report()), expected);

    let prefix = LoadOptions {
        prefix: Some("/none".into()),
        ..options()
    };
    assert_eq!(
        said_with(&files(POOL), &prefix),
        "ERROR: the global prefix '/none' does not exist or is not a directory\n"
    );
}

fn check_files(files: &[(&'static str, &str)], expected: &Expect) {
    expected.assert_eq(&said_with(
        &MemoryFiles::new(files.iter().copied()),
        &options(),
    ));
}

#[test]
fn includes_go_wrong() {
    check_files(
        &[("/etc/fpm.conf", "; one\ninclude = /none/*.conf\n")],
        &expect![[r#"
            ERROR: Unable to globalize '/none/*.conf' (ret=2) from /etc/fpm.conf at line 2.
            ERROR: failed to load configuration file '/etc/fpm.conf'
        "#]],
    );
    check_files(
        &[("/etc/fpm.conf", "include = /etc/fpm.conf\n")],
        &expect![[r#"
            ERROR: failed to include more than 5 files recursively
            ERROR: Unable to include /etc/fpm.conf from /etc/fpm.conf at line 1
            ERROR: Unable to include /etc/fpm.conf from /etc/fpm.conf at line 1
            ERROR: Unable to include /etc/fpm.conf from /etc/fpm.conf at line 1
            ERROR: Unable to include /etc/fpm.conf from /etc/fpm.conf at line 1
            ERROR: Unable to include /etc/fpm.conf from /etc/fpm.conf at line 1
            ERROR: failed to load configuration file '/etc/fpm.conf'
        "#]],
    );
    check_files(
        &[("/etc/fpm.conf", "include = /etc/a\rinclude = /etc/b\n")],
        &expect![[r#"
            ERROR: [/etc/fpm.conf:1] two includes at the same time !
            ERROR: failed to load configuration file '/etc/fpm.conf'
        "#]],
    );
}

#[test]
fn the_line_counter_goes_on_after_an_include() {
    let inner = ("/etc/inner", "; one\n; two\nbogus = 1\n");
    check_files(
        &[("/etc/fpm.conf", "\n\n\n\n\ninclude = /etc/inner\n"), inner],
        &expect![[r#"
            ERROR: [/etc/inner:3] unknown entry 'bogus'
            ERROR: Unable to include /etc/inner from /etc/fpm.conf at line 3
            ERROR: failed to load configuration file '/etc/fpm.conf'
        "#]],
    );
    let inner = ("/etc/inner", "; one\n; two\n; three\n");
    check_files(
        &[
            ("/etc/fpm.conf", "include = /etc/inner\nbogus = 1\n"),
            inner,
        ],
        &expect![[r#"
            ERROR: [/etc/fpm.conf:5] unknown entry 'bogus'
            ERROR: failed to load configuration file '/etc/fpm.conf'
        "#]],
    );
}
