//! What `fpmd stack` prints.

use std::fmt::Write as _;

use fpm_control::{Doing, RequestStack, WorkerStack};

use super::table::printable;

/// Writes a paragraph for each worker.
pub(super) fn text(stacks: &[WorkerStack]) -> String {
    let mut text = String::new();
    for stack in stacks {
        if !text.is_empty() {
            text.push('\n');
        }
        let (pool, pid) = (&stack.pool, stack.pid);
        match &stack.doing {
            Doing::Nothing => line(&mut text, format_args!("[pool {pool}] pid {pid}: idle")),
            Doing::Unknown => line(
                &mut text,
                format_args!("[pool {pool}] pid {pid}: no answer"),
            ),
            Doing::Request(request) => {
                let RequestStack {
                    method,
                    uri,
                    script,
                    taken_us,
                    calls,
                } = &**request;
                let (seconds, micros) = (taken_us / 1_000_000, taken_us % 1_000_000);
                line(
                    &mut text,
                    format_args!(
                        "[pool {pool}] pid {pid}: {method} {uri} since {seconds}.{micros:06} sec"
                    ),
                );
                line(&mut text, format_args!("script_filename = {script}"));
                for call in calls {
                    let file = match &*call.file {
                        "" => "unknown",
                        file => file,
                    };
                    line(
                        &mut text,
                        format_args!("{}() {file}:{}", call.function, call.line),
                    );
                }
            }
        }
    }
    text
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    let shown = printable(&line.to_string());
    // A string takes whatever is written.
    let _ = writeln!(text, "{shown}");
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use fpm_control::StackCall;

    use super::*;

    #[test]
    fn a_paragraph_for_each() {
        let stack = |pid, doing| WorkerStack {
            pool: "www".to_owned(),
            pid,
            doing,
        };
        let call = |function: &str, file: &str, line| StackCall {
            function: function.to_owned(),
            file: file.to_owned(),
            line,
        };
        let request = RequestStack {
            method: "GET".to_owned(),
            uri: "/t.php?a=\u{1b}[2J".to_owned(),
            script: "/srv/t.php".to_owned(),
            taken_us: 12_000_042,
            calls: vec![call("sleep", "/srv/t.php", 3), call("inner", "", 0)],
        };
        let stacks = [
            stack(1, Doing::Nothing),
            stack(2, Doing::Request(Box::new(request))),
            stack(3, Doing::Unknown),
        ];
        expect![[r#"
            [pool www] pid 1: idle

            [pool www] pid 2: GET /t.php?a=?[2J since 12.000042 sec
            script_filename = /srv/t.php
            sleep() /srv/t.php:3
            inner() unknown:0

            [pool www] pid 3: no answer
        "#]]
        .assert_eq(&text(&stacks));
        assert_eq!(text(&[]), "");
    }
}
