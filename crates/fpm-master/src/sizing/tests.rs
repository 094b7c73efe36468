//! Decisions as tables, and a simulated day.

use proptest::prelude::*;

use super::*;

const GIB: u64 = 1 << 30;

fn sizer(floor: u32, ceiling: u32) -> Sizer {
    let mut pool = Pool::new("www", "/run/www.sock");
    pool.pm_auto_children = Some(AutoChildren { floor, ceiling });
    pool.pm_memory_reserve = Reserve::Percent(20);
    Sizer::new(&pool).unwrap()
}

/// One pool on a machine with 2 GiB, whose workers take so many MiB each.
fn situation(children: u32, mib: u64) -> Situation {
    Situation {
        children,
        running: children,
        own: Footprint {
            measured: u64::from(children),
            bytes: u64::from(children) * mib * MIB,
        },
        others: 0,
        pools: 1,
        memory: Memory {
            limit: 2 * GIB,
            pressure: 0.0,
        },
    }
}

/// Decides three times of the same.
fn thrice(sizer: &mut Sizer, now: &Situation) -> [Option<u32>; 3] {
    [(); 3].map(|()| sizer.decide(now).map(|change| change.to))
}

#[test]
fn a_pool_of_a_fixed_size_has_none() {
    assert_eq!(Sizer::new(&Pool::new("www", "/run/www.sock")), None);
}

#[test]
fn up_goes_slowly_and_down_at_once() {
    let mut sizer = sizer(2, 100);
    // 1638 MiB are for workers.
    assert_eq!(
        thrice(&mut sizer, &situation(10, 40)),
        [None, None, Some(20)]
    );
    assert_eq!(
        thrice(&mut sizer, &situation(36, 40)),
        [None, None, Some(40)]
    );
    assert_eq!(
        thrice(&mut sizer, &situation(38, 40)),
        [None; 3],
        "less than a tenth"
    );
    assert_eq!(
        thrice(&mut sizer, &situation(42, 40)),
        [None; 3],
        "less than a tenth"
    );
    assert_eq!(thrice(&mut sizer, &situation(40, 80))[0], Some(20));
    assert_eq!(
        thrice(&mut sizer, &situation(40, 5000))[0],
        Some(2),
        "the floor"
    );
    let mut sizer = self::sizer(2, 100);
    assert_eq!(
        thrice(&mut sizer, &situation(90, 1)),
        [None, None, Some(100)],
        "the ceiling"
    );
}

#[test]
fn what_interrupts_the_story_begins_it_anew() {
    let mut sizer = sizer(2, 100);
    let (more, same) = (situation(10, 40), situation(40, 40));
    let mut decide = |now| sizer.decide(now).map(|change| change.to);
    assert_eq!(
        [&more, &more, &same, &more, &more].map(&mut decide),
        [None; 5]
    );
    assert_eq!(decide(&more), Some(20));
}

#[test]
fn nothing_is_decided_before_a_worker_has_served() {
    let mut now = situation(2, 40);
    now.own = Footprint::default();
    assert_eq!(thrice(&mut sizer(2, 100), &now), [None; 3]);
}

#[test]
fn workers_stay_dear_for_a_while() {
    let mut sizer = sizer(2, 100);
    sizer.decide(&situation(20, 80));
    // They have just been replaced.
    assert_eq!(thrice(&mut sizer, &situation(20, 2)), [None; 3]);
}

#[test]
fn pools_share_what_other_pools_leave() {
    let mut now = situation(10, 40);
    (now.others, now.pools) = (638 * MIB, 2);
    assert_eq!(thrice(&mut sizer(2, 100), &now), [None, None, Some(12)]);
}

#[test]
fn while_memory_is_short_there_are_no_more_than_there_are() {
    let mut now = situation(30, 40);
    (now.running, now.memory.pressure) = (12, SHORT);
    let mut sizer = sizer(4, 100);
    assert_eq!(sizer.decide(&now).map(|change| change.to), Some(12));
    (now.children, now.running) = (12, 12);
    assert_eq!(sizer.decide(&now), None);
    now.running = 1;
    assert_eq!(
        sizer.decide(&now).map(|change| change.to),
        Some(4),
        "the floor is always allowed"
    );
}

#[test]
fn a_reload_keeps_what_is_known() {
    let mut before = sizer(2, 100);
    before.decide(&situation(20, 80));
    let mut next = sizer(5, 10);
    assert_eq!(next.inherit(&before, 20), 10);
    assert_eq!(next.inherit(&before, 2), 5);
    assert_eq!(next.cost, before.cost);
}

#[test]
fn the_log_says_why() {
    let mut sizer = sizer(2, 100);
    let change = sizer.decide(&situation(40, 80)).unwrap();
    assert_eq!(
        change.to_string(),
        "pm.max_children is 20 now, it was 40: (2048 MiB - 409 MiB in reserve - 0 MiB of other pools) / 1 pool(s) / \
         80.0 MiB a worker, 2 to 100 and at most twofold"
    );
    let mut now = situation(30, 40);
    (now.running, now.memory.pressure) = (12, 60.0);
    assert_eq!(
        sizer.decide(&now).unwrap().to_string(),
        "pm.max_children is 12 now, it was 30: memory is short (60.0% of 10 seconds waited for it, 10% is much), no more than the 12 there \
         are and at least 2"
    );
}

/// What a day is like, each value at a second of it.
struct Day {
    second: u32,
}

impl Day {
    const LENGTH: u32 = 86_400;

    /// 0 at midnight, 1 at noon.
    fn sun(&self) -> f64 {
        let turn = f64::from(self.second) / f64::from(Day::LENGTH) * std::f64::consts::TAU;
        (1.0 - turn.cos()) / 2.0
    }

    /// How many requests run at once.
    fn demand(&self) -> u32 {
        let burst = if self.second % 3600 < 60 { 20 } else { 0 };
        (2.0 + 60.0 * self.sun()) as u32 + burst
    }

    /// What a worker takes, in bytes.
    fn cost(&self) -> u64 {
        let wobble = u64::from(self.second / 2 % 7) * MIB / 2;
        ((30.0 + 60.0 * self.sun()) * MIB as f64) as u64 + wobble
    }
}

proptest! {
    #[test]
    fn a_day_of_load_stays_within_the_memory_and_uses_it(
        short in prop::collection::vec((0_u32..Day::LENGTH, 60_u32..900), 0..4),
        floor in 1_u32..6,
    ) {
        let mut sizer = sizer(floor, 200);
        let (mut children, mut running, mut changes, mut was_short) = (floor, 0_u32, 0, false);
        let budget = 2 * GIB / 5 * 4;
        for second in (0..Day::LENGTH).step_by(2) {
            let day = Day { second };
            let is_short = short.iter().any(|(from, length)| (*from..from + length).contains(&second));
            // Who is too many ends with its request.
            let before = running;
            running = day.demand().min(children);
            prop_assert!(!was_short || running <= before.max(floor), "more than there were");
            was_short = is_short;
            let now = Situation {
                children,
                running,
                own: Footprint { measured: u64::from(running), bytes: u64::from(running) * day.cost() },
                others: 0,
                pools: 1,
                memory: Memory { limit: 2 * GIB, pressure: if is_short { 50.0 } else { 0.0 } },
            };
            prop_assert!(u64::from(running) * day.cost() <= budget + budget / 5, "{:?}", now);
            if let Some(change) = sizer.decide(&now) {
                prop_assert_eq!(change.from, children);
                prop_assert!((floor..=200).contains(&change.to));
                prop_assert!(!is_short || change.to <= running.max(floor));
                children = change.to;
                changes += 1;
            }
            let calm = short.iter().all(|(from, length)| second < *from || second > from + length + 120);
            if calm && second > 600 {
                let fits = budget / day.cost();
                prop_assert!(u64::from(children) * 10 >= fits.min(200) * 7, "{} of {} at {}", children, fits, second);
            }
        }
        prop_assert!(changes < 150, "{} changes", changes);
    }
}
