//! `apparmor_hat`: changing to a sub-profile of the AppArmor profile that the worker is confined by.
//!
//! Done through /proc, as libapparmor does it (aa_getcon(2), aa_change_profile(2)).
//!
//! Original: fpm_unix_init_child in sapi/fpm/fpm/fpm_unix.c.

use std::fs;
use std::io;
use std::path::Path;

use bstr::{BStr, BString, ByteSlice};

use super::BirthError;

/// AppArmor's own file, and the one that it shares with other security modules in older kernels.
const CURRENT: [&str; 2] = [
    "/proc/thread-self/attr/apparmor/current",
    "/proc/thread-self/attr/current",
];

/// Changes to the hat `hat` of the present profile.
pub(super) fn change_hat(hat: &BStr) -> Result<(), BirthError> {
    let file = CURRENT
        .into_iter()
        .find(|file| Path::new(file).exists())
        .unwrap_or(CURRENT[1]);
    let label = fs::read(file).map_err(BirthError::QueryConfinement)?;
    let profile = profile(&label)
        .ok_or_else(|| BirthError::QueryConfinement(io::Error::from(io::ErrorKind::InvalidData)))?;
    let hat: BString = [profile, b"//", hat].concat().into();
    let order = [b"changeprofile ", hat.as_slice()].concat();
    fs::write(file, order).map_err(|source| BirthError::ChangeConfinement {
        hat,
        profile: profile.into(),
        source,
    })
}

/// Takes the profile's name out of a label like `php-fpm (enforce)`.
fn profile(label: &[u8]) -> Option<&[u8]> {
    let label = label.trim_end_with(|byte| byte == '\n' || byte == '\0');
    let name = match label.rfind(b" (") {
        Some(mode) if label.ends_with(b")") => &label[..mode],
        _ => label,
    };
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles() {
        for (label, expected) in [
            (&b"php-fpm (enforce)\n"[..], Some(&b"php-fpm"[..])),
            (b"unconfined\n", Some(b"unconfined")),
            (b"/usr/sbin/php (x) (complain)", Some(b"/usr/sbin/php (x)")),
            (b"a//b (enforce)\0", Some(b"a//b")),
            (b"\n", None),
        ] {
            assert_eq!(profile(label), expected);
        }
    }
}
