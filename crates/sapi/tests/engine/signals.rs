//! The worker's signal handlers beside Zend's: a graceful stop must not cost a request, nor the
//! process.

use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, kill, sigaction};
use nix::sys::wait::WaitStatus;
use nix::unistd::Pid;

use crate::cases;
use crate::php::Php;
use crate::suite::{Case, in_child};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        quit_in_every_request,
        quit_between_requests,
        quit_after_a_script_took_it,
        sleep_is_interrupted_not_the_script,
        term_ends_the_worker,
    ]
}

static QUITS: AtomicU32 = AtomicU32::new(0);

extern "C" fn on_quit(_: i32) {
    QUITS.fetch_add(1, Ordering::Relaxed);
}

/// Sets a handler for SIGQUIT as a worker does.
fn handle_quit(php: &mut Php) {
    let action = SigAction::new(
        SigHandler::Handler(on_quit),
        SaFlags::SA_RESTART,
        SigSet::empty(),
    );
    // SAFETY: the handler only adds to an atomic.
    unsafe { sigaction(Signal::SIGQUIT, &action) }.expect("sigaction");
    php.engine.after_fork();
}

fn quits() -> u32 {
    QUITS.load(Ordering::Relaxed)
}

fn quit_in_every_request(php: &mut Php) {
    handle_quit(php);
    for n in 1..=5 {
        let answer = php.get("echo 'before '; exec('kill -QUIT ' . getmypid()); echo 'after';");
        assert_eq!((answer.body(), quits()), ("before after", n));
    }
}

fn quit_between_requests(php: &mut Php) {
    handle_quit(php);
    for n in 1..=3 {
        kill(Pid::this(), Signal::SIGQUIT).expect("kill");
        assert_eq!(quits(), n);
        assert_eq!(php.get("echo 'alive';").body(), "alive");
    }
}

fn quit_after_a_script_took_it(php: &mut Php) {
    handle_quit(php);
    php.get("echo 1;");
    for (n, handler) in (1..).zip(["function () {}", "SIG_IGN", "SIG_DFL"]) {
        php.get(&format!("pcntl_signal(SIGQUIT, {handler});"));
        kill(Pid::this(), Signal::SIGQUIT).expect("kill");
        assert_eq!(quits(), n, "{handler}");
    }
    let answer = php.get("pcntl_async_signals(true); pcntl_signal(SIGQUIT, function () { echo 'mine '; }); exec('kill -QUIT ' . getmypid()); echo 'end';");
    assert_eq!((answer.body(), quits()), ("mine end", 3));
}

fn sleep_is_interrupted_not_the_script(php: &mut Php) {
    handle_quit(php);
    php.get("echo 1;");
    let answer = php.get(
        "$me = getmypid(); if (pcntl_fork() == 0) { usleep(50000); exec('kill -QUIT ' . $me); exec('kill -KILL ' . getmypid()); } \
         sleep(20); echo 'woken';",
    );
    assert_eq!((answer.body(), quits()), ("woken", 1));
}

fn term_ends_the_worker(php: &mut Php) {
    // In the first request, in a later one, and between two.
    for requests in [0, 1, 5] {
        for in_script in [true, false] {
            let ended = in_child(|| {
                handle_quit(php);
                for _ in 0..requests {
                    assert_eq!(php.get("echo 'alive';").body(), "alive");
                }
                if in_script {
                    php.get("exec('kill -TERM ' . getmypid());");
                } else {
                    kill(Pid::this(), Signal::SIGTERM).expect("kill");
                }
                true
            });
            let by_signal = matches!(ended, WaitStatus::Signaled(_, Signal::SIGTERM, _));
            assert!(by_signal, "{requests} {in_script}: {ended:?}");
        }
    }
}
