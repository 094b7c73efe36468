//! Workers that are replaced because they have served their share, in ways that php-fpm does not know.

use std::collections::BTreeSet;

use fpmd_tests::{Daemon, Load, Result, start_own};

/// A daemon whose script `/pid.php` says which worker it runs in.
fn daemon(workers: u32) -> Daemon {
    Daemon::new()
        .workers(workers)
        .file("pid.php", "<?php echo getmypid();")
}

#[test]
fn worker_that_needs_too_much_memory_is_replaced_after_its_request() -> Result {
    let daemon = daemon(1)
        .pool("pm.max_memory = 64M\nphp_admin_value[memory_limit] = 512M")
        .file(
            "gives_back.php",
            "<?php $text = str_repeat('x', 200 << 20); unset($text); echo getmypid();",
        )
        // Compiled expressions stay with the process.
        .file(
            "keeps.php",
            "<?php for ($i = 0; $i < 3000; $i++) { preg_match('/' . str_repeat(\"(a$i|b)\", 100) . '/', 'x'); } echo getmypid();",
        );
    let Some(fpm) = start_own(&daemon, "pm.max_memory")? else {
        return Ok(());
    };
    let first = fpm.get("/pid.php")?.text();
    assert_eq!(fpm.get("/gives_back.php")?.text(), first);
    assert_eq!(fpm.get("/pid.php")?.text(), first, "it has given it back");
    assert_eq!(
        fpm.get("/keeps.php")?.text(),
        first,
        "the request is served"
    );
    let second = fpm.get("/pid.php")?.text();
    assert_ne!(second, first);
    assert_eq!(fpm.get("/pid.php")?.text(), second);
    fpm.log()
        .wait_for(&format!("child {first} exited with code 0"))?;
    Ok(())
}

#[test]
fn workers_recycle_one_at_a_time_and_lose_nobody() -> Result {
    let daemon = Daemon::echo()
        .workers(4)
        .pool("pm.max_requests = 10\npm.max_recycling = 1");
    let Some(fpm) = start_own(&daemon, "pm.max_recycling")? else {
        return Ok(());
    };
    let load = Load::direct(&fpm, &fpm.request("/t.php"), "served -").clients(4);
    let (_, report) = load.during(|_| fpm.log().wait_for_nth("exited with code 0", 4))?;
    report.all_good()?;
    Ok(())
}

#[test]
fn workers_serve_different_numbers_of_requests_with_jitter() -> Result {
    let daemon = daemon(1).pool("pm.max_requests = 5\npm.max_requests_jitter = 20");
    let Some(fpm) = start_own(&daemon, "pm.max_requests_jitter")? else {
        return Ok(());
    };
    let mut served = Vec::<(String, u32)>::new();
    while served.len() < 8 {
        let pid = fpm.get("/pid.php")?.text();
        match served.last_mut() {
            Some((last, count)) if *last == pid => *count += 1,
            _ => served.push((pid, 1)),
        }
    }
    served.pop();
    let counts: BTreeSet<_> = served.iter().map(|(_, count)| *count).collect();
    assert!(
        counts.iter().all(|count| (5..=25).contains(count)),
        "{served:?}"
    );
    assert!(counts.len() >= 3, "{served:?}");
    Ok(())
}
