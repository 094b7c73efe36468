//! What `fpmd status` prints.

use expect_test::expect;
use fpm_control::{DaemonMeasured, GenerationStatus, Standing, WorkerStage};

use super::*;

fn generation(number: u64, standing: Standing) -> GenerationStatus {
    GenerationStatus {
        number,
        standing,
        zygotes: vec![100],
        workers: 2,
    }
}

fn status() -> Status {
    Status {
        pid: 42,
        version: "1.2.3".to_owned(),
        configuration: "/etc/fpm.conf".to_owned(),
        started_at: 1_000_000,
        state: State::Serving,
        beside: None,
        reload_failure: None,
        measured: DaemonMeasured::default(),
        generations: vec![generation(3, Standing::Serving)],
        pools: vec![PoolStatus {
            name: "www".to_owned(),
            listen: "/run/www.sock".to_owned(),
            pm: "static".to_owned(),
            max_children: 5,
            requests: 12345,
            active: 1,
            idle: 4,
            timed_out: 3,
            measured: Measured {
                answers: [("2xx".to_owned(), 12_000), ("5xx".to_owned(), 45)].into(),
                duration_us: Percentiles {
                    count: 12_345,
                    p50: 1_234,
                    p95: 20_000,
                    p99: 61_000_000,
                },
                ..Measured::default()
            },
            ..PoolStatus::default()
        }],
    }
}

fn busy() -> WorkerStatus {
    WorkerStatus {
        pid: 99,
        generation: 2,
        stage: WorkerStage::Running,
        leaving: true,
        started_at: 1_000_000,
        requests: 7,
        since_ms: 2_345,
        method: "GET".to_owned(),
        uri: "/t.php?a=b".to_owned(),
        script: "/srv/t.php".to_owned(),
        user: String::new(),
        duration_us: 0,
        cpu_us: 0,
        memory: 0,
    }
}

#[test]
fn a_daemon_with_nothing_to_tell() {
    expect![[r"
        fpmd 1.2.3, process 42, up for 1h 1m
        configuration /etc/fpm.conf

        POOL  PM      ACTIVE  IDLE  MAX  QUEUE  REQUESTS  SLOW  FULL  LISTEN
        www   static       1     4    5      0     12345     0     0  /run/www.sock

        POOL    2XX  3XX  4XX  5XX  SOFT TIMEOUT  TIMED OUT  OUTGROWN  ABANDONED  DURATION 50/95/99%  CPU  MEMORY  WAIT
        www   12000    0    0   45             0          3         0          0    1.2ms/20ms/1m 1s    -       -     -
    "]]
    .assert_eq(&text(&status(), Duration::from_secs(1_003_660)));
}

#[test]
fn workers_of_two_generations_after_a_reload_that_failed() {
    let mut status = status();
    status.state = State::Reloading;
    status.reload_failure = Some("no PHP".to_owned());
    status
        .generations
        .insert(0, generation(2, Standing::Retiring));
    status.pools[0].workers.push(busy());
    expect![[r"
        fpmd 1.2.3, process 42, reloading, up for 0s
        configuration /etc/fpm.conf
        generation 2, retiring, 2 worker(s)
        generation 3, serving, 2 worker(s)
        the last reload failed: no PHP

        POOL  PM      ACTIVE  IDLE  MAX  QUEUE  REQUESTS  SLOW  FULL  LISTEN
        www   static       1     4    5      0     12345     0     0  /run/www.sock

        POOL    2XX  3XX  4XX  5XX  SOFT TIMEOUT  TIMED OUT  OUTGROWN  ABANDONED  DURATION 50/95/99%  CPU  MEMORY  WAIT
        www   12000    0    0   45             0          3         0          0    1.2ms/20ms/1m 1s    -       -     -

        PID  POOL  GEN  STATE              FOR  REQUESTS  MEMORY  REQUEST
         99  www     2  running, leaving  2.3s         7       -  GET /t.php?a=b
    "]]
    .assert_eq(&text(&status, Duration::from_secs(1_000_000)));
}

#[test]
fn pools_whose_size_fpmd_decides_about_say_so() {
    let mut status = status();
    assert!(!text(&status, Duration::ZERO).contains("auto"));
    status.pools[0].sizing = Sizing::Auto;
    assert!(text(&status, Duration::ZERO).contains("  auto 5  "));
}

#[test]
fn waits_are_told_unless_too_many_are_unknown() {
    let mut of = Measured::default();
    assert_eq!(waits(&of), "-");
    of.queue_wait_us = Percentiles {
        count: 990,
        p99: 2_000,
        ..Percentiles::default()
    };
    of.unknown_waits = 10;
    assert_eq!(waits(&of), "0.0ms/0.0ms/2.0ms");
    of.unknown_waits = 11;
    assert_eq!(waits(&of), "unknown");
}

#[test]
fn json_has_every_field_under_its_name() {
    let mut status = status();
    status.pools[0].workers.push(busy());
    let value: serde_json::Value = serde_json::from_str(&json(&status, false)).unwrap();
    assert_eq!(value["state"], "serving");
    assert_eq!(value["generations"][0]["standing"], "serving");
    assert_eq!(value["pools"][0]["workers"][0]["stage"], "running");
    assert_eq!(value["reload_failure"], serde_json::Value::Null);
    assert_eq!(json(&status, true).lines().count(), 1);
}

#[test]
fn spans_and_sizes() {
    let spans = [0, 59, 61, 3_600, 90_000].map(span);
    assert_eq!(spans, ["0s", "59s", "1m 1s", "1h 0m", "1d 1h"]);
    let shorts = [0, 999, 1_000, 59_999, 60_000].map(short);
    assert_eq!(shorts, ["0ms", "999ms", "1.0s", "59.9s", "1m 0s"]);
    let sizes = [0, 1, 2 << 20, (5 << 20) / 2].map(memory);
    assert_eq!(sizes, ["-", "1K", "2.0M", "2.5M"]);
}
