//! What generations that are beside each other count together, and the files that they leave.

use std::path::Path;
use std::sync::Arc;

use fpm_conf::{Pool, PoolIndex};
use fpm_scoreboard::Counters;
use nix::unistd::Uid;

use super::*;
use crate::program::{Options, Starter};

const FIRST: Generation = Generation(1);
const NEXT: Generation = Generation(2);

fn options() -> Options {
    Options {
        executable: "/fpmd".into(),
        arguments: Vec::new(),
        php: fpm_channel::PhpOptions::default(),
        starter: Starter::Unprivileged(Uid::from_raw(0)),
        stderr: None,
        notify_socket: None,
        store: None,
    }
}

/// Two pools, and a socket of its own for each.
fn config(folder: &Path, sockets: [&str; 2]) -> Config {
    let pools = ["a", "b"].into_iter().zip(sockets).map(|(name, socket)| {
        let path = folder.join(socket);
        let mut pool = Pool::new(name, path.to_str().unwrap());
        pool.pm_max_children = 2;
        pool
    });
    Config {
        pools: pools.collect(),
        ..Config::default()
    }
}

/// A generation that serves, and one of this scope that is being made.
fn two(folder: &Path, scope: &Scope) -> BTreeMap<Generation, Setup> {
    let known = config(folder, ["a.sock", "b.sock"]);
    let mut first = Setup::new(known, &options(), &[], None, &Scope::All).unwrap();
    let listeners = [first.listeners.clone()];
    let next = config(folder, ["a.sock", "c.sock"]);
    let in_use = first.regions.clone();
    let setup = &mut first;
    let before = Some(Predecessor { setup, in_use });
    let next = Setup::new(next, &options(), &listeners, before, scope).unwrap();
    BTreeMap::from([(FIRST, first), (NEXT, next)])
}

/// A worker of the first pool of a generation has accepted a request and ended.
fn serve(generations: &BTreeMap<Generation, Setup>, generation: Generation) {
    let board = generations[&generation].board(PoolIndex(0)).unwrap();
    let counted = Counters {
        accepted: 1,
        ..Counters::default()
    };
    board.add(&counted);
}

fn accepted(generations: &BTreeMap<Generation, Setup>, generation: Generation) -> u64 {
    let board = generations[&generation].board(PoolIndex(0)).unwrap();
    board.totals().counters.accepted
}

fn first_pool(generation: Generation) -> PoolId {
    PoolId {
        generation,
        index: PoolIndex(0),
    }
}

#[test]
fn what_a_coming_generation_counts_is_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut generations = two(folder.path(), &Scope::All);
    serve(&generations, FIRST);
    serve(&generations, NEXT);
    hand_on(&mut generations, FIRST, first_pool(NEXT));
    // It serves now.
    hand_on(&mut generations, NEXT, first_pool(FIRST));
    assert_eq!(accepted(&generations, NEXT), 2);
}

#[test]
fn what_a_generation_has_counted_that_never_served_is_not_lost() {
    let folder = tempfile::tempdir().unwrap();
    let mut generations = two(folder.path(), &Scope::All);
    serve(&generations, FIRST);
    serve(&generations, NEXT);
    forget(&mut generations, FIRST, NEXT);
    assert_eq!(accepted(&generations, FIRST), 2);
}

#[test]
fn pools_that_are_to_go_over_as_they_are_count_once() {
    let folder = tempfile::tempdir().unwrap();
    let scope = Scope::Pools(["b".to_owned()].into());
    let mut generations = two(folder.path(), &scope);
    serve(&generations, FIRST);
    let next = &generations[&NEXT];
    assert_eq!(next.own_counters("a".into()), None);
    assert!(next.own_counters("b".into()).is_some());
    assert_eq!(next.own_totals().count(), 1);
    forget(&mut generations, FIRST, NEXT);
    assert_eq!(accepted(&generations, FIRST), 1);
}

#[test]
fn no_file_of_a_socket_is_left_when_the_daemon_ends_during_a_reload() {
    let folder = tempfile::tempdir().unwrap();
    for serving in [FIRST, NEXT] {
        let generations = two(folder.path(), &Scope::All);
        assert_eq!(folder.path().read_dir().unwrap().count(), 3);
        leave_sockets(&generations, serving);
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }
}

#[test]
fn reloads_of_a_pool_need_no_more_memory_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let scope = Scope::Pools(["b".to_owned()].into());
    let mut generations = two(folder.path(), &scope);
    let mut ends = Vec::new();
    for number in 3..20 {
        let in_use = generations
            .values()
            .flat_map(|setup| setup.regions.clone())
            .collect();
        let (_, last) = generations.iter_mut().next_back().unwrap();
        let (config, listeners) = (last.config.clone(), [last.listeners.clone()]);
        let before = Some(Predecessor {
            setup: last,
            in_use,
        });
        let next = Setup::new(config, &options(), &listeners, before, &scope).unwrap();
        ends.push(next.regions.iter().map(|r| r.offset + r.len).max());
        generations.insert(Generation(number), next);
        // The first one stays: the workers of the other pool are children of its zygote.
        generations.retain(|known, _| *known == FIRST || known.0 + 1 >= number);
    }
    assert_eq!(ends[3..].iter().max(), ends[..3].iter().max());
}

#[test]
fn a_reload_of_a_pool_opens_its_access_log_anew_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path(), ["a.sock", "b.sock"]);
    for pool in &mut config.pools {
        let log = folder.path().join(format!("{}.log", pool.name));
        pool.access_log = Some(log.to_str().unwrap().into());
    }
    let mut setup = Setup::new(config.clone(), &options(), &[], None, &Scope::All).unwrap();
    let before = [0, 1].map(|index| Arc::clone(setup.access_logs.of(PoolIndex(index)).unwrap()));
    let listeners = [setup.listeners.clone()];
    let in_use = setup.regions.clone();
    let known = Some(Predecessor {
        setup: &mut setup,
        in_use,
    });
    let scope = Scope::Pools(["b".to_owned()].into());
    let next = Setup::new(config, &options(), &listeners, known, &scope).unwrap();
    let same = [0, 1].map(|index: u32| {
        let log = next.access_logs.of(PoolIndex(index)).unwrap();
        Arc::ptr_eq(log, &before[index as usize])
    });
    assert_eq!(same, [true, false]);
}
