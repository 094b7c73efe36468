//! The commands that go to the control socket, and what they are told. Only fpmd has them.

use std::fs;
use std::thread;

use fpmd_tests::control::{done, run, start, status, status_when};
use fpmd_tests::{Daemon, Gate, Load, Result, Subject, Under, under};
use serde_json::Value;

#[test]
fn status_tells_of_pools_and_workers() -> Result {
    let daemon = Daemon::echo()
        .file("wait.php", Gate::SCRIPT)
        .workers(2)
        .other_pool("api", "pm = ondemand");
    let Some(fpm) = start(daemon)? else {
        return Ok(());
    };
    let gate = Gate::new(fpm.site(), "gate")?;
    fpm.get("/t.php")?;
    let mut running = fpm.running("/wait.php?a=b")?;

    // A worker may be on its way, and one that has answered not yet at rest.
    let status = status_when(&fpm, |status| {
        let www = &status["pools"][0];
        (&www["active"], &www["idle"]) == (&1.into(), &1.into())
    })?;
    assert_eq!(status["pid"], fpm.process().pid());
    assert_eq!(status["state"], "serving");
    let pools = &status["pools"];
    assert_eq!(pools[0]["name"], "www");
    assert_eq!(pools[0]["requests"], 2);
    assert_eq!(pools[1]["pm"], "ondemand");
    assert_eq!(pools[1]["workers"], Value::Array(Vec::new()));
    let workers = pools[0]["workers"].as_array().map(Vec::as_slice);
    let busy = workers
        .unwrap_or_default()
        .iter()
        .find(|worker| worker["stage"] == "running");
    assert_eq!(
        busy.map(|worker| &worker["uri"]),
        Some(&"/wait.php?a=b".into())
    );

    let (code, text, _) = run(&fpm, "status")?;
    assert_eq!(code, 0);
    assert!(
        text.contains("\nPOOL  PM  ") && text.contains("\nwww   static "),
        "{text}"
    );
    let (_, text, _) = run(&fpm, "status --workers")?;
    assert!(text.contains("GET /wait.php?a=b\n"), "{text}");
    gate.open()?;
    running.answer()?;
    Ok(())
}

#[test]
fn a_reload_is_waited_for_and_loses_nothing() -> Result {
    let Some(fpm) = start(Daemon::echo().workers(2))? else {
        return Ok(());
    };
    let load = Load::direct(&fpm, &fpm.request("/t.php"), "served -").clients(2);
    let ((), report) = load.during(|running| {
        running.wait_for_answers(20)?;
        fpm.edit("pm.max_children = 2", "pm.max_children = 3")?;
        let (code, text, complaint) = run(&fpm, "reload")?;
        assert_eq!(
            (code, text.as_str()),
            (0, "generation 2 serves\n"),
            "{complaint}"
        );
        let status = status(&fpm)?;
        assert_eq!(status["pools"][0]["max_children"], 3);
        assert_eq!(status["pools"][0]["generation"], 2);
        running.wait_for_answers(20)
    })?;
    report.all_good()?;
    let line = fpm.log().wait_for("reload, as process ")?;
    assert!(line.contains(" of user "), "{line}");
    Ok(())
}

#[test]
fn many_who_ask_at_once_all_get_their_answer() -> Result {
    let Some(fpm) = start(Daemon::echo())? else {
        return Ok(());
    };
    let codes: Result<Vec<i32>> = thread::scope(|scope| {
        let asks = [(); 6].map(|()| scope.spawn(|| run(&fpm, "reload").map(|(code, _, _)| code)));
        let ends = asks
            .into_iter()
            .map(|ask| ask.join().expect("no panic in there"));
        ends.collect()
    });
    assert_eq!(codes?, [0; 6]);
    // The first one, and one more for all who came during it, or few more than that.
    let generation = status(&fpm)?["pools"][0]["generation"].as_u64();
    assert!(matches!(generation, Some(2..=7)), "{generation:?}");
    Ok(())
}

#[test]
fn a_reload_that_fails_says_why() -> Result {
    let daemon = Daemon::echo()
        .file("preload.php", "<?php")
        .php_ini("opcache.enable = 1\nopcache.preload = {dir}/www/preload.php\nopcache.preload_user = www-data");
    let extension = Subject::from_environment()?.extension("opcache")?;
    let daemon = daemon.ini(&format!("zend_extension={}", extension.display()));
    let Some(fpm) = start(daemon)? else {
        return Ok(());
    };
    fpm.edit("pm = static", "pm = sometimes")?;
    let (code, _, complaint) = run(&fpm, "reload")?;
    assert_eq!(code, 1);
    assert!(
        complaint.starts_with("fpmd reload: the configuration cannot be used\n"),
        "{complaint}"
    );
    assert!(
        complaint.contains("invalid process manager (static, dynamic or ondemand)"),
        "{complaint}"
    );
    let (code, _, complaint) = run(&fpm, "reload --dry-run")?;
    assert!(
        code == 1 && complaint.contains("invalid process manager"),
        "{complaint}"
    );

    fpm.edit("pm = sometimes", "pm = static")?;
    fs::write(
        fpm.site().root().join("preload.php"),
        "<?php throw new Exception('not today');",
    )?;
    let (code, _, complaint) = run(&fpm, "reload")?;
    assert_eq!(code, 1, "{complaint}");
    assert!(status(&fpm)?["reload_failure"].is_string());
    fpm.serves_on()?;

    fs::write(fpm.site().root().join("preload.php"), "<?php")?;
    assert_eq!(run(&fpm, "reload")?.0, 0);
    assert!(status(&fpm)?["reload_failure"].is_null());
    Ok(())
}

#[test]
fn a_dry_run_tells_what_would_change_and_changes_nothing() -> Result {
    let daemon = Daemon::echo().other_pool("api", "pm.max_children = 2");
    let Some(fpm) = start(daemon)? else {
        return Ok(());
    };
    let (code, text, _) = run(&fpm, "reload --dry-run")?;
    assert_eq!(
        (code, text.as_str()),
        (0, "nothing would change but the processes\n")
    );
    fpm.edit("pm.max_children = 2", "pm.max_children = 4\nenv[A] = b")?;
    fpm.edit("[global]\n", "[global]\nprocess.max = 7\n")?;
    let (code, text, _) = run(&fpm, "reload --dry-run")?;
    let expected = "[global]\n  process.max: 0 -> 7\n[www] unchanged\n[api] changed\n  \
                    pm.max_children: 2 -> 4\n  env[A]: (not set) -> b\n";
    assert_eq!((code, text.as_str()), (0, expected));
    // Not even a log is made.
    let log = fpm.site().path("new.log");
    fpm.edit(
        "[api]\n",
        &format!("[api]\naccess.log = {}\n", log.display()),
    )?;
    let (code, text, _) = run(&fpm, "reload --dry-run")?;
    assert!(
        code == 0 && text.contains("access.log: (not set) -> /"),
        "{text}"
    );
    assert!(!log.exists());
    let status = status(&fpm)?;
    assert_eq!(status["generations"].as_array().map(Vec::len), Some(1));
    assert_eq!(status["pools"][1]["max_children"], 2);
    fpm.serves_on()
}

#[test]
fn bash_completes_commands_and_their_options() -> Result {
    if under()? == Under::Original {
        return Ok(());
    }
    let program = Subject::from_environment()?.program().display().to_string();
    let script = format!("{program} completions bash");
    let complete = |words: &str, last: &str| -> Result<String> {
        let ask = format!(
            "source <({script}); COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _fpmd fpmd {last} ''; echo \"${{COMPREPLY[@]}}\""
        );
        let output = std::process::Command::new("bash")
            .args(["-c", &ask])
            .output()?;
        Ok(done(&output)?.1)
    };
    let commands = complete("fpmd re", "re")?;
    for command in ["reload", "reopen", "resume", "request"] {
        assert!(commands.contains(command), "{commands}");
    }
    let options = complete("fpmd reload --d", "--d")?;
    assert_eq!(options.trim(), "--dry-run");
    Ok(())
}
