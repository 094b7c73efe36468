//! A reload, from the request to the moment at which the next generation serves, or to the failure that changes nothing.
//!
//! Rule: until the next generation serves, nothing of the one that does is touched: not its workers, not its zygotes, not
//! its sockets. Whatever goes wrong is logged with its cause.
//!
//! Original: sapi/fpm/fpm/fpm_process_ctl.c (`fpm_pctl_exec`), which ends all workers first.

use std::fmt::Display;
use std::time::Duration;

use fpm_channel::Generation;
use fpm_control::{Failure, Scope};
use nix::unistd::Pid;

use super::{Master, Progress};
use crate::company::Leave;
use crate::generation::{Standing, Zygote};
use crate::proof::Proof;
use crate::reload::{Answer, Phase, RETIRING};
use crate::state::State;
use crate::systemd;
use crate::world::{Count, World};

/// How often to look how far new workers are.
pub(super) const TICK: Duration = Duration::from_millis(10);

impl<W: World> Master<W> {
    /// Puts the configuration as it is now to work; at once, or when a reload that is under way is over.
    pub(crate) fn request_reload(&mut self, now: Duration) {
        self.request_reload_of(now, Scope::All);
    }

    /// As [`Master::request_reload`], perhaps of some pools only.
    pub(super) fn request_reload_of(&mut self, now: Duration, scope: Scope) {
        if self.state != State::Normal {
            tracing::debug!(
                "not switching to 'reloading' state, because already in '{}' state",
                self.state
            );
            return;
        }
        if let Leave::Refused(pid) = self.company.may_reload(self.workers()) {
            self.refuse_reload(pid);
            return;
        }
        self.orders.want(scope);
        if self.progress != Progress::Serving {
            self.reload.note();
            return;
        }
        match self.reload.request(now) {
            Answer::Begin => self.begin_reload(now),
            Answer::Later => tracing::debug!("another reload will follow the one under way"),
            Answer::Supersede => {
                let cause = "PHP is taking too long to start, beginning anew";
                tracing::warn!("{cause}");
                self.orders.reload_begins_anew();
                self.abandon(now, &cause);
            }
        }
    }

    /// Begins with a reload, if there are not too many generations about.
    pub(super) fn begin_reload(&mut self, now: Duration) {
        self.announce_reload(now);
        self.reload.begins(now);
        if self.generations.finishing().count() >= RETIRING {
            self.reload.enter(Phase::Held);
            self.hurry_oldest(now);
            return;
        }
        let scope = self.scope_of_reload();
        let alone = self.company.other().is_none();
        if alone && self.examine(now) {
            return;
        }
        let next = self.generations.number();
        tracing::info!("reloading: generation {}", next.0);
        let prepared = match self.company.is_old() {
            false => self.world.prepare(next, &scope),
            true => self.world.prepare_again(next),
        };
        match prepared {
            Ok(config) => {
                self.generations.add(next, &config);
                self.inherit_sizes(next);
                self.reload.enter(Phase::Launching { next, since: now });
                for group in self.generations.get(next).group_ids() {
                    self.start_zygote(now, group);
                }
            }
            Err(error) => {
                tracing::error!("{error}");
                self.reload_failed(now, Failure::from(error));
            }
        }
    }

    /// Goes on with a reload that had to wait for a generation to end.
    pub(super) fn go_on_if_held(&mut self, now: Duration) {
        if self.reload.phase() == Phase::Held && self.generations.finishing().count() < RETIRING {
            self.begin_reload(now);
        }
    }

    /// PHP is up in a zygote of the generation that is being made. When it is in all, one worker of each pool that has work is to
    /// show that it can serve.
    pub(super) fn on_next_ready(&mut self, now: Duration) {
        let Phase::Launching { next, .. } = self.reload.phase() else {
            return;
        };
        let coming = self.generations.get(next);
        let mut groups = coming.groups.iter();
        if !groups.all(|group| group.zygote.as_ref().is_some_and(Zygote::is_ready)) {
            return;
        }
        let (pools, groups): (_, Vec<_>) = (self.on_trial(next), coming.group_ids().collect());
        let proof = Proof::begin(now);
        self.reload.enter(Phase::Proving { next, proof });
        for (pool, reason) in pools {
            self.want(now, pool, reason, 1);
        }
        for group in groups {
            self.pump(now, group);
        }
        self.proceed(now);
    }

    /// Looks how far a reload is.
    pub(super) fn proceed(&mut self, now: Duration) {
        if self.state != State::Normal {
            return;
        }
        match self.reload.phase() {
            Phase::Proving { next, proof } => self.look_at_proof(now, next, proof),
            Phase::Replacing => self.replace(now),
            Phase::None | Phase::Held | Phase::Examining | Phase::Launching { .. } => {}
        }
    }

    /// Lets the next generation serve: there is no way back from here.
    pub(super) fn succeed(&mut self, now: Duration, next: Generation) {
        let before = self.generations.serving();
        let targets: Vec<_> = self
            .generations
            .get(next)
            .pools
            .iter()
            .zip(self.generations.get(next).pool_ids())
            .map(|(pool, id)| {
                if self.world.is_carried(id) {
                    return None;
                }
                let namesake = before.pool_named(pool.name.as_ref());
                let had = namesake.map_or(0, |namesake| namesake.workers().count());
                let had = u32::try_from(had).unwrap_or(u32::MAX);
                Some(pool.manager.initial().max(had).min(pool.max_children()))
            })
            .collect();
        let before = self.generations.succeed(next);
        self.carry_over(now, before, next);
        let coming = self.generations.get_mut(next);
        for (pool, target) in coming.pools.iter_mut().zip(targets) {
            pool.target = target.unwrap_or(pool.target);
        }
        self.settings = coming.settings;
        self.reports.follow(coming.reports);
        self.world.succeed(next);
        self.let_retire(now, before);
        self.retired(now, before);
        for pool in self.generations.get(next).pool_ids() {
            if self.generations.pool(pool).manager.wants_connections() {
                self.world.connections_wanted(pool);
            }
        }
        self.schedule_maintenance(now);
        self.schedule_sizing(now);
        self.begin_to_replace(now);
    }

    /// Gives up the generation that is being made, and says why.
    pub(super) fn give_up(&mut self, now: Duration, cause: &dyn Display) {
        tracing::error!("{cause}");
        self.abandon(now, cause);
    }

    fn abandon(&mut self, now: Duration, cause: &dyn Display) {
        if let Some(next) = self.reload.next() {
            self.let_retire(now, next);
            self.dismiss(now, next);
            self.world.close_sockets(next);
            self.retired(now, next);
            self.reload_failed(now, Failure::Reload(cause.to_string()));
        }
    }

    /// No worker of an earlier generation takes another client: who asks now is served as the configuration says.
    pub(super) fn reloaded(&mut self, now: Duration) {
        let retiring = self.generations.retiring();
        let before: Vec<_> = retiring.map(|known| known.number).collect();
        for generation in before {
            self.world.close_sockets(generation);
        }
        self.world.count(Count::Reloaded(self.reload.taken(now)));
        tracing::info!("ready to handle connections");
        self.notify_reloaded(now, &systemd::ready(Pid::this()));
        self.answer_reloaded(self.generations.serving().number);
        self.reload_is_over(now);
    }

    pub(super) fn reload_failed(&mut self, now: Duration, cause: Failure) {
        let serving = self.generations.serving();
        let goes_on = match serving.standing {
            Standing::Retiring => "",
            Standing::Coming | Standing::Serving => " goes on",
        };
        let text = format!("reload failed, generation {}{goes_on}", serving.number.0);
        tracing::error!("{text}");
        self.world.count(Count::ReloadFailed);
        self.notify_reloaded(now, &systemd::not_reloaded(&text));
        self.answer_not_reloaded(cause);
        self.reload_is_over(now);
    }

    /// Begins the reload that was asked for meanwhile, if one was.
    pub(super) fn reload_is_over(&mut self, now: Duration) {
        if self.reload.over() {
            self.begin_reload(now);
        }
    }
}
