//! The two daemons that are compared, and what was measured of each.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::metric::Metric;

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Ours,
    Theirs,
}

/// A daemon's program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) path: PathBuf,
    pub(super) family: Family,
}

/// Whose children the workers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// The zygote's, as fpmd has it.
    Zygote,
    /// The master's, as the original has it.
    Master,
}

/// Something for each of the two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Both<T> {
    pub(super) ours: T,
    pub(super) theirs: T,
}

/// All figures of a case: for each metric the runs of both daemons, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Measured {
    pub(super) figures: BTreeMap<Metric, Both<Vec<f64>>>,
    /// What a reader must know to judge them.
    pub(super) remarks: Vec<String>,
}

impl Side {
    /// Both, in the order in which they take turns.
    pub(super) const BOTH: [Side; 2] = [Side::Ours, Side::Theirs];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Side::Ours => "fpmd",
            Side::Theirs => "php-fpm",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl<T> Both<T> {
    /// Makes one for each.
    ///
    /// # Errors
    /// When one cannot be made.
    pub(super) fn try_make<E>(mut make: impl FnMut(Side) -> Result<T, E>) -> Result<Both<T>, E> {
        Ok(Both {
            ours: make(Side::Ours)?,
            theirs: make(Side::Theirs)?,
        })
    }

    pub(super) fn of(&self, side: Side) -> &T {
        match side {
            Side::Ours => &self.ours,
            Side::Theirs => &self.theirs,
        }
    }

    pub(super) fn of_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Ours => &mut self.ours,
            Side::Theirs => &mut self.theirs,
        }
    }
}

impl Measured {
    /// Adds what one run showed.
    pub(super) fn add(&mut self, side: Side, figures: impl IntoIterator<Item = (Metric, f64)>) {
        for (metric, figure) in figures {
            self.figures
                .entry(metric)
                .or_default()
                .of_mut(side)
                .push(figure);
        }
    }
}
