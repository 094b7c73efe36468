//! When the queue is looked at.

use std::time::Duration;

use crate::pm::{Arrival, Look, Looks};

fn at(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[test]
fn the_first_arrival_is_looked_at_at_once_and_a_burst_seldom() {
    let mut looks = Looks::default();
    assert_eq!(looks.arrival(at(1000)), Arrival::Now);
    looks.looked(at(1000), None);
    assert_eq!(looks.arrival(at(1000)), Arrival::At(at(1002)));
    assert_eq!(looks.arrival(at(1001)), Arrival::Soon);
    assert_eq!(looks.due(at(1002)), Look::Arrival);
    looks.looked(at(1002), None);
    assert_eq!(looks.arrival(at(1004)), Arrival::Now);
}

#[test]
fn a_look_that_was_asked_for_is_not_put_off() {
    let mut looks = Looks::default();
    assert_eq!(looks.looked(at(1000), Some(at(10))), Some(at(1010)));
    for now in (1001..1009).step_by(2) {
        assert_eq!(looks.arrival(at(now)), Arrival::At(at(now + 1)));
        assert_eq!(looks.due(at(now + 1)), Look::Arrival);
        assert_eq!(
            looks.looked(at(now + 1), Some(at(10))),
            Some(at(1010)),
            "the timer was used up"
        );
    }
    assert_eq!(looks.due(at(1010)), Look::Again);
    assert_eq!(looks.looked(at(1010), Some(at(20))), Some(at(1030)));
    assert_eq!(looks.arrival(at(1013)), Arrival::Now);
    assert_eq!(looks.looked(at(1013), None), None);
    assert_eq!(looks.due(at(1030)), Look::Arrival, "nobody waits any more");
}
