//! Two masters that serve from the same sockets until an administrator has chosen one of them (`fpmd upgrade --beside`): what
//! each may do meanwhile, and what follows when one goes.
//!
//! Rule: no processes or files in here. The pid file and the control socket are the new master's from its start; those of the old one
//! go by names that end in `.oldbin`, until it is alone again. nginx does the same with its pid file.

use std::path::{Path, PathBuf};

use nix::unistd::Pid;

pub(crate) mod link;
mod share;

pub(crate) use share::Share;
pub use share::{Beside, Voice};

/// The first argument of a master that is to serve beside another one; the number of the descriptor that says more follows.
pub const STARTS_BESIDE: &str = "--start-beside";

/// What is put behind the names that the old master leaves to the new one.
const SUFFIX: &str = ".oldbin";

/// Returns the name that the old master's file has when a new one has `path`.
#[must_use]
pub fn old_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(SUFFIX);
    name.into()
}

/// The other master.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Company {
    /// There is none.
    #[default]
    Alone,
    /// This one has started it, and it has not said yet that it serves.
    Starting(Pid),
    /// This one has started it, and it serves.
    Younger(Pid),
    /// The same, and this one is on its way out: the service is the other's.
    Successor(Pid),
    /// This one has started it, and both end: the service manager stops the service.
    Companion(Pid),
    /// It has started this one.
    Elder(Pid),
    /// The same, and it is on its way out: the service is this one's.
    Predecessor(Pid),
}

/// What happens to one of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Happening {
    /// This master has started another one.
    Started(Pid),
    /// That one says that it serves.
    Serves,
    /// That one has ended.
    YoungerGone,
    /// This master is about to end.
    Leaves,
    /// The service manager wants the service to end.
    ServiceStops,
    /// The master that has started this one is about to end, and says so.
    ElderLeaves,
    /// The master that has started this one has ended, in order or not.
    ElderGone,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The names are this master's again.
    TakeNamesBack,
    /// The workers come back, if they were let go.
    BringBack,
    /// The other master is told to end, too.
    Dismiss,
    /// The service manager and the other master are told that the service is the other's.
    PassOn,
    /// The service manager is talked to from now on.
    BeMain,
    /// What the other master has left under its names goes, as do sockets that only that one wanted.
    ClearUp,
}

/// Whether something may be done that concerns both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leave {
    /// Yes.
    Granted,
    /// Only this much: workers that were let go come back, with the configuration that they had.
    BringBack,
    /// No, because of this master.
    Refused(Pid),
}

impl Company {
    /// Returns the company after something has happened, and what follows.
    pub(crate) fn after(self, happening: Happening) -> (Company, &'static [Step]) {
        use Company::{Alone, Companion, Elder, Predecessor, Starting, Successor, Younger};
        match (self, happening) {
            (Alone, Happening::Started(pid)) => (Starting(pid), &[]),
            (Starting(pid), Happening::Serves) => (Younger(pid), &[]),
            (Starting(_) | Younger(_) | Successor(_), Happening::YoungerGone) => {
                (Alone, &[Step::TakeNamesBack, Step::BringBack])
            }
            (Starting(pid) | Younger(pid), Happening::ServiceStops) => {
                (Companion(pid), &[Step::Dismiss])
            }
            (Companion(_), Happening::YoungerGone) => (Alone, &[Step::TakeNamesBack]),
            (Starting(pid), Happening::Leaves) => (Starting(pid), &[Step::Dismiss]),
            (Younger(pid), Happening::Leaves) => (Successor(pid), &[Step::PassOn]),
            (Elder(pid), Happening::ElderLeaves) => (Predecessor(pid), &[Step::BeMain]),
            (Elder(_), Happening::ElderGone) => (Alone, &[Step::ClearUp, Step::BeMain]),
            (Predecessor(_), Happening::ElderGone) => (Alone, &[Step::ClearUp]),
            (other, _) => (other, &[]),
        }
    }

    /// Tells whether the configuration may be put to work anew by a master whose workers are there, or were let go. The old one
    /// must not: what is on disk is the new one's.
    pub(crate) fn may_reload(self, workers: Workers) -> Leave {
        match (self, workers) {
            (Company::Alone | Company::Elder(_) | Company::Predecessor(_), _) => Leave::Granted,
            (_, Workers::LetGo) => Leave::BringBack,
            (
                Company::Starting(pid)
                | Company::Younger(pid)
                | Company::Successor(pid)
                | Company::Companion(pid),
                Workers::There,
            ) => Leave::Refused(pid),
        }
    }

    /// Tells whether another program may take the place of this one, or start beside it.
    pub(crate) fn may_upgrade(self) -> Leave {
        self.other().map_or(Leave::Granted, Leave::Refused)
    }

    /// Tells whether the names are the other's, and what is on disk too.
    pub(crate) fn is_old(self) -> bool {
        matches!(
            self,
            Company::Starting(_)
                | Company::Younger(_)
                | Company::Successor(_)
                | Company::Companion(_)
        )
    }

    /// Returns the other master.
    pub(crate) fn other(self) -> Option<Pid> {
        match self {
            Company::Alone => None,
            Company::Starting(pid)
            | Company::Younger(pid)
            | Company::Successor(pid)
            | Company::Companion(pid)
            | Company::Elder(pid)
            | Company::Predecessor(pid) => Some(pid),
        }
    }
}

/// Whether a master has workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Workers {
    /// As the process managers want.
    There,
    /// They were let go (SIGWINCH).
    LetGo,
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Pid = Pid::from_raw(1);

    #[test]
    fn what_follows_when_one_of_two_goes() {
        use Company::{Alone, Companion, Elder, Predecessor, Starting, Successor, Younger};
        use Happening::{
            ElderGone, ElderLeaves, Leaves, Serves, ServiceStops, Started, YoungerGone,
        };
        use Step::{BeMain, BringBack, ClearUp, Dismiss, PassOn, TakeNamesBack};
        for (company, happening, then, steps) in [
            (Alone, Started(ONE), Starting(ONE), &[][..]),
            (Alone, Leaves, Alone, &[]),
            (Starting(ONE), Serves, Younger(ONE), &[]),
            (Starting(ONE), Leaves, Starting(ONE), &[Dismiss]),
            (
                Starting(ONE),
                YoungerGone,
                Alone,
                &[TakeNamesBack, BringBack],
            ),
            (
                Younger(ONE),
                YoungerGone,
                Alone,
                &[TakeNamesBack, BringBack],
            ),
            (Younger(ONE), Leaves, Successor(ONE), &[PassOn]),
            // A second signal hurries; the service is passed on once.
            (Successor(ONE), Leaves, Successor(ONE), &[]),
            (
                Successor(ONE),
                YoungerGone,
                Alone,
                &[TakeNamesBack, BringBack],
            ),
            (Alone, ServiceStops, Alone, &[]),
            (Younger(ONE), ServiceStops, Companion(ONE), &[Dismiss]),
            (Companion(ONE), Leaves, Companion(ONE), &[]),
            (Companion(ONE), YoungerGone, Alone, &[TakeNamesBack]),
            (Elder(ONE), ServiceStops, Elder(ONE), &[]),
            (Elder(ONE), Leaves, Elder(ONE), &[]),
            (Elder(ONE), ElderLeaves, Predecessor(ONE), &[BeMain]),
            (Elder(ONE), ElderGone, Alone, &[ClearUp, BeMain]),
            (Predecessor(ONE), ElderGone, Alone, &[ClearUp]),
            (Predecessor(ONE), Leaves, Predecessor(ONE), &[]),
        ] {
            let expected = (then, steps);
            assert_eq!(
                company.after(happening),
                expected,
                "{company:?} {happening:?}"
            );
        }
    }

    #[test]
    fn the_old_master_leaves_what_is_on_disk_to_the_new_one() {
        use Leave::{BringBack, Granted, Refused};
        for (company, there, let_go, upgrade) in [
            (Company::Alone, Granted, Granted, Granted),
            (
                Company::Starting(ONE),
                Refused(ONE),
                BringBack,
                Refused(ONE),
            ),
            (Company::Younger(ONE), Refused(ONE), BringBack, Refused(ONE)),
            (Company::Elder(ONE), Granted, Granted, Refused(ONE)),
            (Company::Predecessor(ONE), Granted, Granted, Refused(ONE)),
        ] {
            assert_eq!(company.may_reload(Workers::There), there, "{company:?}");
            assert_eq!(company.may_reload(Workers::LetGo), let_go, "{company:?}");
            assert_eq!(company.may_upgrade(), upgrade, "{company:?}");
        }
    }
}
