//! Anonymous files in memory: payloads that the receiver knows can no longer change.
//!
//! Rule: a payload is sealed completely before it is sent, and its seals are checked before it is read.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::fs::FileExt;

use nix::fcntl::{FcntlArg, SealFlag, fcntl};

/// All that a payload must carry: its bytes and its length are fixed for ever.
const FROZEN: SealFlag = SealFlag::F_SEAL_WRITE
    .union(SealFlag::F_SEAL_GROW)
    .union(SealFlag::F_SEAL_SHRINK)
    .union(SealFlag::F_SEAL_SEAL);

/// Writes `bytes` into a new memory file that nobody can change; `name` is what /proc shows for it.
///
/// # Errors
/// What memfd_create(2), write(2) and fcntl(2) answer.
pub fn freeze(name: &str, bytes: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(create(name)?);
    file.write_all(bytes)?;
    fcntl(&file, FcntlArg::F_ADD_SEALS(FROZEN))?;
    Ok(OwnedFd::from(file))
}

/// Reads a whole payload made by [`freeze`], at most `limit` bytes.
///
/// # Errors
/// EINVAL when it is not sealed (its sender could change it while it is read), EFBIG when it is larger than
/// `limit`, and what pread(2) answers.
pub fn read_frozen(payload: OwnedFd, limit: usize) -> io::Result<Vec<u8>> {
    let seals = fcntl(&payload, FcntlArg::F_GET_SEALS)?;
    if !SealFlag::from_bits_retain(seals).contains(FROZEN) {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    let file = File::from(payload);
    let len = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    if len > limit {
        return Err(io::Error::from_raw_os_error(libc::EFBIG));
    }
    let mut bytes = vec![0; len];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

/// Creates an empty memory file to which seals can be added.
pub(crate) fn create(name: &str) -> io::Result<OwnedFd> {
    let name = CString::new(name)?;
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // Since Linux 6.3 the kernel wants to be told that nothing will be executed from the file, and with
    // vm.memfd_noexec=2 it insists; older kernels do not know the flag.
    match memfd_create(&name, flags | libc::MFD_NOEXEC_SEAL) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => memfd_create(&name, flags),
        other => other,
    }
}

/// Calls memfd_create(2); nix knows no MFD_NOEXEC_SEAL.
fn memfd_create(name: &CString, flags: libc::c_uint) -> io::Result<OwnedFd> {
    // SAFETY: `name` is NUL-terminated and lives during the call.
    let fd = unsafe { libc::memfd_create(name.as_ptr(), flags) };
    if fd == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_arrives_as_it_was() {
        for len in [0, 1, 70_000] {
            let bytes: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
            assert_eq!(
                read_frozen(freeze("test", &bytes).unwrap(), 70_000).unwrap(),
                bytes
            );
        }
    }

    #[test]
    fn a_payload_cannot_be_changed() {
        let file = File::from(freeze("test", b"abc").unwrap());
        assert_eq!(
            file.write_at(b"x", 0).unwrap_err().raw_os_error(),
            Some(libc::EPERM)
        );
        assert_eq!(
            file.set_len(0).unwrap_err().raw_os_error(),
            Some(libc::EPERM)
        );
    }

    #[test]
    fn an_unsealed_a_foreign_and_a_large_file_are_refused() {
        let unsealed = create("test").unwrap();
        assert_eq!(
            read_frozen(unsealed, 9).unwrap_err().raw_os_error(),
            Some(libc::EINVAL)
        );
        let foreign = OwnedFd::from(File::open("/dev/null").unwrap());
        assert_eq!(
            read_frozen(foreign, 9).unwrap_err().raw_os_error(),
            Some(libc::EINVAL)
        );
        let large = freeze("test", &[0; 10]).unwrap();
        assert_eq!(
            read_frozen(large, 9).unwrap_err().raw_os_error(),
            Some(libc::EFBIG)
        );
    }

    #[test]
    fn a_name_with_nul_is_refused() {
        assert!(create("a\0b").is_err());
    }
}
