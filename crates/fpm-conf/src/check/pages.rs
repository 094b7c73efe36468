//! The status and ping pages: their paths and the answer to a ping.
//!
//! Original: sapi/fpm/fpm/fpm_conf.c (`fpm_conf_process_all_pools`)

use bstr::{BStr, BString};

use super::{Check, Checked};
use crate::LogLevel;
use crate::draft::non_empty;
use crate::report::text;

impl Check<'_> {
    pub(super) fn status_path(&mut self, index: usize) -> Checked {
        let pool = &self.draft.pools[index];
        let Some(path) = non_empty(&pool.pm_status_path) else {
            return Ok(());
        };
        // "/" alone would take every request's path when it shares an address with scripts.
        let shortest = if pool.pm_status_listen.is_some() || pool.status_of.is_some() {
            1
        } else {
            2
        };
        match page_path("status", path, shortest) {
            Ok(()) => Ok(()),
            Err(complaint) => self.fail_pool(index, LogLevel::Error, complaint),
        }
    }

    pub(super) fn ping(&mut self, index: usize) -> Checked {
        let pool = &mut self.draft.pools[index];
        let Some(path) = non_empty(&pool.ping_path) else {
            pool.ping_response = None;
            return Ok(());
        };
        if let Err(complaint) = page_path("ping", path, 2) {
            return self.fail_pool(index, LogLevel::Error, complaint);
        }
        let response = pool.ping_response.get_or_insert_with(|| "pong".into());
        if response.is_empty() {
            return self.fail_pool(
                index,
                LogLevel::Error,
                "the ping response page '' is not long enough",
            );
        }
        Ok(())
    }
}

/// Checks the path of the page called `page`, which has to have at least `shortest` bytes.
fn page_path(page: &str, path: &BStr, shortest: usize) -> Result<(), BString> {
    let complaint = if !path.starts_with(b"/") {
        "must start with a '/'"
    } else if path.len() < shortest {
        "is not long enough"
    } else if !path
        .iter()
        .all(|b| b.is_ascii_alphanumeric() || b"/-_.~".contains(b))
    {
        "must contain only the following characters '[alphanum]/_-.~'"
    } else {
        return Ok(());
    };
    Err(text!("the ", page, " path '", path, "' ", complaint))
}
