//! What to do when a connection cannot be taken.
//!
//! A listening socket stays readable while its queue is not empty, so an error that lasts must never be answered by just
//! trying again.

use std::io;

use nix::errno::Errno;

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remedy {
    /// Nothing: somebody else took it, or it was gone before it was taken.
    TryAgain,
    /// Wait: the system, or this process, has run out of something.
    Pause,
    /// End: this socket will never give a connection again.
    End,
}

/// Sorts the errors of accept(2).
pub(super) fn remedy(error: &io::Error) -> Remedy {
    let Some(errno) = error.raw_os_error() else {
        return Remedy::End;
    };
    match Errno::from_raw(errno) {
        Errno::EAGAIN | Errno::EINTR | Errno::ECONNABORTED => Remedy::TryAgain,
        // Linux passes errors of the connection itself on; accept(2) tells to treat them like EAGAIN.
        Errno::ENETDOWN
        | Errno::EPROTO
        | Errno::ENOPROTOOPT
        | Errno::EHOSTDOWN
        | Errno::ENONET
        | Errno::EHOSTUNREACH
        | Errno::EOPNOTSUPP
        | Errno::ENETUNREACH
        | Errno::ETIMEDOUT
        | Errno::EPERM => Remedy::TryAgain,
        Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM => Remedy::Pause,
        _ => Remedy::End,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_that_last_are_not_tried_again() {
        for (errno, expected) in [
            (Errno::EAGAIN, Remedy::TryAgain),
            (Errno::ECONNABORTED, Remedy::TryAgain),
            (Errno::EMFILE, Remedy::Pause),
            (Errno::ENFILE, Remedy::Pause),
            (Errno::ENOMEM, Remedy::Pause),
            (Errno::EINVAL, Remedy::End),
            (Errno::EBADF, Remedy::End),
            (Errno::ENOTSOCK, Remedy::End),
        ] {
            assert_eq!(remedy(&errno.into()), expected, "{errno}");
        }
    }
}
