//! Takes statements into the draft: which directive they are, and what is wrong with them.
//!
//! Original: sapi/fpm/fpm/fpm_conf.c (`fpm_conf_ini_parser_entry`, `fpm_conf_ini_parser_array`)

use bstr::{BStr, BString, ByteSlice};

use crate::Rlimit;
use crate::directive::{self, Directive};
use crate::draft::{Draft, DraftPool};
use crate::items::{Sections, Stopped};
use crate::options::LoadOptions;
use crate::report::text;
use crate::value::{self, Reason};

/// Writes a draft.
pub(crate) struct DraftSections<'a> {
    pub(crate) draft: Draft,
    pub(crate) options: &'a LoadOptions,
    /// What is wrong with the statement that was refused; the source knows where it stands.
    pub(crate) refusals: Vec<BString>,
}

impl DraftSections<'_> {
    fn refuse(&mut self, reason: BString) -> Result<(), Stopped> {
        self.refusals.push(reason);
        Err(Stopped)
    }

    /// Finds the row of a directive, in any case.
    fn find<S>(
        &self,
        table: &'static [Directive<S>],
        name: &BStr,
    ) -> Option<&'static Directive<S>> {
        let known =
            |row: &&Directive<S>| row.feature.is_none_or(|feature| self.options.has(feature));
        table
            .iter()
            .filter(known)
            .find(|row| name.eq_ignore_ascii_case(row.name.as_bytes()))
    }

    fn set<S>(
        &mut self,
        row: Option<&'static Directive<S>>,
        name: &BStr,
        set: impl FnOnce(&Directive<S>, &mut Draft) -> Result<(), Reason>,
    ) -> Result<(), Stopped> {
        let Some(row) = row else {
            return self.refuse(text!("unknown entry '", name, "'"));
        };
        set(row, &mut self.draft).or_else(|reason| {
            self.refuse(text!(
                "unable to parse value for entry '",
                row.name,
                "': ",
                reason
            ))
        })
    }

    /// Checks what `access.suppress_path[]` wants; both complaints are made.
    fn suppress_path(&mut self, key: &BStr, value: &BStr) -> Result<(), Stopped> {
        if !key.is_empty() {
            self.refusals
                .push("Keys provided to field 'access.suppress_path' are ignored".into());
        }
        if !value.starts_with(b"/") {
            self.refusals
                .push("Values provided to field 'access.suppress_path' must begin with '/'".into());
        }
        if self.refusals.is_empty() {
            Ok(())
        } else {
            Err(Stopped)
        }
    }
}

impl Sections for DraftSections<'_> {
    fn open(&mut self, name: &BStr) -> Result<(), Stopped> {
        self.draft.open_section(name);
        Ok(())
    }

    fn entry(&mut self, name: &BStr, value: &BStr) -> Result<(), Stopped> {
        match self.draft.current {
            None => {
                let row = self.find(directive::GLOBAL, name);
                self.set(row, name, |row, draft| {
                    row.set(&mut draft.global, value, None)
                })
            }
            Some(current) => {
                let row = self.find(directive::POOL, name);
                self.set(row, name, |row, draft| {
                    let pool = &mut draft.pools[current];
                    let pool_name = pool.name.clone();
                    row.set(pool, value, Some(pool_name.as_bstr()))
                })
            }
        }
    }

    fn element(&mut self, name: &BStr, key: &BStr, value: &BStr) -> Result<(), Stopped> {
        if name == "access.suppress_path" {
            self.suppress_path(key, value)?;
        } else if key.is_empty() {
            return self.refuse(text!("You must provide a key for field '", name, "'"));
        }
        let Some(current) = self.draft.current else {
            return self.refuse("Array are not allowed in the global section".into());
        };
        if name == "env" && value.is_empty() {
            return self.refuse("empty value".into());
        }
        let pool = &mut self.draft.pools[current];
        match append(pool, name, key, value) {
            Some(Ok(())) => Ok(()),
            Some(Err(reason)) => self.refuse(text!(
                "error while parsing '",
                name,
                "[",
                key,
                "]' : ",
                reason
            )),
            None => self.refuse(text!("unknown directive '", name, "'")),
        }
    }
}

/// Appends to one of the lists of a pool; `None` when there is no list of that name. Flags are stored as `1` and `0`.
fn append(
    pool: &mut DraftPool,
    name: &BStr,
    key: &BStr,
    value: &BStr,
) -> Option<Result<(), Reason>> {
    if name == "rlimit" {
        let limit = Rlimit::parse(key, value);
        return Some(limit.map(|limit| limit.add_to(&mut pool.rlimit)));
    }
    let flag = || value::boolean(value).map(|on| BString::from(if on { "1" } else { "0" }));
    let text = || value::string(value, Some(pool.name.as_bstr()));
    let value = match name.as_bytes() {
        b"php_flag" | b"php_admin_flag" => flag(),
        _ => text(),
    };
    let list = match name.as_bytes() {
        b"env" => &mut pool.env,
        b"php_value" | b"php_flag" => &mut pool.php_value,
        b"php_admin_value" | b"php_admin_flag" => &mut pool.php_admin_value,
        b"access.suppress_path" => {
            return Some(value.map(|path| pool.access_suppress_path.push(path)));
        }
        _ => return None,
    };
    Some(value.map(|value| list.push((key.to_owned(), value))))
}
