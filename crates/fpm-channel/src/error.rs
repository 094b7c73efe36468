//! What can go wrong between the master and its zygotes and workers.

use std::io;

/// A failure of the channel. After any of them the channel is of no use: the other end is gone or insane.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The kernel refused to send or receive.
    #[error("channel between processes of fpmd: {0}")]
    Io(#[from] io::Error),
    /// A message was sent to an end that is gone.
    #[error("the other end of the channel is gone")]
    Closed,
    /// A message is larger than the receiver's buffer, in bytes.
    #[error("a message of {len} bytes is too large for the channel (at most {limit})")]
    TooLarge {
        /// Its size.
        len: usize,
        /// The largest there may be.
        limit: usize,
    },
    /// A message came that was cut, because of its size or because no more descriptors may be open.
    #[error("a message on the channel was cut: it is too large, or too many files are open")]
    Truncated,
    /// The other end speaks another version of these messages.
    #[error("the other end of the channel speaks version {theirs}, this program speaks {ours}")]
    OtherVersion {
        /// The version that the packet carries.
        theirs: u8,
        /// The version of this build.
        ours: u8,
    },
    /// The other end is of another release of this program.
    #[error("master and zygote are of different releases: {theirs} and {ours}")]
    OtherRelease {
        /// The release that the message names.
        theirs: String,
        /// The release of this build.
        ours: &'static str,
    },
    /// A message does not decode.
    #[error("a message on the channel does not decode: {0}")]
    Garbage(#[from] postcard::Error),
    /// A message came with more or fewer descriptors than it needs.
    #[error("a message on the channel came with {found} descriptors instead of {expected}")]
    Descriptors {
        /// How many it needs.
        expected: usize,
        /// How many there were.
        found: usize,
    },
    /// A message came in the middle of a `Start`, or a part of a `Start` without its beginning.
    #[error("a message on the channel came out of order")]
    OutOfOrder,
}
