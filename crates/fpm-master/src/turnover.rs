//! How the workers of one pool are replaced by those of the next generation: a pure function of how many there are.
//!
//! Rule: a new worker is started only while all workers of the pool together stay within `pm.max_children` and
//! `reload.surge`, an old one is told to leave only after a new one accepts. A request that takes long does not hold the
//! others up: who was told to leave and has not left within [`FRESH`] is waited for no longer.

use std::time::Duration;

/// For this long it is expected that a worker that was told to leave has left.
pub(crate) const FRESH: Duration = Duration::from_secs(1);

/// The workers of a pool while two generations have some.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Crew {
    /// New ones that serve.
    pub(crate) serving: u32,
    /// New ones that are being made.
    pub(crate) starting: u32,
    /// Old ones that have not been told to leave.
    pub(crate) staying: u32,
    /// Old ones that were told so a moment ago.
    pub(crate) leaving: u32,
    /// Old ones that were told so and take their time.
    pub(crate) lingering: u32,
}

/// How many workers there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// How many new ones there are to be.
    pub(crate) target: u32,
    /// How many workers, old and new, there may be: `pm.max_children` and the surge.
    pub(crate) ceiling: u32,
    /// How many may be missing at a time; never 0.
    pub(crate) surge: u32,
    /// How many more processes all pools together may have. The first new one of a pool may be beyond that.
    pub(crate) processes: u32,
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Turn {
    /// So many new workers are to be started.
    pub(crate) start: u32,
    /// So many old ones are to be told to leave.
    pub(crate) tell: u32,
}

impl Crew {
    /// Returns how many there are.
    pub(crate) fn all(&self) -> u32 {
        self.serving + self.starting + self.staying + self.leaving + self.lingering
    }

    /// Returns how many of the next generation there may still be. One is always allowed: a pool without any would wait for
    /// the long requests of the old ones.
    pub(crate) fn room(&self, ceiling: u32) -> u32 {
        ceiling.saturating_sub(self.all()).max(self.first())
    }

    /// Returns how many new ones there are to be whatever else there is: the first one.
    fn first(&self) -> u32 {
        u32::from(self.serving + self.starting == 0)
    }

    /// Decides what is to be done next.
    pub(crate) fn turn(&self, bounds: &Bounds) -> Turn {
        let missing = bounds.target.saturating_sub(self.serving + self.starting);
        let processes = bounds.processes.max(self.first());
        let start = missing.min(self.room(bounds.ceiling)).min(processes);
        let under_way = self.starting + start + self.leaving;
        let tell = match self.serving {
            0 => 0,
            _ => self.staying.min(bounds.surge.saturating_sub(under_way)),
        };
        Turn { start, tell }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn turn(crew: Crew, target: u32, ceiling: u32, surge: u32) -> (u32, u32) {
        let bounds = Bounds {
            target,
            ceiling,
            surge,
            processes: u32::MAX,
        };
        let Turn { start, tell } = crew.turn(&bounds);
        (start, tell)
    }

    fn crew(serving: u32, starting: u32, staying: u32, leaving: u32, lingering: u32) -> Crew {
        Crew {
            serving,
            starting,
            staying,
            leaving,
            lingering,
        }
    }

    #[test]
    fn the_surge_comes_first_and_then_one_goes_for_each_that_came() {
        for (crew, expected) in [
            // Of 8 workers, with a surge of 2.
            (crew(0, 0, 8, 0, 0), (2, 0)),
            (crew(0, 1, 8, 0, 0), (1, 0)),
            (crew(1, 0, 8, 0, 0), (1, 1)),
            (crew(1, 1, 8, 0, 0), (0, 1)),
            (crew(2, 0, 8, 0, 0), (0, 2)),
            (crew(2, 0, 6, 2, 0), (0, 0)),
            (crew(2, 0, 6, 0, 0), (2, 0)),
            (crew(8, 0, 1, 0, 0), (0, 1)),
            // Long requests: the rest goes on.
            (crew(2, 0, 6, 0, 2), (0, 2)),
            (crew(2, 0, 0, 0, 8), (0, 0)),
            (crew(0, 0, 0, 0, 10), (1, 0)),
        ] {
            assert_eq!(turn(crew, 8, 10, 2), expected, "{crew:?}");
        }
    }

    #[test]
    fn a_pool_that_shrinks_is_not_without_workers_meanwhile() {
        assert_eq!(turn(crew(1, 0, 20, 0, 0), 2, 3, 1), (0, 1));
        assert_eq!(turn(crew(1, 0, 2, 0, 0), 2, 3, 1), (0, 1));
        assert_eq!(turn(crew(1, 0, 1, 0, 0), 2, 3, 1), (1, 0));
    }

    #[test]
    fn no_more_processes_than_allowed() {
        let bounds = Bounds {
            target: 8,
            ceiling: 10,
            surge: 2,
            processes: 0,
        };
        let turn = crew(1, 0, 8, 0, 0).turn(&bounds);
        assert_eq!(turn, Turn { start: 0, tell: 2 });
        let first = crew(0, 0, 8, 0, 0).turn(&bounds);
        assert_eq!(first, Turn { start: 1, tell: 0 });
    }

    /// What may happen to a crew.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        Accepts,
        Leaves,
        Lingers,
        LingererLeaves,
    }

    proptest! {
        #[test]
        fn a_pool_is_always_served_within_its_bounds_and_replaced_in_the_end(
            old in 1_u32..30,
            target in 1_u32..30,
            surge in 1_u32..8,
            steps in prop::collection::vec(
                prop::sample::select(vec![Step::Accepts, Step::Leaves, Step::Lingers, Step::LingererLeaves]),
                0..200,
            ),
        ) {
            let bounds = Bounds { target, ceiling: target + surge, surge, processes: u32::MAX };
            let mut crew = Crew { staying: old, ..Crew::default() };
            let (needed, most) = (old.min(target), (target + surge).max(old + 1));
            let play = |crew: &mut Crew, step: Step| {
                let (from, to) = match step {
                    Step::Accepts => (&mut crew.starting, Some(&mut crew.serving)),
                    Step::Leaves => (&mut crew.leaving, None),
                    Step::Lingers => (&mut crew.leaving, Some(&mut crew.lingering)),
                    Step::LingererLeaves => (&mut crew.lingering, None),
                };
                if *from > 0 {
                    *from -= 1;
                    to.into_iter().for_each(|to| *to += 1);
                }
                let turn = crew.turn(&bounds);
                crew.starting += turn.start;
                crew.staying -= turn.tell;
                crew.leaving += turn.tell;
            };
            let check = |crew: &Crew| {
                prop_assert!(crew.serving + crew.staying >= 1);
                // Who lingers serves, too, though nobody else; who takes the place of one that lingered is being made.
                prop_assert!(crew.all() - crew.leaving + surge >= needed, "{:?}", crew);
                prop_assert!(crew.all() <= most, "{:?}", crew);
                Ok(())
            };
            for step in steps {
                play(&mut crew, step);
                check(&crew)?;
            }
            for _ in 0..200 {
                for step in [Step::Accepts, Step::Leaves, Step::LingererLeaves] {
                    play(&mut crew, step);
                    check(&crew)?;
                }
            }
            prop_assert_eq!(crew, Crew { serving: target, ..Crew::default() });
        }
    }
}
