//! `rlimit[NAME]`: limits of the kernel, and which of them only root can set.

use std::io;

use fpm_conf::{Pool, Rlimit};
use fpm_os::limits;
use nix::sys::resource::Resource;

/// Tells whether this process may set the limits of the pool although it is not root, or ceases to be.
#[must_use]
pub fn fit(pool: &Pool) -> bool {
    let fits = |limit: &Rlimit| {
        let (resource, _) = of(limit);
        limits::hard(resource).is_ok_and(|hard| limit.hard <= hard)
    };
    pool.rlimit.iter().all(fits)
}

/// Sets a limit of this process.
pub(super) fn set(limit: &Rlimit) -> io::Result<()> {
    let (resource, _) = of(limit);
    limits::set(resource, limit.soft, limit.hard)
}

/// Returns the name that the system has for what is limited.
pub(super) fn name(limit: &Rlimit) -> &'static str {
    of(limit).1
}

fn of(limit: &Rlimit) -> (Resource, &'static str) {
    match limit.resource {
        fpm_conf::Resource::AddressSpace => (Resource::RLIMIT_AS, "RLIMIT_AS"),
        fpm_conf::Resource::CpuTime => (Resource::RLIMIT_CPU, "RLIMIT_CPU"),
        fpm_conf::Resource::Data => (Resource::RLIMIT_DATA, "RLIMIT_DATA"),
        fpm_conf::Resource::FileSize => (Resource::RLIMIT_FSIZE, "RLIMIT_FSIZE"),
        fpm_conf::Resource::LockedMemory => (Resource::RLIMIT_MEMLOCK, "RLIMIT_MEMLOCK"),
        fpm_conf::Resource::MessageQueues => (Resource::RLIMIT_MSGQUEUE, "RLIMIT_MSGQUEUE"),
        fpm_conf::Resource::Processes => (Resource::RLIMIT_NPROC, "RLIMIT_NPROC"),
        fpm_conf::Resource::PendingSignals => (Resource::RLIMIT_SIGPENDING, "RLIMIT_SIGPENDING"),
        fpm_conf::Resource::Stack => (Resource::RLIMIT_STACK, "RLIMIT_STACK"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_fits_below_the_hard_one() {
        let (soft, hard) = (1, limits::hard(Resource::RLIMIT_CPU).unwrap());
        let mut pool = Pool::new("www", "9000");
        assert!(fit(&pool));
        let resource = fpm_conf::Resource::CpuTime;
        pool.rlimit = vec![Rlimit {
            resource,
            soft,
            hard,
        }];
        assert!(fit(&pool));
        assert_eq!(name(&pool.rlimit[0]), "RLIMIT_CPU");
    }
}
