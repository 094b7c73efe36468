//! What workers are confined to that php-fpm does not know: CPUs and limits of the kernel.

use std::collections::BTreeSet;
use std::fs;

use anyhow::Context;
use fpmd_tests::{Daemon, Fpm, Process, Result, Under, start_own, under};

/// The CPUs that each worker may run on, as the kernel lists them.
fn cpus(fpm: &Fpm, workers: usize) -> Result<BTreeSet<String>> {
    let workers = fpm.wait_for_processes("php-fpm: pool www", workers)?;
    workers
        .iter()
        .map(|worker| worker.status("Cpus_allowed_list"))
        .collect()
}

/// Soft and hard limit of a worker, by the name that /proc has for them.
fn limit(fpm: &Fpm, name: &str) -> Result<(String, String)> {
    let workers = fpm.wait_for_processes("php-fpm: pool www", 1)?;
    let path = format!("/proc/{}/limits", workers[0].pid());
    let text = fs::read_to_string(path)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let mut words = line.context("no such limit")?.split_whitespace();
    let mut next = || words.next().map(str::to_owned).context("a limit");
    Ok((next()?, next()?))
}

/// The CPUs of this machine that a daemon may use, as the kernel numbers them.
fn allowed() -> Result<Vec<String>> {
    let list = Process::of(std::process::id().try_into()?)?.status("Cpus_allowed_list")?;
    let mut cpus = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        cpus.extend((first.parse::<u32>()?..=last.parse()?).map(|cpu| cpu.to_string()));
    }
    Ok(cpus)
}

#[test]
fn workers_are_spread_over_the_cpus() -> Result {
    let cpus_there = allowed()?;
    let workers = cpus_there.len() + 1;
    let daemon = Daemon::echo()
        .workers(u32::try_from(workers)?)
        .global("process.cpu_affinity = auto");
    let Some(fpm) = start_own(&daemon, "process.cpu_affinity")? else {
        return Ok(());
    };
    let expected: BTreeSet<_> = cpus_there.iter().cloned().collect();
    assert_eq!(cpus(&fpm, workers)?, expected);
    assert_eq!(fpm.get("/t.php")?.text(), "served -");
    let own = Process::of(std::process::id().try_into()?)?.status("Cpus_allowed_list")?;
    let masters = fpm.process().status("Cpus_allowed_list")?;
    assert_eq!(masters, own);
    Ok(())
}

#[test]
fn pool_has_cpus_of_its_own_and_does_without_those_that_are_not_there() -> Result {
    let first = allowed()?.swap_remove(0);
    let daemon = Daemon::echo()
        .global("process.cpu_affinity = auto")
        .pool(&format!("process.cpu_affinity = {first},1023"));
    let Some(fpm) = start_own(&daemon, "process.cpu_affinity")? else {
        return Ok(());
    };
    assert_eq!(cpus(&fpm, 1)?, BTreeSet::from([first.clone()]));
    fpm.edit(
        &format!("process.cpu_affinity = {first},1023"),
        "process.cpu_affinity = 1023",
    )?;
    fpm.reload()?;
    fpm.log().wait_for("process.cpu_affinity): ")?;
    assert_eq!(fpm.get("/t.php")?.text(), "served -");
    Ok(())
}

#[test]
fn workers_have_the_limits_of_their_pool() -> Result {
    let daemon = Daemon::new()
        .pool("rlimit[fsize] = 64K:1M\nrlimit[cpu] = 1h\nrlimit[as] = unlimited")
        .file(
            "write.php",
            "<?php pcntl_signal(SIGXFSZ, SIG_IGN); $file = tmpfile(); @fwrite($file, str_repeat('x', 100000)); echo fstat($file)['size'];",
        );
    if under()? == Under::Original {
        let refusal = daemon.start_in_vain()?;
        assert!(
            refusal.output.contains("unknown directive 'rlimit'"),
            "{}",
            refusal.output
        );
        return Ok(());
    }
    let fpm = daemon.start()?;
    for (name, soft, hard) in [
        ("Max file size", "65536", "1048576"),
        ("Max cpu time", "3600", "3600"),
        ("Max address space", "unlimited", "unlimited"),
    ] {
        let expected = (soft.to_owned(), hard.to_owned());
        assert_eq!(limit(&fpm, name)?, expected, "{name}");
    }
    assert_eq!(fpm.get("/write.php")?.text(), "65536");
    Ok(())
}
