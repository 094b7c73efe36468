//! What process managers say in the log.

use std::fmt;

/// A warning of a process manager, without the name of its pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// A dynamic pool needs more workers than it may have; also counted on the status page.
    MaxChildrenDynamic {
        /// `pm.max_children`.
        max_children: u32,
    },
    /// An ondemand pool needs more workers than it may have; also counted on the status page.
    MaxChildrenOndemand {
        /// `pm.max_children`.
        max_children: u32,
    },
    /// A dynamic pool has been short of idle workers for several seconds.
    SeemsBusy {
        /// The rate of forking, in workers a second.
        rate: u32,
        /// Idle workers.
        idle: u32,
        /// All workers.
        running: u32,
    },
}

/// The state of a pool at a tick, without its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    /// Workers that are not idle.
    pub(super) active: u32,
    /// Idle workers.
    pub(super) spare: u32,
    /// Of a dynamic pool: all workers, and the rate of forking.
    pub(super) forking: Option<(u32, u32)>,
}

impl Notice {
    /// Tells whether it says that `pm.max_children` was reached.
    pub(crate) fn is_saturation(self) -> bool {
        match self {
            Notice::MaxChildrenDynamic { .. } | Notice::MaxChildrenOndemand { .. } => true,
            Notice::SeemsBusy { .. } => false,
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Account { active, spare, .. } = self;
        write!(
            f,
            "currently {active} active children, {spare} spare children"
        )?;
        match self.forking {
            Some((running, rate)) => {
                write!(f, ", {running} running children. Spawning rate {rate}")
            }
            None => Ok(()),
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::MaxChildrenDynamic { max_children } => {
                write!(
                    f,
                    "server reached pm.max_children setting ({max_children}), consider raising it"
                )
            }
            Notice::MaxChildrenOndemand { max_children } => {
                write!(
                    f,
                    "server reached max_children setting ({max_children}), consider raising it"
                )
            }
            Notice::SeemsBusy {
                rate,
                idle,
                running,
            } => write!(
                f,
                "seems busy (you may need to increase pm.start_servers, or pm.min/max_spare_servers), \
                 spawning {rate} children, there are {idle} idle, and {running} total children"
            ),
        }
    }
}
