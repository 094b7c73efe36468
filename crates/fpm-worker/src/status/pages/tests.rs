//! Every format to the byte, as php-fpm 8.2.32 and 8.4.24 have answered, and to strict parsers.

use expect_test::expect;
use sapi::ProcessStatus;

use super::*;

const STARTED: u64 = 1_795_256_373;

fn status() -> PoolStatus {
    let process = |pid, state| ProcessStatus {
        pid,
        state,
        started: STARTED,
        since: 23,
        ..ProcessStatus::default()
    };
    PoolStatus {
        pool: b"www".to_vec(),
        manager: "static",
        started: STARTED,
        since: 24,
        accepted: 5,
        listen_queue: 1,
        max_listen_queue: 2,
        listen_queue_len: 511,
        idle: 1,
        active: 2,
        max_active: 3,
        max_children_reached: 4,
        slow_requests: 6,
        memory_peak: 2_097_152,
        processes: vec![
            process(18858, "Idle"),
            ProcessStatus {
                requests: 1,
                duration: 389_338,
                method: b"G<\"&E".to_vec(),
                uri: b"/s.php<>\"&'\xc3\xa9\x01".to_vec(),
                query: b"a=b\"c<>&/\xf0\x9f\x98\x80\\\xff".to_vec(),
                content_length: 42,
                user: b"<user>".to_vec(),
                script: b"/tmp/s.php".to_vec(),
                cpu: 12.345,
                memory: 4096,
                ..process(18859, "Running")
            },
        ],
    }
}

fn utc(seconds: u64) -> LocalTime {
    assert_eq!(seconds, STARTED);
    LocalTime {
        year: 2026,
        month: 11,
        day: 21,
        hour: 10,
        minute: 19,
        second: 33,
        utc_offset: 0,
    }
}

fn page_of(format: Format, detail: Detail, php: PhpVersion) -> String {
    let mut told = status();
    if detail == Detail::Pool {
        told.processes.clear();
    }
    let page = render(&told, Wanted { format, detail }, php, utc);
    // The text format shows the bytes of clients.
    String::from_utf8_lossy(&page).into_owned()
}

#[track_caller]
fn check(format: Format, detail: Detail, expected: &expect_test::Expect) {
    expected.assert_eq(&page_of(format, detail, PhpVersion::Php84));
}

#[test]
fn text() {
    check(
        Format::Text,
        Detail::Processes,
        &expect![[r#"
        pool:                 www
        process manager:      static
        start time:           21/Nov/2026:10:19:33 +0000
        start since:          24
        accepted conn:        5
        listen queue:         1
        max listen queue:     2
        listen queue len:     511
        idle processes:       1
        active processes:     2
        total processes:      3
        max active processes: 3
        max children reached: 4
        slow requests:        6
        memory peak:          2097152

        ************************
        pid:                  18858
        state:                Idle
        start time:           21/Nov/2026:10:19:33 +0000
        start since:          23
        requests:             0
        request duration:     0
        request method:       -
        request URI:          -
        content length:       0
        user:                 -
        script:               -
        last request cpu:     0.00
        last request memory:  0

        ************************
        pid:                  18859
        state:                Running
        start time:           21/Nov/2026:10:19:33 +0000
        start since:          23
        requests:             1
        request duration:     389338
        request method:       G<"&E
        request URI:          /s.php<>"&'é?a=b"c<>&/😀\�
        content length:       42
        user:                 <user>
        script:               /tmp/s.php
        last request cpu:     12.35
        last request memory:  4096
    "#]],
    );
}

#[test]
fn html() {
    check(
        Format::Html,
        Detail::Processes,
        &expect![[r#"
        <!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">
        <html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
        <head><title>PHP-FPM Status Page</title></head>
        <body>
        <table>
        <tr><th>pool</th><td>www</td></tr>
        <tr><th>process manager</th><td>static</td></tr>
        <tr><th>start time</th><td>21/Nov/2026:10:19:33 +0000</td></tr>
        <tr><th>start since</th><td>24</td></tr>
        <tr><th>accepted conn</th><td>5</td></tr>
        <tr><th>listen queue</th><td>1</td></tr>
        <tr><th>max listen queue</th><td>2</td></tr>
        <tr><th>listen queue len</th><td>511</td></tr>
        <tr><th>idle processes</th><td>1</td></tr>
        <tr><th>active processes</th><td>2</td></tr>
        <tr><th>total processes</th><td>3</td></tr>
        <tr><th>max active processes</th><td>3</td></tr>
        <tr><th>max children reached</th><td>4</td></tr>
        <tr><th>slow requests</th><td>6</td></tr>
        <tr><th>memory peak</th><td>2097152</td></tr>
        </table>
        <table border="1">
        <tr><th>pid</th><th>state</th><th>start time</th><th>start since</th><th>requests</th><th>request duration</th><th>request method</th><th>request uri</th><th>content length</th><th>user</th><th>script</th><th>last request cpu</th><th>last request memory</th></tr>
        <tr><td>18858</td><td>Idle</td><td>21/Nov/2026:10:19:33 +0000</td><td>23</td><td>0</td><td>0</td><td>-</td><td>-</td><td>0</td><td>-</td><td>-</td><td>0.00</td><td>0</td></tr>
        <tr><td>18859</td><td>Running</td><td>21/Nov/2026:10:19:33 +0000</td><td>23</td><td>1</td><td>389338</td><td>G&lt;&quot;&amp;E</td><td>/s.php&lt;&gt;&quot;&amp;'é�?a=b&quot;c&lt;&gt;&amp;/😀\�</td><td>42</td><td>&lt;user&gt;</td><td>/tmp/s.php</td><td>12.35</td><td>4096</td></tr>
        </table></body></html>"#]],
    );
}

#[test]
fn xml() {
    check(
        Format::Xml,
        Detail::Processes,
        &expect![[r#"
        <?xml version="1.0" ?>
        <status>
        <pool>www</pool>
        <process-manager>static</process-manager>
        <start-time>1795256373</start-time>
        <start-since>24</start-since>
        <accepted-conn>5</accepted-conn>
        <listen-queue>1</listen-queue>
        <max-listen-queue>2</max-listen-queue>
        <listen-queue-len>511</listen-queue-len>
        <idle-processes>1</idle-processes>
        <active-processes>2</active-processes>
        <total-processes>3</total-processes>
        <max-active-processes>3</max-active-processes>
        <max-children-reached>4</max-children-reached>
        <slow-requests>6</slow-requests>
        <memory-peak>2097152</memory-peak>
        <processes>
        <process><pid>18858</pid><state>Idle</state><start-time>1795256373</start-time><start-since>23</start-since><requests>0</requests><request-duration>0</request-duration><request-method>-</request-method><request-uri>-</request-uri><content-length>0</content-length><user>-</user><script>-</script><last-request-cpu>0.00</last-request-cpu><last-request-memory>0</last-request-memory></process>
        <process><pid>18859</pid><state>Running</state><start-time>1795256373</start-time><start-since>23</start-since><requests>1</requests><request-duration>389338</request-duration><request-method>G&lt;&quot;&amp;E</request-method><request-uri>/s.php&lt;&gt;&quot;&amp;'é�?a=b&quot;c&lt;&gt;&amp;/😀\�</request-uri><content-length>42</content-length><user>&lt;user&gt;</user><script>/tmp/s.php</script><last-request-cpu>12.35</last-request-cpu><last-request-memory>4096</last-request-memory></process>
        </processes>
        </status>"#]],
    );
}

#[test]
fn markup_is_well_formed_whatever_clients_say() {
    for detail in [Detail::Pool, Detail::Processes] {
        for format in [Format::Html, Format::Xml] {
            let page = page_of(format, detail, PhpVersion::Php84);
            let options = roxmltree::ParsingOptions {
                allow_dtd: true,
                ..Default::default()
            };
            let page = roxmltree::Document::parse_with_options(&page, options).unwrap();
            let texts: Vec<_> = page.descendants().filter_map(|node| node.text()).collect();
            assert!(texts.contains(&"2097152"));
            let uri = "/s.php<>\"&'é\u{fffd}?a=b\"c<>&/😀\\\u{fffd}";
            assert_eq!(texts.contains(&uri), detail == Detail::Processes);
        }
    }
}

#[test]
fn json() {
    check(
        Format::Json,
        Detail::Processes,
        &expect![[
            r#"{"pool":"www","process manager":"static","start time":1795256373,"start since":24,"accepted conn":5,"listen queue":1,"max listen queue":2,"listen queue len":511,"idle processes":1,"active processes":2,"total processes":3,"max active processes":3,"max children reached":4,"slow requests":6,"memory peak":2097152, "processes":[{"pid":18858,"state":"Idle","start time":1795256373,"start since":23,"requests":0,"request duration":0,"request method":"-","request uri":"-","content length":0,"user":"-","script":"-","last request cpu":0.00,"last request memory":0},{"pid":18859,"state":"Running","start time":1795256373,"start since":23,"requests":1,"request duration":389338,"request method":"G<\"&E","request uri":"\/s.php<>\"&'\u00e9\u0001?a=b\"c<>&\/\ud83d\ude00\\","content length":42,"user":"<user>","script":"/tmp/s.php","last request cpu":12.35,"last request memory":4096}]}"#
        ]],
    );
    for detail in [Detail::Pool, Detail::Processes] {
        let page = page_of(Format::Json, detail, PhpVersion::Php84);
        let page: serde_json::Value = serde_json::from_str(&page).unwrap();
        assert_eq!(page["memory peak"], 2_097_152);
        if detail == Detail::Processes {
            let process = &page["processes"][1];
            assert_eq!(process["request uri"], "/s.php<>\"&'é\u{1}?a=b\"c<>&/😀\\");
            assert_eq!(process["user"], "<user>");
        }
    }
}

#[test]
fn openmetrics() {
    check(
        Format::OpenMetrics,
        Detail::Pool,
        &expect![[r#"
        # HELP phpfpm_up Could pool www using a static PM on PHP-FPM be reached?
        # TYPE phpfpm_up gauge
        phpfpm_up 1
        # HELP phpfpm_start_since The number of seconds since FPM has started.
        # TYPE phpfpm_start_since counter
        phpfpm_start_since 24
        # HELP phpfpm_accepted_connections The number of requests accepted by the pool.
        # TYPE phpfpm_accepted_connections counter
        phpfpm_accepted_connections 5
        # HELP phpfpm_listen_queue The number of requests in the queue of pending connections.
        # TYPE phpfpm_listen_queue gauge
        phpfpm_listen_queue 1
        # HELP phpfpm_max_listen_queue The maximum number of requests in the queue of pending connections since FPM has started.
        # TYPE phpfpm_max_listen_queue counter
        phpfpm_max_listen_queue 2
        # TYPE phpfpm_listen_queue_length gauge
        # HELP phpfpm_listen_queue_length The size of the socket queue of pending connections.
        phpfpm_listen_queue_length 511
        # HELP phpfpm_idle_processes The number of idle processes.
        # TYPE phpfpm_idle_processes gauge
        phpfpm_idle_processes 1
        # HELP phpfpm_active_processes The number of active processes.
        # TYPE phpfpm_active_processes gauge
        phpfpm_active_processes 2
        # HELP phpfpm_total_processes The number of idle + active processes.
        # TYPE phpfpm_total_processes gauge
        phpfpm_total_processes 3
        # HELP phpfpm_max_active_processes The maximum number of active processes since FPM has started.
        # TYPE phpfpm_max_active_processes counter
        phpfpm_max_active_processes 3
        # HELP phpfpm_max_children_reached The number of times, the process limit has been reached, when pm tries to start more children (works only for pm 'dynamic' and 'ondemand').
        # TYPE phpfpm_max_children_reached counter
        phpfpm_max_children_reached 4
        # HELP phpfpm_slow_requests The number of requests that exceeded your 'request_slowlog_timeout' value.
        # TYPE phpfpm_slow_requests counter
        phpfpm_slow_requests 6
        # HELP phpfpm_memory_peak The memory usage peak since FPM has started.
        # TYPE phpfpm_memory_peak gauge
        phpfpm_memory_peak 2097152
        # EOF
    "#]],
    );
    assert_eq!(
        page_of(Format::OpenMetrics, Detail::Processes, PhpVersion::Php84),
        page_of(Format::OpenMetrics, Detail::Pool, PhpVersion::Php84)
    );
}

#[test]
fn php_8_2_tells_no_memory_peak() {
    for format in [
        Format::Text,
        Format::Html,
        Format::Xml,
        Format::Json,
        Format::OpenMetrics,
    ] {
        let [old, new] =
            [PhpVersion::Php82, PhpVersion::Php84].map(|php| page_of(format, Detail::Pool, php));
        assert!(!old.contains("peak") && new.contains("2097152"), "{old}");
        assert!(old.len() < new.len());
    }
}

#[test]
fn what_is_told_of_the_pool_is_the_same_with_and_without_processes() {
    for (format, last, closing) in [
        (Format::Text, "memory peak:          2097152\n", ""),
        (Format::Html, "</table>\n", "</body></html>"),
        (
            Format::Xml,
            "<memory-peak>2097152</memory-peak>\n",
            "</status>",
        ),
        (Format::Json, "\"memory peak\":2097152", "}"),
    ] {
        let [short, full] = [Detail::Pool, Detail::Processes]
            .map(|detail| page_of(format, detail, PhpVersion::Php84));
        let pool = short.strip_suffix(closing).unwrap_or_default();
        assert!(pool.ends_with(last), "{short}");
        assert!(full.starts_with(pool), "{full}");
    }
}
