//! What the master asks of the world, as it happens to simulated processes.

use std::collections::VecDeque;
use std::io;
use std::panic::resume_unwind;
use std::time::Duration;

use bstr::BString;
use fpm_channel::underway::Trace;
use fpm_channel::{Generation, WorkerId};
use fpm_conf::{Changes, Config, PoolIndex};
use fpm_control::{Answer, PoolStatus, Scope, Status, WorkerStatus};
use fpm_os::signal::Signal;
use fpm_scoreboard::{Farewell, SlotSnapshot};
use nix::errno::Errno;
use nix::unistd::Pid;

use crate::access_logs::Reopened;
use crate::error::MasterError;
use crate::event::{CallerId, Event, Timer, ZygoteId};
use crate::group::GroupId;
use crate::obituary::killed;
use crate::pool::PoolId;
use crate::resting::RestingId;
use crate::sizing::Memory;
use crate::systemd::Load;
use crate::upgrade::examination::Refusal;
use crate::upgrade::state::Decided;
use crate::world::{Activity, Audience, Birth, Count, Examination, Fate, OnDisk, World};

use super::{Kernel, Zygote, worker_pid, zygote_pid};

impl World for Kernel {
    fn prepare(&mut self, next: Generation, scope: &Scope) -> Result<Config, MasterError> {
        let reasons = Vec::new();
        let config = self.edited.clone();
        let mut config = config.ok_or(MasterError::Configuration { reasons })?;
        if let (Scope::Pools(names), Some(serving)) = (scope, self.serving) {
            let names = names.iter().map(|name| name.as_str().into()).collect();
            config = self.configs[&serving].with_pools_of(&config, &names);
        }
        self.scopes.insert(next, scope.clone());
        self.configs.insert(next, config.clone());
        Ok(config)
    }

    fn prepare_again(&mut self, next: Generation) -> Result<Config, MasterError> {
        panic!("generation {} is not the old one of two masters'", next.0)
    }

    fn start_beside(&mut self) -> Result<Pid, MasterError> {
        panic!("nobody wants another master")
    }

    fn take_names_back(&mut self) {}

    fn pass_on(&mut self) {}

    fn report_to_elder(&mut self) {}

    fn be_main(&mut self) {}

    fn clear_up_after_elder(&mut self) {}

    fn on_disk(&self) -> OnDisk {
        OnDisk::Same
    }

    fn examine(&mut self) -> Result<Examination, Refusal> {
        if !self.installed {
            return Ok(Examination::Unneeded);
        }
        self.happened.push_back(Event::Examined(Ok(())));
        Ok(Examination::Begun)
    }

    fn hand_over(&mut self, decided: Decided, waiting: &[CallerId]) -> MasterError {
        assert!(std::mem::take(&mut self.installed), "it was examined");
        let bytes = serde_json::to_vec(&decided).unwrap();
        assert_eq!(serde_json::from_slice::<Decided>(&bytes).unwrap(), decided);
        self.left = Some((decided, waiting.to_vec()));
        // Nothing of this program comes after an exec.
        resume_unwind(Box::new("replaced"))
    }

    fn succeed(&mut self, next: Generation) {
        let pools = self.configs[&next].pools.len();
        for index in (0..).take(pools).map(PoolIndex) {
            let pool = PoolId {
                generation: next,
                index,
            };
            let serves = self.is_carried(pool) || self.serving(pool) > 0;
            assert!(serves, "it serves when it is said to");
        }
        self.serving = Some(next);
    }

    fn close_sockets(&mut self, generation: Generation) {
        assert_ne!(self.serving, Some(generation));
    }

    fn retire(&mut self, generation: Generation) {
        assert_ne!(self.serving, Some(generation));
        assert!(
            self.workers
                .values()
                .all(|worker| worker.pool.generation != generation)
        );
        assert!(
            self.zygotes
                .values()
                .all(|zygote| zygote.generation != generation)
        );
        self.configs.remove(&generation);
    }

    fn start_zygote(&mut self, id: ZygoteId, group: GroupId) -> Result<Pid, MasterError> {
        let generation = group.generation;
        let of_group = |zygote: &Zygote| zygote.generation == generation;
        assert!(!self.zygotes.values().any(of_group), "one zygote a group");
        self.zygotes.insert(
            id,
            Zygote {
                generation,
                ready: false,
                quitting: false,
                orders: VecDeque::new(),
            },
        );
        Ok(zygote_pid(id))
    }

    fn spawn(&mut self, zygote: ZygoteId, birth: Birth) -> Result<(), Errno> {
        let before = self.slots.insert((birth.pool, birth.slot), birth.worker);
        assert_eq!(before, None, "a slot has one worker");
        assert!(
            birth.slot.0 < self.capacity(birth.pool),
            "never above pm.max_children"
        );
        self.check_size(birth.pool);
        self.check_all(birth.pool);
        // A zygote that has died without the master's knowing yet takes no orders.
        if let Some(zygote) = self.zygotes.get_mut(&zygote) {
            assert!(
                zygote.ready && !zygote.quitting,
                "only zygotes that are up fork"
            );
            zygote.orders.push_back(birth);
        }
        Ok(())
    }

    fn signal_worker(&mut self, zygote: ZygoteId, worker: WorkerId, signal: Signal) {
        if self.zygotes.contains_key(&zygote) {
            self.worker_ends(worker, killed(signal));
        }
    }

    fn quit_zygote(&mut self, zygote: ZygoteId) {
        if let Some(zygote) = self.zygotes.get_mut(&zygote) {
            zygote.quitting = true;
        }
        self.zygotes_may_end();
    }

    fn forget_zygote(&mut self, _zygote: ZygoteId) {}

    fn ini_mistake(&mut self, _zygote: ZygoteId) -> Option<BString> {
        None
    }

    fn hear_workers(&mut self) {}

    fn signal_child(&mut self, pid: Pid, signal: Signal) {
        let status = killed(signal);
        if let Some(id) = self
            .zygotes
            .keys()
            .copied()
            .find(|id| zygote_pid(*id) == pid)
        {
            self.zygote_ends(id, status);
        } else {
            self.worker_ends(WorkerId(u64::try_from(pid.as_raw()).unwrap()), status);
        }
    }

    fn served_at_socket_of(&self, pool: PoolId) -> Option<PoolId> {
        let generation = self.serving?;
        let name = &self.configs.get(&pool.generation)?.pool(pool.index)?.name;
        let pools = (0..).map(PoolIndex).zip(&self.configs[&generation].pools);
        let mut namesakes = pools.filter(|(_, known)| known.name == *name);
        let (index, _) = namesakes.next()?;
        Some(PoolId { generation, index })
    }

    fn turn_away(&mut self, connection: RestingId) {
        assert!(self.stopping, "{connection:?} would be served");
    }

    fn turn_all_away(&mut self) {
        assert!(self.stopping, "all would be served");
    }

    fn wake(&mut self, _worker: WorkerId) {}

    fn drain(&mut self, worker: WorkerId, farewell: Farewell) {
        let closes = farewell == Farewell::Close;
        assert_eq!(closes, self.stopping, "who is left is served by others");
        self.told.insert(worker);
        let Some(worker) = self.workers.get_mut(&worker) else {
            return;
        };
        worker.drains = true;
        let (pool, serves) = (worker.pool, worker.serves);
        if serves
            && !self.stopping
            && self
                .serving
                .is_some_and(|serving| pool.generation < serving)
        {
            assert!(
                self.serving(pool) > 0,
                "a worker of the next generation serves before one goes"
            );
        }
    }

    fn release(&mut self, worker: WorkerId) {
        assert!(
            !self.workers.contains_key(&worker),
            "only slots of workers that are gone are freed"
        );
        self.slots.retain(|_, holder| *holder != worker);
    }

    fn fate(&mut self, worker: WorkerId) -> Fate {
        match self.workers.get(&worker) {
            Some(known) if known.serves => Fate::Born(worker_pid(worker)),
            Some(_) => Fate::Unknown,
            None => Fate::Nobody,
        }
    }

    fn activity(&self, worker: WorkerId) -> Activity {
        match self.served.contains(&worker) {
            false => Activity::Starting,
            true => Activity::Busy,
        }
    }

    fn waiting(&self, _pool: PoolId) -> u32 {
        0
    }

    fn accepted(&self, _pool: PoolId) -> u64 {
        0
    }

    fn count_max_children_reached(&mut self, _pool: PoolId) {}

    fn slot(&self, _: WorkerId) -> Option<SlotSnapshot> {
        None
    }

    fn ask_for_stack(&self, _: WorkerId) {}

    fn count(&mut self, _: Count) {}

    fn count_timed_out_request(&mut self, _: PoolId) {}

    fn count_rest(&mut self, _: PoolId) {}

    fn log_slow_request(&mut self, _: PoolId, _: Pid, _: &Trace) -> Result<(), MasterError> {
        Ok(())
    }

    fn connections_wanted(&mut self, _pool: PoolId) {}

    fn arm(&mut self, timer: Timer, at: Duration) {
        self.timers.insert(timer, at);
    }

    fn launched(&mut self) -> Result<(), MasterError> {
        Ok(())
    }

    fn notify(&mut self, _state: &str) -> io::Result<Audience> {
        Ok(Audience::Told)
    }

    fn load(&self) -> Load {
        Load::default()
    }

    fn answer(&mut self, caller: CallerId, answer: &Answer) {
        self.answers.push((caller, answer.clone()));
    }

    fn is_carried(&self, pool: PoolId) -> bool {
        let name = &self.configs[&pool.generation].pools[pool.index.0 as usize].name;
        match self.scopes.get(&pool.generation) {
            Some(Scope::Pools(names)) => !names.contains(&name.to_string()),
            _ => false,
        }
    }

    fn carry(&mut self, from: PoolId, to: PoolId) {
        let births = self
            .zygotes
            .values_mut()
            .flat_map(|zygote| &mut zygote.orders);
        let births = births.map(|birth| &mut birth.pool);
        let workers = self.workers.values_mut().map(|worker| &mut worker.pool);
        for pool in births.chain(workers).filter(|pool| **pool == from) {
            *pool = to;
        }
        let slots = std::mem::take(&mut self.slots).into_iter();
        let renamed = |pool: PoolId| if pool == from { to } else { pool };
        self.slots = slots
            .map(|((pool, slot), worker)| ((renamed(pool), slot), worker))
            .collect();
    }

    fn preview(&self, _scope: &Scope) -> Result<Changes, MasterError> {
        Ok(Changes::default())
    }

    fn status(&self) -> Status {
        unreachable!("nobody asks")
    }

    fn answer_operator(&mut self, _status: Status) {}

    fn pool_status(&self, _pool: PoolId) -> PoolStatus {
        PoolStatus::default()
    }

    fn tally(&self, _pool: PoolId, _status: &mut PoolStatus) {}

    fn worker_status(&self, _worker: WorkerId, _now: Duration) -> Option<WorkerStatus> {
        None
    }

    fn memory(&self) -> io::Result<Memory> {
        Err(io::Error::other("nobody asks"))
    }

    fn takes(&self, _worker: WorkerId) -> Option<u64> {
        None
    }

    fn reopen_log(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn reopen_access_logs(&mut self) -> Reopened {
        Reopened::None
    }
}
