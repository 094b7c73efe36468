//! What a master leaves to the program that takes its place: values, and their form as bytes.
//!
//! Three lines: a head with the format's number, the [`Estate`], the [`Details`]. Rule: who changes the estate raises [`FORMAT`];
//! the details are for programs whose [`Kin`] is the same, and of those only for one that understands them. Descriptors are the
//! numbers under which the next program has them.

use std::collections::BTreeSet;
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::time::Duration;

use bstr::BString;
use fpm_channel::worker::Kind;
use fpm_channel::{Generation, RELEASE, RunAs, SlotIndex, WorkerId};
use fpm_conf::{Config, PoolIndex};
use fpm_os::listener::inherited::BoundTo;
use fpm_os::shared::Region;
use fpm_scoreboard::Counters;
use serde::{Deserialize, Serialize};

use crate::capture::Capture;
use crate::event::{CallerId, ZygoteId};
use crate::generation::{Phase, Standing};
use crate::listeners::Keeper;
use crate::owner::PoolOwner;
use crate::pool::{PoolId, Service, slots};
use crate::program::Stream;
use crate::roster::{Leaving, Reason};
use crate::state::Escalation;

/// The format of everything up to the details.
pub(crate) const FORMAT: u32 = 1;

/// The longest state, in bytes.
pub(crate) const LONGEST: usize = 256 << 20;

/// What the head begins with.
const HEAD: &str = "fpmd state ";

/// All that is handed over.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct State {
    pub(crate) estate: Estate,
    pub(crate) details: Details,
}

/// What a program of another release can use, too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Estate {
    /// Who hands over.
    pub(crate) kin: Kin,
    /// Whether the service manager keeps sockets.
    pub(crate) stores: bool,
    /// How many files zygotes and workers may have open, when that is less than the master may.
    pub(crate) open_files: Option<u64>,
    /// What standard error was at the start.
    pub(crate) stderr: Option<RawFd>,
    /// Each listening socket once.
    pub(crate) sockets: Vec<Socket>,
}

/// What must be the same for a program to understand the processes of another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kin {
    release: String,
    /// Of the messages to zygotes and workers.
    messages: u8,
    /// Of the messages to commands.
    orders: u32,
    /// Of the scoreboard's layout.
    scoreboard: u64,
}

/// A listening socket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Socket {
    pub(crate) descriptor: RawFd,
    pub(crate) address: BoundTo,
    pub(crate) file: Option<PathBuf>,
    pub(crate) keeper: Keeper,
}

/// What the processes are and do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Details {
    /// What the master has decided.
    pub(crate) decided: Decided,
    /// When the daemon was started, since 1970.
    pub(crate) started: Duration,
    pub(crate) generations: Vec<Setting>,
    /// What is measured.
    pub(crate) ledger: LedgerFile,
    pub(crate) zygotes: Vec<ZygoteEnds>,
    pub(crate) workers: Vec<WorkerEnds>,
    /// Those that have rested longest first.
    pub(crate) resting: Vec<RestingEnds>,
    /// The connections of the commands that wait for the reload.
    pub(crate) callers: Vec<(CallerId, RawFd)>,
}

/// The ledger's memory, and whose its parts are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LedgerFile {
    pub(crate) descriptor: RawFd,
    /// Of pools that are no more, too.
    pub(crate) pools: Vec<(BString, Region)>,
}

/// What a generation has beside its processes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Setting {
    pub(crate) number: Generation,
    pub(crate) config: Config,
    /// For each pool, which of the estate's sockets it listens at; none when they have been closed.
    pub(crate) listeners: Vec<usize>,
    /// For each pool, the ends of its relay. Generations may have the same.
    pub(crate) relays: Vec<(RawFd, RawFd)>,
    /// For each pool.
    pub(crate) access_logs: Vec<Option<AccessLog>>,
    /// The control socket, with the generation that serves.
    pub(crate) control: Option<RawFd>,
    /// The post of the operator process, with the same.
    pub(crate) operator: Option<OperatorPost>,
    /// The scoreboard's memory.
    pub(crate) board: RawFd,
    /// For each pool, as `handed_on` and `owners`.
    pub(crate) regions: Vec<Region>,
    pub(crate) handed_on: Vec<Counters>,
    /// The pools that went over to the next generation as they were.
    pub(crate) gone: BTreeSet<PoolIndex>,
    pub(crate) owners: Vec<PoolOwner>,
}

/// Where the operator process listens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct OperatorPost {
    pub(crate) socket: RawFd,
    /// Whom the process becomes.
    pub(crate) run_as: Option<RunAs>,
}

/// An access log that is open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct AccessLog {
    pub(crate) path: BString,
    pub(crate) descriptor: RawFd,
}

/// What the master has of a zygote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ZygoteEnds {
    pub(crate) id: ZygoteId,
    pub(crate) pid: i32,
    pub(crate) channel: RawFd,
    pub(crate) stderr: RawFd,
}

/// What the master has of a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct WorkerEnds {
    pub(crate) id: WorkerId,
    pub(crate) pool: PoolId,
    pub(crate) slot: SlotIndex,
    pub(crate) control: RawFd,
    /// What it could not be told yet.
    pub(crate) unsent: Vec<Kind>,
    pub(crate) outputs: Vec<(Stream, RawFd)>,
    /// What it has said and is not a line yet.
    pub(crate) said: Capture,
}

/// A kept connection that a worker has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RestingEnds {
    pub(crate) descriptor: RawFd,
    /// The entrance of the relay that it is to go through.
    pub(crate) relay: RawFd,
}

/// What the master has decided and seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Decided {
    pub(crate) serving: Generation,
    /// The numbers given last.
    pub(crate) last_generation: Generation,
    pub(crate) last_zygote: u64,
    pub(crate) last_worker: u64,
    /// Oldest first.
    pub(crate) generations: Vec<KnownGeneration>,
    pub(crate) workers: Vec<KnownWorker>,
}

/// A generation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct KnownGeneration {
    pub(crate) number: Generation,
    pub(crate) standing: Standing,
    pub(crate) escalation: Escalation,
    /// For each group.
    pub(crate) zygotes: Vec<Option<KnownZygote>>,
    /// For each pool, how many workers are still to be asked for.
    pub(crate) missing: Vec<u32>,
    /// For each pool, as the next one.
    pub(crate) services: Vec<Service>,
    pub(crate) sizes: Vec<Size>,
}

/// How many workers a pool may have at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Size {
    /// As the configuration says, or as the memory allows.
    Configured(u32),
    /// As an order said.
    Ordered(u32),
}

/// A zygote.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct KnownZygote {
    pub(crate) id: ZygoteId,
    pub(crate) pid: i32,
    pub(crate) since: Duration,
    pub(crate) phase: Phase,
    pub(crate) outstanding: u32,
}

/// A worker.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct KnownWorker {
    pub(crate) id: WorkerId,
    pub(crate) pool: PoolId,
    pub(crate) slot: SlotIndex,
    pub(crate) zygote: Option<ZygoteId>,
    pub(crate) pid: Option<i32>,
    pub(crate) since: Duration,
    pub(crate) reason: Reason,
    pub(crate) leaving: Option<Leaving>,
}

/// Bytes that are no state, or one that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StateError {
    /// It is in a format that this program does not know.
    #[error("its format is {theirs}, this program reads {FORMAT}")]
    Format {
        /// The format.
        theirs: String,
    },
    /// It is no state at all.
    #[error("it is no state of a master")]
    Garbage,
    /// A line does not say what it should.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// It comes from a program whose processes this one does not understand.
    #[error("it comes from another release, {}", .0.release)]
    Stranger(Kin),
    /// What it says of one thing does not fit what it says of another.
    #[error("{0} do not fit together")]
    Inconsistent(&'static str),
}

impl Kin {
    /// Returns this program's.
    pub(crate) fn ours() -> Kin {
        Kin {
            release: RELEASE.to_owned(),
            messages: fpm_channel::VERSION,
            orders: fpm_control::VERSION,
            scoreboard: fpm_scoreboard::VERSION,
        }
    }
}

/// Writes the first line of a state of this format.
pub(crate) fn head(format: u32) -> String {
    format!("{HEAD}{format}\n")
}

/// Reads the format from a first line, without its end.
pub(crate) fn format_of(head: &[u8]) -> Option<&str> {
    std::str::from_utf8(head).ok()?.strip_prefix(HEAD)
}

/// Writes a state.
pub(crate) fn encode(state: &State) -> Result<Vec<u8>, StateError> {
    let mut bytes = head(FORMAT).into_bytes();
    serde_json::to_writer(&mut bytes, &state.estate)?;
    bytes.push(b'\n');
    serde_json::to_writer(&mut bytes, &state.details)?;
    Ok(bytes)
}

/// Reads what everybody understands, and what is left of the bytes.
pub(crate) fn decode_estate(bytes: &[u8]) -> Result<(Estate, &[u8]), StateError> {
    let (head, bytes) = line(bytes)?;
    match format_of(head) {
        None => return Err(StateError::Garbage),
        Some(format) if format != FORMAT.to_string() => {
            let theirs = format.to_owned();
            return Err(StateError::Format { theirs });
        }
        Some(_) => {}
    }
    let (estate, rest) = line(bytes)?;
    Ok((serde_json::from_slice(estate)?, rest))
}

/// Reads what is left.
pub(crate) fn decode_details(estate: &Estate, rest: &[u8]) -> Result<Details, StateError> {
    if estate.kin != Kin::ours() {
        return Err(StateError::Stranger(estate.kin.clone()));
    }
    let details: Details = serde_json::from_slice(rest)?;
    details.check(estate.sockets.len())?;
    Ok(details)
}

/// Cuts off a line.
fn line(bytes: &[u8]) -> Result<(&[u8], &[u8]), StateError> {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let end = end.ok_or(StateError::Garbage)?;
    Ok((&bytes[..end], &bytes[end + 1..]))
}

impl Details {
    /// Checks whatever the rest relies upon: each id leads to something, each list is as long as the pools are many.
    fn check(&self, sockets: usize) -> Result<(), StateError> {
        let decided = &self.decided;
        if self.generations.len() != decided.generations.len() {
            return Err(StateError::Inconsistent("the generations"));
        }
        for (setting, known) in self.generations.iter().zip(&decided.generations) {
            let pools = setting.config.pools.len();
            let lengths = [
                setting.access_logs.len(),
                setting.relays.len(),
                setting.regions.len(),
                setting.handed_on.len(),
                setting.owners.len(),
                known.missing.len(),
                known.services.len(),
                known.sizes.len(),
            ];
            let listens = match setting.listeners.len() {
                // Those of a generation that retires have been closed, or are another one's by now.
                0 if setting.number != decided.serving => true,
                listeners => listeners == pools,
            };
            if setting.number != known.number
                || !listens
                || lengths.iter().any(|length| *length != pools)
                || setting.listeners.iter().any(|socket| *socket >= sockets)
            {
                return Err(StateError::Inconsistent("the generations"));
            }
        }
        if !self.generations.iter().any(|g| g.number == decided.serving) {
            return Err(StateError::Inconsistent("the generations"));
        }
        let known = decided.generations.iter().flat_map(|g| &g.zygotes);
        let mut known: Vec<_> = known
            .flatten()
            .map(|zygote| (zygote.id, zygote.pid))
            .collect();
        let mut held: Vec<_> = self
            .zygotes
            .iter()
            .map(|held| (held.id, held.pid))
            .collect();
        known.sort_unstable();
        held.sort_unstable();
        if known != held {
            return Err(StateError::Inconsistent("the zygotes"));
        }
        let known = decided.workers.iter();
        let mut known: Vec<_> = known.map(|w| (w.id, w.pool, w.slot)).collect();
        let mut held: Vec<_> = self
            .workers
            .iter()
            .map(|w| (w.id, w.pool, w.slot))
            .collect();
        known.sort_unstable();
        held.sort_unstable();
        let is_there = |(_, pool, slot): &(WorkerId, PoolId, SlotIndex)| {
            let setting = self
                .generations
                .iter()
                .find(|g| g.number == pool.generation);
            setting.is_some_and(|setting| {
                let config = &setting.config;
                let pool = config.pool(pool.index);
                pool.is_some_and(|pool| slot.0 < slots(pool, &config.global))
            })
        };
        if known != held || !held.iter().all(is_there) {
            return Err(StateError::Inconsistent("the workers"));
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests;
