//! Status and ping pages, `pm.status_listen`, `fpm_get_status()`.

use anyhow::Context;
use fpmd_tests::{
    Address, Answer, Connection, Daemon, Fpm, Gate, PhpVersion, Request, Result, Subject, Under,
    under, wait_for, wait_until,
};
use serde_json::Value;

const PAGES: &str = "pm.status_path = /status
ping.path = /ping
ping.response = all well";

/// Waits for the test's word.
const SLOW: &str = "<?php fgets(fopen(__DIR__ . '/../var/gate', 'r'));";

fn serve(workers: u32) -> Result<(Fpm, Gate)> {
    let fpm = Daemon::new()
        .workers(workers)
        .pool(PAGES)
        .ini("expose_php=0")
        .file("t.php", "<?php echo json_encode(fpm_get_status());")
        .file("slow.php", SLOW)
        .start()?;
    let gate = Gate::new(fpm.site(), "gate")?;
    Ok((fpm, gate))
}

fn json(answer: &Answer) -> Result<Value> {
    serde_json::from_slice(&answer.body).with_context(|| format!("no JSON: {answer:?}"))
}

/// Begins a request that waits, and waits until its script runs and the other workers have nothing more to do.
fn occupy(fpm: &Fpm, request: &Request) -> Result<Connection> {
    let connection = fpm.begin(request)?;
    wait_until("only the two are at work", || {
        let status = json(&fpm.status_page("?full&json")?)?;
        Ok(other_busy(&status).is_ok() && active(&status) == 2)
    })?;
    Ok(connection)
}

fn active(status: &Value) -> i64 {
    status["active processes"].as_i64().unwrap_or(-1)
}

/// The only process that does not answer the status page itself.
fn other_busy(status: &Value) -> Result<&Value> {
    status["processes"]
        .as_array()
        .context("no processes")?
        .iter()
        .find(|process| process["state"] == "Running" && process["script"] != "-")
        .context("nobody is busy")
}

#[test]
fn ping_answers_its_response() -> Result {
    let (fpm, _gate) = serve(1)?;
    let answer = fpm.get("/ping")?;
    let headers = [
        "Content-type: text/plain;charset=UTF-8",
        "Expires: Thu, 01 Jan 1970 00:00:00 GMT",
        "Cache-Control: no-cache, no-store, must-revalidate, max-age=0",
    ];
    assert_eq!(answer.header_lines(), headers);
    assert_eq!((answer.status, &*answer.text()), (200, "all well"));
    let head = fpm.send(&fpm.request("/ping").method("HEAD"))?;
    assert_eq!((head.header_lines(), &*head.text()), (headers.into(), ""));
    assert_eq!(fpm.get("/ping/")?.status, 404);
    Ok(())
}

#[test]
fn every_format_has_its_type() -> Result {
    let (fpm, _gate) = serve(1)?;
    for (query, content_type, start) in [
        (
            "",
            "Content-type: text/plain;charset=UTF-8",
            "pool:                 www\nprocess manager:      static\n",
        ),
        (
            "?html",
            "Content-type: text/html;charset=UTF-8",
            "<!DOCTYPE html PUBLIC",
        ),
        (
            "?xml",
            "Content-type: text/xml;charset=UTF-8",
            "<?xml version=\"1.0\" ?>\n<status>\n<pool>www</pool>\n",
        ),
        (
            "?json",
            "Content-Type: application/json",
            "{\"pool\":\"www\",\"process manager\":\"static\",\"start time\":",
        ),
        (
            "?openmetrics",
            "Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8",
            "# HELP phpfpm_up Could pool www using a static PM on PHP-FPM be reached?\n# TYPE phpfpm_up gauge\nphpfpm_up 1\n",
        ),
    ] {
        let answer = fpm.status_page(query)?;
        let headers = [
            "Expires: Thu, 01 Jan 1970 00:00:00 GMT",
            "Cache-Control: no-cache, no-store, must-revalidate, max-age=0",
            content_type,
        ];
        assert_eq!(answer.header_lines(), headers, "{query}");
        assert!(answer.text().starts_with(start), "{}", answer.text());
    }
    let head = fpm.send(&fpm.request("/status?json").method("HEAD"))?;
    assert_eq!(
        head.header("Content-type"),
        Some("text/html; charset=UTF-8")
    );
    assert_eq!(head.text(), "");
    Ok(())
}

#[test]
fn query_means_what_php_makes_of_it() -> Result {
    let (fpm, _gate) = serve(1)?;
    for (query, start) in [
        ("JSON", "pool:"),
        ("a=json&=xml&_json", "pool:"),
        ("json;full", "pool:"),
        ("json.", "pool:"),
        ("openmetrics&&json=0", "{"),
        ("xml&html", "<!DOCTYPE"),
        ("%6as%6Fn", "{"),
        ("+json", "{"),
        ("json+", "pool:"),
        ("json[a]=1", "{"),
        ("json%00x", "{"),
        ("%00json", "pool:"),
        ("%&%6&json=%ff", "{"),
    ] {
        let page = fpm.status_page(&format!("?{query}"))?.text();
        assert!(page.starts_with(start), "{query}: {page}");
    }
    for (method, empty) in [
        ("GET", false),
        ("POST", false),
        ("OPTIONS", false),
        ("HEAD", true),
    ] {
        let answer = fpm.send(&fpm.request("/status?full").method(method))?;
        assert_eq!(
            (answer.status, answer.body.is_empty()),
            (200, empty),
            "{method}"
        );
    }
    Ok(())
}

#[test]
fn beginning_of_a_format_is_enough_for_php_8_2() -> Result {
    let (fpm, _gate) = serve(1)?;
    let short = fpm.status_page("?j")?.text().starts_with('{');
    assert_eq!(short, Subject::from_environment()?.php() < PhpVersion(8, 3));
    Ok(())
}

#[test]
fn numbers_of_a_pool() -> Result {
    let (fpm, gate) = serve(3)?;
    let mut slow = occupy(&fpm, &fpm.request("/slow.php?a=b\"c<d>/&é"))?;
    // A worker that has just answered counts as active for a moment.
    let status = wait_for("one of three is idle", || {
        let status = json(&fpm.status_page("?full&json")?)?;
        let is_right =
            status["idle processes"] == 1 && active(&status) == 2 && other_busy(&status).is_ok();
        Ok(is_right.then_some(status))
    })?;
    for (field, number) in [
        ("total processes", 3),
        ("max children reached", 0),
        ("listen queue", 0),
        ("slow requests", 0),
    ] {
        assert_eq!(status[field], number, "{field}");
    }
    let php = Subject::from_environment()?.php();
    assert_eq!(status.get("memory peak").is_some(), php >= PhpVersion(8, 4));
    let processes = status["processes"].as_array().context("no processes")?;
    assert_eq!(processes.len(), 3);
    let busy = other_busy(&status)?;
    assert_eq!(busy["request uri"], "/slow.php?a=b\"c<d>/&é");
    assert_eq!(busy["request method"], "GET");
    assert_eq!(busy["last request cpu"], 0.0);
    assert!(busy["request duration"].as_u64() > Some(0));
    let workers: Vec<_> = fpm
        .processes("php-fpm: pool www")?
        .iter()
        .map(|process| i64::from(process.pid()))
        .collect();
    for process in processes {
        let pid = process["pid"].as_i64().context("no pid")?;
        assert!(workers.contains(&pid), "{workers:?}: {process}");
    }
    gate.open()?;
    slow.answer()?;
    Ok(())
}

#[test]
fn texts_of_clients_are_escaped() -> Result {
    let (fpm, gate) = serve(2)?;
    let request = fpm
        .request("/slow.php?<script>alert(1)</script>&\"'")
        .param("HTTP_AUTHORIZATION", "Basic PHVzZXI+OnB3");
    let mut slow = occupy(&fpm, &request)?;
    for format in ["html", "xml"] {
        let page = fpm.status_page(&format!("?full&{format}"))?.text();
        assert!(
            page.contains("/slow.php?&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;'<"),
            "{page}"
        );
        // php-fpm escapes nothing but the URI.
        let user = match under()? {
            Under::Fpmd => ">&lt;user&gt;<",
            Under::Original => "><user><",
        };
        assert!(page.contains(user), "{page}");
    }
    gate.open()?;
    slow.answer()?;
    Ok(())
}

#[test]
fn page_shows_its_own_worker_at_work() -> Result {
    let (fpm, _gate) = serve(1)?;
    let status = json(&fpm.status_page("?json&full")?)?;
    let process = &status["processes"][0];
    assert_eq!(process["state"], "Running");
    assert_eq!(process["request uri"], "/status?json&full");
    assert_eq!(process["requests"], 1);
    assert_eq!(status["accepted conn"], 1);
    let again = json(&fpm.status_page("?json&full")?)?;
    assert_eq!(again["accepted conn"], 2);
    assert_eq!(again["processes"][0]["requests"], 2);
    Ok(())
}

#[test]
fn address_of_its_own_answers_while_all_workers_are_busy() -> Result {
    let fpm = Daemon::new()
        .pool("pm.status_path = /status\npm.status_listen = {dir}/status.sock")
        .file("slow.php", SLOW)
        .start()?;
    let gate = Gate::new(fpm.site(), "gate")?;
    let address = Address::Unix(fpm.site().path("status.sock"));
    let ask = || json(&fpm.status_page_at(&address, "?json&full")?);
    let status = wait_for("its worker is idle", || {
        let status = ask()?;
        Ok((status["idle processes"] == 1).then_some(status))
    })?;
    assert_eq!(
        (&status["pool"], &status["process manager"]),
        (&"www".into(), &"static".into())
    );
    assert_eq!(status["total processes"], 1);
    assert_eq!(status["accepted conn"], 0);
    let mut slow = fpm.begin(&fpm.request("/slow.php"))?;
    wait_until("its worker is at work", || Ok(active(&ask()?) > 0))?;
    let busy = ask()?;
    assert_eq!(busy["idle processes"], 0);
    assert_eq!(busy["processes"][0]["request uri"], "/slow.php");
    gate.open()?;
    slow.answer()?;
    Ok(())
}

#[test]
fn scripts_learn_the_status_of_their_pool() -> Result {
    // One worker only: the function of PHP 8.2 ends the process when another one is at its numbers.
    let (fpm, _gate) = serve(1)?;
    let request = fpm
        .request("/t.php?x=1")
        .param("HTTP_AUTHORIZATION", "Basic bWU6cHc=");
    let status = json(&fpm.send(&request)?)?;
    for (field, value) in [
        ("pool", Value::from("www")),
        ("process-manager", "static".into()),
        ("accepted-conn", 1.into()),
        ("idle-processes", 0.into()),
        ("active-processes", 1.into()),
        ("total-processes", 1.into()),
        ("max-active-processes", 1.into()),
    ] {
        assert_eq!(status[field], value, "{field}");
    }
    let keys = status.as_object().context("no object")?.len();
    let expected = if Subject::from_environment()?.php() >= PhpVersion(8, 4) {
        16
    } else {
        15
    };
    assert_eq!(keys, expected, "{status}");
    let process = &status["procs"][0];
    for (field, value) in [
        ("state", Value::from("Running")),
        ("requests", 1.into()),
        ("request-method", "GET".into()),
        ("request-uri", "/t.php".into()),
        ("query-string", "x=1".into()),
        ("request-length", 0.into()),
        ("user", "me".into()),
        ("last-request-cpu", 0.into()),
        ("last-request-memory", 0.into()),
    ] {
        assert_eq!(process[field], value, "{field}");
    }
    Ok(())
}

#[test]
fn last_request_has_cost_what_it_has_used() -> Result {
    // Works for 50 ms of CPU time after its script has ended.
    let after = "<?php register_shutdown_function(function () {
        $used = fn() => ($u = getrusage())['ru_utime.tv_sec'] * 1e6 + $u['ru_utime.tv_usec']
            + $u['ru_stime.tv_sec'] * 1e6 + $u['ru_stime.tv_usec'];
        for ($begin = $used(); $used() < $begin + 50000;);
    });";
    let fpm = Daemon::new()
        .pool("pm.status_path = /status\npm.status_listen = {dir}/status.sock")
        .file("after.php", after)
        .file("quick.php", "<?php echo 'quick';")
        .start()?;
    let address = Address::Unix(fpm.site().path("status.sock"));
    let cost_of = |script: &str| -> Result<f64> {
        fpm.get(script)?;
        wait_for("its worker is idle", || {
            let process = &json(&fpm.status_page_at(&address, "?json&full")?)?["processes"][0];
            if process["state"] != "Idle" {
                return Ok(None);
            }
            assert_eq!(process["request uri"], script);
            let cost = process["last request cpu"].as_f64().context("no number")?;
            Ok(Some(cost))
        })
    };
    let costs = [cost_of("/after.php")?, cost_of("/quick.php")?];
    match under()? {
        // A worker has one thread, which cannot use more CPU time than there is; the clocks are read one after the other.
        Under::Fpmd => {
            assert!(costs[0] > 5.0, "{costs:?}");
            assert!(costs.iter().all(|cost| *cost <= 100.5), "{costs:?}");
        }
        // It stops counting when the script ends, and counts in ticks of 10 ms: a quick script costs nothing, or thousands.
        Under::Original => assert!(costs.iter().all(|cost| *cost >= 0.0), "{costs:?}"),
    }
    Ok(())
}

#[test]
fn rest_on_a_kept_connection_is_idle() -> Result {
    let (fpm, _gate) = serve(2)?;
    let mut kept = fpm.connect()?;
    kept.send(&fpm.request("/ping").keep_connection())?;
    kept.answer()?;
    // The worker has answered, and is about to rest.
    let resting = || -> Result<bool> {
        let status = json(&fpm.status_page("?json")?)?;
        Ok(status["idle processes"] == 1)
    };
    match under()? {
        Under::Fpmd => wait_until("it rests", resting)?,
        // It counts such a worker as active.
        Under::Original => assert!(!resting()?),
    }
    Ok(())
}
