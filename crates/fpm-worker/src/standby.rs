//! Which of a pool's idle workers wait for clients, and which stand by until those have gone to work.
//!
//! For each client the kernel wakes a worker that waits. On a busy machine that one has to wait for a processor, and somebody whose
//! request is over takes the client first; the next client wakes the next worker. Were all idle workers to wait, some would always be
//! on their way for nothing, and in the end all would take turns, with cold caches. So only a few wait, as many as the processors can
//! run and one more; who finds all places taken stands by: it waits for a bell, which is rung by whoever goes to work and leaves too
//! few behind. (There are three places at least, and two who come at once may both find the last one free.) With 20 workers and 4
//! clients on two processors that is a third more requests (`cargo xtask bench share`).
//!
//! Rule: while somebody stands by, somebody waits, or is called and about to look. Each worker sets or removes its own mark before it
//! looks at those of the others (sequentially consistent), so when one goes to work while another goes to stand by, at least one of
//! the two sees what the other does. A call says no more than "look again": one for nothing costs a look, and two may become one.
//!
//! The marks of a worker that dies are removed by the zygote that reaps it, and if it was idle the master wakes the others. Workers
//! whose zygote is dead have nobody who would remove marks, so all of them wait. What is not noticed: that two who wait are stopped, by
//! a debugger, or dead under a stopped zygote. Then clients wait until another worker finishes its request, as all clients would of
//! whom there are more than workers.

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;

use fpm_os::bell::Bell;
use fpm_os::epoll::{Ready, WaitSet, Wake};
use fpm_os::shared::{Mapping, Region, SharedFile};
use nix::unistd::{Pid, getppid};

/// The bell, in what is ready when somebody who stands by wakes up. Other tokens are for those whose descriptors they are.
const BELL: u64 = u64::MAX;

/// So many who wait are enough. One would do, but for a debugger that stops just that one.
const ENOUGH: u32 = 2;

/// The fewest places. Who comes back before the next client does need not stand by.
const FEWEST_PLACES: u32 = ENOUGH + 1;

/// What the workers of a pool share for this, those that the same zygote has forked. Not mapped.
#[derive(Debug)]
pub struct Standby {
    region: Region,
    bell: Bell,
    places: u32,
}

/// The same in one worker's memory.
#[derive(Debug)]
pub struct Marks {
    mapping: Mapping,
    bell: Bell,
    places: u32,
}

/// One of the two marks that each worker has.
#[derive(Clone, Copy)]
enum Mark {
    /// It waits for clients, or is about to look for one.
    Waits,
    /// It stands by.
    StandsBy,
}

/// Where a worker is while it has nothing to do.
#[derive(Debug)]
pub(crate) struct Place {
    marks: Arc<Marks>,
    slot: u32,
    zygote: Pid,
    stance: Stance,
    /// What wakes it while it stands by.
    events: WaitSet,
}

/// What the others may think of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stance {
    /// That it does not wait: it has a client, or is not ready for one.
    AtWork,
    /// That it is about to look for a client: it has stood by, and if it was called nobody else was.
    Called,
    /// That it waits for clients: it has the mark.
    Waits,
}

/// Returns how many idle workers wait for clients where so many processors serve them: one more than can run, and three at least.
#[must_use]
pub fn places(processors: usize) -> u32 {
    let processors = u32::try_from(processors).unwrap_or(u32::MAX);
    processors.saturating_add(1).max(FEWEST_PLACES)
}

impl Standby {
    /// Makes what a pool with so many slots needs; `memory` is for nothing else.
    ///
    /// # Errors
    /// What ftruncate(2) and eventfd(2) answer.
    pub fn create(memory: &SharedFile, slots: u32, places: u32) -> io::Result<Standby> {
        let bytes = 2 * 8 * words(slots);
        let bytes = NonZeroUsize::new(bytes).unwrap_or(NonZeroUsize::MIN);
        Ok(Standby {
            bell: Bell::create()?,
            region: memory.grow(bytes)?,
            places,
        })
    }

    /// Takes it over into the memory of the worker that has been forked.
    ///
    /// # Errors
    /// What mmap(2) answers.
    pub fn open(self, memory: &SharedFile) -> io::Result<Marks> {
        Ok(Marks {
            mapping: memory.map(self.region)?,
            bell: self.bell,
            places: self.places,
        })
    }

    /// Removes the marks of a worker that has died. For the zygote, before the slot is somebody else's.
    ///
    /// Nobody is called: the workers share the bell as an open file and might let it block the zygote.
    ///
    /// # Errors
    /// What mmap(2) answers.
    pub fn forget(&self, memory: &SharedFile, slot: u32) -> io::Result<()> {
        let mapping = memory.map(self.region)?;
        for mark in [Mark::Waits, Mark::StandsBy] {
            remove(&mapping, mark, slot);
        }
        Ok(())
    }
}

impl AsFd for Standby {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

impl From<Standby> for OwnedFd {
    fn from(standby: Standby) -> OwnedFd {
        standby.bell.into()
    }
}

impl Place {
    /// Gives the worker of a slot its place; `zygote` has forked it. It neither waits nor stands by yet.
    ///
    /// # Errors
    /// What epoll_create1(2) and epoll_ctl(2) answer.
    pub(crate) fn new(marks: impl Into<Arc<Marks>>, slot: u32, zygote: Pid) -> io::Result<Place> {
        let marks = marks.into();
        let events = WaitSet::create()?;
        events.add(&marks.bell, BELL, Wake::One)?;
        Ok(Place {
            marks,
            slot,
            zygote,
            stance: Stance::AtWork,
            events,
        })
    }

    /// Adds what wakes the worker up beside the bell, with its token.
    ///
    /// # Errors
    /// What epoll_ctl(2) answers.
    pub(crate) fn add(&self, descriptor: impl AsFd, token: u64) -> io::Result<()> {
        self.events.add(descriptor, token, Wake::All)
    }

    /// Lets the worker wait for clients, unless enough do: then it is to stand by.
    pub(crate) fn take(&mut self) -> bool {
        if self.stance == Stance::Waits {
            return true;
        }
        let mapping = &self.marks.mapping;
        if count(mapping, Mark::Waits) >= self.marks.places && !self.is_orphan() {
            set(mapping, Mark::StandsBy, self.slot);
            // Those who went to work before they could see that mark have rung for nobody.
            if count(mapping, Mark::Waits) >= ENOUGH {
                return false;
            }
            remove(mapping, Mark::StandsBy, self.slot);
        }
        set(mapping, Mark::Waits, self.slot);
        self.stance = Stance::Waits;
        true
    }

    /// Stands by until the bell rings or something else wakes the worker up, which is then to look at everything again.
    ///
    /// # Errors
    /// None that the system documents for this use.
    pub(crate) fn stand_by(&mut self) -> io::Result<Ready> {
        let ready = self.events.wait(None);
        self.stance = Stance::Called;
        remove(&self.marks.mapping, Mark::StandsBy, self.slot);
        if ready.as_ref().is_ok_and(|ready| ready.contains(BELL)) {
            self.marks.bell.answer();
        }
        ready
    }

    /// The worker has a client.
    pub(crate) fn leave(&mut self) {
        // Nobody counts on one that comes from work and goes to work.
        if self.stance != Stance::AtWork {
            self.give_up();
        }
    }

    /// The worker takes no client for a while, or none any more. A call may have come that it will not hear.
    pub(crate) fn give_up(&mut self) {
        let mapping = &self.marks.mapping;
        remove(mapping, Mark::Waits, self.slot);
        self.stance = Stance::AtWork;
        call_unless_enough(mapping, &self.marks.bell);
    }

    /// Tells whether the zygote is dead, and with it the one who would remove the marks of dead workers.
    fn is_orphan(&self) -> bool {
        getppid() != self.zygote
    }
}

/// Returns how many words one mark of so many workers takes: whole cache lines.
fn words(slots: u32) -> usize {
    (slots as usize).div_ceil(64).max(1).next_multiple_of(8)
}

/// Returns everybody's mark.
fn all(mapping: &Mapping, mark: Mark) -> &[AtomicU64] {
    let (waits, stand_by) = mapping.words().split_at(mapping.words().len() / 2);
    match mark {
        Mark::Waits => waits,
        Mark::StandsBy => stand_by,
    }
}

fn set(mapping: &Mapping, mark: Mark, slot: u32) {
    if let Some(word) = all(mapping, mark).get(slot as usize / 64) {
        word.fetch_or(1 << (slot % 64), SeqCst);
    }
}

fn remove(mapping: &Mapping, mark: Mark, slot: u32) {
    if let Some(word) = all(mapping, mark).get(slot as usize / 64) {
        word.fetch_and(!(1 << (slot % 64)), SeqCst);
    }
}

fn count(mapping: &Mapping, mark: Mark) -> u32 {
    let words = all(mapping, mark).iter();
    words.map(|word| word.load(SeqCst).count_ones()).sum()
}

/// Rings the bell if somebody stands by and too few wait.
fn call_unless_enough(mapping: &Mapping, bell: &Bell) {
    if count(mapping, Mark::Waits) < ENOUGH && count(mapping, Mark::StandsBy) > 0 {
        bell.ring();
    }
}

#[cfg(test)]
mod tests;
