//! `process.cpu_affinity`: the worker is bound to its CPUs.

use bstr::ByteSlice;
use fpm_conf::{LogLevel, Pool};
use fpm_os::cpus;

use super::said_of;
use super::words::FirstWords;

/// Binds this process to the CPUs of the worker in this slot of the pool with this index. One that cannot be bound runs everywhere.
///
/// The index keeps the first workers of many small pools from meeting on one CPU.
pub(super) fn bind(pool: &Pool, index: u32, slot: u32, words: &mut FirstWords) {
    let Some(affinity) = &pool.process_cpu_affinity else {
        return;
    };
    let number = usize::try_from(u64::from(index) + u64::from(slot)).unwrap_or_default();
    let bound = cpus::allowed().and_then(|allowed| {
        let own = affinity.of_worker(number, &allowed);
        cpus::bind(&own)
    });
    if let Err(error) = bound {
        let text = format!("failed to bind the child to its CPUs (process.cpu_affinity): {error}");
        words.say(LogLevel::Warning, &said_of(pool.name.as_bstr(), &text));
    }
}
