//! `fpmd stack`: workers are asked what they are doing, and commands told.
//!
//! Rule: only busy workers are asked, through their slots, and nobody waits for one that does not answer.

use std::time::Duration;

use bstr::ByteSlice;
use fpm_channel::WorkerId;
use fpm_channel::underway::Underway;
use fpm_control::{Answer, Doing, Failure, RequestStack, StackCall, WorkerStack};
use nix::unistd::Pid;

use super::Master;
use crate::event::{CallerId, Timer};
use crate::pool::PoolId;
use crate::stacks::Inquiry;
use crate::world::{Activity, World};

/// Workers that have not answered by then do not.
const PATIENCE: Duration = Duration::from_secs(1);

impl<W: World> Master<W> {
    /// A command asks what the workers of a pool, or one worker, are doing.
    pub(super) fn inquire(&mut self, now: Duration, caller: CallerId, of: &str) {
        let inquiry = match self.asked_workers(of) {
            Ok(workers) => self.ask_workers(now, caller, workers),
            Err(failure) => return self.world.answer(caller, &Answer::Failed(failure)),
        };
        if inquiry.is_answered() {
            self.answer_inquiry(inquiry);
        } else {
            self.inquiries.add(inquiry);
            self.limit_patience();
        }
    }

    /// A worker says what it is doing.
    pub(super) fn on_stack(&mut self, worker: WorkerId, underway: Option<&Underway>) {
        let doing = underway.map_or(Doing::Nothing, doing);
        for inquiry in self.inquiries.answer(worker, &doing) {
            self.answer_inquiry(inquiry);
        }
    }

    /// Who has waited long enough is told what has become known.
    pub(super) fn end_inquiries(&mut self, now: Duration) {
        for inquiry in self.inquiries.take_overdue(now) {
            self.answer_inquiry(inquiry);
        }
        self.limit_patience();
    }

    fn limit_patience(&mut self) {
        if let Some(end) = self.inquiries.next_end() {
            self.world.arm(Timer::Stacks, end);
        }
    }

    fn answer_inquiry(&mut self, inquiry: Inquiry) {
        let caller = inquiry.caller;
        let answer = Answer::Stacks(inquiry.into_stacks());
        self.world.answer(caller, &answer);
    }

    /// Finds out who is meant.
    fn asked_workers(&self, of: &str) -> Result<Vec<WorkerId>, Failure> {
        let serving = self.generations.serving();
        if let Some(index) = serving.index_of(of.as_bytes().as_bstr()) {
            let generation = serving.number;
            let pool = PoolId { generation, index };
            let pools =
                std::iter::once(serving.pool(index)).chain(self.generations.predecessors(pool));
            let pools: Vec<_> = pools.filter(|pool| pool.watched).collect();
            if pools.is_empty() {
                return Err(Failure::NotWatched(of.to_owned()));
            }
            return Ok(pools.into_iter().flat_map(|pool| pool.workers()).collect());
        }
        let worker = of
            .parse()
            .ok()
            .and_then(|pid| self.roster.by_pid(Pid::from_raw(pid)));
        let worker = worker.and_then(|id| Some((id, self.roster.get(id)?.pool)));
        let (id, pool) = worker.ok_or_else(|| Failure::Nobody(of.to_owned()))?;
        let pool = self.generations.pool(pool);
        if pool.watched {
            Ok(vec![id])
        } else {
            Err(Failure::NotWatched(pool.name.to_string()))
        }
    }

    /// Asks those that are busy.
    fn ask_workers(&self, now: Duration, caller: CallerId, workers: Vec<WorkerId>) -> Inquiry {
        let mut inquiry = Inquiry::new(caller, now + PATIENCE);
        for id in workers {
            let Some(worker) = self.roster.get(id) else {
                continue;
            };
            let pool = self.generations.pool(worker.pool).name.to_string();
            let pid = worker.pid.map_or(0, Pid::as_raw);
            match self.world.activity(id) {
                Activity::Busy => {
                    self.world.ask_for_stack(id);
                    inquiry.await_answer(id, pool, pid);
                }
                Activity::Starting | Activity::Idle { .. } | Activity::Resting { .. } => {
                    let doing = Doing::Nothing;
                    inquiry.know(WorkerStack { pool, pid, doing });
                }
            }
        }
        inquiry
    }
}

/// Puts what a worker says into the words of commands.
fn doing(underway: &Underway) -> Doing {
    let text = |bytes: &[u8]| bytes.to_str_lossy().into_owned();
    let mut uri = text(&underway.uri);
    if !underway.query.is_empty() {
        uri = format!("{uri}?{}", text(&underway.query));
    }
    let calls = underway.trace.calls.iter().map(|call| StackCall {
        function: text(&call.function),
        file: text(&call.file),
        line: call.line,
    });
    Doing::Request(Box::new(RequestStack {
        method: text(&underway.method),
        uri,
        script: text(&underway.script),
        taken_us: u64::try_from(underway.taken.as_micros()).unwrap_or(u64::MAX),
        calls: calls.collect(),
    }))
}
