//! Runs cases the way a zygote runs workers: a process per suite starts PHP, and forks a process
//! per case from it.
//!
//! A case passes when its process ends with status 0 in time. Panics are reported by their own
//! message.

use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::process::ExitCode;

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, alarm, fork};
use sapi::{Engine, StartOptions};

use crate::php::Php;

/// After this many seconds a case is killed by SIGALRM.
const DEADLINE: u32 = 60;

/// A test: fails by panicking.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&mut Php),
}

/// Cases that share a start of PHP.
pub(crate) struct Suite {
    pub(crate) name: &'static str,
    /// Makes the options; may put files into the folder.
    pub(crate) options: fn(&Path) -> StartOptions,
    pub(crate) cases: Vec<Case>,
}

/// Lists functions as cases under their own names.
#[macro_export]
macro_rules! cases {
    ($($function:path),+ $(,)?) => {
        vec![$($crate::suite::Case { name: concat!(module_path!(), "::", stringify!($function)), run: $function }),+]
    };
}

/// Runs the suites, restricted to the cases whose name contains the first argument that is no
/// option.
pub(crate) fn run(suites: Vec<Suite>) -> ExitCode {
    let filter = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    let filter = filter.unwrap_or_default();
    let mut passed = true;
    for mut suite in suites {
        suite
            .cases
            .retain(|case| full_name(suite.name, case).contains(&filter));
        if !suite.cases.is_empty() {
            passed &= forked(suite.name, || run_suite(&suite));
        }
    }
    if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn full_name(suite: &str, case: &Case) -> String {
    let name = case.name.trim_start_matches("engine::");
    format!("{suite}: {name}")
}

/// Starts PHP and runs the cases of a suite. Returns whether all passed.
fn run_suite(suite: &Suite) -> bool {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let options = (suite.options)(folder.path());
    let engine = Engine::start(&options, |message| {
        eprintln!("PHP: {}", String::from_utf8_lossy(message));
    });
    let mut php = Php::new(engine.expect("PHP starts"), folder.path());
    let mut passed = true;
    for case in &suite.cases {
        let name = full_name(suite.name, case);
        let run_case = || {
            alarm::set(DEADLINE);
            php.engine.after_fork();
            php.folder = folder.path().join(case.name.replace("::", "/"));
            std::fs::create_dir_all(&php.folder).expect("mkdir");
            // SAFETY: this process ends with the case, so the original is never used again.
            let mut php = unsafe { std::ptr::read(&php) };
            (case.run)(&mut php);
            php.engine.shutdown();
            true
        };
        let case_passed = forked(&name, run_case);
        println!(
            "test {name} ... {}",
            if case_passed { "ok" } else { "FAILED" }
        );
        passed &= case_passed;
    }
    php.engine.shutdown();
    passed
}

/// Runs `work` in a forked process. Returns whether it returned true.
fn forked(name: &str, work: impl FnOnce() -> bool) -> bool {
    match in_child(work) {
        WaitStatus::Exited(_, status) => status == 0,
        other => {
            println!("test {name}: {other:?}");
            false
        }
    }
}

/// Runs `work` in a forked process and returns how that ended: with status 0 when `work` returned
/// true.
pub(crate) fn in_child(work: impl FnOnce() -> bool) -> WaitStatus {
    // SAFETY: this process has one thread, and the child leaves by _exit.
    match unsafe { fork() }.expect("fork") {
        ForkResult::Child => {
            let done = panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or(false);
            // SAFETY: ends the process without running what belongs to the parent.
            unsafe { nix::libc::_exit(i32::from(!done)) }
        }
        ForkResult::Parent { child } => waitpid(child, None).expect("waitpid"),
    }
}
