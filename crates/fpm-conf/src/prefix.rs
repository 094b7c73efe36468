//! Where relative paths start: the pool's prefix, else the global one, else a folder of the PHP build.
//!
//! A changer must know: the empty path counts as relative, so it becomes the prefix and a slash.
//!
//! Original: sapi/fpm/fpm/fpm_conf.c (`fpm_evaluate_full_path`)

use bstr::{BStr, BString, ByteSlice};

use crate::options::BuildFolders;
use crate::report::text;

/// Knows the prefixes that do not depend on a pool.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prefixes<'a> {
    pub(crate) global: Option<&'a BStr>,
    pub(crate) build: &'a BuildFolders,
}

impl Prefixes<'_> {
    /// Makes a path absolute that belongs to no pool; `folder` is used when there is no global prefix.
    pub(crate) fn global(&self, path: &BStr, folder: &BStr) -> BString {
        if path.starts_with(b"/") {
            return path.to_owned();
        }
        text!(self.global.unwrap_or(folder), "/", path)
    }

    /// Makes a path of a pool absolute. A pool's prefix that is itself relative starts at the global one.
    pub(crate) fn pool(&self, path: &BStr, prefix: Option<&BStr>) -> BString {
        if path.starts_with(b"/") {
            return path.to_owned();
        }
        let joined = text!(self.above(prefix), "/", path);
        self.global(joined.as_bstr(), self.build.prefix.as_bstr())
    }

    /// Makes a `chroot` absolute: it may start with `$prefix`.
    ///
    /// # Errors
    /// `$prefix` stands elsewhere in it.
    pub(crate) fn chroot(
        &self,
        path: &BStr,
        prefix: Option<&BStr>,
    ) -> Result<BString, &'static str> {
        match path.find("$prefix") {
            Some(0) if path == "$prefix" => {
                let folder = self.above(prefix);
                Ok(self.global(folder, self.build.prefix.as_bstr()))
            }
            Some(0) => {
                let joined = text!(self.above(prefix), "/", path[b"$prefix".len()..]);
                Ok(self.global(joined.as_bstr(), self.build.prefix.as_bstr()))
            }
            Some(_) if !path.starts_with(b"/") => {
                Err("'$prefix' must be use at the beginning of the value")
            }
            _ => Ok(self.pool(path, prefix)),
        }
    }

    fn above<'p>(&'p self, prefix: Option<&'p BStr>) -> &'p BStr {
        prefix
            .or(self.global)
            .unwrap_or(self.build.prefix.as_bstr())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_paths_start_at_the_nearest_prefix() {
        let build = BuildFolders {
            prefix: "/php".into(),
            localstatedir: "/php/var".into(),
            sysconfdir: "/php/etc".into(),
        };
        let none = Prefixes {
            global: None,
            build: &build,
        };
        let global = Prefixes {
            global: Some("/g".into()),
            build: &build,
        };
        let relative = Prefixes {
            global: Some("g".into()),
            build: &build,
        };

        assert_eq!(none.global("x".into(), "/php/var".into()), "/php/var/x");
        assert_eq!(global.global("x".into(), "/php/var".into()), "/g/x");
        assert_eq!(global.global("/x".into(), "/php/var".into()), "/x");
        assert_eq!(none.global("".into(), "/php/var".into()), "/php/var/");
        assert_eq!(none.pool("x".into(), None), "/php/x");
        assert_eq!(global.pool("x".into(), Some("/p".into())), "/p/x");
        assert_eq!(global.pool("x".into(), Some("p".into())), "/g/p/x");
        assert_eq!(relative.pool("x".into(), None), "g/g/x");
        assert_eq!(none.pool("x".into(), Some("".into())), "/x");

        assert_eq!(
            global.chroot("$prefix".into(), Some("/p".into())),
            Ok("/p".into())
        );
        assert_eq!(global.chroot("$prefix/x".into(), None), Ok("/g//x".into()));
        assert_eq!(
            global.chroot("/x$prefix".into(), None),
            Ok("/x$prefix".into())
        );
        assert!(global.chroot("x$prefix".into(), None).is_err());
    }
}
