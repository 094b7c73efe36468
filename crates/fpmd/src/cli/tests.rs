//! The command line against what /opt/php8.2/sbin/php-fpm does with the same words.

use super::*;

fn parsed(words: &[&str]) -> Command {
    parse(
        std::iter::once("/usr/sbin/php-fpm")
            .chain(words.iter().copied())
            .map(OsString::from),
    )
}

fn options(words: &[&str]) -> Options {
    match parsed(words) {
        Command::Serve(options) => *options,
        other => panic!("{words:?}: {other:?}"),
    }
}

#[test]
fn forms_of_an_option_with_a_value() {
    for words in [
        &["-y", "f.conf"][..],
        &["-yf.conf"],
        &["-y=f.conf"],
        &["--fpm-config", "f.conf"],
        &["--fpm-config=f.conf"],
        &["-y", "first", "-y", "f.conf"],
        &["-nyf.conf"],
        &["-ny=f.conf"],
        &["-y", "f.conf", "--"],
    ] {
        assert_eq!(options(words).config, Some("f.conf".into()), "{words:?}");
    }
    assert_eq!(options(&["-y", ""]).config, None);
    assert_eq!(options(&["-y="]).config, None);
}

#[test]
fn wrong_command_lines() {
    for words in [
        &["-z"][..],
        &["-zv"],
        &["foo"],
        &["foo", "-v"],
        &["-t", "-"],
        &["-t", "--", "x"],
        &["-t", ""],
        &["-y"],
        &["-d"],
        &["-t="],
        &["-T"],
        &["--fpm-conf", "f.conf"],
        &["--fpm-config="],
    ] {
        assert_eq!(parsed(words), Command::Usage(Asked::No), "{words:?}");
    }
}

#[test]
fn what_ends_the_reading() {
    let php = |words: &[&str]| options(words).php;
    for words in [
        &["-h"][..],
        &["-?"],
        &["--help"],
        &["--usage"],
        &["-nh"],
        &["-h", "-z"],
    ] {
        assert_eq!(parsed(words), Command::Usage(Asked::Yes), "{words:?}");
    }
    assert_eq!(parsed(&["-v", "foo"]), Command::Version(php(&[])));
    assert_eq!(parsed(&["-vz"]), Command::Version(php(&[])));
    assert_eq!(parsed(&["--version=3"]), Command::Version(php(&[])));
    assert_eq!(
        parsed(&["-n", "-da=b", "-m", "-dc=d"]),
        Command::Modules(php(&["-n", "-da=b"]))
    );
    assert_eq!(parsed(&["-i", "-n"]), Command::Information(php(&["-n"])));
    assert_eq!(parsed(&["-i", "-v"]), Command::Version(php(&[])));
}

#[test]
fn flags() {
    let parsed = options(&["-R", "-D", "-F", "-O", "-p", "/p", "-g", "/g"]);
    assert_eq!(parsed.root, Root::Allowed);
    assert_eq!(parsed.background, Some(Background::Foreground));
    assert_eq!(parsed.stderr, Stderr::Always);
    assert_eq!(
        (parsed.prefix, parsed.pid),
        (Some("/p".into()), Some("/g".into()))
    );
    assert_eq!(options(&["-FD"]).background, Some(Background::Daemonize));
    assert_eq!(options(&[]).background, None);
}

#[test]
fn tests_are_counted() {
    for (words, purpose) in [
        (&[][..], Purpose::Run),
        (&["-t"], Purpose::Test),
        (&["--test=foo"], Purpose::Test),
        (&["-tt"], Purpose::TestAndDump),
        (&["-t", "--test", "-t"], Purpose::TestAndDump),
        (&["--test-php"], Purpose::Test),
        (&["--test-php", "-t"], Purpose::Test),
        (&["-t", "--test-php", "-t"], Purpose::TestAndDump),
    ] {
        assert_eq!(options(words).purpose, purpose, "{words:?}");
        let tested = match words.contains(&"--test-php") {
            true => Tested::Php,
            false => Tested::Configuration,
        };
        assert_eq!(options(words).tested, tested, "{words:?}");
    }
}

#[test]
fn options_for_php() {
    let php = options(&[
        "-c",
        "/etc",
        "-n",
        "-d",
        "a=b",
        "--define=c",
        "-e",
        "-dx=y=z",
    ])
    .php;
    assert_eq!(php.ini_path, Some("/etc".into()));
    assert!(php.ignore_ini && php.extended_info);
    assert_eq!(php.defines, ["a=b", "c", "x=y=z"]);
    assert_eq!(php.argv0, "/usr/sbin/php-fpm");
}

#[test]
fn values_need_not_be_text() {
    use std::os::unix::ffi::OsStringExt;

    let name = OsString::from_vec(b"\xff.conf".to_vec());
    let Command::Serve(options) = parse(["fpmd".into(), "-y".into(), name]) else {
        panic!()
    };
    assert_eq!(options.config, Some(b"\xff.conf".into()));
}

#[test]
fn the_program_is_called_as_php_fpm_calls_itself() {
    for (argv0, expected) in [
        ("/usr/sbin/php-fpm8.2", "php-fpm8.2"),
        ("./fpmd", "fpmd"),
        ("php-fpm", "php"),
    ] {
        assert_eq!(program(argv0.into()), expected);
    }
}

#[test]
fn the_usage_text_names_every_option() {
    let text = usage(
        "php-fpm".into(),
        "/opt/php".into(),
        "/etc/php-fpm.conf".into(),
        "request, status",
    );
    assert!(text.ends_with("\nCommands: request, status (fpmd COMMAND --help)\n"));
    let first = "Usage: php-fpm [-n] [-e] [-h] [-i] [-m] [-v] [-t] [-p <prefix>] [-g <pid>] [-c <file>] \
                 [-d foo[=bar]] [-y <file>] [-D] [-F [-O]]";
    assert_eq!(text.lines().next(), Some(first));
    for letter in "cndehimvpgytDFOR".chars() {
        assert_eq!(
            text.matches(&format!("\n  -{letter}, --")).count(),
            1,
            "-{letter}"
        );
    }
    assert!(text.contains("\n      --test-php "));
    assert!(text.contains("(default: /opt/php)") && text.contains("(default: /etc/php-fpm.conf)"));
}
