//! States that come back, and bytes that are refused.

use fpm_conf::{Pool, PoolIndex};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::capture::Requests;
use crate::state::State as MasterState;

const FIRST: Generation = Generation(7);
const POOL: PoolId = PoolId {
    generation: FIRST,
    index: PoolIndex(0),
};

/// Makes something of a state wrong.
type Spoil = fn(&mut Details);

/// A master with one generation, a zygote and two workers, one of which has been told to leave.
pub(crate) fn state() -> State {
    let mut pool = Pool::new("www", "/run/www.sock");
    pool.pm_max_children = 2;
    let config = Config {
        pools: vec![pool],
        ..Config::default()
    };
    let setting = Setting {
        number: FIRST,
        config,
        listeners: vec![0],
        relays: vec![(15, 16)],
        access_logs: vec![Some(AccessLog {
            path: "/var/log/\u{fc}\0".into(),
            descriptor: 12,
        })],
        control: Some(9),
        operator: None,
        board: 11,
        regions: vec![Region {
            offset: 65_536,
            len: 4096,
        }],
        gone: [PoolIndex(0)].into(),
        handed_on: vec![Counters {
            accepted: u64::MAX,
            ..Counters::default()
        }],
        owners: vec![PoolOwner::default()],
    };
    let mut escalation = Escalation::default();
    escalation.next(MasterState::Finishing, Duration::from_secs(1));
    let zygote = KnownZygote {
        id: ZygoteId(3),
        pid: 100,
        since: Duration::from_micros(1_000_001),
        phase: Phase::Ready(Duration::from_secs(2)),
        outstanding: 1,
    };
    let worker = |id: u64, pid, leaving| KnownWorker {
        id: WorkerId(id),
        pool: POOL,
        slot: SlotIndex(u32::try_from(id).unwrap() - 1),
        zygote: Some(ZygoteId(3)),
        pid,
        since: Duration::MAX,
        reason: Reason::Replacement,
        leaving,
    };
    let mut said = Capture::new(Requests::Named);
    said.feed(Stream::Stderr, b"half\xff", 100, &mut |_| {});
    let ends = |id: u64, unsent: &[Kind]| WorkerEnds {
        id: WorkerId(id),
        pool: POOL,
        slot: SlotIndex(u32::try_from(id).unwrap() - 1),
        control: 20,
        unsent: unsent.to_vec(),
        outputs: vec![(Stream::Stdout, 21), (Stream::Stderr, 22)],
        said: said.clone(),
    };
    State {
        estate: Estate {
            kin: Kin::ours(),
            stores: true,
            open_files: Some(1024),
            stderr: Some(4),
            sockets: vec![Socket {
                descriptor: 10,
                address: BoundTo::File("/run/www.sock".into()),
                file: Some("/run/www.sock".into()),
                keeper: Keeper::SocketUnit,
            }],
        },
        details: Details {
            decided: Decided {
                serving: FIRST,
                last_generation: Generation(9),
                last_zygote: 4,
                last_worker: 55,
                generations: vec![KnownGeneration {
                    number: FIRST,
                    standing: Standing::Serving,
                    escalation,
                    zygotes: vec![Some(zygote)],
                    missing: vec![1],
                    services: vec![Service::Drained],
                    sizes: vec![Size::Ordered(3)],
                }],
                workers: vec![
                    worker(1, Some(101), Some(Leaving::Superseded(Duration::ZERO))),
                    worker(2, None, None),
                ],
            },
            started: Duration::from_secs(1),
            generations: vec![setting],
            ledger: LedgerFile {
                descriptor: 13,
                pools: vec![(
                    b"www\xff".into(),
                    Region {
                        offset: 65_536,
                        len: 4096,
                    },
                )],
            },
            zygotes: vec![ZygoteEnds {
                id: ZygoteId(3),
                pid: 100,
                channel: 13,
                stderr: 14,
            }],
            workers: vec![ends(1, &[Kind::Look, Kind::AccessLog]), ends(2, &[])],
            resting: vec![RestingEnds {
                descriptor: 31,
                relay: 15,
            }],
            callers: vec![(CallerId(5), 30)],
        },
    }
}

fn decode(bytes: &[u8]) -> Result<State, StateError> {
    let (estate, rest) = decode_estate(bytes)?;
    let details = decode_details(&estate, rest)?;
    Ok(State { estate, details })
}

fn refused(state: &State) -> String {
    decode(&encode(state).unwrap()).unwrap_err().to_string()
}

#[test]
fn a_state_comes_back() {
    let state = state();
    assert_eq!(decode(&encode(&state).unwrap()).unwrap(), state);
}

#[test]
fn a_generation_that_retires_may_have_closed_its_sockets() {
    let mut state = state();
    let details = &mut state.details;
    let (mut setting, mut known) = (
        details.generations[0].clone(),
        details.decided.generations[0].clone(),
    );
    (setting.number, known.number) = (Generation(6), Generation(6));
    setting.listeners.clear();
    (known.standing, known.zygotes) = (Standing::Retiring, vec![None]);
    details.generations.insert(0, setting);
    details.decided.generations.insert(0, known);
    assert_eq!(decode(&encode(&state).unwrap()).unwrap(), state);
}

#[test]
fn another_format_is_refused_with_its_name() {
    let bytes = encode(&state()).unwrap();
    let other = [b"fpmd state 2\n", &bytes[13..]].concat();
    assert_eq!(
        decode(&other).unwrap_err().to_string(),
        "its format is 2, this program reads 1"
    );
    for garbage in [&b""[..], b"\n\n", b"fpmd state 1", b"hello\n{}\n{}"] {
        assert_eq!(
            decode(garbage).unwrap_err().to_string(),
            "it is no state of a master"
        );
    }
}

#[test]
fn a_strangers_sockets_are_understood_and_nothing_else() {
    let mut state = state();
    state.estate.kin.messages = 0;
    let mut bytes = encode(&state).unwrap();
    let end = bytes.len() - 5;
    bytes.truncate(end);
    let (estate, rest) = decode_estate(&bytes).unwrap();
    assert_eq!(estate, state.estate);
    assert!(matches!(
        decode_details(&estate, rest),
        Err(StateError::Stranger(_))
    ));
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let cases: [(&str, Spoil); 9] = [
        ("generations", |d| d.decided.serving = Generation(1)),
        ("generations", |d| d.generations[0].listeners = vec![1]),
        ("generations", |d| d.generations[0].owners.clear()),
        ("generations", |d| d.generations[0].listeners.clear()),
        ("generations", |d| d.decided.generations.clear()),
        ("zygotes", |d| d.zygotes.clear()),
        ("zygotes", |d| d.zygotes[0].pid = 1),
        ("workers", |d| drop(d.workers.pop())),
        ("workers", |d| {
            d.workers[0].slot = SlotIndex(5000);
            d.decided.workers[0].slot = SlotIndex(5000);
        }),
    ];
    for (what, spoil) in cases {
        let mut state = state();
        spoil(&mut state.details);
        assert_eq!(refused(&state), format!("the {what} do not fit together"));
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic(
        at in any::<prop::sample::Index>(),
        bytes in vec(any::<u8>(), 0..20),
    ) {
        let good = encode(&state()).unwrap();
        let at = at.index(good.len());
        let spoilt = [&good[..at], &bytes, &good[at..]].concat();
        let _ = decode(&spoilt);
        let _ = decode(&good[..at]);
        let _ = decode(&bytes);
    }

    #[test]
    fn numbers_come_back(id: u64, pid: i32, seconds: u64) {
        let mut state = state();
        let zygote = state.details.decided.generations[0].zygotes[0].as_mut().unwrap();
        (zygote.id, zygote.pid) = (ZygoteId(id), pid);
        zygote.phase = Phase::Ready(Duration::from_secs(seconds));
        (state.details.zygotes[0].id, state.details.zygotes[0].pid) = (ZygoteId(id), pid);
        for worker in &mut state.details.decided.workers {
            worker.zygote = Some(ZygoteId(id));
        }
        prop_assert_eq!(decode(&encode(&state).unwrap()).unwrap(), state);
    }
}
