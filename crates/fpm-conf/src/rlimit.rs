//! `rlimit[NAME]`: limits of the kernel for the workers of a pool (setrlimit(2)).

use bstr::{BStr, ByteSlice};
use serde::{Deserialize, Serialize};

use crate::own;
use crate::value::{self, Reason};

/// No limit (RLIM_INFINITY).
const UNLIMITED: u64 = u64::MAX;

/// A limit of a pool's workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rlimit {
    /// What is limited.
    pub resource: Resource,
    /// The limit that is in force. [`u64::MAX`] is none.
    pub soft: u64,
    /// How far scripts could raise it; not less.
    pub hard: u64,
}

/// What can be limited, beside files and cores (`rlimit_files`, `rlimit_core`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Resource {
    /// `as`: the address space, in bytes.
    AddressSpace,
    /// `cpu`: processor time of a worker in all its life, in seconds.
    CpuTime,
    /// `data`: memory of its own, in bytes.
    Data,
    /// `fsize`: the size of a file that it writes, in bytes.
    FileSize,
    /// `memlock`: memory that stays in place, in bytes.
    LockedMemory,
    /// `msgqueue`: POSIX message queues of its user, in bytes.
    MessageQueues,
    /// `nproc`: processes and threads of its user.
    Processes,
    /// `sigpending`: signals that wait for its user.
    PendingSignals,
    /// `stack`: the stack, in bytes.
    Stack,
}

impl Resource {
    const ALL: [Resource; 9] = [
        Resource::AddressSpace,
        Resource::CpuTime,
        Resource::Data,
        Resource::FileSize,
        Resource::LockedMemory,
        Resource::MessageQueues,
        Resource::Processes,
        Resource::PendingSignals,
        Resource::Stack,
    ];

    /// Returns the name as the configuration writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Resource::AddressSpace => "as",
            Resource::CpuTime => "cpu",
            Resource::Data => "data",
            Resource::FileSize => "fsize",
            Resource::LockedMemory => "memlock",
            Resource::MessageQueues => "msgqueue",
            Resource::Processes => "nproc",
            Resource::PendingSignals => "sigpending",
            Resource::Stack => "stack",
        }
    }

    /// Reads a number in the resource's unit.
    fn amount(self, text: &BStr) -> Result<u64, Reason> {
        if text.eq_ignore_ascii_case(b"unlimited") {
            return Ok(UNLIMITED);
        }
        match self {
            Resource::CpuTime => {
                let seconds = value::time(text)?;
                u64::try_from(seconds).map_err(|_| "a time can't be negative")
            }
            Resource::Processes | Resource::PendingSignals => {
                own::digits(text).ok_or("must be a number, or unlimited")
            }
            _ => own::bytes(text),
        }
    }
}

impl Rlimit {
    /// Reads `SOFT:HARD`, or one value that is both.
    pub(crate) fn parse(name: &BStr, value: &BStr) -> Result<Rlimit, Reason> {
        let resource = Resource::ALL
            .into_iter()
            .find(|resource| name == resource.name())
            .ok_or(
                "must be one of as, cpu, data, fsize, memlock, msgqueue, nproc, sigpending, stack",
            )?;
        let (soft, hard) = value.split_once_str(":").unwrap_or((value, value));
        let soft = resource.amount(soft.as_bstr())?;
        let hard = resource.amount(hard.as_bstr())?;
        if soft > hard {
            return Err("the soft limit can't be greater than the hard one");
        }
        Ok(Rlimit {
            resource,
            soft,
            hard,
        })
    }

    /// Takes the place of an earlier limit of the same resource.
    pub(crate) fn add_to(self, limits: &mut Vec<Rlimit>) {
        limits.retain(|limit| limit.resource != self.resource);
        limits.push(self);
    }

    /// Returns the value as the `-tt` dump shows it.
    pub(crate) fn shown(self) -> String {
        if self.soft == self.hard {
            shown(self.soft)
        } else {
            format!("{}:{}", shown(self.soft), shown(self.hard))
        }
    }
}

fn shown(amount: u64) -> String {
    match amount {
        UNLIMITED => "unlimited".to_owned(),
        amount => amount.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_resource_has_its_unit() {
        for (name, value, shown) in [
            ("as", "512M", "536870912"),
            ("as", "1G:unlimited", "1073741824:unlimited"),
            ("cpu", "1m:2m", "60:120"),
            ("nproc", "100", "100"),
            ("fsize", "Unlimited", "unlimited"),
            ("stack", "0", "0"),
        ] {
            let limit = Rlimit::parse(name.into(), value.into());
            let said = limit.map(|limit| (limit.resource.name(), limit.shown()));
            assert_eq!(said, Ok((name, shown.to_owned())), "{name} {value}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (name, value) in [
            ("nofile", "100"),
            ("AS", "1G"),
            ("as", ""),
            ("as", "2G:1G"),
            ("as", "unlimited:1G"),
            ("as", "-1"),
            ("as", "1G:2G:3G"),
            ("nproc", "1K"),
            ("cpu", "-5s"),
            ("cpu", "1x"),
        ] {
            assert!(
                Rlimit::parse(name.into(), value.into()).is_err(),
                "{name} {value}"
            );
        }
    }

    #[test]
    fn a_later_limit_of_a_resource_counts() {
        let mut limits = Vec::new();
        for (name, value) in [("as", "1G"), ("cpu", "5"), ("as", "2G")] {
            let limit = Rlimit::parse(name.into(), value.into()).unwrap();
            limit.add_to(&mut limits);
        }
        let shown = limits
            .iter()
            .map(|limit| (limit.resource.name(), limit.shown()));
        let expected = [("cpu", "5"), ("as", "2147483648")];
        assert_eq!(
            shown.collect::<Vec<_>>(),
            expected.map(|(name, value)| (name, value.to_owned()))
        );
    }
}
