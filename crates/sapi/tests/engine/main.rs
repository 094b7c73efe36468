//! Tests of the engine on a real PHP. What a script sees, what the host is asked, and what survives
//! a script that dies.

mod abort;
mod body;
mod directory;
mod fatal;
mod functions;
mod headers;
mod ini_files;
mod life_cycle;
mod lookup;
mod opcache;
mod output;
mod overtime;
mod php;
mod print;
mod session;
mod settings;
mod signals;
mod stack;
mod suite;
mod superglobals;
mod user_ini;

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::ExitCode;

use sapi::StartOptions;
use suite::Suite;

fn main() -> ExitCode {
    let plain_cases = [
        life_cycle::cases(),
        superglobals::cases(),
        body::cases(),
        headers::cases(),
        output::cases(),
        fatal::cases(),
        abort::cases(),
        functions::cases(),
        settings::cases(),
        user_ini::cases(),
        session::cases(),
        directory::cases(),
        signals::cases(),
        stack::cases(),
        print::cases(),
        lookup::cases(),
        overtime::cases(),
    ];
    let mut suites = vec![Suite {
        name: "plain",
        options: plain,
        cases: plain_cases.into_iter().flatten().collect(),
    }];
    suites.extend(fatal::suites());
    suites.extend(ini_files::suites());
    suites.extend(opcache::suites());
    suites.extend(overtime::suites());
    suite::run(suites)
}

fn plain(_: &Path) -> StartOptions {
    with(&[])
}

/// PHP without php.ini, with plain text errors, and with `settings`.
fn with(settings: &[&str]) -> StartOptions {
    let always = [
        "html_errors=0",
        "display_errors=1",
        "log_errors=0",
        "date.timezone=UTC",
    ];
    let program = std::env::current_exe().expect("the test has a path");
    StartOptions {
        argv0: CString::new(program.as_os_str().as_bytes()).expect("no NUL"),
        ignore_ini: true,
        defines: always
            .iter()
            .chain(settings)
            .map(|&setting| setting.into())
            .collect(),
        ..StartOptions::default()
    }
}
