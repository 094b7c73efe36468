//! What a worker is doing.
//!
//! Resting is fpmd's own: status pages do not tell it from accepting, but such a worker takes no new connection.

/// The stages of a worker's life, with the original's numbers. (Its `Ending`, 5, is never set.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// It is being made.
    Creating,
    /// It waits for a connection.
    Accepting,
    /// It waits for a request on the connection that it has.
    Resting,
    /// It reads a request.
    ReadingHeaders,
    /// It finds out what the request wants.
    Info,
    /// It runs the script.
    Running,
    /// The script has ended; what is left to do is done.
    Finished,
}

impl Stage {
    /// Returns the name that status pages show.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Stage::Creating => "Creating",
            Stage::Accepting | Stage::Resting => "Idle",
            Stage::ReadingHeaders => "Reading headers",
            Stage::Info => "Getting request information",
            Stage::Running => "Running",
            Stage::Finished => "Finishing",
        }
    }

    /// Returns the original's number.
    pub(crate) fn number(self) -> u64 {
        match self {
            Stage::Creating => 0,
            Stage::Accepting => 1,
            Stage::ReadingHeaders => 2,
            Stage::Info => 3,
            Stage::Running => 4,
            Stage::Finished => 6,
            Stage::Resting => 7,
        }
    }

    /// Takes a number back; what no worker writes is a worker that is being made.
    pub(crate) fn from_number(number: u64) -> Stage {
        match number {
            1 => Stage::Accepting,
            2 => Stage::ReadingHeaders,
            3 => Stage::Info,
            4 => Stage::Running,
            6 => Stage::Finished,
            7 => Stage::Resting,
            _ => Stage::Creating,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_taken_back() {
        for stage in [
            Stage::Creating,
            Stage::Accepting,
            Stage::Resting,
            Stage::ReadingHeaders,
            Stage::Info,
            Stage::Running,
            Stage::Finished,
        ] {
            assert_eq!(Stage::from_number(stage.number()), stage);
        }
        assert_eq!(Stage::from_number(u64::MAX), Stage::Creating);
    }
}
