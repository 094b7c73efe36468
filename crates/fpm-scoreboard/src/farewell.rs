//! How a worker leaves its clients.

/// What a worker that is to end does with a kept connection on which no request is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// It waits a moment for a request, and closes the connection: nobody else would answer.
    Close,
    /// It gives the connection to the master, for other workers.
    HandOver,
}

impl Farewell {
    /// Returns the number in the slot; 0 is that of a worker that is to go on.
    pub(crate) fn number(self) -> u64 {
        match self {
            Farewell::Close => 1,
            Farewell::HandOver => 2,
        }
    }

    /// Takes a number back. Whatever is not known is not to be relied upon.
    pub(crate) fn from_number(number: u64) -> Option<Farewell> {
        match number {
            0 => None,
            2 => Some(Farewell::HandOver),
            _ => Some(Farewell::Close),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_taken_back() {
        for farewell in [Farewell::Close, Farewell::HandOver] {
            assert_eq!(Farewell::from_number(farewell.number()), Some(farewell));
        }
        assert_eq!(Farewell::from_number(0), None);
        assert_eq!(Farewell::from_number(u64::MAX), Some(Farewell::Close));
    }
}
