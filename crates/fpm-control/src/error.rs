//! What can be wrong with the bytes of the other side.

/// The other side does not say what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// It is no side of such a conversation at all.
    #[error("what came is not what fpmd says over its control socket")]
    Stranger,
    /// It comes from another build.
    #[error(
        "the other side speaks version {theirs} of the control protocol, this fpmd version {ours}"
    )]
    OtherVersion {
        /// Its version.
        theirs: u32,
        /// The version of this build.
        ours: u32,
    },
    /// A message is longer than it may be.
    #[error("a message of {len} bytes, where at most {limit} are allowed")]
    TooLong {
        /// Its length in bytes.
        len: usize,
        /// The longest there may be.
        limit: usize,
    },
    /// The bytes are no message.
    #[error("a message makes no sense: {0}")]
    Garbage(#[from] postcard::Error),
}
