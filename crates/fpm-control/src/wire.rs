//! The bytes: a greeting with the version, then messages, each with its length before it.
//!
//! Rule: the greeting never changes, whatever the version.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::ControlError;

/// Version of all messages.
pub const VERSION: u32 = 8;

/// Longest request, in bytes.
pub const LONGEST_REQUEST: usize = 64 << 10;

/// Longest answer, in bytes: the status of some 200,000 workers.
pub const LONGEST_ANSWER: usize = 64 << 20;

/// How a greeting begins.
const NAME: [u8; 4] = *b"fpmd";

/// A greeting: the name and a version.
const GREETING: usize = 8;

/// The length of a message.
const LENGTH: usize = 4;

/// Returns what each side says first.
#[must_use]
pub fn greeting() -> [u8; GREETING] {
    let mut greeting = [0; GREETING];
    greeting[..NAME.len()].copy_from_slice(&NAME);
    greeting[NAME.len()..].copy_from_slice(&VERSION.to_le_bytes());
    greeting
}

/// Encodes a message with its length before it.
///
/// # Errors
/// [`ControlError::TooLong`] when it is longer than `limit`.
pub fn encode<T: Serialize>(message: &T, limit: usize) -> Result<Vec<u8>, ControlError> {
    let mut bytes = postcard::to_extend(message, vec![0; LENGTH])?;
    let len = bytes.len() - LENGTH;
    let length = u32::try_from(len).ok().filter(|_| len <= limit);
    let Some(length) = length else {
        return Err(ControlError::TooLong { len, limit });
    };
    bytes[..LENGTH].copy_from_slice(&length.to_le_bytes());
    Ok(bytes)
}

/// Takes the other side's bytes as they come and gives its messages.
#[derive(Debug)]
pub struct Inbox {
    bytes: Vec<u8>,
    greeted: bool,
    limit: usize,
}

impl Inbox {
    /// Makes an inbox for messages of at most `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Inbox {
        Inbox {
            bytes: Vec::new(),
            greeted: false,
            limit,
        }
    }

    /// Takes bytes. Whoever does so without ever taking messages out lets it grow.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Tells whether more has come than one message, so that the other side has not waited for the answer.
    #[must_use]
    pub fn is_overfull(&self) -> bool {
        self.bytes.len() > GREETING + LENGTH + self.limit
    }

    /// Tells whether nothing is there of what comes next.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes the next message out; `None` when it is not complete.
    ///
    /// # Errors
    /// When what is there can become no message. Nothing can be expected of the other side after that.
    pub fn take<T: DeserializeOwned>(&mut self) -> Result<Option<T>, ControlError> {
        if !self.greeted && !self.take_greeting()? {
            return Ok(None);
        }
        let Some((length, rest)) = self.bytes.split_first_chunk::<LENGTH>() else {
            return Ok(None);
        };
        let len = u32::from_le_bytes(*length) as usize;
        if len > self.limit {
            let limit = self.limit;
            return Err(ControlError::TooLong { len, limit });
        }
        let Some(message) = rest.get(..len) else {
            return Ok(None);
        };
        let (taken, []) = postcard::take_from_bytes(message)? else {
            return Err(postcard::Error::DeserializeBadEncoding.into());
        };
        self.bytes.drain(..LENGTH + len);
        Ok(Some(taken))
    }

    /// Tells whether the other side's greeting was there.
    fn take_greeting(&mut self) -> Result<bool, ControlError> {
        let name = &self.bytes[..self.bytes.len().min(NAME.len())];
        if !NAME.starts_with(name) {
            return Err(ControlError::Stranger);
        }
        let Some(version) = self.bytes.get(NAME.len()..GREETING) else {
            return Ok(false);
        };
        let version = version.iter().rev();
        let theirs = version.fold(0, |number, byte| number << 8 | u32::from(*byte));
        if theirs != VERSION {
            let ours = VERSION;
            return Err(ControlError::OtherVersion { theirs, ours });
        }
        self.bytes.drain(..GREETING);
        self.greeted = true;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::message::{Answer, Detail, Failure, Request, Scope};

    /// Feeds bytes in one piece and takes a request.
    fn request(bytes: &[u8]) -> Result<Option<Request>, ControlError> {
        let mut inbox = Inbox::new(LONGEST_REQUEST);
        inbox.feed(bytes);
        inbox.take()
    }

    fn greeted(bytes: &[u8]) -> Vec<u8> {
        [&greeting()[..], bytes].concat()
    }

    #[test]
    fn messages_come_out_as_they_went_in() {
        let requests = [
            Request::Status(Detail::Workers),
            Request::Reload(Scope::All),
            Request::Preview(Scope::Pools(["www".to_owned()].into())),
        ];
        let mut bytes = greeting().to_vec();
        for request in &requests {
            bytes.extend(encode(request, LONGEST_REQUEST).unwrap());
        }
        for piece in 1..bytes.len() {
            let mut inbox = Inbox::new(LONGEST_REQUEST);
            let mut taken = Vec::new();
            for piece in bytes.chunks(piece) {
                inbox.feed(piece);
                while let Some(request) = inbox.take::<Request>().unwrap() {
                    taken.push(request);
                }
            }
            assert_eq!(taken, requests, "in pieces of {piece}");
            assert!(inbox.is_empty());
        }
    }

    #[test]
    fn who_is_no_other_side_is_found_out_at_the_first_byte() {
        for (bytes, expected) in [
            (&b""[..], Ok(None)),
            (b"f", Ok(None)),
            (b"fpmd\x01\0\0", Ok(None)),
            (b"GET / HTTP/1.1\r\n", Err(ControlError::Stranger)),
            (b"fpmx", Err(ControlError::Stranger)),
            (b"\x01", Err(ControlError::Stranger)),
            (
                b"fpmd\0\x01\0\0",
                Err(ControlError::OtherVersion {
                    theirs: 256,
                    ours: VERSION,
                }),
            ),
        ] {
            assert_eq!(request(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn lengths_are_limited_before_anything_is_kept() {
        let longest = u32::try_from(LONGEST_REQUEST).unwrap();
        let too_long = greeted(&(longest + 1).to_le_bytes());
        let error = ControlError::TooLong {
            len: LONGEST_REQUEST + 1,
            limit: LONGEST_REQUEST,
        };
        assert_eq!(request(&too_long), Err(error.clone()));
        assert_eq!(request(&greeted(&longest.to_le_bytes())), Ok(None));

        let said = Answer::Failed(Failure::Reload("x".repeat(LONGEST_REQUEST)));
        assert!(encode(&said, LONGEST_REQUEST).is_err());
        assert!(encode(&said, LONGEST_ANSWER).is_ok());
    }

    #[test]
    fn a_message_with_something_behind_it_makes_no_sense() {
        let mut bytes = encode(&Request::Reload(Scope::All), LONGEST_REQUEST).unwrap();
        bytes[0] += 1;
        bytes.push(0);
        let taken = request(&greeted(&bytes));
        assert!(matches!(taken, Err(ControlError::Garbage(_))), "{taken:?}");
    }

    #[test]
    fn who_goes_on_without_waiting_is_noticed() {
        let mut inbox = Inbox::new(8);
        inbox.feed(&[0; GREETING + LENGTH + 8]);
        assert!(!inbox.is_overfull());
        inbox.feed(&[0]);
        assert!(inbox.is_overfull());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..300)) {
            let _ = request(&bytes);
            let _ = request(&greeted(&bytes));
            let mut inbox = Inbox::new(LONGEST_ANSWER);
            inbox.feed(&greeted(&bytes));
            while let Ok(Some(_)) = inbox.take::<Answer>() {}
        }
    }
}
