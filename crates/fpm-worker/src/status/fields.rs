//! What a status page tells, field by field in their order.

use fpm_conf::PhpVersion;
use sapi::{PoolStatus, ProcessStatus};

/// What stands for a text that is not known.
const NOTHING: &[u8] = b"-";

/// One name and its value.
pub(super) struct Field<'a> {
    pub(super) name: &'static str,
    pub(super) value: Value<'a>,
}

/// The kinds of values; each format writes them in its own way.
pub(super) enum Value<'a> {
    Text(&'a [u8]),
    /// A request URI, to be shown with its query string.
    Uri {
        uri: &'a [u8],
        query: &'a [u8],
    },
    Number(u64),
    /// A number that a client has chosen.
    Signed(i64),
    Percent(f64),
    /// Seconds since 1970.
    Time(u64),
}

/// Returns what is told of a pool.
pub(super) fn of_pool(status: &PoolStatus, php: PhpVersion) -> Vec<Field<'_>> {
    use Value::{Number, Text, Time};
    let mut fields = vec![
        field("pool", Text(&status.pool)),
        field("process manager", Text(status.manager.as_bytes())),
        field("start time", Time(status.started)),
        field("start since", Number(status.since)),
        field("accepted conn", Number(status.accepted)),
        field("listen queue", Number(status.listen_queue)),
        field("max listen queue", Number(status.max_listen_queue)),
        field("listen queue len", Number(status.listen_queue_len)),
        field("idle processes", Number(status.idle)),
        field("active processes", Number(status.active)),
        field("total processes", Number(status.idle + status.active)),
        field("max active processes", Number(status.max_active)),
        field("max children reached", Number(status.max_children_reached)),
        field("slow requests", Number(status.slow_requests)),
    ];
    if php >= PhpVersion::Php84 {
        fields.push(field("memory peak", Number(status.memory_peak)));
    }
    fields
}

/// Returns what is told of a process.
pub(super) fn of_process(process: &ProcessStatus) -> [Field<'_>; 13] {
    use Value::{Number, Percent, Signed, Text, Time, Uri};
    [
        field("pid", Signed(process.pid.into())),
        field("state", Text(process.state.as_bytes())),
        field("start time", Time(process.started)),
        field("start since", Number(process.since)),
        field("requests", Number(process.requests)),
        field("request duration", Number(process.duration)),
        field("request method", Text(or_nothing(&process.method))),
        field(
            "request uri",
            Uri {
                uri: or_nothing(&process.uri),
                query: &process.query,
            },
        ),
        field("content length", Signed(process.content_length)),
        field("user", Text(or_nothing(&process.user))),
        field("script", Text(or_nothing(&process.script))),
        field("last request cpu", Percent(process.cpu)),
        field("last request memory", Number(process.memory)),
    ]
}

fn field<'a>(name: &'static str, value: Value<'a>) -> Field<'a> {
    Field { name, value }
}

fn or_nothing(text: &[u8]) -> &[u8] {
    if text.is_empty() { NOTHING } else { text }
}
