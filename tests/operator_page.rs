//! The operator's page in a real browser.

use std::net::TcpListener;

use fpmd_tests::operator::process;
use fpmd_tests::{Chromium, Daemon, Gate, Load, Result, Under, View, control, under};
use nix::sys::signal::Signal;

const DESK: View = View {
    width: 1280,
    height: 900,
    scheme: "light",
};

const PHONE: View = View {
    width: 390,
    height: 844,
    scheme: "dark",
};

/// What the page says of a pool, a worker, or the daemon.
const POOLS: &str = "[...document.querySelectorAll('#pools tr')].map(row => row.innerText)";
const WORKERS: &str = "[...document.querySelectorAll('#workers tr')].map(row => row.innerText)";
const REQUESTS: &str = "document.querySelector('#chart-requests .note').textContent";

#[test]
fn pools_and_workers_are_seen_live() -> Result {
    if under()? == Under::Original {
        return Ok(());
    }
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let fpm = Daemon::echo()
        .file("wait.php", Gate::SCRIPT)
        .workers(3)
        .other_pool("api", "pm = ondemand")
        .global(&format!(
            "operator.listen = {port}\ncontrol.listen = {{dir}}/control"
        ))
        .start()?;
    let gate = Gate::new(fpm.site(), "gate")?;
    let mut browser = Chromium::start()?;
    browser.view(DESK)?;
    browser.open(&format!("http://127.0.0.1:{port}/"))?;
    browser.wait_until("document.getElementById('state').textContent === 'serving'")?;
    browser.wait_until(&format!("{POOLS}.length === 2"))?;
    browser.wait_until(&format!("{WORKERS}.length === 0"))?;
    browser.evaluate("document.querySelector('#pools tr button').click()")?;
    browser.wait_until(&format!("{WORKERS}.length === 3"))?;
    browser.wait_until("location.hash === '#www'")?;

    // What happens is seen, without the query of the request.
    let mut running = fpm.running("/wait.php?secret=1")?;
    browser.wait_until(&format!(
        "{WORKERS}.some(text => text.includes('running') && text.includes('GET /wait.php'))"
    ))?;
    let page = browser.evaluate("document.documentElement.outerHTML")?;
    assert!(!page.as_str().unwrap_or_default().contains("secret"));
    let load = Load::direct(&fpm, &fpm.request("/t.php"), "served -").clients(2);
    let ((), report) = load.during(|_| {
        browser.wait_until("document.querySelectorAll('.trace[d^=M]').length >= 6")?;
        let before = browser.evaluate(REQUESTS)?;
        browser.wait_until(&format!("{REQUESTS} !== {before}"))
    })?;
    report.all_good()?;
    let expected = report.answers + 1;
    browser.wait_until(&format!(
        "{REQUESTS}.replaceAll(',', '') === '{expected} since the start'"
    ))?;
    gate.open()?;
    running.answer()?;
    assert_eq!(control::run(&fpm, "drain api")?.0, 0);
    browser.wait_until(&format!("{POOLS}[1].includes('the pool is drained')"))?;
    browser.wait_until("document.title.startsWith('⚠')")?;
    assert_eq!(
        browser.complaints(),
        [""; 0],
        "scripts, or what the policy forbids"
    );

    let seen = |browser: &mut Chromium, view: View| -> Result<String> {
        browser.view(view)?;
        browser.wait_until("document.documentElement.scrollWidth <= innerWidth")?;
        assert!(browser.picture()? > 10_000);
        let colour = browser.evaluate("getComputedStyle(document.body).backgroundColor")?;
        Ok(colour.to_string())
    };
    assert_ne!(seen(&mut browser, DESK)?, seen(&mut browser, PHONE)?);
    browser.view(DESK)?;

    // It finds the next operator by itself.
    process(&fpm)?.signal(Signal::SIGKILL)?;
    assert_eq!(control::run(&fpm, "resume api")?.0, 0);
    browser.wait_until(&format!(
        "{POOLS}[1].includes('ready') && !{POOLS}[1].includes('drained')"
    ))?;
    Ok(())
}
