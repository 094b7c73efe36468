//! Tests of what belongs to a whole process: forking, executing, identity, title, umask.
//!
//! Without libtest, whose threads would be in the way: everything here runs on the only thread, one test after the
//! other, and what cannot be undone runs in a child. Arguments: a part of the names of the tests to run.

#![expect(
    clippy::unwrap_used,
    reason = "this program is a test: what it unwraps it asserts"
)]

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use fpm_os::fork::{OtherThreads, fork};
use fpm_os::wait::{ExitStatus, wait};
use nix::unistd::alarm;

mod executing;
mod forking;
mod identities;
mod listening;
mod surroundings;

/// A test and its name.
type Test = (&'static str, fn());

/// After so many seconds SIGALRM ends a test that hangs.
const PATIENCE: u32 = 120;

const GROUPS: [&[Test]; 5] = [
    forking::TESTS,
    executing::TESTS,
    identities::TESTS,
    surroundings::TESTS,
    listening::TESTS,
];

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let filter = arguments.next().unwrap_or_default();
    if filter == executing::ROLE {
        return executing::play(&arguments.next().unwrap_or_default());
    }
    alarm::set(PATIENCE);
    for (name, test) in GROUPS.into_iter().flatten() {
        if filter.starts_with('-') || name.contains(&filter) {
            println!("test {name}");
            test();
        }
    }
    ExitCode::SUCCESS
}

/// Runs a part of a test in a child and fails when it fails there.
fn in_child(part: impl FnOnce()) {
    let pid = fork(OtherThreads::Refuse, || {
        let passed = catch_unwind(AssertUnwindSafe(part)).is_ok();
        u8::from(!passed)
    })
    .expect("a child");
    assert_eq!(
        wait(pid).expect("it is ours"),
        ExitStatus::Code(0),
        "the child's part failed"
    );
}
