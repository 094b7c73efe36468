//! The text of a small daemon, whole.

use std::time::Duration;

use expect_test::expect;
use fpm_conf::Percent;
use fpm_control::{DaemonMeasured, GenerationStatus};

use fpm_scoreboard::{Departure, Ledger, Served};

use super::*;
use crate::readiness::Thresholds;

/// What a pool measures that serves a request, and loses a worker.
fn figures() -> PoolFigures {
    let ledger = Ledger::create().unwrap();
    let pool = ledger.pool(ledger.add_pool().unwrap()).unwrap();
    pool.record(&Served {
        status: 200,
        duration: Duration::from_millis(100),
        cpu: Duration::from_millis(3),
        memory: 2 << 20,
        waited: None,
    });
    pool.count_spawned();
    pool.count_departure(Departure::Killed);
    pool.figures()
}

fn daemon_figures() -> DaemonFigures {
    let daemon = Ledger::create().unwrap().daemon().unwrap();
    daemon.count_reload(Duration::from_secs(1));
    daemon.count_failed_reload();
    daemon.figures()
}

fn numbers() -> Numbers {
    let pool = |name: &str, requests| PoolStatus {
        name: name.to_owned(),
        pm: "static".to_owned(),
        max_children: 5,
        generation: 3,
        started_at: 1_700_000_000,
        listen_queue: 1,
        listen_queue_len: 511,
        max_listen_queue: 7,
        idle: 3,
        active: 2,
        leaving: 1,
        max_active: 4,
        requests,
        ..PoolStatus::default()
    };
    let status = Status {
        pid: 1,
        version: "0.1.0".to_owned(),
        configuration: "/etc/php-fpm.conf".to_owned(),
        started_at: 1_700_000_000,
        state: State::Reloading,
        beside: None,
        reload_failure: None,
        measured: DaemonMeasured::default(),
        generations: vec![GenerationStatus {
            number: 3,
            standing: Standing::Serving,
            zygotes: vec![2],
            workers: 5,
        }],
        pools: vec![pool("www", 42), pool("a\"b\\c", 0)],
    };
    let half = Percent(50);
    let thresholds = Thresholds {
        queue: half,
        busy: half,
    };
    Numbers {
        readiness: Readiness::of(&status, thresholds),
        status,
        master: Master::Answers,
        measured: vec![
            ("www".to_owned(), figures()),
            ("a\"b\\c".to_owned(), PoolFigures::default()),
        ],
        of_daemon: Some(daemon_figures()),
    }
}

#[test]
fn all_of_it() {
    expect![[r##"
        # HELP fpmd_build Which fpmd
        # TYPE fpmd_build info
        fpmd_build_info{version="0.1.0"} 1
        # HELP fpmd_start_time_seconds When the master was started, since 1970
        # TYPE fpmd_start_time_seconds gauge
        # UNIT fpmd_start_time_seconds seconds
        fpmd_start_time_seconds 1700000000
        # HELP fpmd_master_answers Whether the master answers the operator; if not, other numbers may be old
        # TYPE fpmd_master_answers gauge
        fpmd_master_answers 1
        # HELP fpmd_ready Whether /readyz says that the daemon is ready
        # TYPE fpmd_ready gauge
        fpmd_ready 1
        # HELP fpmd_last_reload_successful Whether the last reload succeeded; 1 before the first
        # TYPE fpmd_last_reload_successful gauge
        fpmd_last_reload_successful 1
        # HELP fpmd_state 1 for what the daemon is doing, 0 for the rest
        # TYPE fpmd_state gauge
        fpmd_state{state="starting"} 0
        fpmd_state{state="serving"} 0
        fpmd_state{state="reloading"} 1
        fpmd_state{state="resting"} 0
        fpmd_state{state="finishing"} 0
        fpmd_state{state="terminating"} 0
        # HELP fpmd_generations Generations of the configuration that have processes
        # TYPE fpmd_generations gauge
        fpmd_generations{standing="coming"} 0
        fpmd_generations{standing="serving"} 1
        fpmd_generations{standing="retiring"} 0
        # HELP fpmd_generation The generation that serves; one more with each reload
        # TYPE fpmd_generation gauge
        fpmd_generation 3
        # HELP fpmd_pool_start_time_seconds When the pool was started first, since 1970
        # TYPE fpmd_pool_start_time_seconds gauge
        # UNIT fpmd_pool_start_time_seconds seconds
        fpmd_pool_start_time_seconds{pool="www"} 1700000000
        fpmd_pool_start_time_seconds{pool="a\"b\\c"} 1700000000
        # HELP fpmd_pool_requests Requests accepted
        # TYPE fpmd_pool_requests counter
        fpmd_pool_requests_total{pool="www"} 42
        fpmd_pool_requests_total{pool="a\"b\\c"} 0
        # HELP fpmd_pool_requests_abandoned Requests not run because nobody waited for the answer any more
        # TYPE fpmd_pool_requests_abandoned counter
        fpmd_pool_requests_abandoned_total{pool="www"} 0
        fpmd_pool_requests_abandoned_total{pool="a\"b\\c"} 0
        # HELP fpmd_pool_requests_overdue Requests refused because they had waited longer than request_queue_timeout
        # TYPE fpmd_pool_requests_overdue counter
        fpmd_pool_requests_overdue_total{pool="www"} 0
        fpmd_pool_requests_overdue_total{pool="a\"b\\c"} 0
        # HELP fpmd_pool_requests_slow Requests that took longer than request_slowlog_timeout
        # TYPE fpmd_pool_requests_slow counter
        fpmd_pool_requests_slow_total{pool="www"} 0
        fpmd_pool_requests_slow_total{pool="a\"b\\c"} 0
        # HELP fpmd_pool_requests_timed_out Requests that took longer than request_terminate_timeout
        # TYPE fpmd_pool_requests_timed_out counter
        fpmd_pool_requests_timed_out_total{pool="www"} 0
        fpmd_pool_requests_timed_out_total{pool="a\"b\\c"} 0
        # HELP fpmd_pool_requests_soft_timed_out Requests whose scripts got a time-out error because of request_soft_timeout
        # TYPE fpmd_pool_requests_soft_timed_out counter
        fpmd_pool_requests_soft_timed_out_total{pool="www"} 0
        fpmd_pool_requests_soft_timed_out_total{pool="a\"b\\c"} 0
        # HELP fpmd_pool_workers_outgrown Workers replaced because they needed more than pm.max_memory
        # TYPE fpmd_pool_workers_outgrown counter
        fpmd_pool_workers_outgrown_total{pool="www"} 0
        fpmd_pool_workers_outgrown_total{pool="a\"b\\c"} 0
        # HELP fpmd_pool_rests How often the pool rested because its workers had crashed too often (pm.crash_budget)
        # TYPE fpmd_pool_rests counter
        fpmd_pool_rests_total{pool="www"} 0
        fpmd_pool_rests_total{pool="a\"b\\c"} 0
        # HELP fpmd_pool_max_children_reached How often more workers were wanted than pm.max_children
        # TYPE fpmd_pool_max_children_reached counter
        fpmd_pool_max_children_reached_total{pool="www"} 0
        fpmd_pool_max_children_reached_total{pool="a\"b\\c"} 0
        # HELP fpmd_pool_max_children Workers that there may be
        # TYPE fpmd_pool_max_children gauge
        fpmd_pool_max_children{pool="www"} 5
        fpmd_pool_max_children{pool="a\"b\\c"} 5
        # HELP fpmd_pool_workers_leaving Workers that were told to leave and have not left; they are counted as idle or active too
        # TYPE fpmd_pool_workers_leaving gauge
        fpmd_pool_workers_leaving{pool="www"} 1
        fpmd_pool_workers_leaving{pool="a\"b\\c"} 1
        # HELP fpmd_pool_workers_active_highest Most workers that served a request at once
        # TYPE fpmd_pool_workers_active_highest gauge
        fpmd_pool_workers_active_highest{pool="www"} 4
        fpmd_pool_workers_active_highest{pool="a\"b\\c"} 4
        # HELP fpmd_pool_listen_queue_connections Connections that wait for a worker
        # TYPE fpmd_pool_listen_queue_connections gauge
        fpmd_pool_listen_queue_connections{pool="www"} 1
        fpmd_pool_listen_queue_connections{pool="a\"b\\c"} 1
        # HELP fpmd_pool_listen_queue_capacity_connections Connections that can wait to be accepted
        # TYPE fpmd_pool_listen_queue_capacity_connections gauge
        fpmd_pool_listen_queue_capacity_connections{pool="www"} 511
        fpmd_pool_listen_queue_capacity_connections{pool="a\"b\\c"} 511
        # HELP fpmd_pool_listen_queue_highest_connections Most connections that have waited at once
        # TYPE fpmd_pool_listen_queue_highest_connections gauge
        fpmd_pool_listen_queue_highest_connections{pool="www"} 7
        fpmd_pool_listen_queue_highest_connections{pool="a\"b\\c"} 7
        # HELP fpmd_pool_request_memory_highest_bytes Highest memory peak of a request
        # TYPE fpmd_pool_request_memory_highest_bytes gauge
        # UNIT fpmd_pool_request_memory_highest_bytes bytes
        fpmd_pool_request_memory_highest_bytes{pool="www"} 0
        fpmd_pool_request_memory_highest_bytes{pool="a\"b\\c"} 0
        # HELP fpmd_pool_drained Whether the pool was drained by command
        # TYPE fpmd_pool_drained gauge
        fpmd_pool_drained{pool="www"} 0
        fpmd_pool_drained{pool="a\"b\\c"} 0
        # HELP fpmd_pool_generation Generation of the pool's configuration
        # TYPE fpmd_pool_generation gauge
        fpmd_pool_generation{pool="www"} 3
        fpmd_pool_generation{pool="a\"b\\c"} 3
        # HELP fpmd_pool_request_duration_seconds How long requests took, from their arrival at the worker to the end of the script
        # TYPE fpmd_pool_request_duration_seconds histogram
        # UNIT fpmd_pool_request_duration_seconds seconds
        fpmd_pool_request_duration_seconds_sum{pool="www"} 0.1
        fpmd_pool_request_duration_seconds_count{pool="www"} 1
        fpmd_pool_request_duration_seconds_bucket{le="0.000016",pool="www"} 0
        fpmd_pool_request_duration_seconds_bucket{le="0.000032",pool="www"} 0
        fpmd_pool_request_duration_seconds_bucket{le="0.000064",pool="www"} 0
        fpmd_pool_request_duration_seconds_bucket{le="0.000128",pool="www"} 0
        fpmd_pool_request_duration_seconds_bucket{le="0.000256",pool="www"} 0
        fpmd_pool_request_duration_seconds_bucket{le="0.000512",pool="www"} 0
        fpmd_pool_request_duration_seconds_bucket{le="0.001024",pool="www"} 0
        fpmd_pool_request_duration_seconds_bucket{le="0.002048",pool="www"} 0
        fpmd_pool_request_duration_seconds_bucket{le="0.004096",pool="www"} 0
        fpmd_pool_request_duration_seconds_bucket{le="0.008192",pool="www"} 0
        fpmd_pool_request_duration_seconds_bucket{le="0.016384",pool="www"} 0
        fpmd_pool_request_duration_seconds_bucket{le="0.032768",pool="www"} 0
        fpmd_pool_request_duration_seconds_bucket{le="0.065536",pool="www"} 0
        fpmd_pool_request_duration_seconds_bucket{le="0.131072",pool="www"} 1
        fpmd_pool_request_duration_seconds_bucket{le="0.262144",pool="www"} 1
        fpmd_pool_request_duration_seconds_bucket{le="0.524288",pool="www"} 1
        fpmd_pool_request_duration_seconds_bucket{le="1.048576",pool="www"} 1
        fpmd_pool_request_duration_seconds_bucket{le="2.097152",pool="www"} 1
        fpmd_pool_request_duration_seconds_bucket{le="4.194304",pool="www"} 1
        fpmd_pool_request_duration_seconds_bucket{le="8.388608",pool="www"} 1
        fpmd_pool_request_duration_seconds_bucket{le="16.777216",pool="www"} 1
        fpmd_pool_request_duration_seconds_bucket{le="33.554432",pool="www"} 1
        fpmd_pool_request_duration_seconds_bucket{le="67.108864",pool="www"} 1
        fpmd_pool_request_duration_seconds_bucket{le="134.217728",pool="www"} 1
        fpmd_pool_request_duration_seconds_bucket{le="268.435456",pool="www"} 1
        fpmd_pool_request_duration_seconds_bucket{le="536.870912",pool="www"} 1
        fpmd_pool_request_duration_seconds_bucket{le="1073.741824",pool="www"} 1
        fpmd_pool_request_duration_seconds_bucket{le="2147.483648",pool="www"} 1
        fpmd_pool_request_duration_seconds_bucket{le="+Inf",pool="www"} 1
        # HELP fpmd_pool_request_cpu_seconds Processor time that requests cost
        # TYPE fpmd_pool_request_cpu_seconds histogram
        # UNIT fpmd_pool_request_cpu_seconds seconds
        fpmd_pool_request_cpu_seconds_sum{pool="www"} 0.003
        fpmd_pool_request_cpu_seconds_count{pool="www"} 1
        fpmd_pool_request_cpu_seconds_bucket{le="0.000016",pool="www"} 0
        fpmd_pool_request_cpu_seconds_bucket{le="0.000032",pool="www"} 0
        fpmd_pool_request_cpu_seconds_bucket{le="0.000064",pool="www"} 0
        fpmd_pool_request_cpu_seconds_bucket{le="0.000128",pool="www"} 0
        fpmd_pool_request_cpu_seconds_bucket{le="0.000256",pool="www"} 0
        fpmd_pool_request_cpu_seconds_bucket{le="0.000512",pool="www"} 0
        fpmd_pool_request_cpu_seconds_bucket{le="0.001024",pool="www"} 0
        fpmd_pool_request_cpu_seconds_bucket{le="0.002048",pool="www"} 0
        fpmd_pool_request_cpu_seconds_bucket{le="0.004096",pool="www"} 1
        fpmd_pool_request_cpu_seconds_bucket{le="0.008192",pool="www"} 1
        fpmd_pool_request_cpu_seconds_bucket{le="0.016384",pool="www"} 1
        fpmd_pool_request_cpu_seconds_bucket{le="0.032768",pool="www"} 1
        fpmd_pool_request_cpu_seconds_bucket{le="0.065536",pool="www"} 1
        fpmd_pool_request_cpu_seconds_bucket{le="0.131072",pool="www"} 1
        fpmd_pool_request_cpu_seconds_bucket{le="0.262144",pool="www"} 1
        fpmd_pool_request_cpu_seconds_bucket{le="0.524288",pool="www"} 1
        fpmd_pool_request_cpu_seconds_bucket{le="1.048576",pool="www"} 1
        fpmd_pool_request_cpu_seconds_bucket{le="2.097152",pool="www"} 1
        fpmd_pool_request_cpu_seconds_bucket{le="4.194304",pool="www"} 1
        fpmd_pool_request_cpu_seconds_bucket{le="8.388608",pool="www"} 1
        fpmd_pool_request_cpu_seconds_bucket{le="16.777216",pool="www"} 1
        fpmd_pool_request_cpu_seconds_bucket{le="33.554432",pool="www"} 1
        fpmd_pool_request_cpu_seconds_bucket{le="67.108864",pool="www"} 1
        fpmd_pool_request_cpu_seconds_bucket{le="134.217728",pool="www"} 1
        fpmd_pool_request_cpu_seconds_bucket{le="268.435456",pool="www"} 1
        fpmd_pool_request_cpu_seconds_bucket{le="536.870912",pool="www"} 1
        fpmd_pool_request_cpu_seconds_bucket{le="1073.741824",pool="www"} 1
        fpmd_pool_request_cpu_seconds_bucket{le="2147.483648",pool="www"} 1
        fpmd_pool_request_cpu_seconds_bucket{le="+Inf",pool="www"} 1
        # HELP fpmd_pool_request_memory_bytes Memory peaks of requests
        # TYPE fpmd_pool_request_memory_bytes histogram
        # UNIT fpmd_pool_request_memory_bytes bytes
        fpmd_pool_request_memory_bytes_sum{pool="www"} 2097152.0
        fpmd_pool_request_memory_bytes_count{pool="www"} 1
        fpmd_pool_request_memory_bytes_bucket{le="262144.0",pool="www"} 0
        fpmd_pool_request_memory_bytes_bucket{le="524288.0",pool="www"} 0
        fpmd_pool_request_memory_bytes_bucket{le="1048576.0",pool="www"} 0
        fpmd_pool_request_memory_bytes_bucket{le="2097152.0",pool="www"} 1
        fpmd_pool_request_memory_bytes_bucket{le="4194304.0",pool="www"} 1
        fpmd_pool_request_memory_bytes_bucket{le="8388608.0",pool="www"} 1
        fpmd_pool_request_memory_bytes_bucket{le="16777216.0",pool="www"} 1
        fpmd_pool_request_memory_bytes_bucket{le="33554432.0",pool="www"} 1
        fpmd_pool_request_memory_bytes_bucket{le="67108864.0",pool="www"} 1
        fpmd_pool_request_memory_bytes_bucket{le="134217728.0",pool="www"} 1
        fpmd_pool_request_memory_bytes_bucket{le="268435456.0",pool="www"} 1
        fpmd_pool_request_memory_bytes_bucket{le="536870912.0",pool="www"} 1
        fpmd_pool_request_memory_bytes_bucket{le="1073741824.0",pool="www"} 1
        fpmd_pool_request_memory_bytes_bucket{le="2147483648.0",pool="www"} 1
        fpmd_pool_request_memory_bytes_bucket{le="4294967296.0",pool="www"} 1
        fpmd_pool_request_memory_bytes_bucket{le="8589934592.0",pool="www"} 1
        fpmd_pool_request_memory_bytes_bucket{le="17179869184.0",pool="www"} 1
        fpmd_pool_request_memory_bytes_bucket{le="+Inf",pool="www"} 1
        # HELP fpmd_pool_queue_wait_seconds How long requests waited for a worker, as far as that is known
        # TYPE fpmd_pool_queue_wait_seconds histogram
        # UNIT fpmd_pool_queue_wait_seconds seconds
        # HELP fpmd_pool_queue_waits_unknown Requests that waited for a worker nobody knows how long
        # TYPE fpmd_pool_queue_waits_unknown counter
        fpmd_pool_queue_waits_unknown_total{pool="www"} 1
        fpmd_pool_queue_waits_unknown_total{pool="a\"b\\c"} 0
        # HELP fpmd_pool_workers_spawned Workers that were started
        # TYPE fpmd_pool_workers_spawned counter
        fpmd_pool_workers_spawned_total{pool="www"} 1
        fpmd_pool_workers_spawned_total{pool="a\"b\\c"} 0
        # HELP fpmd_pool_access_log_lines_lost Lines that are missing in the access log
        # TYPE fpmd_pool_access_log_lines_lost counter
        fpmd_pool_access_log_lines_lost_total{pool="www"} 0
        fpmd_pool_access_log_lines_lost_total{pool="a\"b\\c"} 0
        # HELP fpmd_pool_answers Answers by the class of their status
        # TYPE fpmd_pool_answers counter
        fpmd_pool_answers_total{pool="www",class="other"} 0
        fpmd_pool_answers_total{pool="www",class="1xx"} 0
        fpmd_pool_answers_total{pool="www",class="2xx"} 1
        fpmd_pool_answers_total{pool="www",class="3xx"} 0
        fpmd_pool_answers_total{pool="www",class="4xx"} 0
        fpmd_pool_answers_total{pool="www",class="5xx"} 0
        fpmd_pool_answers_total{pool="a\"b\\c",class="other"} 0
        fpmd_pool_answers_total{pool="a\"b\\c",class="1xx"} 0
        fpmd_pool_answers_total{pool="a\"b\\c",class="2xx"} 0
        fpmd_pool_answers_total{pool="a\"b\\c",class="3xx"} 0
        fpmd_pool_answers_total{pool="a\"b\\c",class="4xx"} 0
        fpmd_pool_answers_total{pool="a\"b\\c",class="5xx"} 0
        # HELP fpmd_pool_workers_ended Workers that have ended, by the reason
        # TYPE fpmd_pool_workers_ended counter
        fpmd_pool_workers_ended_total{pool="www",reason="max_requests"} 0
        fpmd_pool_workers_ended_total{pool="www",reason="max_memory"} 0
        fpmd_pool_workers_ended_total{pool="www",reason="idle"} 0
        fpmd_pool_workers_ended_total{pool="www",reason="reload"} 0
        fpmd_pool_workers_ended_total{pool="www",reason="orphaned"} 0
        fpmd_pool_workers_ended_total{pool="www",reason="terminate_timeout"} 0
        fpmd_pool_workers_ended_total{pool="www",reason="exited"} 0
        fpmd_pool_workers_ended_total{pool="www",reason="killed"} 1
        fpmd_pool_workers_ended_total{pool="a\"b\\c",reason="max_requests"} 0
        fpmd_pool_workers_ended_total{pool="a\"b\\c",reason="max_memory"} 0
        fpmd_pool_workers_ended_total{pool="a\"b\\c",reason="idle"} 0
        fpmd_pool_workers_ended_total{pool="a\"b\\c",reason="reload"} 0
        fpmd_pool_workers_ended_total{pool="a\"b\\c",reason="orphaned"} 0
        fpmd_pool_workers_ended_total{pool="a\"b\\c",reason="terminate_timeout"} 0
        fpmd_pool_workers_ended_total{pool="a\"b\\c",reason="exited"} 0
        fpmd_pool_workers_ended_total{pool="a\"b\\c",reason="killed"} 0
        # HELP fpmd_reload_duration_seconds How long reloads took that succeeded
        # TYPE fpmd_reload_duration_seconds histogram
        # UNIT fpmd_reload_duration_seconds seconds
        fpmd_reload_duration_seconds_sum 1.0
        fpmd_reload_duration_seconds_count 1
        fpmd_reload_duration_seconds_bucket{le="0.000016"} 0
        fpmd_reload_duration_seconds_bucket{le="0.000032"} 0
        fpmd_reload_duration_seconds_bucket{le="0.000064"} 0
        fpmd_reload_duration_seconds_bucket{le="0.000128"} 0
        fpmd_reload_duration_seconds_bucket{le="0.000256"} 0
        fpmd_reload_duration_seconds_bucket{le="0.000512"} 0
        fpmd_reload_duration_seconds_bucket{le="0.001024"} 0
        fpmd_reload_duration_seconds_bucket{le="0.002048"} 0
        fpmd_reload_duration_seconds_bucket{le="0.004096"} 0
        fpmd_reload_duration_seconds_bucket{le="0.008192"} 0
        fpmd_reload_duration_seconds_bucket{le="0.016384"} 0
        fpmd_reload_duration_seconds_bucket{le="0.032768"} 0
        fpmd_reload_duration_seconds_bucket{le="0.065536"} 0
        fpmd_reload_duration_seconds_bucket{le="0.131072"} 0
        fpmd_reload_duration_seconds_bucket{le="0.262144"} 0
        fpmd_reload_duration_seconds_bucket{le="0.524288"} 0
        fpmd_reload_duration_seconds_bucket{le="1.048576"} 1
        fpmd_reload_duration_seconds_bucket{le="2.097152"} 1
        fpmd_reload_duration_seconds_bucket{le="4.194304"} 1
        fpmd_reload_duration_seconds_bucket{le="8.388608"} 1
        fpmd_reload_duration_seconds_bucket{le="16.777216"} 1
        fpmd_reload_duration_seconds_bucket{le="33.554432"} 1
        fpmd_reload_duration_seconds_bucket{le="67.108864"} 1
        fpmd_reload_duration_seconds_bucket{le="134.217728"} 1
        fpmd_reload_duration_seconds_bucket{le="268.435456"} 1
        fpmd_reload_duration_seconds_bucket{le="536.870912"} 1
        fpmd_reload_duration_seconds_bucket{le="1073.741824"} 1
        fpmd_reload_duration_seconds_bucket{le="2147.483648"} 1
        fpmd_reload_duration_seconds_bucket{le="+Inf"} 1
        # HELP fpmd_reloads_failed Reloads that failed
        # TYPE fpmd_reloads_failed counter
        fpmd_reloads_failed_total 1
        # HELP fpmd_zygotes_lost Zygotes that ended before their time
        # TYPE fpmd_zygotes_lost counter
        fpmd_zygotes_lost_total 0
        # HELP fpmd_log_lines_lost Lines that are missing in the error log
        # TYPE fpmd_log_lines_lost counter
        fpmd_log_lines_lost_total 0
        # HELP fpmd_pool_workers Workers by what they are doing
        # TYPE fpmd_pool_workers gauge
        fpmd_pool_workers{pool="www",stage="starting"} 0
        fpmd_pool_workers{pool="www",stage="idle"} 3
        fpmd_pool_workers{pool="www",stage="active"} 2
        fpmd_pool_workers{pool="a\"b\\c",stage="starting"} 0
        fpmd_pool_workers{pool="a\"b\\c",stage="idle"} 3
        fpmd_pool_workers{pool="a\"b\\c",stage="active"} 2
        # HELP fpmd_pool_ready Whether /readyz says that the pool is ready
        # TYPE fpmd_pool_ready gauge
        fpmd_pool_ready{pool="www"} 1
        fpmd_pool_ready{pool="a\"b\\c"} 1
        # EOF
    "##]].assert_eq(&openmetrics(numbers()));
}

#[test]
fn every_number_is_in_the_manual() {
    let manual = include_str!("../../README.md");
    let text = openmetrics(numbers());
    let described = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    for line in described {
        let (name, kind) = line.split_once(' ').unwrap();
        let end = match kind {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        assert!(
            manual.contains(&format!("| `{name}{end}` | {kind} |")),
            "{line}"
        );
    }
}
