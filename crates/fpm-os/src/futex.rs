//! Waiting for a word in shared memory to change.
//!
//! A changer must know: the kernel compares 32 bits, so a word is seen to change only if its lower half does, and whoever waits
//! looks again afterwards. Source: futex(2).

use std::ptr;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// Waits while the lower half of `word` is that of `seen`, for `longest` at most, until somebody calls [`wake`]. Any process that
/// maps the word may. May return earlier.
pub fn wait(word: &AtomicU64, seen: u64, longest: Option<Duration>) {
    let longest = longest.map(|longest| libc::timespec {
        tv_sec: libc::time_t::try_from(longest.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: longest.subsec_nanos().into(),
    });
    let longest = longest.as_ref().map_or(ptr::null(), ptr::from_ref);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it is the lower half that is compared"
    )]
    let seen = seen as u32;
    // SAFETY: the word outlives the call, its half is aligned, and the kernel reads both only atomically; `longest` is null or a
    // timespec that outlives the call.
    let _woken = unsafe {
        libc::syscall(
            libc::SYS_futex,
            lower_half(word),
            libc::FUTEX_WAIT,
            seen,
            longest,
        )
    };
}

/// Wakes everybody who waits for `word`.
pub fn wake(word: &AtomicU64) {
    // SAFETY: nothing is accessed but the identity of the word, which is mapped.
    let _woken = unsafe {
        libc::syscall(
            libc::SYS_futex,
            lower_half(word),
            libc::FUTEX_WAKE,
            libc::c_int::MAX,
        )
    };
}

/// Returns where the lower half of a word is.
fn lower_half(word: &AtomicU64) -> *const u32 {
    let halves = word.as_ptr().cast::<u32>().cast_const();
    halves.wrapping_add(usize::from(cfg!(target_endian = "big")))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::{Acquire, Release};
    use std::thread;
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_word_that_has_changed_is_not_waited_for() {
        wait(&AtomicU64::new(1), 0, None);
        wait(&AtomicU64::new(u64::MAX), u64::MAX - 1, None);
    }

    #[test]
    fn waiting_ends_in_time() {
        let begun = Instant::now();
        let word = AtomicU64::new(7);
        wait(&word, 7, Some(Duration::from_millis(20)));
        assert!(begun.elapsed() >= Duration::from_millis(20));
        wait(&word, 7, Some(Duration::ZERO));
    }

    #[test]
    fn whoever_waits_is_woken() {
        let word = AtomicU64::new(0);
        thread::scope(|scope| {
            let waits = scope.spawn(|| {
                while word.load(Acquire) == 0 {
                    wait(&word, 0, None);
                }
            });
            word.store(1, Release);
            wake(&word);
            waits.join().unwrap();
        });
    }
}
