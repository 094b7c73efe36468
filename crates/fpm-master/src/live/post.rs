//! The operator's post while another master comes and goes: its address is left to that one's operator, and had again.
//!
//! Rule: who is alone again has the post again without a reload, however late the other's operator leaves the address.

use super::Live;
use crate::error::MasterError;
use crate::operator::Post;
use crate::program::Program;

impl<P: Program> Live<P> {
    /// Leaves the operator's address to the other master, whose operator tells of that one.
    pub(super) fn leave_post(&mut self) {
        self.end_operator();
        for setup in self.generations.values_mut() {
            setup.operator = None;
        }
    }

    /// Has an operator again, if not at once then when its address is free.
    pub(crate) fn take_post_back(&mut self) {
        if let Err(error) = self.open_post() {
            tracing::warn!("no operator process until its address is free: {error}");
            self.start_operator_later();
        }
    }

    /// Tries again what has failed: to have the address, which was told once, or a process there.
    pub(super) fn try_operator_again(&mut self) {
        if self.has_post() {
            self.start_operator();
        } else if self.open_post().is_err() {
            self.start_operator_later();
        }
    }

    /// Listens at the operator's address if that is wanted and not done, and has a process there.
    fn open_post(&mut self) -> Result<(), MasterError> {
        let Some(setup) = self.generations.get_mut(&self.serving) else {
            return Ok(());
        };
        if let (Some(settings), None) = (&setup.config.global.operator, &setup.operator) {
            setup.operator = Some(Post::open(settings, self.options.starter, None)?);
        }
        self.seat_operator();
        Ok(())
    }
}
