//! A generation's setup on its way into another program and out of it.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use fpm_channel::Generation;
use fpm_conf::PoolIndex;
use fpm_control::Scope;
use fpm_os::relay::Relay;
use fpm_scoreboard::Board;

use super::Setup;
use crate::access_logs::AccessLogs;
use crate::control::ControlSocket;
use crate::error::MasterError;
use crate::ledgers::Ledgers;
use crate::listeners::Listeners;
use crate::listeners::handover::Sockets;
use crate::operator::Post;
use crate::relays::Relays;
use crate::upgrade::state::{OperatorPost, Setting};

impl Setup {
    /// Describes it; its sockets are taken into `sockets`.
    pub(crate) fn describe(
        &self,
        (number, serving): (Generation, Generation),
        sockets: &mut Sockets,
    ) -> Setting {
        // Whoever drops it removes its file: there is to be one owner.
        let control = self.control.as_ref().filter(|_| number == serving);
        let operator = self.operator.as_ref().filter(|_| number == serving);
        Setting {
            number,
            config: self.config.clone(),
            listeners: sockets.add(&self.listeners),
            relays: self.relays.iter().map(|relay| ends(relay)).collect(),
            access_logs: self.access_logs.describe(),
            control: control.map(|control| control.as_fd().as_raw_fd()),
            operator: operator.map(|post| OperatorPost {
                socket: post.as_fd().as_raw_fd(),
                run_as: post.run_as.clone(),
            }),
            board: self.board.as_fd().as_raw_fd(),
            regions: self.regions.clone(),
            handed_on: self.handed_on.clone(),
            gone: self.gone.clone(),
            owners: self.owners.clone(),
        }
    }

    /// Returns what is to be handed over of every generation beside the sockets.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let relays = self.relays.iter();
        let relays = relays.flat_map(|relay| [relay.entrance(), relay.exit()]);
        std::iter::once(self.board.as_fd())
            .chain(self.access_logs.descriptors())
            .chain(relays)
    }

    /// Makes the setup that was described.
    ///
    /// # Errors
    /// When the scoreboard is none.
    pub(crate) fn adopted(
        setting: Setting,
        (listeners, relays): (Listeners, Relays),
        access_logs: AccessLogs,
        board: OwnedFd,
        (control, operator): (Option<OwnedFd>, Option<OwnedFd>),
        mut ledgers: Ledgers,
    ) -> Result<Setup, MasterError> {
        let path = setting.config.global.control_listen.as_ref();
        let control = path
            .zip(control)
            .map(|(path, socket)| ControlSocket::adopted(path, socket));
        let settings = setting.config.global.operator.clone();
        let operator = settings.zip(setting.operator).zip(operator);
        let operator =
            operator.map(|((settings, post), socket)| Post::adopted(settings, post.run_as, socket));
        let board = Board::adopt(board)?;
        let pools: Result<_, _> = setting
            .regions
            .iter()
            .map(|area| board.map(*area))
            .collect();
        let names = setting.config.pools.iter().map(|pool| &pool.name);
        let measured: Result<_, _> = names.map(|name| ledgers.pool(name)).collect();
        let names = setting.config.pools.iter().map(|pool| pool.name.clone());
        Ok(Setup {
            by_name: names.zip((0..).map(PoolIndex)).collect(),
            listeners,
            relays,
            access_logs,
            control,
            operator,
            pools: pools?,
            ledgers,
            measured: measured?,
            board,
            regions: setting.regions,
            handed_on: setting.handed_on,
            scope: Scope::All,
            carried: BTreeSet::new(),
            gone: setting.gone,
            owners: setting.owners,
            config: setting.config,
        })
    }
}

/// Returns the numbers of a relay's ends.
fn ends(relay: &Relay) -> (RawFd, RawFd) {
    (relay.entrance().as_raw_fd(), relay.exit().as_raw_fd())
}
