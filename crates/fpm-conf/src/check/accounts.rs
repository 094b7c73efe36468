//! What only `-t` looks at: do the users and groups exist, is the socket's path short enough.
//!
//! Original: sapi/fpm/fpm/fpm_unix.c (`fpm_unix_test_config`)

use std::io;

use bstr::{BStr, BString, ByteSlice};

use super::{Check, Checked};
use crate::items::Stopped;
use crate::report::text;
use crate::{Accounts, ListenAddress, LogLevel, PhpVersion};

/// Size of `sun_path` on Linux (unix(7)), with the NUL that ends it.
const SOCKET_PATH: usize = 108;

/// Whether the system's reason is printed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reason {
    Hidden,
    Shown,
}

type Find = fn(&dyn Accounts, &BStr) -> io::Result<()>;
const USER: (Find, &str) = (
    |accounts, name| accounts.find_user(name),
    "cannot get uid for user '",
);
const GROUP: (Find, &str) = (
    |accounts, name| accounts.find_group(name),
    "cannot get gid for group '",
);

impl Check<'_> {
    /// Checks all pools; the first failure is the last thing that is said.
    pub(crate) fn accounts(&mut self) -> Checked {
        for index in 0..self.draft.pools.len() {
            let pool = &self.draft.pools[index];
            let (user, group) = (pool.user.clone(), pool.group.clone());
            let (owner, owner_group) = (pool.listen_owner.clone(), pool.listen_group.clone());
            self.account(index, USER, user, Reason::Hidden)?;
            self.account(index, GROUP, group, Reason::Hidden)?;
            if self.options.php != PhpVersion::Php82 {
                self.socket_path(index)?;
            }
            self.account(index, USER, owner, Reason::Shown)?;
            self.account(index, GROUP, owner_group, Reason::Shown)?;
        }
        Ok(())
    }

    /// Looks a name up, unless it is a number; the empty name counts as one.
    fn account(
        &mut self,
        index: usize,
        (find, complaint): (Find, &str),
        name: Option<BString>,
        reason: Reason,
    ) -> Checked {
        let Some(name) = name.filter(|name| !name.iter().all(u8::is_ascii_digit)) else {
            return Ok(());
        };
        let Err(error) = find(self.around.accounts, name.as_bstr()) else {
            return Ok(());
        };
        let complaint = self.of_pool(index, &text!(complaint, name, "'"));
        match reason {
            Reason::Hidden => self.report.log(LogLevel::Error, complaint),
            Reason::Shown => self.report.system_error(complaint, &error),
        }
        Err(Stopped)
    }

    fn socket_path(&mut self, index: usize) -> Checked {
        let Some(listen) = &self.draft.pools[index].listen else {
            return Ok(());
        };
        let ListenAddress::Unix(path) = ListenAddress::parse(listen.as_bstr()) else {
            return Ok(());
        };
        let length = path.len();
        if length < SOCKET_PATH {
            return Ok(());
        }
        let complaint = text!(
            "cannot bind to UNIX socket '",
            path,
            "' as path is too long (found length: ",
            length.to_string(),
            ", maximal length: ",
            SOCKET_PATH.to_string(),
            ")"
        );
        let complaint = self.of_pool(index, &complaint);
        // The original prints whatever errno was left over; nothing has failed here.
        self.report
            .system_error(complaint, &io::Error::from_raw_os_error(0));
        Err(Stopped)
    }
}
