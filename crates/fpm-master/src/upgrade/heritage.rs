//! What this program was left by the one whose place it has taken.
//!
//! Rule: the listening sockets are never lost. Who understands everything goes on with it ([`Extent::Whole`]); who does not
//! starts anew with the sockets, and lets the processes that are there go once its own serve ([`Extent::Sockets`]).

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use fpm_channel::worker::{Kind, MasterEnd as WorkerEnd, ToWorker};
use fpm_channel::{Generation, WorkerId};
use fpm_conf::Config;
use fpm_os::relay::Relay;
use fpm_os::{handover, memfd};

use super::state::{
    Decided, Details, Estate, LONGEST, Setting, WorkerEnds, decode_details, decode_estate,
};
use crate::access_logs::AccessLogs;
use crate::error::MasterError;
use crate::event::{CallerId, ZygoteId};
use crate::inherited::Inherited;
use crate::ledgers::Ledgers;
use crate::listeners::handover::Sockets;
use crate::live::{LiveZygote, Pipes, Remains, Setup};

/// What there is.
#[derive(Debug)]
pub struct Heritage {
    /// What was taken over.
    pub extent: Extent,
    /// Whether the service manager keeps sockets.
    pub stores: bool,
    /// What standard error was when the daemon was started.
    pub stderr: Option<Arc<File>>,
    /// Whether it is known that there was none: the daemon was started in the background.
    pub in_background: bool,
}

/// How much was taken over.
#[derive(Debug)]
pub enum Extent {
    /// All: generations, zygotes and workers go on.
    Whole(Box<Whole>),
    /// The listening sockets, and processes that this program does not understand.
    Sockets(Box<Left>),
}

/// Everything of the program before.
#[derive(Debug)]
pub struct Whole {
    pub(crate) decided: Decided,
    pub(crate) open_files: Option<u64>,
    pub(crate) started: Duration,
    pub(crate) generations: BTreeMap<Generation, Setup>,
    pub(crate) zygotes: BTreeMap<ZygoteId, LiveZygote>,
    pub(crate) workers: HashMap<WorkerId, Pipes>,
    /// Connections that workers have left, and the relays that they are to go through.
    pub(crate) resting: Vec<(OwnedFd, Rc<Relay>)>,
    /// The commands that wait for the reload.
    pub(crate) callers: Vec<(CallerId, OwnedFd)>,
}

/// Sockets of the program before.
#[derive(Debug)]
pub struct Left {
    pub(crate) sockets: Sockets,
    /// Those of which nothing is known but where they listen.
    pub(crate) found: Inherited,
    pub(crate) remains: Remains,
    pub(crate) open_files: Option<u64>,
    /// Why it is not more.
    reason: String,
}

/// Descriptors by their numbers.
#[derive(Default)]
struct Descriptors {
    own: BTreeMap<RawFd, OwnedFd>,
    /// Those that may be used in several places.
    files: BTreeMap<RawFd, Arc<File>>,
    /// By their entrances.
    relays: BTreeMap<RawFd, Rc<Relay>>,
}

impl Heritage {
    /// Takes over what the program before has described in the memory file with this number. To be called once, before this
    /// process opens or starts anything that could inherit it.
    #[must_use]
    pub fn take(number: RawFd) -> Heritage {
        let read = handover::take(number).and_then(|file| memfd::read_frozen(file, LONGEST));
        let (estate, details) = match read {
            Err(error) => (None, Err(error.to_string())),
            Ok(bytes) => match decode_estate(&bytes) {
                Err(error) => (None, Err(error.to_string())),
                Ok((estate, rest)) => {
                    let details = decode_details(&estate, rest);
                    (Some(estate), details.map_err(|error| error.to_string()))
                }
            },
        };
        let mut sockets = Sockets::default();
        let stores = estate.as_ref().is_some_and(|estate| estate.stores);
        let open_files = estate.as_ref().and_then(|estate| estate.open_files);
        let number = estate.as_ref().and_then(|estate| estate.stderr);
        let in_background = estate.is_some() && number.is_none();
        let stderr = number.and_then(|number| handover::take(number).ok());
        let stderr = stderr.map(|stderr| Arc::new(File::from(stderr)));
        let descriptors = Descriptors {
            own: BTreeMap::new(),
            files: number.zip(stderr.clone()).into_iter().collect(),
            relays: BTreeMap::new(),
        };
        let taken = take_sockets(estate, &mut sockets);
        let whole = details
            .and_then(|details| taken.map(|()| details))
            .map_err(|reason| (reason, Descriptors::default()))
            .and_then(|details| Whole::new(details, &sockets, open_files, descriptors));
        let extent = match whole {
            Ok(whole) => Extent::Whole(Box::new(whole)),
            Err((reason, descriptors)) => Extent::Sockets(Box::new(Left {
                sockets,
                found: Inherited::find(),
                remains: Remains::gather(descriptors.own.into_values()),
                reason,
                open_files,
            })),
        };
        Heritage {
            extent,
            stores,
            stderr,
            in_background,
        }
    }

    /// Returns the configuration that serves, if it is known.
    #[must_use]
    pub fn config(&self) -> Option<&Config> {
        match &self.extent {
            Extent::Whole(whole) => {
                let serving = whole.generations.get(&whole.decided.serving);
                serving.map(|setup| &setup.config)
            }
            Extent::Sockets(_) => None,
        }
    }
}

impl Left {
    /// Says what could not be taken over.
    pub(crate) fn announce(&self) {
        tracing::warn!(
            "starting anew with the sockets of the program before, whose children finish what they have: {}",
            self.reason
        );
    }
}

/// Takes the sockets, as many as there are.
fn take_sockets(estate: Option<Estate>, sockets: &mut Sockets) -> Result<(), String> {
    let Some(estate) = estate else {
        return Err("nothing is known".to_owned());
    };
    let mut taken = Ok(());
    for socket in estate.sockets {
        match handover::take(socket.descriptor) {
            Ok(descriptor) => sockets.adopt(socket, descriptor),
            Err(error) => taken = Err(format!("socket \"{}\": {error}", socket.address)),
        }
    }
    taken
}

impl Whole {
    /// Puts everything together.
    ///
    /// # Errors
    /// Why that is not possible, and the descriptors that are left.
    fn new(
        details: Details,
        sockets: &Sockets,
        open_files: Option<u64>,
        mut descriptors: Descriptors,
    ) -> Result<Whole, (String, Descriptors)> {
        if let Err(error) = descriptors.take_all(&details) {
            return Err((error.to_string(), descriptors));
        }
        let ledger = descriptors.own.remove(&details.ledger.descriptor);
        let ledger = ledger.ok_or_else(gone);
        let ledgers = match ledger.and_then(|file| Ledgers::adopted(file, details.ledger.pools)) {
            Ok(ledgers) => ledgers,
            Err(error) => return Err((error.to_string(), descriptors)),
        };
        let mut generations = BTreeMap::new();
        for setting in details.generations {
            let number = setting.number;
            match setup(setting, sockets, &mut descriptors, &ledgers) {
                Ok(setup) => generations.insert(number, setup),
                Err(error) => return Err((error.to_string(), descriptors)),
            };
        }
        let zygotes = details.zygotes.into_iter().filter_map(|ends| {
            let channel = descriptors.own.remove(&ends.channel)?;
            let stderr = descriptors.own.remove(&ends.stderr)?;
            Some((ends.id, LiveZygote::adopted(ends.pid, channel, stderr)))
        });
        let zygotes = zygotes.collect();
        let workers = details.workers.into_iter().filter_map(|ends| {
            let control = descriptors.own.remove(&ends.control)?;
            let outputs = ends.outputs.iter();
            let outputs = outputs
                .filter_map(|(stream, number)| Some((*stream, descriptors.own.remove(number)?)));
            let outputs = outputs.collect();
            let log = generations
                .get(&ends.pool.generation)
                .and_then(|setup: &Setup| setup.access_logs.of(ends.pool.index));
            let control = catch_up(WorkerEnd::adopt(control), &ends, log);
            Some((ends.id, Pipes::adopted(&ends, control, outputs)))
        });
        let workers = workers.collect();
        let resting = details.resting.into_iter().filter_map(|ends| {
            let socket = descriptors.own.remove(&ends.descriptor)?;
            let relay = descriptors.relays.get(&ends.relay)?;
            Some((socket, Rc::clone(relay)))
        });
        let resting = resting.collect();
        let callers = details.callers.into_iter();
        let callers =
            callers.filter_map(|(id, number)| Some((id, descriptors.own.remove(&number)?)));
        Ok(Whole {
            resting,
            callers: callers.collect(),
            decided: details.decided,
            open_files,
            started: details.started,
            zygotes,
            workers,
            generations,
        })
    }
}

impl Descriptors {
    /// Takes all that the details name.
    fn take_all(&mut self, details: &Details) -> io::Result<()> {
        let logs = details.generations.iter().flat_map(|g| &g.access_logs);
        for log in logs.flatten() {
            if let Entry::Vacant(place) = self.files.entry(log.descriptor) {
                place.insert(Arc::new(handover::take(log.descriptor)?.into()));
            }
        }
        let relays = details.generations.iter().flat_map(|g| &g.relays);
        for (entrance, exit) in relays {
            if let Entry::Vacant(place) = self.relays.entry(*entrance) {
                let ends = (handover::take(*entrance)?, handover::take(*exit)?);
                place.insert(Rc::new(Relay::adopt(ends.0, ends.1)));
            }
        }
        let resting = details.resting.iter().map(|ends| ends.descriptor);
        let generations = details.generations.iter();
        let generations = generations.flat_map(|g| {
            let operator = g.operator.as_ref().map(|post| post.socket);
            g.control.into_iter().chain(operator).chain([g.board])
        });
        let ledger = std::iter::once(details.ledger.descriptor);
        let zygotes = details.zygotes.iter();
        let zygotes = zygotes.flat_map(|ends| [ends.channel, ends.stderr]);
        let workers = details.workers.iter().flat_map(|ends| {
            let outputs = ends.outputs.iter().map(|(_, number)| *number);
            std::iter::once(ends.control).chain(outputs)
        });
        let callers = details.callers.iter().map(|(_, number)| *number);
        let numbers = ledger.chain(generations).chain(zygotes).chain(workers);
        for number in numbers.chain(resting).chain(callers) {
            self.own.insert(number, handover::take(number)?);
        }
        Ok(())
    }
}

/// Tells a worker what it could not be told before.
fn catch_up(mut control: WorkerEnd, ends: &WorkerEnds, log: Option<&Arc<File>>) -> WorkerEnd {
    for kind in &ends.unsent {
        // One that is gone is reported in another way.
        let _ = match (kind, log) {
            (Kind::Look, _) => control.send(ToWorker::Look),
            (Kind::AccessLog, Some(log)) => control.send(ToWorker::AccessLog(Arc::clone(log))),
            (Kind::AccessLog, None) => continue,
        };
    }
    control
}

/// What a descriptor that was not handed over is to its user.
fn gone() -> MasterError {
    MasterError::Process(io::ErrorKind::NotFound.into())
}

/// Makes a generation's setup.
fn setup(
    setting: Setting,
    sockets: &Sockets,
    descriptors: &mut Descriptors,
    ledgers: &Ledgers,
) -> Result<Setup, MasterError> {
    let board = descriptors.own.remove(&setting.board).ok_or_else(gone)?;
    let control = setting.control;
    let control = control.and_then(|number| descriptors.own.remove(&number));
    let operator = setting.operator.as_ref().map(|post| post.socket);
    let operator = operator.and_then(|number| descriptors.own.remove(&number));
    let logs = setting.access_logs.iter().map(|log| {
        let log = log.as_ref()?;
        let file = descriptors.files.get(&log.descriptor)?;
        Some((log.path.clone(), Arc::clone(file)))
    });
    let logs = AccessLogs::adopted(logs.collect());
    let listeners = sockets.at(&setting.listeners);
    let relays = setting.relays.iter();
    let relays = relays.map(|(entrance, _)| descriptors.relays.get(entrance).cloned());
    let relays: Option<Vec<_>> = relays.collect();
    let sockets = (listeners, relays.ok_or_else(gone)?);
    Setup::adopted(
        setting,
        sockets,
        logs,
        board,
        (control, operator),
        ledgers.clone(),
    )
}
