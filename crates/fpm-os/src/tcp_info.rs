//! What TCP knows of a socket (TCP_INFO, tcp(7)). Others take out of it what they want and say what it means.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd};

/// Asks TCP for all that it knows of a socket.
///
/// # Errors
/// EOPNOTSUPP when it is not a TCP socket.
pub(crate) fn tcp_info(socket: impl AsFd) -> io::Result<libc::tcp_info> {
    let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
    let mut len = libc::socklen_t::try_from(size_of::<libc::tcp_info>())
        .expect("the structure is some hundred bytes");
    // SAFETY: `info` is a place of `len` bytes, and both live during the call.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it consists of integers only and was zeroed, so every part of it that the kernel leaves out is 0.
    Ok(unsafe { info.assume_init() })
}
