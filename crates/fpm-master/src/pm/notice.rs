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
