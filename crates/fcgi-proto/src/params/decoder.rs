//! Name-value pairs out of a stream that may be cut anywhere.
//!
//! The specification makes PARAMS a stream: a pair may span records. A pair that is whole in the input goes straight into the table;
//! of any other the lengths are collected first, then its bytes are appended to the table's arena as they come. Lengths are checked
//! against the limits before anything of that size is touched.

use nom::bytes::streaming::take;
use nom::number::streaming::{be_u8, be_u32};
use nom::{IResult, Parser};

use super::Params;
use crate::Limits;
use crate::error::Limited;

/// Longest encoding of the two lengths of a pair.
const LENGTHS: usize = 8;

/// Parses one whole pair: `(name, value)`.
///
/// # Errors
/// `Incomplete` while the pair is not whole.
pub fn pair(input: &[u8]) -> IResult<&[u8], (&[u8], &[u8])> {
    let (rest, (name_len, value_len)) = lengths(input)?;
    (take(name_len), take(value_len)).parse(rest)
}

fn lengths(input: &[u8]) -> IResult<&[u8], (u32, u32)> {
    (length, length).parse(input)
}

/// A length: one byte below 128, else four with the top bit set.
fn length(input: &[u8]) -> IResult<&[u8], u32> {
    let (rest, first) = be_u8(input)?;
    if first < 0x80 {
        return Ok((rest, u32::from(first)));
    }
    let (rest, long) = be_u32(input).map(|(rest, long)| (rest, long & 0x7fff_ffff))?;
    Ok((rest, long))
}

/// A limit that the peer ran over, with its value.
pub(crate) type Exceeded = (Limited, usize);

/// Decodes one stream of pairs into a [`Params`] table.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    at: At,
    /// Pairs so far.
    pairs: usize,
    /// Bytes of names and values so far, the current pair included.
    bytes: usize,
}

/// Where in a pair the stream stands.
#[derive(Clone, Debug)]
enum At {
    /// In the lengths; `have` of their bytes came at the end of the input before.
    Lengths { bytes: [u8; LENGTHS], have: usize },
    /// In the name, which starts at `start` in the arena.
    Name {
        start: usize,
        name_len: usize,
        value_len: usize,
    },
    /// In the value, which starts at `value_start` in the arena.
    Value {
        start: usize,
        name_len: usize,
        value_start: usize,
        value_len: usize,
    },
}

impl Default for At {
    fn default() -> Self {
        Self::Lengths {
            bytes: [0; LENGTHS],
            have: 0,
        }
    }
}

impl Decoder {
    /// Returns whether the stream may end here.
    #[must_use]
    pub fn is_between_pairs(&self) -> bool {
        matches!(self.at, At::Lengths { have: 0, .. })
    }

    /// Decodes all of `input` into `params`.
    ///
    /// Between two calls for one stream nothing else may be added to `params`.
    ///
    /// # Errors
    /// The limit that the stream runs over, and its value. `params` then holds the pairs before.
    pub(crate) fn feed(
        &mut self,
        mut input: &[u8],
        params: &mut Params,
        limits: &Limits,
    ) -> Result<(), Exceeded> {
        while !input.is_empty() {
            input = match self.at {
                At::Lengths { have: 0, .. } => match lengths(input) {
                    Ok((rest, (name_len, value_len))) => {
                        self.begin(rest, name_len, value_len, params, limits)?
                    }
                    Err(_) => self.stash(input),
                },
                At::Lengths { mut bytes, have } => {
                    let more = input.len().min(LENGTHS - have);
                    bytes[have..have + more].copy_from_slice(&input[..more]);
                    match lengths(&bytes[..have + more]) {
                        Ok((unused, (name_len, value_len))) => {
                            let used = more - unused.len();
                            self.begin(&input[used..], name_len, value_len, params, limits)?
                        }
                        Err(_) => {
                            self.at = At::Lengths {
                                bytes,
                                have: have + more,
                            };
                            &[]
                        }
                    }
                }
                At::Name {
                    start,
                    name_len,
                    value_len,
                } => {
                    let (piece, rest) = split(input, name_len - (params.arena.len() - start));
                    params.arena.extend_from_slice(piece);
                    self.continue_name(start, name_len, value_len, params);
                    rest
                }
                At::Value {
                    start,
                    name_len,
                    value_start,
                    value_len,
                } => {
                    let (piece, rest) =
                        split(input, value_len - (params.arena.len() - value_start));
                    params.arena.extend_from_slice(piece);
                    self.continue_value(start, name_len, value_start, value_len, params);
                    rest
                }
            };
        }
        Ok(())
    }

    /// Keeps the beginning of two lengths; both are at most [`LENGTHS`] bytes, so an incomplete input is shorter.
    fn stash<'i>(&mut self, input: &'i [u8]) -> &'i [u8] {
        let mut bytes = [0; LENGTHS];
        bytes[..input.len()].copy_from_slice(input);
        self.at = At::Lengths {
            bytes,
            have: input.len(),
        };
        &[]
    }

    /// Starts a pair whose content begins at `input`, and finishes it if it is whole. Returns what is left of the input.
    fn begin<'i>(
        &mut self,
        input: &'i [u8],
        name_len: u32,
        value_len: u32,
        params: &mut Params,
        limits: &Limits,
    ) -> Result<&'i [u8], Exceeded> {
        let (name_len, value_len) = (name_len as usize, value_len as usize);
        self.account(name_len, value_len, limits)?;
        if input.len() >= name_len + value_len {
            let (name, rest) = input.split_at(name_len);
            let (value, rest) = rest.split_at(value_len);
            params.set(name, value);
            self.at = At::default();
            return Ok(rest);
        }
        let start = params.arena.len();
        self.continue_name(start, name_len, value_len, params);
        Ok(input)
    }

    fn account(
        &mut self,
        name_len: usize,
        value_len: usize,
        limits: &Limits,
    ) -> Result<(), Exceeded> {
        self.pairs += 1;
        // Both lengths are below 2^31 and the sum before is within the limit.
        self.bytes += name_len + value_len;
        let within = |value: usize, limit: usize, what: Limited| {
            if value > limit {
                Err((what, limit))
            } else {
                Ok(())
            }
        };
        within(name_len, limits.name_bytes, Limited::NameBytes)?;
        within(value_len, limits.value_bytes, Limited::ValueBytes)?;
        within(self.pairs, limits.params, Limited::Params)?;
        within(self.bytes, limits.params_bytes, Limited::ParamsBytes)
    }

    fn continue_name(
        &mut self,
        start: usize,
        name_len: usize,
        value_len: usize,
        params: &mut Params,
    ) {
        self.at = At::Name {
            start,
            name_len,
            value_len,
        };
        if params.arena.len() - start == name_len {
            params.arena.push(0);
            let value_start = params.arena.len();
            self.continue_value(start, name_len, value_start, value_len, params);
        }
    }

    fn continue_value(
        &mut self,
        start: usize,
        name_len: usize,
        value_start: usize,
        value_len: usize,
        params: &mut Params,
    ) {
        self.at = At::Value {
            start,
            name_len,
            value_start,
            value_len,
        };
        if params.arena.len() - value_start == value_len {
            params.arena.push(0);
            let hash = params.index.hash(&params.arena[start..start + name_len]);
            params.commit(start, name_len, hash);
            self.at = At::default();
        }
    }
}

/// Splits `input` after `n` bytes, or at its end.
fn split(input: &[u8], n: usize) -> (&[u8], &[u8]) {
    input.split_at(n.min(input.len()))
}
