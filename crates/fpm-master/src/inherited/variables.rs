//! The variables by which a service manager or an outgoing master says which sockets it leaves to us.
//!
//! Rule: text only. Whether a number is a listening socket is found out when it is taken.
//!
//! Original: sapi/fpm/fpm/fpm_sockets.c (`fpm_sockets_init_main`), which knows `FPM_SOCKETS` only. The others: sd_listen_fds(3).

use std::ffi::OsString;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStringExt;

use bstr::{BString, ByteSlice};
use nix::unistd::Pid;

/// The first descriptor that a service manager passes on (SD_LISTEN_FDS_START).
const FIRST: RawFd = 3;

/// Variables of an outgoing master: without a number, then `_1` and so on. The original reads no more than these.
const MOST_VARIABLES: usize = 256;

/// More sockets than any service manager passes on. The first number that is not open ends the list anyway.
const MOST_SOCKETS: i32 = 1 << 16;

/// What a service manager sets; the last one since systemd 258.
const OF_A_SERVICE_MANAGER: [&str; 4] = [
    "LISTEN_PID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "LISTEN_PIDFDID",
];

/// A descriptor that somebody says is a socket for us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    /// Its number.
    pub(super) number: RawFd,
    /// Who offers it.
    pub(super) from: From,
}

/// Who offers a socket, and what it calls it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// A service manager; the name is that of `FileDescriptorName=`, empty when there is none.
    ServiceManager {
        /// The name.
        name: BString,
    },
    /// An outgoing master.
    Predecessor {
        /// Where it says that the socket listens.
        address: BString,
    },
}

/// Something in the variables that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Oddity {
    /// The variables were meant for somebody else, most likely for the process that has started this one.
    #[error(
        "LISTEN_FDS is for process '{theirs}' and this one is {ours}: no socket is taken from it"
    )]
    ForAnother {
        /// `LISTEN_PID`.
        theirs: BString,
        /// This process.
        ours: Pid,
    },
    /// `LISTEN_FDS` is no number.
    #[error("LISTEN_FDS='{text}' is no number of sockets")]
    NoNumber {
        /// What it is.
        text: BString,
    },
    /// An entry of `FPM_SOCKETS` is no pair.
    #[error("FPM_SOCKETS: '{entry}' is no address with a descriptor")]
    NoPair {
        /// What it is.
        entry: BString,
    },
}

/// What all variables say together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// The sockets that are offered, in order.
    pub(super) offers: Vec<Offer>,
    /// What cannot be understood.
    pub(super) oddities: Vec<Oddity>,
    /// The variables that have been read and should go from the environment.
    pub(super) variables: Vec<String>,
}

/// Reads the variables as they are for process `ours`.
pub(super) fn read(ours: Pid, variable: impl Fn(&str) -> Option<OsString>) -> Said {
    let variable = |name: &str| variable(name).map(|value| BString::from(value.into_vec()));
    let mut said = Said::default();
    for index in 0..MOST_VARIABLES {
        let name = predecessors(index);
        let Some(list) = variable(&name) else { break };
        said.variables.push(name);
        for entry in list.split_str(",").filter(|entry| !entry.is_empty()) {
            match pair(entry) {
                Some(offer) => said.offers.push(offer),
                None => said.oddities.push(Oddity::NoPair {
                    entry: entry.into(),
                }),
            }
        }
    }
    let present = OF_A_SERVICE_MANAGER
        .into_iter()
        .filter(|name| variable(name).is_some());
    said.variables.extend(present.map(str::to_owned));
    if let Some(count) = variable("LISTEN_FDS") {
        let theirs = variable("LISTEN_PID").unwrap_or_default();
        let names = variable("LISTEN_FDNAMES").unwrap_or_default();
        match number(&count) {
            _ if number(&theirs) != Some(ours.as_raw()) => {
                said.oddities.push(Oddity::ForAnother { theirs, ours });
            }
            Some(count) if count >= 0 => {
                let names = names.split_str(":").chain(std::iter::repeat(&b""[..]));
                let numbers = FIRST..FIRST + count.min(MOST_SOCKETS);
                let offers = numbers.zip(names).map(|(number, name)| Offer {
                    number,
                    from: From::ServiceManager { name: name.into() },
                });
                said.offers.extend(offers);
            }
            _ => said.oddities.push(Oddity::NoNumber { text: count }),
        }
    }
    said
}

/// Names the variables of an outgoing master.
fn predecessors(index: usize) -> String {
    match index {
        0 => "FPM_SOCKETS".to_owned(),
        more => format!("FPM_SOCKETS_{more}"),
    }
}

/// Reads `address=number`. A path may have `=` in it, so the last one counts.
fn pair(entry: &[u8]) -> Option<Offer> {
    let equals = entry.rfind_byte(b'=')?;
    Some(Offer {
        number: number(&entry[equals + 1..])?,
        from: From::Predecessor {
            address: entry[..equals].into(),
        },
    })
}

fn number(text: &[u8]) -> Option<i32> {
    text.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn said(variables: &[(&str, &str)]) -> Said {
        let variables: HashMap<_, _> = variables.iter().copied().collect();
        read(Pid::from_raw(42), |name| {
            variables.get(name).map(OsString::from)
        })
    }

    fn predecessor(address: &str, number: RawFd) -> Offer {
        Offer {
            number,
            from: From::Predecessor {
                address: address.into(),
            },
        }
    }

    fn managed(name: &str, number: RawFd) -> Offer {
        Offer {
            number,
            from: From::ServiceManager { name: name.into() },
        }
    }

    #[test]
    fn nothing_said_is_nothing_offered() {
        assert_eq!(said(&[("PATH", "/bin")]), Said::default());
        assert_eq!(said(&[("FPM_SOCKETS_1", "/x=3")]), Said::default());
    }

    #[test]
    fn sockets_of_an_outgoing_master() {
        let said = said(&[
            ("FPM_SOCKETS", "/run/a=b.sock=7,127.0.0.1:9000=8,"),
            ("FPM_SOCKETS_1", ":::9321=9,x,y=z"),
            ("FPM_SOCKETS_3", "/never=10"),
        ]);
        let expected = [
            predecessor("/run/a=b.sock", 7),
            predecessor("127.0.0.1:9000", 8),
            predecessor(":::9321", 9),
        ];
        assert_eq!(said.offers, expected);
        let odd: Vec<_> = said.oddities.iter().map(ToString::to_string).collect();
        let expected = [
            "FPM_SOCKETS: 'x' is no address with a descriptor",
            "FPM_SOCKETS: 'y=z' is no address with a descriptor",
        ];
        assert_eq!(odd, expected);
        assert_eq!(said.variables, ["FPM_SOCKETS", "FPM_SOCKETS_1"]);
    }

    #[test]
    fn sockets_of_a_service_manager_may_have_names() {
        let of = |names: &str| {
            said(&[
                ("LISTEN_PID", "42"),
                ("LISTEN_FDS", "2"),
                ("LISTEN_FDNAMES", names),
            ])
        };
        assert_eq!(of("a:b").offers, [managed("a", 3), managed("b", 4)]);
        assert_eq!(of("a").offers, [managed("a", 3), managed("", 4)]);
        assert_eq!(of("a:b:c").offers, [managed("a", 3), managed("b", 4)]);
        assert_eq!(
            of("").variables,
            ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"]
        );
    }

    #[test]
    fn what_is_for_another_process_is_not_taken_but_goes() {
        for (pid, count, text) in [
            (
                "43",
                "1",
                "LISTEN_FDS is for process '43' and this one is 42: no socket is taken from it",
            ),
            (
                "",
                "x",
                "LISTEN_FDS is for process '' and this one is 42: no socket is taken from it",
            ),
            ("42", "x", "LISTEN_FDS='x' is no number of sockets"),
            ("42", "-1", "LISTEN_FDS='-1' is no number of sockets"),
        ] {
            let said = said(&[("LISTEN_PID", pid), ("LISTEN_FDS", count)]);
            assert_eq!(said.offers, [], "{pid} {count}");
            assert_eq!(said.oddities[0].to_string(), text);
            assert_eq!(said.variables, ["LISTEN_PID", "LISTEN_FDS"]);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(sockets: Vec<u8>, pid in "[0-9]{0,3}|42", count in "-?[0-9]{0,5}|[a-z]", names in "[a-z:]*") {
            let said = read(Pid::from_raw(42), |name| match name {
                "FPM_SOCKETS" => Some(OsString::from_vec(sockets.clone())),
                "LISTEN_PID" => Some(pid.clone().into()),
                "LISTEN_FDS" => Some(count.clone().into()),
                "LISTEN_FDNAMES" => Some(names.clone().into()),
                _ => None,
            });
            prop_assert_eq!(said.variables.len(), 4);
        }

        #[test]
        fn what_a_master_writes_is_what_is_read(sockets in prop::collection::vec(("/[a-z=:.]{0,20}", 3..9999), 0..20)) {
            let list = sockets.iter().map(|(address, number)| format!("{address}={number}"));
            let said = said(&[("FPM_SOCKETS", &list.collect::<Vec<_>>().join(","))]);
            let expected = sockets.iter().map(|(address, number)| predecessor(address, *number));
            prop_assert_eq!(said.offers, expected.collect::<Vec<_>>());
            prop_assert_eq!(said.oddities, []);
        }
    }
}
