//! What two masters beside each other say, over a socket that they alone have: its end is the end of the other.
//!
//! Rule: as JSON, for the two may come from different releases. What is not understood is left aside.

use std::io::{self, IoSlice};
use std::os::fd::AsFd;

use fpm_os::seqpacket::{self, Patience};
use serde::{Deserialize, Serialize};

/// The longest message, in bytes.
const LONGEST: usize = 64 << 10;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Said {
    /// By the new master: it serves.
    Serving {
        /// Its release.
        version: String,
    },
    /// By the new master: it does not start.
    Failed {
        /// Why, a line each.
        reasons: Vec<String>,
    },
    /// By the old master: it is on its way out, the service is the other's.
    Leaving,
}

/// What there was to hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// This.
    Message(Said),
    /// Nothing more for now.
    Nothing,
    /// The other is gone.
    End,
}

/// Says something. Whoever is gone does not hear it, which is found out in another way.
pub(crate) fn say(link: impl AsFd, said: &Said) -> io::Result<()> {
    let bytes = serde_json::to_vec(said)?;
    seqpacket::send(link, &[IoSlice::new(&bytes)], &[], Patience::AtOnce)
}

/// Takes the next message.
pub(crate) fn hear(link: impl AsFd) -> Heard {
    let mut buffer = vec![0; LONGEST];
    loop {
        match seqpacket::receive(&link, &mut buffer, Patience::AtOnce) {
            Ok(packet) if packet.len == 0 => return Heard::End,
            Ok(packet) => match serde_json::from_slice(&buffer[..packet.len]) {
                Ok(said) => return Heard::Message(said),
                Err(error) => tracing::warn!("the other master: {error}"),
            },
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Heard::Nothing,
            Err(_) => return Heard::End,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_understood_is_heard_until_the_end() {
        let (ours, theirs) = seqpacket::pair().unwrap();
        let said = Said::Failed {
            reasons: vec!["no".to_owned()],
        };
        say(&theirs, &said).unwrap();
        let unknown = [IoSlice::new(b"\"Unheard\"")];
        seqpacket::send(&theirs, &unknown, &[], Patience::AtOnce).unwrap();
        say(&theirs, &Said::Leaving).unwrap();
        assert_eq!(hear(&ours), Heard::Message(said));
        assert_eq!(hear(&ours), Heard::Message(Said::Leaving));
        assert_eq!(hear(&ours), Heard::Nothing);
        drop(theirs);
        assert_eq!(hear(&ours), Heard::End);
        assert!(say(&ours, &Said::Leaving).is_err());
    }
}
