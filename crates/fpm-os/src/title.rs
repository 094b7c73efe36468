//! The process title: what ps shows, written over the command line that the process was started with.
//!
//! The kernel shows the memory in which it put arguments and, after them, the environment. So the environment moves
//! elsewhere first. Rule: claim it after the arguments are read and before anything keeps a pointer into the
//! environment; `std::env::args` shows the title afterwards.
//!
//! Original: sapi/fpm/fpm/fpm_env.c (`fpm_env_setproctitle`)

use std::ffi::{CStr, CString, c_char};
use std::fs;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::OsError;
use crate::process::is_alone;

unsafe extern "C" {
    /// The C library's list of variables, ended by a null pointer.
    static mut environ: *mut *mut c_char;
}

/// Whether this process, or the one it was forked from, has claimed its title.
static CLAIMED: AtomicBool = AtomicBool::new(false);

/// The memory that ps shows. A forked child writes to its own copy.
#[derive(Debug)]
pub struct ProcessTitle {
    start: *mut u8,
    len: usize,
}

impl ProcessTitle {
    /// Moves the environment away and takes its place and that of the arguments.
    ///
    /// # Errors
    /// [`OsError::Title`] when it was claimed before or /proc does not tell where it is; [`OsError::Threads`] when
    /// another thread could be reading the environment. The title stays as it is then, and nothing is broken.
    pub fn claim() -> Result<ProcessTitle, OsError> {
        if !is_alone() {
            return Err(OsError::Threads);
        }
        let stat = fs::read("/proc/self/stat").map_err(OsError::call("read(/proc/self/stat)"))?;
        let (start, end) = area(&stat).ok_or(OsError::Title {
            reason: "/proc/self/stat does not tell where",
        })?;
        if CLAIMED.swap(true, Ordering::Relaxed) {
            return Err(OsError::Title {
                reason: "it was claimed before",
            });
        }
        move_environment();
        Ok(ProcessTitle {
            start: ptr::with_exposed_provenance_mut(start),
            len: end - start,
        })
    }

    /// Shows `title`, cut to the memory there is.
    pub fn set(&mut self, title: &[u8]) {
        let shown = title.len().min(self.len - 1);
        // SAFETY: `start` heads `len` bytes of the stack's bottom, which the kernel mapped writable and nothing
        // unmaps; the environment has moved away, and the arguments are read by nobody but `std::env::args`, on
        // this thread. `shown` is less than `len`.
        unsafe { ptr::copy_nonoverlapping(title.as_ptr(), self.start, shown) };
        // SAFETY: as above, `shown` is inside.
        let rest = unsafe { self.start.add(shown) };
        // SAFETY: as above. The last byte is always NUL, so that no C string in the area ever runs out of it.
        unsafe { ptr::write_bytes(rest, 0, self.len - shown) };
    }

    /// Returns how many bytes of a title can be shown.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.len - 1
    }
}

/// Reads from /proc/self/stat where the arguments begin and the environment ends (proc_pid_stat(5), fields 48 to
/// 51); `None` when that is not one piece.
fn area(stat: &[u8]) -> Option<(usize, usize)> {
    // The second field is the program's name in brackets and may hold blanks and brackets itself.
    let after_name = stat.iter().rposition(|&byte| byte == b')')? + 1;
    let fields = str::from_utf8(&stat[after_name..]).ok()?;
    let mut addresses = fields
        .split_ascii_whitespace()
        .skip(45)
        .map(str::parse::<usize>);
    let mut next = || addresses.next()?.ok();
    let [arguments, arguments_end, environment, end] = [next()?, next()?, next()?, next()?];
    let in_one_piece = arguments > 0
        && arguments < arguments_end
        && arguments_end == environment
        && environment <= end;
    in_one_piece.then_some((arguments, end))
}

/// Copies the environment to the heap, for good.
fn move_environment() {
    let mut copies = Vec::new();
    // SAFETY: there is no other thread (checked by the caller), so nobody changes the pointer.
    let mut entry = unsafe { environ };
    // A program may have set the list itself to null (clearenv).
    while !entry.is_null() {
        // SAFETY: the list ends with a null pointer, and `entry` has not passed it.
        let text = unsafe { *entry };
        if text.is_null() {
            break;
        }
        // SAFETY: every other pointer of the list is to a NUL-terminated text.
        let copy = CString::from(unsafe { CStr::from_ptr(text) });
        copies.push(copy.into_raw());
        // SAFETY: this entry was not the last.
        entry = unsafe { entry.add(1) };
    }
    copies.push(ptr::null_mut());
    // SAFETY: as above. The list and its texts are never freed; setenv copies the list before it changes it.
    unsafe { environ = Vec::leak(copies).as_mut_ptr() };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stat file whose fields 3 to 47 are zeros.
    fn stat(name: &str, addresses: &str) -> Vec<u8> {
        format!("1 ({name}) {}{addresses}", "0 ".repeat(45)).into_bytes()
    }

    #[test]
    fn the_area_is_found_whatever_the_program_is_called() {
        for name in ["fpmd", "a b", "x) 1 2 (y", "("] {
            assert_eq!(
                area(&stat(name, "100 120 120 400 0")),
                Some((100, 400)),
                "{name}"
            );
        }
    }

    #[test]
    fn an_area_in_pieces_hidden_or_missing_is_not_used() {
        for addresses in [
            "100 120 130 400",
            "0 0 0 0",
            "100 100 100 400",
            "100 120 120 110",
            "100 120",
            "a b c d",
        ] {
            assert_eq!(area(&stat("fpmd", addresses)), None, "{addresses}");
        }
        assert_eq!(area(b""), None);
    }

    #[test]
    fn a_process_with_threads_keeps_its_title() {
        // What changes it is tested in tests/processes.rs.
        assert_eq!(ProcessTitle::claim().unwrap_err(), OsError::Threads);
    }
}
