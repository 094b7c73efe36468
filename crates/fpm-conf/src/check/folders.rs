//! `chroot` and `chdir`.
//!
//! Original: sapi/fpm/fpm/fpm_conf.c (`fpm_conf_process_all_pools`)

use bstr::{BString, ByteSlice};

use super::{Check, Checked};
use crate::LogLevel;
use crate::draft::non_empty;
use crate::report::text;

impl Check<'_> {
    pub(super) fn chroot(&mut self, index: usize) -> Checked {
        let pool = &self.draft.pools[index];
        let Some(path) = non_empty(&pool.chroot) else {
            return Ok(());
        };
        let path = match self
            .prefixes
            .chroot(path, pool.prefix.as_ref().map(|prefix| prefix.as_bstr()))
        {
            Ok(path) => path,
            Err(complaint) => {
                // Not the end yet: the path is not absolute, which is the next complaint.
                self.report.log(LogLevel::Error, complaint);
                path.to_owned()
            }
        };
        self.pool_mut(index).chroot = Some(path.clone());
        self.starts_with_slash(index, "chroot", &path)?;
        if self.around.files.is_dir(path.as_bstr()) {
            return Ok(());
        }
        let complaint = text!(
            "the chroot path '",
            path,
            "' does not exist or is not a directory"
        );
        self.fail_pool(index, LogLevel::Error, complaint)
    }

    pub(super) fn chdir(&mut self, index: usize) -> Checked {
        let Some(path) = self
            .expanded(index, &self.draft.pools[index].chdir)
            .filter(|path| !path.is_empty())
        else {
            return Ok(());
        };
        self.pool_mut(index).chdir = Some(path.clone());
        self.starts_with_slash(index, "chdir", &path)?;
        let (seen, within) = match &self.draft.pools[index].chroot {
            Some(chroot) => {
                let seen = text!(chroot, "/", path);
                let within = text!(" within the chroot path '", chroot, "' ('", seen, "')");
                (seen, within)
            }
            None => (path.clone(), BString::default()),
        };
        if self.around.files.is_dir(seen.as_bstr()) {
            return Ok(());
        }
        let complaint = text!(
            "the chdir path '",
            path,
            "'",
            within,
            " does not exist or is not a directory"
        );
        self.fail_pool(index, LogLevel::Error, complaint)
    }

    fn starts_with_slash(&mut self, index: usize, directive: &str, path: &BString) -> Checked {
        if path.starts_with(b"/") {
            return Ok(());
        }
        let complaint = text!(
            "the ",
            directive,
            " path '",
            path,
            "' must start with a '/'"
        );
        self.fail_pool(index, LogLevel::Error, complaint)
    }
}
