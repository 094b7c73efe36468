//! `pm.max_children = auto` and `pm.memory_reserve`: values of the directives with which the daemon decides itself how many
//! workers a pool may have. php-fpm does not have them.

use bstr::{BStr, ByteSlice};
use serde::{Deserialize, Serialize};

use crate::own::{bytes, digits};
use crate::value::Reason;

/// `pm.max_children = auto`: the daemon decides, within these bounds. `1 <= floor <= ceiling`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutoChildren {
    /// Never less workers than this, whatever they cost.
    pub floor: u32,
    /// Never more, however much memory there is.
    pub ceiling: u32,
}

/// `pm.memory_reserve`: memory that is not for workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reserve {
    /// This many per cent of all there is, 0 to 100.
    Percent(u32),
    /// This many bytes.
    Bytes(u64),
}

impl AutoChildren {
    /// Reads `auto` or `auto 4-100`; `None` when it is something else.
    pub(crate) fn parse(value: &BStr) -> Result<Option<Self>, Reason> {
        let Some(bounds) = value.strip_prefix(b"auto") else {
            return Ok(None);
        };
        if bounds.is_empty() {
            return Ok(Some(Self::default()));
        }
        let numbers = bounds.to_str().ok().and_then(|bounds| {
            let (floor, ceiling) = bounds.strip_prefix(' ')?.trim_start().split_once('-')?;
            Some((digits(floor.as_bytes())?, digits(ceiling.as_bytes())?))
        });
        match numbers {
            Some((floor, ceiling)) if floor >= 1 && floor <= ceiling && ceiling <= MOST => {
                Ok(Some(Self { floor, ceiling }))
            }
            _ => Err("must be a number, 'auto', or 'auto MIN-MAX' with 1 <= MIN <= MAX <= 10000"),
        }
    }

    /// Returns the value as the `-tt` dump shows it.
    pub(crate) fn shown(self) -> String {
        format!("auto {}-{}", self.floor, self.ceiling)
    }
}

impl Default for AutoChildren {
    fn default() -> Self {
        Self {
            floor: 2,
            ceiling: 128,
        }
    }
}

impl Reserve {
    /// Returns how many bytes of so many are not for workers.
    #[must_use]
    pub fn of(self, limit: u64) -> u64 {
        match self {
            // Rounded down; the product of two halves that fit does.
            Self::Percent(percent) => limit / 100 * u64::from(percent),
            Self::Bytes(bytes) => bytes.min(limit),
        }
    }

    /// Reads `20%`, `512M`, `2G` or a number of bytes.
    pub(crate) fn parse(value: &BStr) -> Result<Self, Reason> {
        let reserve = match value.strip_suffix(b"%") {
            Some(percent) => digits(percent)
                .filter(|percent| *percent <= 100)
                .map(Self::Percent),
            None => bytes(value).ok().map(Self::Bytes),
        };
        reserve.ok_or("must be a size like 512M or 2G, or a percentage from 0% to 100%")
    }

    /// Returns the value as the `-tt` dump shows it.
    pub(crate) fn shown(self) -> String {
        match self {
            Self::Percent(percent) => format!("{percent}%"),
            Self::Bytes(bytes) => bytes.to_string(),
        }
    }
}

impl Default for Reserve {
    fn default() -> Self {
        Self::Percent(20)
    }
}

/// The highest upper bound: each worker that might be takes memory for its numbers.
const MOST: u32 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_optional() {
        let auto = |floor, ceiling| Some(AutoChildren { floor, ceiling });
        for (text, expected) in [
            ("auto", auto(2, 128)),
            ("auto 4-100", auto(4, 100)),
            ("auto  1-1", auto(1, 1)),
            ("7", None),
            ("AUTO", None),
        ] {
            assert_eq!(AutoChildren::parse(text.into()), Ok(expected), "{text}");
        }
        for text in [
            "auto 0-4",
            "auto 5-4",
            "auto 4",
            "auto4-5",
            "auto 1-10001",
            "auto -1-3",
            "automatic",
        ] {
            assert!(AutoChildren::parse(text.into()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_reserve_is_a_size_or_a_part() {
        for (text, expected) in [
            ("20%", Some(200)),
            ("100%", Some(1000)),
            ("0", Some(0)),
            ("300", Some(300)),
            ("1k", Some(1000)),
            ("2G", Some(1000)),
            ("101%", None),
            ("", None),
            ("M", None),
            ("-1", None),
            ("1T", None),
            ("99999999999999G", None),
            ("é", None),
        ] {
            let of_thousand = Reserve::parse(text.into())
                .ok()
                .map(|reserve| reserve.of(1000));
            assert_eq!(of_thousand, expected, "{text}");
        }
        assert_eq!(Reserve::Percent(100).of(u64::MAX), u64::MAX / 100 * 100);
        assert_eq!(Reserve::parse("512M".into()).unwrap().shown(), "536870912");
    }
}
