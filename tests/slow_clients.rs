//! Clients that take their time: silent ones, slow ones, and those that will not let go.

use std::time::Duration;

use fcgi_proto::record::RecordType;
use fpmd_tests::{Connection, Daemon, Record, Result, Under, under};

#[test]
fn silent_client_is_sent_away_after_five_seconds() -> Result {
    let fpm = Daemon::echo().start()?;
    let mut silent = fpm.connect()?;
    let mut waiting = fpm.begin(&fpm.request("/t.php"))?;
    assert!(waiting.is_silent_for(Duration::from_secs(2))?);
    assert_eq!(waiting.answer()?.text(), "served -");
    assert_eq!(silent.wait_for_close()?, []);
    Ok(())
}

#[test]
fn silent_client_over_tcp_holds_the_original_but_not_fpmd() -> Result {
    let fpm = Daemon::echo().tcp().start()?;
    let mut silent = fpm.connect()?;
    let mut next = fpm.begin(&fpm.request("/t.php"))?;
    if under()? == Under::Original {
        assert!(next.is_silent_for(Duration::from_secs(1))?);
    }
    assert_eq!(next.answer()?.text(), "served -");
    if under()? == Under::Fpmd {
        // Nobody has had to send it away for that.
        assert!(silent.is_silent_for(Duration::from_millis(20))?);
    }
    Ok(())
}

#[test]
fn slow_client_is_served_in_the_end_and_holds_only_one_worker() -> Result {
    let fpm = Daemon::echo().workers(2).start()?;
    let bytes = fpm.request("/t.php").bytes();
    let mut slow = fpm.connect()?;
    for octet in &bytes[..3] {
        slow.send_bytes(&[*octet])?;
        assert!(slow.is_silent_for(Duration::from_secs(1))?);
        fpm.serves_on()?;
    }
    slow.send_bytes(&bytes[3..])?;
    assert_eq!(slow.answer()?.text(), "served -");
    Ok(())
}

#[test]
fn client_that_never_closes_after_its_answer_holds_the_original_but_not_fpmd() -> Result {
    let fpm = Daemon::echo().start()?;
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
    let fpm = Daemon::echo().start()?;
    let mut talker = fpm.begin(&fpm.request("/t.php"))?;
    talker.answer()?;
    for _ in 0..50 {
        talker.send_if_wanted(&Record::new(RecordType::Stdin, [0; 1000]).bytes());
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
