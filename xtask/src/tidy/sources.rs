//! Rules about the text of one source file.

use super::Violation;
use super::code::{code_only, has_word};
use super::policy::{MAX_LINES, MEMBERS, Member, Unsafe};

/// Says whether the rules here are about this file.
pub(super) fn is_source(path: &str) -> bool {
    [".rs", ".c", ".h"]
        .iter()
        .any(|ending| path.ends_with(ending))
}

/// Checks one file; the path is relative to the workspace.
pub(super) fn check(path: &str, text: &str) -> Vec<Violation> {
    let mut violations = Vec::new();
    let lines = text.lines().count();
    if lines > MAX_LINES {
        violations.push(Violation::of_file(
            path,
            format!("{lines} lines; a file has at most {MAX_LINES}"),
        ));
    }
    if path.ends_with(".rs") {
        if !text.starts_with("//! ") {
            violations.push(Violation::of_file(
                path,
                "the first line says what the file is: `//! …`",
            ));
        }
        let code = code_only(text);
        let member = MEMBERS
            .iter()
            .find(|member| path.starts_with(member.directory));
        if let Some(member) = member {
            violations.extend(check_unsafe(path, &code, member));
        }
        violations.extend(check_words(path, &code));
        violations.extend(check_sleeps(path, &code));
    }
    violations
}

fn check_unsafe(path: &str, code: &str, member: &Member) -> Vec<Violation> {
    let mut violations = Vec::new();
    if member.unsafe_code == Unsafe::Allowed {
        return violations;
    }
    if is_crate_root(path, member) && !code.contains("#![forbid(unsafe_code)]") {
        violations.push(Violation::of_file(
            path,
            "this crate has #![forbid(unsafe_code)]",
        ));
    }
    for (number, line) in numbered(code) {
        if has_word(line, "unsafe") {
            violations.push(Violation::of_line(
                path,
                number,
                "unsafe code has no place here",
            ));
        }
    }
    violations
}

/// Integration tests are roots of their own, but they have nothing that the harness has not.
fn is_crate_root(path: &str, member: &Member) -> bool {
    ["src/lib.rs", "src/main.rs", "harness/lib.rs"]
        .iter()
        .any(|root| path.strip_prefix(member.directory) == Some(root))
}

fn check_words(path: &str, code: &str) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (number, line) in numbered(code) {
        if line.contains("#[ignore") {
            violations.push(Violation::of_line(path, number, "no test is ignored"));
        }
        for unfinished in ["todo", "unimplemented"] {
            if has_word(line, unfinished) && line.contains(&format!("{unfinished}!")) {
                violations.push(Violation::of_line(
                    path,
                    number,
                    format!("{unfinished}! is not finished"),
                ));
            }
        }
        if let Some(member) = reexported(line) {
            violations.push(Violation::of_line(
                path,
                number,
                format!("{member} is not re-exported"),
            ));
        }
    }
    violations
}

/// The member that a `pub use` hands on, if the line is one.
fn reexported(line: &str) -> Option<&'static str> {
    let used = line
        .trim_start()
        .strip_prefix("pub use ")?
        .trim_start_matches("::");
    let first = used
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .next()?;
    MEMBERS
        .iter()
        .map(|member| member.name)
        .find(|name| name.replace('-', "_") == first)
}

/// Tests wait for events, with a deadline; a sleep is either too short or too long.
fn check_sleeps(path: &str, code: &str) -> Vec<Violation> {
    let all_tests =
        path.starts_with("tests/") || path.contains("/tests/") || path.ends_with("/tests.rs");
    let mut in_tests = all_tests;
    let mut violations = Vec::new();
    for (number, line) in numbered(code) {
        in_tests |= line.trim() == "#[cfg(test)]";
        if in_tests && line.contains("thread::sleep") {
            violations.push(Violation::of_line(
                path,
                number,
                "tests wait for events, they do not sleep",
            ));
        }
    }
    violations
}

fn numbered(code: &str) -> impl Iterator<Item = (usize, &str)> {
    code.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(path: &str, text: &str) -> Vec<String> {
        check(path, text)
            .into_iter()
            .map(|violation| violation.to_string())
            .collect()
    }

    #[test]
    fn a_clean_file_passes() {
        let text = "//! A file.\n\n#![forbid(unsafe_code)]\n\nfn f() {} // no todo!(), no unsafe\n";
        assert!(texts("crates/fcgi-proto/src/lib.rs", text).is_empty());
    }

    #[test]
    fn files_have_a_head_and_an_end() {
        let long = "//! A file.\n".to_owned() + &"\n".repeat(MAX_LINES);
        assert_eq!(texts("xtask/src/a.rs", &long).len(), 1);
        assert_eq!(texts("php-sys/shim/a.h", &long).len(), 1);
        assert_eq!(texts("xtask/src/a.rs", "use std::fs;\n").len(), 1);
    }

    #[test]
    fn unsafe_code_has_its_places() {
        let text = "//! A file.\nfn f() { unsafe { g() } }\n";
        assert!(texts("crates/fpm-os/src/fork.rs", text).is_empty());
        assert_eq!(
            texts("crates/fpm-conf/src/pool.rs", text),
            ["crates/fpm-conf/src/pool.rs:2: unsafe code has no place here"]
        );
        assert_eq!(texts("crates/fpm-master/src/lib.rs", text).len(), 2);
    }

    #[test]
    fn unfinished_code_and_ignored_tests_are_found() {
        assert_eq!(
            texts("xtask/src/a.rs", "//! A.\nfn f() { todo!() }\n").len(),
            1
        );
        assert_eq!(
            texts(
                "xtask/src/a.rs",
                "//! A.\n#[test]\n#[ignore = \"slow\"]\nfn f() {}\n"
            )
            .len(),
            1
        );
        assert!(
            texts(
                "xtask/src/a.rs",
                "//! A.\nfn f() { let todo = 1; g(todo); }\n"
            )
            .is_empty()
        );
    }

    #[test]
    fn members_are_not_handed_on() {
        assert_eq!(
            texts(
                "crates/fpm-os/src/lib.rs",
                "//! A.\npub use fpm_conf::Config;\n"
            )
            .len(),
            1
        );
        assert!(texts("crates/fpm-os/src/lib.rs", "//! A.\npub use fork::Fork;\n").is_empty());
    }

    #[test]
    fn tests_do_not_sleep() {
        let sleep = "//! A.\nfn f() { std::thread::sleep(x) }\n";
        assert!(texts("crates/fpm-os/src/a.rs", sleep).is_empty());
        assert_eq!(texts("tests/harness/a.rs", sleep).len(), 1);
        let in_module = "//! A.\n#[cfg(test)]\nmod tests { fn f() { thread::sleep(x) } }\n";
        assert_eq!(texts("crates/fpm-os/src/a.rs", in_module).len(), 1);
    }
}
