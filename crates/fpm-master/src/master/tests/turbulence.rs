//! Random lives of the master among simulated processes: whatever dies in whatever order and whenever it reloads, no slot is
//! ever given twice, no pool is ever too large, nor all of them together, or left by the last worker that serves, calm fills the pools again, and a stop
//! ends everything. A command that asks for a reload is told once what became of it, though another program
//! takes the place of the master meanwhile.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use fpm_channel::Generation;
use fpm_conf::{Config, CrashBudget, Pool};
use fpm_os::signal::Signal;
use fpm_os::wait::ExitStatus;
use proptest::prelude::*;

use crate::event::{CallerId, Event, Timer};
use crate::master::{Master, Outcome};
use crate::obituary::killed;
use crate::upgrade::state::Decided;

mod checks;
mod kernel;

use kernel::{Kernel, Step};

/// A configuration with a pool for each number of workers; 0 processes means as many as they want.
fn config(capacity: &[u32], process_max: u32) -> Config {
    let pools = (0..).zip(capacity).map(|(index, max_children)| {
        let mut pool = Pool::new(&format!("pool{index}"), &format!("/run/{index}.sock"));
        pool.pm_max_children = *max_children;
        // Whoever ends on a signal may bring it a rest.
        pool.pm_crash_budget = Some(CrashBudget {
            crashes: index % 2,
            seconds: 10,
        });
        pool
    });
    let mut config = Config {
        pools: pools.collect(),
        ..Config::default()
    };
    config.global.process_max = process_max;
    config
}

/// A master among simulated processes, and the clock.
struct Life {
    master: Master<Kernel>,
    now: Duration,
}

impl Life {
    fn new(capacity: &[u32], process_max: u32) -> Life {
        let config = config(capacity, process_max);
        let first = Generation(1);
        let kernel = Kernel {
            edited: Some(config.clone()),
            configs: BTreeMap::from([(first, config.clone())]),
            serving: Some(first),
            ..Kernel::default()
        };
        let mut life = Life {
            master: Master::new(&config, kernel),
            now: Duration::from_secs(1000),
        };
        life.master.start(life.now);
        life.play(Step::ZygoteReady(0));
        life
    }

    fn kernel(&mut self) -> &mut Kernel {
        self.master.world()
    }

    fn play(&mut self, step: Step) {
        self.kernel().step(step);
        self.deliver();
        if let Step::Pass(milliseconds) = step {
            let end = self.now + Duration::from_millis(milliseconds);
            while let Some((timer, at)) = self.due(end) {
                self.kernel().timers.remove(&timer);
                self.now = self.now.max(at);
                self.play_timer(timer);
                self.deliver();
            }
            self.now = end;
        }
    }

    /// Lets a timer become due. Another program may take the place of this one then.
    fn play_timer(&mut self, timer: Timer) {
        let Life { master, now } = self;
        let event = Event::Due(timer);
        let played = catch_unwind(AssertUnwindSafe(|| master.on_event(*now, event)));
        if let Err(end) = played {
            match self.kernel().left.take() {
                Some((decided, waiting)) => self.take_over(&decided, &waiting),
                None => resume_unwind(end),
            }
        }
    }

    /// Goes on as another program among the same processes. It has none of the timers, and what made the generations is forgotten.
    fn take_over(&mut self, decided: &Decided, waiting: &[CallerId]) {
        let mut kernel = std::mem::take(&mut self.master.world);
        kernel.timers.clear();
        kernel.scopes.clear();
        let numbers = decided.generations.iter().map(|known| known.number);
        let configs: Vec<_> = numbers
            .map(|number| kernel.configs[&number].clone())
            .collect();
        let configs: Vec<_> = configs.iter().collect();
        self.master = Master::adopted(decided, &configs, kernel);
        self.master.resume(self.now, decided, waiting);
    }

    fn due(&mut self, end: Duration) -> Option<(Timer, Duration)> {
        let first = self
            .kernel()
            .timers
            .iter()
            .min_by_key(|(_, at)| **at)
            .map(|(timer, at)| (*timer, *at));
        first.filter(|(_, at)| *at <= end)
    }

    fn deliver(&mut self) {
        while let Some(event) = self.kernel().happened.pop_front() {
            self.master.on_event(self.now, event);
        }
    }

    /// Everything works and nothing dies for some minutes.
    fn calm(&mut self) {
        for _ in 0..400 {
            for n in 0..self.kernel().zygotes.len() {
                self.play(Step::ZygoteReady(n));
            }
            while self
                .kernel()
                .zygotes
                .values()
                .any(|zygote| !zygote.orders.is_empty())
            {
                for n in 0..self.kernel().zygotes.len() {
                    self.play(Step::Fork(n));
                }
            }
            for n in 0..self.kernel().workers.len() {
                self.play(Step::Serves(n));
            }
            let leaving: Vec<_> = self
                .kernel()
                .workers
                .iter()
                .filter(|(_, worker)| worker.drains)
                .map(|(id, _)| *id)
                .collect();
            for id in leaving {
                self.kernel().worker_ends(id, ExitStatus::Code(0));
                self.deliver();
            }
            self.play(Step::Pass(500));
        }
    }
}

/// How workers end.
const ENDS: [ExitStatus; 4] = [
    ExitStatus::Code(0),
    ExitStatus::Code(70),
    ExitStatus::Code(255),
    killed(Signal::SEGV),
];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let any = any::<usize>;
    let step = prop_oneof![
        6 => any().prop_map(Step::Fork),
        1 => any().prop_map(Step::ForkFails),
        4 => any().prop_map(Step::Serves),
        3 => (any(), prop::sample::select(ENDS.to_vec())).prop_map(|(n, status)| Step::WorkerEnds(n, status)),
        2 => any().prop_map(Step::WorkerLeaves),
        3 => any().prop_map(Step::ZygoteReady),
        1 => any().prop_map(Step::ZygoteFails),
        1 => any().prop_map(Step::ZygoteKilled),
        1 => any().prop_map(Step::ZygoteKilledForking),
        2 => Just(Step::Reload),
        1 => Just(Step::Install),
        2 => prop::option::weighted(0.7, any()).prop_map(Step::Order),
        1 => prop::option::weighted(0.8, 1_u32..9).prop_map(Step::Edit),
        4 => (0_u64..3000).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 0..300)
}

#[test]
fn a_command_is_answered_by_the_program_that_takes_over() {
    let mut life = Life::new(&[2], 0);
    life.calm();
    for step in [Step::Install, Step::Order(None), Step::Pass(1)] {
        life.play(step);
    }
    assert!(!life.kernel().installed, "it has taken over");
    assert_eq!(life.kernel().answered(), []);
    life.calm();
    assert_eq!(life.kernel().answered(), [CallerId(0)]);
    assert_eq!(life.kernel().serving, Some(Generation(2)));
}

proptest! {
    #[test]
    fn calm_after_any_turbulence_fills_the_pools_and_a_stop_ends_everything(
        capacity in prop::collection::vec(1_u32..9, 1..4),
        steps in steps(),
        signal in prop::sample::select(vec![Signal::TERM, Signal::QUIT]),
        late in prop::collection::vec(prop::bool::ANY, 1..3),
        spare in prop::option::weighted(0.3, 0_u32..3),
    ) {
        // Whatever the pools want later: none of them is left out.
        let process_max = spare.map_or(0, |spare| capacity.iter().sum::<u32>() + spare);
        let mut life = Life::new(&capacity, process_max);
        for step in steps {
            life.play(step);
        }
        if late[0] {
            life.calm();
            // Pools that were reloaded alone leave the others with the zygotes that they had.
            life.kernel().mend();
            life.play(Step::Reload);
            life.calm();
            let kernel = life.kernel();
            let serving = kernel.serving.unwrap();
            let wanted: u32 = kernel.configs[&serving].pools.iter().map(|pool| pool.pm_max_children).sum();
            let expected = if process_max == 0 { wanted } else { wanted.min(process_max) };
            prop_assert_eq!(kernel.workers.len(), expected as usize);
            prop_assert!(kernel.workers.values().all(|worker| worker.pool.generation == serving));
            prop_assert!(kernel.configs.len() == 1 && kernel.zygotes.len() == 1, "what was before is gone");
            prop_assert!(kernel.workers.values().all(|worker| worker.zygote.is_some()), "orphans were replaced");
            prop_assert_eq!(kernel.answered(), &kernel.asked[..], "nobody waits for an outcome");
        }
        life.kernel().stopping = true;
        life.master.on_event(life.now, Event::Signal(signal));
        life.deliver();
        life.calm();
        prop_assert!(matches!(life.master.take_outcome(), Some(Outcome::Stopped)));
        prop_assert!(life.kernel().workers.is_empty() && life.kernel().zygotes.is_empty());
        prop_assert!(life.kernel().slots.is_empty());
        prop_assert_eq!(life.kernel().answered(), &life.kernel().asked.clone()[..]);
    }
}
