//! `fpmd stack`: what workers are doing at this moment, which only fpmd can tell.

use std::time::Instant;

use anyhow::bail;
use fpmd_tests::control::{run, start};
use fpmd_tests::{Daemon, Gate, PATIENCE, Result, wait_until};
use nix::sys::signal::Signal;

/// A daemon with two workers that can be asked, and a script that waits at a gate.
fn daemon() -> Daemon {
    Daemon::echo()
        .workers(2)
        .pool("request_stack = yes")
        .other_pool("api", "pm.max_children = 1")
        .file(
            "wait.php",
            "<?php\nfunction wait($gate) {\n echo 'begun'; flush();\n return fgets(fopen($gate, 'r'));\n}\n\
             echo wait($_GET['gate']);",
        )
}

#[test]
fn workers_tell_what_they_are_doing_and_go_on() -> Result {
    let Some(fpm) = start(daemon())? else {
        return Ok(());
    };
    let gate = Gate::new(fpm.site(), "gate")?;
    let uri = format!("/wait.php?gate={}", gate.path().display());
    let mut client = fpm.running(&uri)?;
    let workers = fpm.wait_for_processes("php-fpm: pool www", 2)?;

    // It has spoken and may not have begun to wait.
    let begun = Instant::now();
    let of_pool = loop {
        let (code, of_pool, complaint) = run(&fpm, "stack www")?;
        assert_eq!((code, &*complaint), (0, ""));
        if of_pool.contains("fgets()") {
            break of_pool;
        }
        assert!(begun.elapsed() < PATIENCE, "{of_pool}");
    };
    let script = fpm.site().root().join("wait.php").display().to_string();
    let calls =
        format!(" sec\nscript_filename = {script}\nfgets() {script}:4\nwait() {script}:6\n");
    let request = format!(": GET {uri} since ");
    assert!(
        of_pool.contains(&calls) && of_pool.contains(&request),
        "{of_pool}"
    );
    assert_eq!(of_pool.matches("[pool www] pid ").count(), 2, "{of_pool}");
    assert_eq!(of_pool.matches(": idle\n").count(), 1, "{of_pool}");

    for worker in workers {
        let (code, of_worker, _) = run(&fpm, &format!("stack {}", worker.pid()))?;
        assert_eq!(code, 0);
        let heading = format!("[pool www] pid {}: ", worker.pid());
        assert!(of_worker.starts_with(&heading), "{of_worker}");
        let does = of_worker.contains(&calls);
        assert_eq!(does, !of_worker.ends_with(": idle\n"), "{of_worker}");
    }
    gate.open()?;
    assert_eq!(client.answer()?.text(), "\n", "the rest of it");
    Ok(())
}

#[test]
fn worker_that_is_stopped_keeps_nobody_waiting() -> Result {
    let Some(fpm) = start(daemon())? else {
        return Ok(());
    };
    let gate = Gate::new(fpm.site(), "gate")?;
    let uri = format!("/wait.php?gate={}", gate.path().display());
    let mut client = fpm.running(&uri)?;
    let workers = fpm.wait_for_processes("php-fpm: pool www", 2)?;
    for worker in &workers {
        worker.stop()?;
    }
    let (code, stacks, _) = run(&fpm, "stack www")?;
    assert_eq!(code, 0);
    assert_eq!(stacks.matches(": no answer\n").count(), 1, "{stacks}");
    for worker in &workers {
        worker.signal(Signal::SIGCONT)?;
    }
    gate.open()?;
    client.answer()?;
    Ok(())
}

#[test]
fn the_thread_that_watches_holds_nothing_of_what_the_worker_has_open() -> Result {
    let Some(fpm) = start(daemon())? else {
        return Ok(());
    };
    let gate = Gate::new(fpm.site(), "gate")?;
    let mut client = fpm.running(&format!("/wait.php?gate={}", gate.path().display()))?;
    let workers = fpm.wait_for_processes("php-fpm: pool www", 2)?;
    // Who answers is watched.
    wait_until("both answer", || {
        Ok(!run(&fpm, "stack www")?.1.contains("no answer"))
    })?;
    for worker in workers {
        let others = worker.open_files_of_other_threads()?;
        let [files] = &others[..] else {
            bail!("it has one thread beside the first");
        };
        assert_eq!(
            files.len(),
            4,
            "the standard streams and its way to the master: {files:?}"
        );
    }
    gate.open()?;
    client.answer()?;
    Ok(())
}

#[test]
fn who_cannot_be_asked_is_named() -> Result {
    let Some(fpm) = start(daemon())? else {
        return Ok(());
    };
    let api = fpm.wait_for_processes("php-fpm: pool api", 1)?[0]
        .pid()
        .to_string();
    for (of, complaint) in [
        (
            "api",
            "workers of pool api cannot be asked: it has neither request_stack = yes",
        ),
        (&api, "workers of pool api cannot be asked"),
        ("nobody", "there is no pool and no worker nobody"),
        ("1", "there is no pool and no worker 1"),
    ] {
        let (code, printed, said) = run(&fpm, &format!("stack {of}"))?;
        assert_eq!((code, &*printed), (1, ""), "{of}");
        assert!(said.contains(complaint), "{said}");
    }
    Ok(())
}
