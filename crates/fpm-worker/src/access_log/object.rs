//! `access.format = json`: a line is one JSON object, as long as it has to be.
//!
//! Rule: the names of the fields and their order are a promise (conf/pool.d/www.conf); what is not known is left out.

use fpm_os::clock::CpuTimes;

use super::Writer;
use super::entry::Entry;
use crate::json::Object;

/// Returns the line of an entry. `cpu` is what the request has used.
pub(super) fn compose(entry: &Entry<'_>, writer: &Writer, cpu: CpuTimes) -> Vec<u8> {
    let (request, cost) = (&entry.request, &entry.cost);
    let mut object = Object::new();
    object.time("time", entry.ended);
    object.text("level", b"notice");
    object.text("pool", &writer.pool);
    object.number("pid", writer.process);
    object.number("generation", writer.generation);
    object.text("request_id", entry.id);
    if let Some(client) = entry.client {
        object.text("client", client.to_canonical().to_string().as_bytes());
    }
    for (name, text) in [
        ("user", request.user),
        ("method", request.method),
        ("uri", request.uri),
        ("query", request.query),
        ("script", request.script),
    ] {
        if !text.is_empty() {
            object.text(name, text);
        }
    }
    object.number("status", entry.status);
    object.seconds("duration", cost.duration);
    object.seconds("cpu_user", cpu.user);
    object.seconds("cpu_system", cpu.system);
    object.number("memory", cost.memory);
    if let Some(waited) = entry.waited {
        object.seconds("queue_wait", waited);
    }
    object.line()
}
