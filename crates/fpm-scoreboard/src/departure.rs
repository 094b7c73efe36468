//! Why a worker is no more.

/// Why a worker has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Departure {
    /// It had served `pm.max_requests`.
    MaxRequests,
    /// It needed more than `pm.max_memory`.
    MaxMemory,
    /// The process manager, or whoever drained the pool, had no use for it.
    Idle,
    /// A new generation took the place of its own.
    Reload,
    /// Its zygote had died.
    Orphaned,
    /// Its request took longer than `request_terminate_timeout`.
    TerminateTimeout,
    /// It ended by itself before its time.
    Exited,
    /// A signal ended it that nobody here had sent.
    Killed,
}

impl Departure {
    /// All of them.
    pub const ALL: [Departure; 8] = [
        Departure::MaxRequests,
        Departure::MaxMemory,
        Departure::Idle,
        Departure::Reload,
        Departure::Orphaned,
        Departure::TerminateTimeout,
        Departure::Exited,
        Departure::Killed,
    ];

    /// Returns its number in shared memory; 0 is none of them.
    pub(crate) const fn number(self) -> u64 {
        self as u64 + 1
    }

    /// Takes a number that was read from shared memory.
    pub(crate) fn from_number(number: u64) -> Option<Departure> {
        Departure::ALL
            .into_iter()
            .find(|departure| departure.number() == number)
    }

    /// Returns its name as metrics and status have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Departure::MaxRequests => "max_requests",
            Departure::MaxMemory => "max_memory",
            Departure::Idle => "idle",
            Departure::Reload => "reload",
            Departure::Orphaned => "orphaned",
            Departure::TerminateTimeout => "terminate_timeout",
            Departure::Exited => "exited",
            Departure::Killed => "killed",
        }
    }
}
