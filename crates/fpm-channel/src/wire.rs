//! The packets on the socket: a version byte, then one [`Order`] or `FromZygote` in postcard's encoding.
//!
//! Rule: raise [`VERSION`] with every change of a message.

use fpm_conf::PoolIndex;
use fpm_os::signal::Signal;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::ChannelError;
use crate::message::{SlotIndex, WorkerId};

/// Version of all messages; the first byte of every packet.
pub const VERSION: u8 = 10;

/// Largest packet, in bytes. Well below the kernel's send buffer, so that a packet never waits for room alone.
pub(crate) const MAX_PACKET: usize = 65_536;

/// Largest payload of a `Start`, in bytes: some 30,000 pools.
pub(crate) const MAX_PAYLOAD: usize = 64 << 20;

/// The release of this build, named in `Start` because the configuration's layout follows the release.
pub const RELEASE: &str = env!("CARGO_PKG_VERSION");

/// `ToZygote` without its descriptors, which travel beside it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Descriptors: a frozen memory file with the parameters, the scoreboard, the ledger.
    Start {
        /// The sender's [`RELEASE`].
        release: String,
        /// How many listening sockets follow in `Descriptors`, and then as many relays.
        listeners: u32,
    },
    /// Descriptors: the next of those that a `Start` has announced.
    Descriptors,
    /// Descriptors: the control socket; the access log if the pool keeps one; two pipes for stdout and stderr if the worker's
    /// output is wanted.
    Spawn {
        /// The worker.
        worker: WorkerId,
        /// Its pool.
        pool: PoolIndex,
        /// Its slot.
        slot: SlotIndex,
    },
    /// No descriptors.
    Kill {
        /// The worker.
        worker: WorkerId,
        /// The signal.
        signal: Signal,
    },
    /// No descriptors.
    Quit,
}

/// Encodes a message as one packet.
pub(crate) fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, ChannelError> {
    let packet = postcard::to_extend(message, vec![VERSION])?;
    if packet.len() > MAX_PACKET {
        return Err(ChannelError::TooLarge {
            len: packet.len(),
            limit: MAX_PACKET,
        });
    }
    Ok(packet)
}

/// Decodes a packet that holds one message and nothing after it.
pub(crate) fn decode<T: DeserializeOwned>(packet: &[u8]) -> Result<T, ChannelError> {
    match packet {
        [VERSION, message @ ..] => decode_payload(message),
        [theirs, ..] => Err(ChannelError::OtherVersion {
            theirs: *theirs,
            ours: VERSION,
        }),
        [] => Err(ChannelError::Garbage(
            postcard::Error::DeserializeUnexpectedEnd,
        )),
    }
}

/// Decodes bytes that hold one value and nothing after it.
pub(crate) fn decode_payload<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ChannelError> {
    match postcard::take_from_bytes(bytes)? {
        (value, []) => Ok(value),
        _ => Err(ChannelError::Garbage(
            postcard::Error::DeserializeBadEncoding,
        )),
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::message::{FromZygote, Parameters};

    proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(mut packet in vec(any::<u8>(), 0..200)) {
            let _ = decode_payload::<Parameters>(&packet);
            if let Some(first) = packet.first_mut() {
                *first = VERSION;
            }
            let _ = decode::<Order>(&packet);
            let _ = decode::<FromZygote>(&packet);
        }

        #[test]
        fn an_order_comes_back(worker: u64, pool: u32, slot: u32) {
            let order = Order::Spawn {
                worker: WorkerId(worker),
                pool: PoolIndex(pool),
                slot: SlotIndex(slot),
            };
            prop_assert_eq!(decode::<Order>(&encode(&order).unwrap()).unwrap(), order);
        }
    }
}
