//! What commands ask for over the control socket, and what they are answered.
//!
//! Rule: an order means what the signal for it means; what is more is that somebody waits for the outcome.

use std::time::Duration;

use bstr::BStr;
use fpm_channel::Generation;
use fpm_control::{Answer, Failure, Request, Way};

use super::Master;
use crate::event::CallerId;
use crate::pool::Service;
use crate::state::State;
use crate::world::World;

impl<W: World> Master<W> {
    /// A command asks for something.
    pub(super) fn on_asked(&mut self, now: Duration, caller: CallerId, request: &Request) {
        match request {
            Request::Status(detail) => {
                let status = self.status(now, *detail);
                self.world.answer(caller, &Answer::Status(Box::new(status)));
            }
            Request::Reload(_) | Request::Upgrade(_) if self.state != State::Normal => {
                self.world
                    .answer(caller, &Answer::Failed(Failure::Stopping));
            }
            Request::Reload(scope) => {
                tracing::info!("Reloading in progress ...");
                self.orders.await_reload(caller);
                self.request_reload_of(now, scope.clone());
            }
            Request::Upgrade(Way::InPlace) => self.upgrade(now, caller),
            Request::Upgrade(Way::Beside) => self.begin_beside(now, caller),
            Request::Reopen => {
                let answer = match self.reopen_logs() {
                    Ok(()) => Answer::Done,
                    Err(reasons) => Answer::Failed(Failure::NotReopened(reasons)),
                };
                self.world.answer(caller, &answer);
            }
            Request::Stop => {
                self.orders.await_end(caller);
                self.terminate(now);
            }
            Request::Quit => {
                self.orders.await_end(caller);
                self.finish(now);
            }
            Request::Drain { pool } => self.on_pool_order(caller, pool, |master, id| {
                master.drain_pool(now, caller, id);
                None
            }),
            Request::Resume { pool } => {
                self.on_pool_order(caller, pool, |master, id| Some(master.resume_pool(now, id)));
            }
            Request::Set { pool, max_children } => {
                self.on_pool_order(caller, pool, |master, id| {
                    Some(master.set_max_children(now, id, *max_children))
                });
            }
            Request::Stack { of } => self.inquire(now, caller, of),
            Request::Preview(scope) => {
                let answer = match self.world.preview(scope) {
                    Ok(changes) => Answer::Changes(changes),
                    Err(error) => Answer::Failed(error.into()),
                };
                self.world.answer(caller, &answer);
            }
        }
    }

    /// A reload has succeeded. What was ordered for pools counts no more, but for those that have gone over as they were.
    pub(super) fn answer_reloaded(&mut self, next: Generation) {
        let serving = self.generations.serving();
        let is_open = |name: &BStr| {
            let pool = serving.pool_named(name);
            pool.is_none_or(|pool| pool.service == Service::Open)
        };
        for caller in self.orders.drains_over(is_open) {
            let failure = Answer::Failed(Failure::Resumed);
            self.world.answer(caller, &failure);
        }
        let answer = Answer::Reloaded { generation: next.0 };
        for caller in self.orders.reload_over(None) {
            self.world.answer(caller, &answer);
        }
    }

    /// A reload has failed.
    pub(super) fn answer_not_reloaded(&mut self, cause: Failure) {
        let callers = self.orders.reload_over(Some(cause.to_string()));
        let answer = Answer::Failed(cause);
        for caller in callers {
            self.world.answer(caller, &answer);
        }
    }

    /// Nobody's reload will happen, and pools are no longer what they were.
    pub(super) fn refuse_orders(&mut self, cause: &Failure) {
        let mut callers = self.orders.no_reload();
        callers.append(&mut self.orders.drains_over(|_| true));
        for caller in callers {
            self.world.answer(caller, &Answer::Failed(cause.clone()));
        }
    }

    /// The daemon is at its end.
    pub(super) fn answer_ended(&mut self) {
        for caller in self.orders.end() {
            self.world.answer(caller, &Answer::Done);
        }
    }
}
