//! POSIX access control lists of files, as the kernel keeps them: the extended attribute `system.posix_acl_access`.
//!
//! Rule: the kernel takes entries in one order only, which `Entry` sorts by (linux/posix_acl.h,
//! linux/posix_acl_xattr.h). No libacl, so that none has to be there at run time.

use std::ffi::{CStr, CString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::unistd::{Gid, Uid};

use crate::error::{OsError, errno_of};

const ATTRIBUTE: &CStr = c"system.posix_acl_access";
const VERSION: u32 = 2;
/// Length of the version, and of an entry.
const HEADER: usize = 4;
const ENTRY: usize = 8;
/// The id of entries that need none.
const NO_ID: u32 = u32::MAX;

const OWNER: u16 = 0x01;
const USER: u16 = 0x02;
const OWNING_GROUP: u16 = 0x04;
const GROUP: u16 = 0x08;
const MASK: u16 = 0x10;
const OTHERS: u16 = 0x20;

const READ_WRITE: u16 = 6;

/// One entry; the order of the fields makes the kernel's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    tag: u16,
    id: u32,
    permissions: u16,
}

/// Lets users and groups read and write a file, besides those who may already.
///
/// # Errors
/// [`OsError::ReadAcl`] when the file system has no access control lists, [`OsError::WriteAcl`].
pub fn allow(path: &Path, users: &[Uid], groups: &[Gid]) -> Result<(), OsError> {
    let unreadable = |error: io::Error| OsError::ReadAcl {
        path: path.to_owned(),
        errno: errno_of(&error),
    };
    let name = CString::new(path.as_os_str().as_bytes()).map_err(|_| OsError::ReadAcl {
        path: path.to_owned(),
        errno: Errno::EINVAL,
    })?;
    let before = match read(&name).map_err(unreadable)? {
        Some(value) => decode(&value),
        None => from_mode(fs::metadata(path).map_err(unreadable)?.permissions().mode()),
    };
    write(&name, &encode(&extended(before, users, groups))).map_err(|error| OsError::WriteAcl {
        path: path.to_owned(),
        errno: errno_of(&error),
    })
}

/// Adds users and groups, and a mask that takes nothing from anybody.
fn extended(mut entries: Vec<Entry>, users: &[Uid], groups: &[Gid]) -> Vec<Entry> {
    let users = users.iter().map(|uid| (USER, uid.as_raw()));
    let groups = groups.iter().map(|gid| (GROUP, gid.as_raw()));
    for (tag, id) in users.chain(groups) {
        entries.retain(|entry| (entry.tag, entry.id) != (tag, id));
        entries.push(Entry {
            tag,
            id,
            permissions: READ_WRITE,
        });
    }
    entries.retain(|entry| entry.tag != MASK);
    let masked = entries
        .iter()
        .filter(|entry| [USER, OWNING_GROUP, GROUP].contains(&entry.tag));
    entries.push(Entry {
        tag: MASK,
        id: NO_ID,
        permissions: masked.fold(0, |all, entry| all | entry.permissions),
    });
    entries.sort_unstable();
    entries
}

/// The list of a file that has none but its permission bits.
fn from_mode(mode: u32) -> Vec<Entry> {
    [(OWNER, 6), (OWNING_GROUP, 3), (OTHERS, 0)]
        .map(|(tag, shift)| Entry {
            tag,
            id: NO_ID,
            permissions: u16::from((mode >> shift).to_le_bytes()[0] & 7),
        })
        .to_vec()
}

fn decode(value: &[u8]) -> Vec<Entry> {
    let (entries, _) = value.get(HEADER..).unwrap_or_default().as_chunks::<ENTRY>();
    entries
        .iter()
        .map(|&[t0, t1, p0, p1, i0, i1, i2, i3]| Entry {
            tag: u16::from_le_bytes([t0, t1]),
            id: u32::from_le_bytes([i0, i1, i2, i3]),
            permissions: u16::from_le_bytes([p0, p1]),
        })
        .collect()
}

fn encode(entries: &[Entry]) -> Vec<u8> {
    let mut value = VERSION.to_le_bytes().to_vec();
    for entry in entries {
        value.extend(entry.tag.to_le_bytes());
        value.extend(entry.permissions.to_le_bytes());
        value.extend(entry.id.to_le_bytes());
    }
    value
}

/// Reads the attribute; `None` when the file has only permission bits.
fn read(path: &CStr) -> io::Result<Option<Vec<u8>>> {
    // 64 KiB is the largest value of any attribute (xattr(7)).
    let mut value = vec![0; 65536];
    // SAFETY: the names end with NUL, and `value` is a place of as many bytes as is said.
    let len = unsafe {
        libc::getxattr(
            path.as_ptr(),
            ATTRIBUTE.as_ptr(),
            value.as_mut_ptr().cast(),
            value.len(),
        )
    };
    match usize::try_from(len) {
        Ok(len) => {
            value.truncate(len);
            Ok(Some(value))
        }
        Err(_) => match io::Error::last_os_error() {
            error if error.raw_os_error() == Some(libc::ENODATA) => Ok(None),
            error => Err(error),
        },
    }
}

fn write(path: &CStr, value: &[u8]) -> io::Result<()> {
    // SAFETY: the names end with NUL, and `value` has as many bytes as is said.
    let result = unsafe {
        libc::setxattr(
            path.as_ptr(),
            ATTRIBUTE.as_ptr(),
            value.as_ptr().cast(),
            value.len(),
            0,
        )
    };
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The list as getfacl(1) would write it, with numbers.
    fn text(entries: &[Entry]) -> String {
        let line = |entry: &Entry| {
            let id = Some(entry.id).filter(|id| *id != NO_ID);
            let id = id.map_or_else(String::new, |id| id.to_string());
            format!("{:#x}:{id}:{}", entry.tag, entry.permissions)
        };
        entries.iter().map(line).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_list_begins_with_the_permission_bits_and_is_in_the_kernels_order() {
        let users = [7, 3, 7].map(Uid::from_raw);
        let entries = extended(from_mode(0o140_640), &users, &[Gid::from_raw(5)]);
        assert_eq!(
            text(&entries),
            "0x1::6 0x2:3:6 0x2:7:6 0x4::4 0x8:5:6 0x10::6 0x20::0"
        );
        assert_eq!(decode(&encode(&entries)), entries);
    }

    #[test]
    fn what_a_file_gets_adds_to_what_it_has() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        allow(&path, &[Uid::from_raw(3)], &[]).unwrap();
        allow(&path, &[], &[Gid::from_raw(9)]).unwrap();
        let name = CString::new(path.as_os_str().as_bytes()).unwrap();
        let entries = decode(&read(&name).unwrap().unwrap());
        assert_eq!(
            text(&entries),
            "0x1::6 0x2:3:6 0x4::0 0x8:9:6 0x10::6 0x20::0"
        );
    }

    #[test]
    fn a_file_that_is_gone() {
        let error = allow(Path::new("/no/such/file"), &[Uid::from_raw(3)], &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "failed to read the ACL of the socket '/no/such/file': No such file or directory (2)"
        );
    }
}
