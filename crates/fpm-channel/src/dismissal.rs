//! The end of a conversation with a process of another release.
//!
//! Rule: what is sent is no message of any version, ever. Whoever gets it believes that something was lost: a worker leaves when its
//! request is done, a zygote at once, and its workers go on. Neither shuts the listening sockets down, as it does when the master is
//! gone.

use std::os::fd::OwnedFd;

use fpm_os::seqpacket::Patience;

use crate::error::ChannelError;
use crate::link::{Flushed, transmit};

/// A packet of a version that no release has.
const DISMISSAL: [u8; 1] = [0];

/// Lets the process at the other end of a channel or a control socket go, whatever its release.
///
/// # Errors
/// [`ChannelError::Closed`] when nobody has the other end, [`ChannelError::Io`] when the kernel refuses.
pub fn dismiss(socket: &OwnedFd) -> Result<Flushed, ChannelError> {
    transmit(socket, &DISMISSAL, &[], Patience::AtOnce)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::end::ZygoteEnd;
    use crate::wire::VERSION;
    use crate::worker::WorkerEnd;

    #[test]
    fn it_is_no_message_of_any_release_and_no_end() {
        let expected = format!(
            "{:?}",
            ChannelError::OtherVersion {
                theirs: 0,
                ours: VERSION
            }
        );
        let (ours, theirs) = fpm_os::seqpacket::pair().unwrap();
        dismiss(&ours).unwrap();
        let heard = WorkerEnd::adopt(theirs).receive();
        assert_eq!(format!("{:?}", heard.unwrap_err()), expected);
        let (ours, theirs) = fpm_os::seqpacket::pair().unwrap();
        dismiss(&ours).unwrap();
        let heard = ZygoteEnd::adopt(theirs).receive();
        assert_eq!(format!("{:?}", heard.unwrap_err()), expected);
    }
}
