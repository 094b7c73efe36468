//! What is measured: histograms and counters of each pool and of the daemon, in memory that all generations share.
//!
//! One area per pool, for all its workers: they add with relaxed atomics, a handful for each request, and lock nothing. A worker that is
//! killed in between has added a part of one request. An area is one page and begins empty, so that of a pool without requests
//! takes no memory. The file is the daemon's, not a generation's: nothing has to be carried over by a reload.
//!
//! A changer must know: every change of the layout raises [`VERSION`](crate::VERSION).

use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::Duration;

use fpm_os::shared::{Mapping, Region, SharedFile};

use crate::departure::Departure;
use crate::error::ScoreboardError;
use crate::figures::{DaemonFigures, PoolFigures};
use crate::histogram::{Histogram, Scale};
use crate::layout::VERSION;
use crate::writer::micros;

/// The length of every area, in bytes: a page.
const AREA: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// Words of a pool's area.
mod pool {
    use super::Shape;
    use crate::histogram::Scale;

    /// Answers by class: others, 1xx to 5xx.
    pub(super) const ANSWERS: usize = 0;
    pub(super) const UNKNOWN_WAITS: usize = 6;
    pub(super) const SPAWNED: usize = 7;
    /// Ends of workers, in the order of `Departure::ALL`; there is room for 16.
    pub(super) const DEPARTURES: usize = 8;
    pub(super) const ACCESS_LINES_LOST: usize = 24;
    pub(super) const LATENCY: Shape = Shape {
        start: 32,
        scale: Scale::Time,
    };
    pub(super) const CPU: Shape = LATENCY.next(Scale::Time);
    pub(super) const QUEUE_WAIT: Shape = CPU.next(Scale::Time);
    pub(super) const MEMORY: Shape = QUEUE_WAIT.next(Scale::Memory);
}

/// Words of the daemon's area.
mod daemon {
    use super::Shape;
    use crate::histogram::Scale;

    pub(super) const VERSION: usize = 0;
    pub(super) const GENERATION: usize = 1;
    pub(super) const FAILED_RELOADS: usize = 2;
    pub(super) const LOST_ZYGOTES: usize = 3;
    pub(super) const LOG_LINES_LOST: usize = 4;
    pub(super) const RELOADS: Shape = Shape {
        start: 32,
        scale: Scale::Time,
    };
}

/// Where a histogram is: the sum, then the buckets.
#[derive(Clone, Copy)]
struct Shape {
    start: usize,
    scale: Scale,
}

impl Shape {
    const fn end(self) -> usize {
        self.start + 1 + self.scale.buckets()
    }

    const fn next(self, scale: Scale) -> Shape {
        Shape {
            start: self.end(),
            scale,
        }
    }
}

const _: () = assert!(pool::MEMORY.end() * 8 <= AREA.get());
const _: () = assert!(pool::DEPARTURES + Departure::ALL.len() <= pool::ACCESS_LINES_LOST);

/// The memory file with the areas of all pools and the daemon's own.
#[derive(Debug)]
pub struct Ledger {
    file: SharedFile,
}

/// The area of one pool in this process. Clones are the same area.
#[derive(Clone, Debug)]
pub struct PoolLedger {
    area: Area,
}

/// The daemon's own area in this process.
#[derive(Debug)]
pub struct DaemonLedger {
    area: Area,
}

/// One request that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Served {
    /// The status of PHP's answer.
    pub status: u16,
    /// How long it took.
    pub duration: Duration,
    /// The CPU time that it cost.
    pub cpu: Duration,
    /// Its memory peak, in bytes.
    pub memory: u64,
    /// How long it waited for a worker, if that is known.
    pub waited: Option<Duration>,
}

impl Ledger {
    /// Creates one without pools.
    ///
    /// # Errors
    /// [`ScoreboardError::Memory`].
    pub fn create() -> Result<Ledger, ScoreboardError> {
        let file = SharedFile::create("fpmd-ledger")?;
        let area = Area::map(&file, file.grow(AREA)?)?;
        area.word(daemon::VERSION).store(VERSION, Release);
        Ok(Ledger { file })
    }

    /// Takes over one that another process has created.
    ///
    /// # Errors
    /// [`ScoreboardError::Memory`] when it is not such a file, [`ScoreboardError::Layout`] when it is that of another release.
    pub fn adopt(file: OwnedFd) -> Result<Ledger, ScoreboardError> {
        let ledger = Ledger {
            file: SharedFile::adopt(file)?,
        };
        let found = ledger.daemon()?.area.word(daemon::VERSION).load(Acquire);
        match found == VERSION {
            true => Ok(ledger),
            false => Err(ScoreboardError::Layout {
                found,
                expected: VERSION,
            }),
        }
    }

    /// Opens the file once more, for a process that may only read it ([`LedgerView`](crate::LedgerView)).
    ///
    /// # Errors
    /// [`ScoreboardError::Memory`] when that cannot be.
    pub fn for_reading(&self) -> Result<OwnedFd, ScoreboardError> {
        Ok(self.file.for_reading()?)
    }

    /// Adds a pool.
    ///
    /// # Errors
    /// [`ScoreboardError::Memory`] when there is not so much.
    pub fn add_pool(&self) -> Result<Region, ScoreboardError> {
        Ok(self.file.grow(AREA)?)
    }

    /// Makes sure that there is such an area, without mapping it: for who has many of them.
    ///
    /// # Errors
    /// As [`Ledger::pool`].
    pub fn check(&self, region: Region) -> Result<(), ScoreboardError> {
        self.file.check(region)?;
        Area::check(region.len)
    }

    /// Maps the area of a pool into this process.
    ///
    /// # Errors
    /// [`ScoreboardError::Memory`] when it is not in the file or none.
    pub fn pool(&self, region: Region) -> Result<PoolLedger, ScoreboardError> {
        Ok(PoolLedger {
            area: Area::map(&self.file, region)?,
        })
    }

    /// Maps the daemon's own area into this process.
    ///
    /// # Errors
    /// [`ScoreboardError::Memory`] when there is none.
    pub fn daemon(&self) -> Result<DaemonLedger, ScoreboardError> {
        let len = AREA.get() as u64;
        let area = Area::map(&self.file, Region { offset: 0, len })?;
        Ok(DaemonLedger { area })
    }
}

impl AsFd for Ledger {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl PoolLedger {
    /// Maps the area of a pool for reading: to be asked for its figures only.
    pub(crate) fn view(file: &SharedFile, region: Region) -> Result<PoolLedger, ScoreboardError> {
        Ok(PoolLedger {
            area: Area::new(file.map_for_reading(region)?)?,
        })
    }

    /// Counts a request that is over. For the worker.
    pub fn record(&self, served: &Served) {
        let class = usize::from(served.status / 100);
        let class = if (1..=5).contains(&class) { class } else { 0 };
        self.area.count(pool::ANSWERS + class, 1);
        self.area.observe(pool::LATENCY, micros(served.duration));
        self.area.observe(pool::CPU, micros(served.cpu));
        self.area.observe(pool::MEMORY, served.memory);
        match served.waited {
            Some(waited) => self.area.observe(pool::QUEUE_WAIT, micros(waited)),
            None => self.area.count(pool::UNKNOWN_WAITS, 1),
        }
    }

    /// Counts a worker that was forked. For the master.
    pub fn count_spawned(&self) {
        self.area.count(pool::SPAWNED, 1);
    }

    /// Counts a worker that has ended. For the master.
    pub fn count_departure(&self, departure: Departure) {
        self.area.count(pool::DEPARTURES + departure as usize, 1);
    }

    /// Counts lines that are missing in the access log. For the master.
    pub fn count_access_lines_lost(&self, lines: u64) {
        self.area.count(pool::ACCESS_LINES_LOST, lines);
    }

    /// Reads everything. Requests that end meanwhile may be there in part.
    #[must_use]
    pub fn figures(&self) -> PoolFigures {
        let area = &self.area;
        PoolFigures {
            latency: area.histogram(pool::LATENCY),
            cpu: area.histogram(pool::CPU),
            memory: area.histogram(pool::MEMORY),
            queue_wait: area.histogram(pool::QUEUE_WAIT),
            unknown_waits: area.read(pool::UNKNOWN_WAITS),
            answers: std::array::from_fn(|class| area.read(pool::ANSWERS + class)),
            spawned: area.read(pool::SPAWNED),
            access_lines_lost: area.read(pool::ACCESS_LINES_LOST),
            departures: std::array::from_fn(|at| area.read(pool::DEPARTURES + at)),
        }
    }
}

impl DaemonLedger {
    /// Maps the daemon's own area for reading: to be asked for its figures only.
    pub(crate) fn view(file: &SharedFile) -> Result<DaemonLedger, ScoreboardError> {
        let len = AREA.get() as u64;
        let area = Area::new(file.map_for_reading(Region { offset: 0, len })?)?;
        let found = area.word(daemon::VERSION).load(Acquire);
        match found == VERSION {
            true => Ok(DaemonLedger { area }),
            false => Err(ScoreboardError::Layout {
                found,
                expected: VERSION,
            }),
        }
    }

    /// Notes which generation serves.
    pub fn serves(&self, generation: u64) {
        self.area
            .word(daemon::GENERATION)
            .store(generation, Relaxed);
    }

    /// Counts a reload that has taken so long.
    pub fn count_reload(&self, duration: Duration) {
        self.area.observe(daemon::RELOADS, micros(duration));
    }

    /// Counts a reload that has failed.
    pub fn count_failed_reload(&self) {
        self.area.count(daemon::FAILED_RELOADS, 1);
    }

    /// Counts a zygote that has ended before its time.
    pub fn count_lost_zygote(&self) {
        self.area.count(daemon::LOST_ZYGOTES, 1);
    }

    /// Counts lines that are missing in the error log.
    pub fn count_log_lines_lost(&self, lines: u64) {
        self.area.count(daemon::LOG_LINES_LOST, lines);
    }

    /// Reads everything.
    #[must_use]
    pub fn figures(&self) -> DaemonFigures {
        let area = &self.area;
        DaemonFigures {
            generation: area.read(daemon::GENERATION),
            reloads: area.histogram(daemon::RELOADS),
            failed_reloads: area.read(daemon::FAILED_RELOADS),
            lost_zygotes: area.read(daemon::LOST_ZYGOTES),
            log_lines_lost: area.read(daemon::LOG_LINES_LOST),
        }
    }
}

/// A page of words.
#[derive(Clone, Debug)]
struct Area {
    mapping: Arc<Mapping>,
}

impl Area {
    fn map(file: &SharedFile, region: Region) -> Result<Area, ScoreboardError> {
        Area::new(file.map(region)?)
    }

    fn new(mapping: Mapping) -> Result<Area, ScoreboardError> {
        Area::check(mapping.words().len() as u64 * 8)?;
        Ok(Area {
            mapping: Arc::new(mapping),
        })
    }

    fn check(len: u64) -> Result<(), ScoreboardError> {
        match len == AREA.get() as u64 {
            true => Ok(()),
            false => Err(ScoreboardError::Area { len }),
        }
    }

    fn word(&self, word: usize) -> &AtomicU64 {
        &self.mapping.words()[word]
    }

    fn read(&self, word: usize) -> u64 {
        self.word(word).load(Relaxed)
    }

    fn count(&self, word: usize, more: u64) {
        self.word(word).fetch_add(more, Relaxed);
    }

    fn observe(&self, shape: Shape, value: u64) {
        self.count(shape.start + 1 + shape.scale.bucket(value), 1);
        if value > 0 {
            self.count(shape.start, value);
        }
    }

    fn histogram(&self, shape: Shape) -> Histogram {
        let buckets = shape.start + 1..shape.end();
        let counts = buckets.map(|word| self.read(word)).collect();
        Histogram::new(shape.scale, counts, self.read(shape.start))
    }
}

#[cfg(test)]
mod tests;
