//! Clients that take their time: silent ones, slow ones, and those that will not let go.

use std::time::Duration;

use fpmd_tests::{Connection, Daemon, Fpm, Kind, Record, Result, Subject, Under};

fn serve() -> Result<Fpm> {
    Daemon::new()
        .file(
            "t.php",
            "<?php echo 'served ', $_SERVER['X'] ?? '-', file_get_contents('php://input');",
        )
        .start()
}

fn under() -> Result<Under> {
    Ok(Subject::from_environment()?.under())
}

/// The worker lives and serves.
fn serves_on(fpm: &Fpm) -> Result {
    assert_eq!(fpm.get("/t.php")?.text(), "served -");
    assert_eq!(fpm.log().lines_with("exited"), Vec::<String>::new());
    Ok(())
}

#[test]
fn silent_client_is_sent_away_after_five_seconds() -> Result {
    let fpm = serve()?;
    let mut silent = fpm.connect()?;
    let mut waiting = fpm.begin(&fpm.request("/t.php"))?;
    assert!(waiting.is_silent_for(Duration::from_secs(2))?);
    assert_eq!(waiting.answer()?.text(), "served -");
    assert_eq!(silent.wait_for_close()?, []);
    Ok(())
}

#[test]
fn slow_client_is_served_in_the_end_and_holds_only_one_worker() -> Result {
    let fpm = Daemon::new()
        .workers(2)
        .file("t.php", "<?php echo 'served -';")
        .start()?;
    let bytes = fpm.request("/t.php").bytes();
    let mut slow = fpm.connect()?;
    for octet in &bytes[..3] {
        slow.send_bytes(&[*octet])?;
        assert!(slow.is_silent_for(Duration::from_secs(1))?);
        serves_on(&fpm)?;
    }
    slow.send_bytes(&bytes[3..])?;
    assert_eq!(slow.answer()?.text(), "served -");
    Ok(())
}

#[test]
fn client_that_never_closes_after_its_answer_holds_the_original_but_not_fpmd() -> Result {
    let fpm = serve()?;
    let mut stubborn = fpm.begin(&fpm.request("/t.php"))?;
    stubborn.answer()?;
    let mut next = fpm.begin(&fpm.request("/t.php"))?;
    if under()? == Under::Original {
        assert!(next.is_silent_for(Duration::from_secs(1))?);
        drop(stubborn);
    }
    assert_eq!(next.answer()?.text(), "served -");
    Ok(())
}

#[test]
fn client_that_keeps_talking_after_its_answer_does_not_hold_fpmd() -> Result {
    let fpm = serve()?;
    let mut talker = fpm.begin(&fpm.request("/t.php"))?;
    talker.answer()?;
    for _ in 0..50 {
        talker.send_if_wanted(&Record::new(Kind::Stdin, [0; 1000]).bytes());
    }
    let mut next = fpm.begin(&fpm.request("/t.php"))?;
    if under()? == Under::Original {
        drop(talker);
    }
    assert_eq!(next.answer()?.text(), "served -");
    Ok(())
}

#[test]
fn half_closed_client_still_gets_its_answer() -> Result {
    for daemon in [Daemon::new(), Daemon::new().tcp()] {
        let fpm = daemon.file("t.php", "<?php echo 'served';").start()?;
        let mut connection: Connection = fpm.begin(&fpm.request("/t.php"))?;
        connection.shut_down_sending()?;
        assert_eq!(connection.answer()?.text(), "served");
    }
    Ok(())
}
