//! `error_log = syslog`: what is sent to `/dev/log`, and what happens when nobody listens there.

use anyhow::{Context, ensure};
use fpmd_tests::{Daemon, Fpm, Result, Syslog, Under, under};
use nix::unistd::Uid;
use serde_json::Value;

const FACILITY: &str = "syslog.facility = local3\nsyslog.ident = tested";

/// Priorities of facility local3 (syslog(3)).
const WARNING: u32 = 19 << 3 | 4;
const NOTICE: u32 = 19 << 3 | 5;

/// A syslog, if there can be one.
fn syslog() -> Result<Option<Syslog>> {
    Uid::effective().is_root().then(Syslog::new).transpose()
}

/// Starts a daemon with these global lines that logs to a syslog, if there can be one.
fn start(global: &str) -> Result<Option<(Syslog, Fpm)>> {
    let Some(syslog) = syslog()? else {
        return Ok(None);
    };
    let fpm = Daemon::echo()
        .pool("catch_workers_output = yes")
        .file(
            "say.php",
            "<?php file_put_contents('php://stderr', str_repeat($_SERVER['X'], (int) $_SERVER['TIMES']) . \"\\n\");",
        )
        .global(global)
        .logging_to_syslog(&syslog)?
        .start_unheard()?;
    Ok(Some((syslog, fpm)))
}

/// Lets a worker say `word` so many times on its standard error.
fn say(fpm: &Fpm, word: &str, times: usize) -> Result {
    let request = fpm.request("/say.php").param("X", word);
    fpm.send(&request.param("TIMES", times.to_string()))?;
    Ok(())
}

/// The priority of a message, whose form it checks, and its text.
fn parts(message: &str, fpm: &Fpm) -> Result<(u32, String)> {
    let (head, text) = message
        .split_once(&format!(" tested[{}]: ", fpm.process().pid()))
        .context(message.to_owned())?;
    let (priority, time) = head
        .strip_prefix('<')
        .and_then(|rest| rest.split_once('>'))
        .context(message.to_owned())?;
    ensure!(time.len() == "Nov 21 15:00:00".len(), "{message}");
    Ok((priority.parse()?, text.to_owned()))
}

#[test]
fn messages_have_priority_name_and_process() -> Result {
    let Some((syslog, fpm)) = start(FACILITY)? else {
        return Ok(());
    };
    let ready = syslog.wait_for("ready to handle connections")?;
    let expected = (NOTICE, "[NOTICE] ready to handle connections".to_owned());
    assert_eq!(parts(&ready, &fpm)?, expected);
    assert_eq!(fpm.get("/t.php")?.text(), "served -");
    fpm.kill_worker()?;
    let (priority, text) = parts(&syslog.wait_for("exited on signal 9")?, &fpm)?;
    assert!(text.starts_with("[WARNING] [pool www] child "), "{text}");
    match under()? {
        Under::Fpmd => assert_eq!(priority, WARNING),
        // That of log_level, whatever the message.
        Under::Original => assert_eq!(priority, NOTICE),
    }
    Ok(())
}

#[test]
fn at_level_debug_messages_say_where_they_come_from() -> Result {
    let Some((syslog, fpm)) = start(&format!("{FACILITY}\nlog_level = debug"))? else {
        return Ok(());
    };
    let (priority, text) = parts(&syslog.wait_for("ready to handle connections")?, &fpm)?;
    assert!(text.starts_with("[NOTICE] "), "{text}");
    assert!(text.contains("(), line "), "{text}");
    assert_eq!(priority == NOTICE, under()? == Under::Fpmd, "{priority}");
    Ok(())
}

#[test]
fn what_workers_say_goes_there_too() -> Result {
    let Some((syslog, fpm)) = start(FACILITY)? else {
        return Ok(());
    };
    syslog.wait_for("ready to handle connections")?;
    say(&fpm, "x", 3)?;
    if under()? == Under::Original {
        // It is lost.
        fpm.kill_worker()?;
        let messages = syslog.messages_until("exited on signal 9")?;
        assert!(!messages.concat().contains("xxx"), "{messages:?}");
        return Ok(());
    }
    let (priority, text) = parts(&syslog.wait_for("xxx")?, &fpm)?;
    assert_eq!(priority, WARNING);
    assert!(text.starts_with("[WARNING] [pool www] child "), "{text}");
    assert!(text.ends_with(" said into stderr: \"xxx\""), "{text}");
    Ok(())
}

#[test]
fn while_syslog_is_gone_all_goes_on_and_what_is_lost_is_counted() -> Result {
    let Some((mut syslog, fpm)) = start("")? else {
        return Ok(());
    };
    syslog.wait_for("ready to handle connections")?;
    syslog.end()?;
    say(&fpm, "early ", 1)?;
    for _ in 0..2 {
        say(&fpm, "x", 2_000_000)?;
    }
    fpm.kill_worker()?;
    assert_eq!(fpm.get("/t.php")?.text(), "served -");
    syslog.begin()?;
    fpm.kill_worker()?;
    if under()? == Under::Original {
        syslog.wait_for("exited on signal 9")?;
        return Ok(());
    }
    syslog.wait_for("said into stderr: \"early \"")?;
    syslog.wait_for("line(s) of this log are lost")?;
    Ok(())
}

#[test]
fn objects_fit_in_messages() -> Result {
    if under()? == Under::Original {
        return Ok(());
    }
    let Some((syslog, fpm)) = start("log_format = json\nsyslog.ident = tested")? else {
        return Ok(());
    };
    syslog.wait_for("ready to handle connections")?;
    // Each of these becomes six in JSON.
    say(&fpm, "\u{1}", 100_000)?;
    say(&fpm, "end", 1)?;
    let messages = syslog.messages_until("\"end\"")?;
    let mut whole = String::new();
    for message in messages.iter().filter(|message| message.contains("stderr")) {
        let object: Value = serde_json::from_str(&parts(message, &fpm)?.1)?;
        whole += object["message"].as_str().context("no text")?;
        let last = object["message"] == "end" || whole.len() == 100_000;
        assert_eq!(object["continued"] == true, !last, "{message}");
    }
    assert_eq!(whole, "\u{1}".repeat(100_000) + "end");
    Ok(())
}

#[test]
fn php_has_its_own_way_to_syslog() -> Result {
    let Some(syslog) = syslog()? else {
        return Ok(());
    };
    let fpm = Daemon::new()
        .file(
            "t.php",
            "<?php error_log('by hand'); trigger_error('watch out');",
        )
        .ini("error_log=syslog")
        .ini("log_errors=1")
        .ini("syslog.ident=from-php")
        .subject(&syslog.subject()?)
        .start()?;
    let answer = fpm.get("/t.php")?;
    assert_eq!(answer.stderr, "");
    let messages = syslog.messages_until("watch out")?;
    let [by_hand, notice] = &messages[..] else {
        anyhow::bail!("{messages:?}");
    };
    assert!(by_hand.ends_with(": by hand"), "{by_hand}");
    assert!(by_hand.contains(" from-php"), "{by_hand}");
    assert!(notice.contains(": PHP Notice:  watch out in "), "{notice}");
    Ok(())
}
