//! Long random lives of pools with simulated workers, sockets and time: what must hold at every step, and in the end.
//!
//! Rule: the seeds are fixed, so a failure happens again. One step is a millisecond.

use std::collections::VecDeque;
use std::time::Duration;

use fpm_channel::WorkerId;
use fpm_conf::{Pm, Pool};

use crate::pm::{Arrival, Census, Decision, Idle, Look, Looks, ProcessManager, Step};

/// Steps of all lives of one kind of pool together.
const STEPS: u32 = 1_500_000;
/// Steps of one life.
const LIFE: u32 = 15_000;
/// A fork takes at most so long.
const SLOWEST_BIRTH: u32 = 15;
/// So long nobody has to wait while workers could be forked: two looks, a birth, and what several of them cost.
const PATIENCE: u32 = 2 * 10 + SLOWEST_BIRTH + 10;

/// Random numbers that are the same every time (xorshift64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(self.0 >> 33).unwrap() % sides
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Starting { until: u32 },
    Idle { since: u32 },
    Resting { since: u32, until: u32 },
    Busy { until: u32, keeps: u32 },
}

#[derive(Clone, Copy, Debug)]
struct Worker {
    id: WorkerId,
    doing: Doing,
    leaving: bool,
    /// Stopped until then (SIGSTOP): it does nothing, and its slot says what it was doing.
    stopped: u32,
}

/// A pool, its socket and its clients.
struct Life {
    pool: Pool,
    manager: ProcessManager,
    looks: Looks,
    timer: Option<u32>,
    workers: Vec<Worker>,
    /// When those that wait have arrived.
    queue: VecDeque<u32>,
    /// The last moment when no worker could be forked, or a connection was taken.
    moved: u32,
    accepted: u64,
    last_id: u64,
    now: u32,
    dice: Dice,
}

impl Life {
    fn new(pool: Pool, dice: Dice) -> Life {
        let manager = ProcessManager::new(&pool);
        let mut life = Life {
            manager,
            pool,
            looks: Looks::default(),
            timer: None,
            workers: Vec::new(),
            queue: VecDeque::new(),
            moved: 1000,
            accepted: 0,
            last_id: 0,
            now: 1000,
            dice,
        };
        life.carry_out(Decision {
            step: Step::Spawn(life.manager.initial()),
            ..Decision::default()
        });
        life
    }

    fn time(&self) -> Duration {
        Duration::from_millis(self.now.into())
    }

    fn census(&self) -> Census {
        let mut census = Census {
            accepted: self.accepted,
            ..Census::default()
        };
        for worker in &self.workers {
            if worker.leaving {
                census.leaving += 1;
                continue;
            }
            census.running += 1;
            let waits = |since: u32| Idle {
                worker: worker.id,
                since: Duration::from_millis((self.now - since).into()),
            };
            match worker.doing {
                Doing::Starting { .. } => census.starting += 1,
                Doing::Idle { since } => {
                    census.idle += 1;
                    census.longest_idle = Idle::longer(census.longest_idle, waits(since));
                }
                Doing::Resting { since, .. } => {
                    census.longest_resting = Idle::longer(census.longest_resting, waits(since));
                }
                Doing::Busy { .. } => {}
            }
        }
        census
    }

    fn carry_out(&mut self, decision: Decision) {
        match decision.step {
            Step::Keep => {}
            Step::Spawn(count) => {
                assert!(count > 0 || self.workers.is_empty());
                for _ in 0..count {
                    self.last_id += 1;
                    let until = self.now + 1 + self.dice.below(SLOWEST_BIRTH);
                    self.workers.push(Worker {
                        id: WorkerId(self.last_id),
                        doing: Doing::Starting { until },
                        leaving: false,
                        stopped: 0,
                    });
                }
            }
            Step::Retire(id) => {
                let worker = self
                    .workers
                    .iter_mut()
                    .find(|worker| worker.id == id && !worker.leaving)
                    .expect("only workers that are there are let go");
                assert!(matches!(worker.doing, Doing::Idle { .. }), "{worker:?}");
                worker.leaving = true;
            }
            Step::RetireIdle(limit) => {
                let over = self
                    .now
                    .saturating_sub(u32::try_from(limit.as_millis()).unwrap());
                for worker in &mut self.workers {
                    if let Doing::Idle { since } | Doing::Resting { since, .. } = worker.doing
                        && since < over
                    {
                        worker.leaving = true;
                    }
                }
            }
        }
        let all = u32::try_from(self.workers.len()).unwrap();
        assert!(
            all <= self.pool.pm_max_children,
            "{all} workers of {}",
            self.pool.pm_max_children
        );
    }

    /// So many clients connect in the same millisecond.
    fn arrive(&mut self, count: u32) {
        self.queue.extend((0..count).map(|_| self.now));
        if count > 0 {
            self.look_soon();
        }
    }

    fn look_soon(&mut self) {
        if self.manager.wants_connections() {
            match self.looks.arrival(self.time()) {
                Arrival::Now => self.look(Look::Arrival),
                Arrival::At(at) => self.arm(at),
                Arrival::Soon => {}
            }
        }
    }

    fn arm(&mut self, at: Duration) {
        self.timer = Some(u32::try_from(at.as_millis()).unwrap());
    }

    fn look(&mut self, look: Look) {
        let waiting = u32::try_from(self.queue.len()).unwrap();
        let decision = self.manager.on_queue(&self.census(), waiting, look);
        if let Some(at) = self.looks.looked(self.time(), decision.look_again) {
            self.arm(at);
        }
        self.carry_out(decision);
    }

    /// A millisecond passes. Requests take up to `longest`.
    fn pass(&mut self, longest: u32) {
        self.now += 1;
        let now = self.now;
        let mut gone = false;
        for index in 0..self.workers.len() {
            let worker = self.workers[index];
            if worker.stopped > now {
                continue;
            }
            let doing = match worker.doing {
                Doing::Starting { until } if until <= now => Doing::Idle { since: now },
                Doing::Busy { until, keeps } if until <= now => match keeps {
                    0 => Doing::Idle { since: now },
                    keeps => Doing::Resting {
                        since: now,
                        until: now + keeps,
                    },
                },
                Doing::Resting { until, .. } if until <= now => Doing::Idle { since: now },
                Doing::Resting { .. } if worker.leaving => Doing::Idle { since: now },
                Doing::Idle { .. } if !worker.leaving && !self.queue.is_empty() => {
                    self.queue.pop_front();
                    self.accepted += 1;
                    self.moved = now;
                    Doing::Busy {
                        until: now + 1 + self.dice.below(longest),
                        keeps: match self.dice.below(4) {
                            0 => self.dice.below(longest * 4),
                            _ => 0,
                        },
                    }
                }
                other => other,
            };
            self.workers[index].doing = doing;
            gone |= worker.leaving && matches!(doing, Doing::Idle { .. });
        }
        if gone {
            self.workers.retain(|worker| {
                !worker.leaving
                    || worker.stopped > now
                    || !matches!(worker.doing, Doing::Idle { .. })
            });
            self.look_soon();
        }
        if self.timer.is_some_and(|at| at <= now) {
            self.timer = None;
            let look = self.looks.due(self.time());
            self.look(look);
        }
        if now.is_multiple_of(1000) && self.manager.wants_ticks(self.workers.len()) {
            let before = self.workers.len();
            let decision = self.manager.on_tick(&self.census());
            self.carry_out(decision);
            let forked = self.workers.len().saturating_sub(before);
            assert!(forked <= self.pool.pm_max_spawn_rate as usize);
        }
    }

    /// Nobody waits long while a worker could be forked for him and the queue does not move.
    fn check_patience(&mut self) {
        if self.workers.len() as u64 >= u64::from(self.pool.pm_max_children) {
            self.moved = self.now;
        }
        let waited = self
            .queue
            .front()
            .map_or(0, |since| self.now - since.max(&self.moved));
        assert!(waited <= PATIENCE, "waited {waited} ms, {:?}", self.workers);
    }

    /// A random worker is stopped, or killed and replaced.
    fn disturb(&mut self) {
        let count = u32::try_from(self.workers.len()).unwrap();
        if count == 0 {
            return;
        }
        let victim = self.dice.below(count) as usize;
        if matches!(self.workers[victim].doing, Doing::Starting { .. }) {
            // One that does not get anywhere is taken for slow.
        } else if self.dice.below(2) == 0 {
            self.workers[victim].stopped = self.now + self.dice.below(3000);
        } else {
            let leaving = self.workers.swap_remove(victim).leaving;
            if !leaving {
                self.carry_out(Decision {
                    step: Step::Spawn(1),
                    ..Decision::default()
                });
            }
            self.look_soon();
        }
    }

    /// Goes on without clients until all is quiet.
    fn calm(&mut self) {
        for _ in 0..20_000 + 1000 * self.pool.pm_max_children {
            self.pass(1);
        }
    }
}

fn pool(pm: Pm, dice: &mut Dice) -> Pool {
    let mut pool = Pool::new("www", "/run/www.sock");
    (pool.pm, pool.pm_max_children) = (pm, 1 + dice.below(24));
    pool.pm_min_spare_servers = 1 + dice.below(pool.pm_max_children);
    let above = pool.pm_max_children - pool.pm_min_spare_servers + 1;
    pool.pm_max_spare_servers = pool.pm_min_spare_servers + dice.below(above);
    pool.pm_start_servers = pool.pm_min_spare_servers;
    pool.pm_max_spawn_rate = 1 + dice.below(40);
    pool.pm_process_idle_timeout = 1 + dice.below(5);
    pool
}

/// Plays lives of pools; `after` is what must hold when a life has become calm.
fn play(pm: Pm, after: impl Fn(&Life)) {
    for seed in 1..=STEPS / LIFE {
        let mut dice = Dice(0x9E37_79B9_7F4A_7C15 ^ u64::from(seed));
        let mut life = Life::new(pool(pm, &mut dice), dice);
        let mut step = 0;
        while step < LIFE {
            // A phase of so many milliseconds with one kind of load.
            let phase = 1 + life.dice.below(3000);
            let (busy, longest) = (1 + life.dice.below(200), 1 + life.dice.below(300));
            for _ in 0..phase {
                let arrivals = match life.dice.below(busy) {
                    0 => life.dice.below(8),
                    _ => 0,
                };
                life.arrive(arrivals);
                life.pass(longest);
                if life.dice.below(1000) == 0 {
                    life.disturb();
                }
                if pm == Pm::Ondemand {
                    life.check_patience();
                }
            }
            step += phase;
        }
        life.calm();
        after(&life);
    }
}

#[test]
fn a_dynamic_pool_keeps_its_limits_and_returns_to_its_band() {
    play(Pm::Dynamic, |life| {
        let idle = life.census().idle;
        let band = life.pool.pm_min_spare_servers..=life.pool.pm_max_spare_servers;
        assert!(band.contains(&idle), "{idle} of {band:?}");
        assert!(life.queue.is_empty());
    });
}

#[test]
fn an_ondemand_pool_lets_nobody_wait_for_a_fork_and_shrinks_to_nothing() {
    play(Pm::Ondemand, |life| {
        assert_eq!(life.workers.len(), 0);
        assert!(life.queue.is_empty());
        assert_eq!(life.timer, None, "a pool without workers sleeps");
    });
}

#[test]
fn a_burst_on_an_ondemand_pool_is_met_at_once() {
    let mut pool = Pool::new("www", "/run/www.sock");
    (pool.pm, pool.pm_max_children) = (Pm::Ondemand, 50);
    let mut life = Life::new(pool, Dice(1));
    for _ in 0..10 {
        life.arrive(5);
        life.pass(10_000);
    }
    for _ in 0..PATIENCE {
        life.pass(10_000);
    }
    assert_eq!((life.workers.len(), life.queue.len()), (50, 0));
}

#[test]
fn a_burst_on_a_dynamic_pool_is_met_at_the_configured_rate() {
    for (rate, counts) in [
        (1, [6, 7, 8, 9, 10, 11]),
        (5, [6, 8, 12, 17, 22, 27]),
        (64, [6, 8, 12, 20, 36, 68]),
    ] {
        let mut pool = Pool::new("www", "/run/www.sock");
        (pool.pm, pool.pm_max_children, pool.pm_max_spawn_rate) = (Pm::Dynamic, 200, rate);
        (pool.pm_min_spare_servers, pool.pm_max_spare_servers) = (100, 150);
        pool.pm_start_servers = 5;
        let mut life = Life::new(pool, Dice(1));
        life.arrive(1000);
        let grown = counts.map(|_| {
            for _ in 0..1000 {
                life.pass(100_000);
            }
            life.workers.len()
        });
        assert_eq!(grown, counts, "at rate {rate}");
    }
}
