//! The CPUs on which the own process may run.

use std::io;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// The process itself.
const SELF: Pid = Pid::from_raw(0);

/// Returns the numbers of the CPUs on which this process may run, lowest first. It is never more than its control group has.
///
/// # Errors
/// EINVAL on a machine with more than 1024 of them.
pub fn allowed() -> io::Result<Vec<usize>> {
    let set = sched_getaffinity(SELF)?;
    let numbers = 0..CpuSet::count();
    Ok(numbers
        .filter(|cpu| set.is_set(*cpu).unwrap_or_default())
        .collect())
}

/// Lets this process run on these CPUs only. What it starts inherits it.
///
/// # Errors
/// EINVAL when there is none of them, or one has a number beyond 1023.
pub fn bind(cpus: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for cpu in cpus {
        set.set(*cpu)?;
    }
    Ok(sched_setaffinity(SELF, &set)?)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_thread_can_be_bound_to_one_of_those_that_are_allowed() {
        // Affinity is a thread's: the others of this process keep theirs.
        let bound = thread::spawn(|| {
            let all = allowed().unwrap();
            let last = *all.last().unwrap();
            bind(&[last]).unwrap();
            assert_eq!(allowed().unwrap(), [last]);
            assert!(bind(&[]).is_err() && bind(&[5000]).is_err());
        });
        bound.join().unwrap();
    }
}
