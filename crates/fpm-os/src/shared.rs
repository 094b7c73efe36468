//! Memory that several processes share, seen as atomic words only.
//!
//! Rule: nothing but [`AtomicU64`] is ever handed out. Any bit pattern is a valid word, so another process that
//! goes mad can spoil numbers and nothing else.

use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use nix::fcntl::{FallocateFlags, FcntlArg, SealFlag, fallocate, fcntl};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use nix::sys::stat::{Mode, fchmod};
use serde::{Deserialize, Serialize};

use crate::memfd;

/// Regions begin at multiples of this, in bytes: a multiple of every page size that Linux uses (4, 16 and 64 KiB).
pub const REGION_ALIGNMENT: u64 = 65_536;

/// A part of a [`SharedFile`], in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Region {
    /// Where it begins; a multiple of [`REGION_ALIGNMENT`].
    pub offset: u64,
    /// How long it is; a multiple of 8 and not 0.
    pub len: u64,
}

/// An anonymous file in memory that only ever grows.
#[derive(Debug)]
pub struct SharedFile {
    file: File,
    /// How long it was when somebody last looked, in bytes. It cannot be shorter now.
    known: AtomicU64,
}

impl SharedFile {
    /// Creates an empty one; `name` is what /proc shows for it.
    ///
    /// # Errors
    /// What memfd_create(2) and fcntl(2) answer.
    pub fn create(name: &str) -> io::Result<SharedFile> {
        let fd = memfd::create(name)?;
        // Whoever has it for reading must not get at it for writing through /proc.
        fchmod(&fd, Mode::S_IRUSR | Mode::S_IWUSR)?;
        // A file that shrinks under a mapping kills its readers with SIGBUS.
        fcntl(&fd, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_SHRINK))?;
        Ok(SharedFile::new(fd))
    }

    /// Opens the file once more, for a process that may only read it.
    ///
    /// # Errors
    /// What open(2) answers; ENOENT when /proc is not mounted.
    pub fn for_reading(&self) -> io::Result<OwnedFd> {
        // Another description of the same file: what can be done with a copy of ours can be done with ours.
        let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        Ok(File::open(path)?.into())
    }

    /// Takes over one that another process has created.
    ///
    /// # Errors
    /// EINVAL when `fd` is not a memory file that cannot shrink.
    pub fn adopt(fd: OwnedFd) -> io::Result<SharedFile> {
        let seals = SealFlag::from_bits_retain(fcntl(&fd, FcntlArg::F_GET_SEALS)?);
        if !seals.contains(SealFlag::F_SEAL_SHRINK) {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        Ok(SharedFile::new(fd))
    }

    fn new(fd: OwnedFd) -> SharedFile {
        SharedFile {
            file: File::from(fd),
            known: AtomicU64::new(0),
        }
    }

    /// Adds a region of at least `len` bytes, all zero, at the end.
    ///
    /// # Errors
    /// What ftruncate(2) answers.
    pub fn grow(&self, len: NonZeroUsize) -> io::Result<Region> {
        let offset = self.len()?.next_multiple_of(REGION_ALIGNMENT);
        let len = (len.get() as u64).next_multiple_of(8);
        self.lengthen(offset + len)?;
        Ok(Region { offset, len })
    }

    /// Adds a region of at least `len` bytes, all zero, where none of those `in_use` is: in the first gap that is large enough, or
    /// at the end.
    ///
    /// # Errors
    /// What ftruncate(2) and fallocate(2) answer.
    pub fn grow_beside(&self, len: NonZeroUsize, in_use: &[Region]) -> io::Result<Region> {
        let len = (len.get() as u64).next_multiple_of(8);
        let mut in_use = in_use.to_vec();
        in_use.sort_unstable_by_key(|region| region.offset);
        let mut offset = 0;
        for region in in_use {
            if offset + len <= region.offset {
                break;
            }
            let end = region.offset.saturating_add(region.len);
            offset = offset.max(end.next_multiple_of(REGION_ALIGNMENT));
        }
        let end = self.len()?;
        if end < offset + len {
            self.lengthen(offset + len)?;
        }
        if offset < end {
            // Gives the memory back, so it is zero when it is next looked at.
            let hole = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
            fallocate(&self.file, hole, signed(offset)?, signed(len)?)?;
        }
        Ok(Region { offset, len })
    }

    /// Maps a region into this process, readable and writable.
    ///
    /// # Errors
    /// EINVAL when the region is misaligned or not inside the file; what mmap(2) answers.
    pub fn map(&self, region: Region) -> io::Result<Mapping> {
        self.map_as(region, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE)
    }

    /// Maps a region into this process, readable: the kernel ends the process if it writes there.
    ///
    /// # Errors
    /// As [`SharedFile::map`].
    pub fn map_for_reading(&self, region: Region) -> io::Result<Mapping> {
        self.map_as(region, ProtFlags::PROT_READ)
    }

    /// Makes sure that there is such a region, without mapping it.
    ///
    /// # Errors
    /// EINVAL when it is misaligned or not inside the file; what fstat(2) answers.
    pub fn check(&self, region: Region) -> io::Result<()> {
        let end = region.offset.checked_add(region.len).ok_or_else(invalid)?;
        let aligned =
            region.offset.is_multiple_of(REGION_ALIGNMENT) && region.len.is_multiple_of(8);
        if !aligned || region.len == 0 {
            return Err(invalid());
        }
        if end <= self.known.load(Relaxed) || end <= self.len()? {
            return Ok(());
        }
        Err(invalid())
    }

    /// Returns how long the file is, in bytes.
    fn len(&self) -> io::Result<u64> {
        let len = self.file.metadata()?.len();
        self.known.fetch_max(len, Relaxed);
        Ok(len)
    }

    fn lengthen(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)?;
        self.known.fetch_max(len, Relaxed);
        Ok(())
    }

    /// Reads the first words of a region without mapping it.
    ///
    /// # Errors
    /// As [`SharedFile::check`], and EINVAL when there are not so many; what pread(2) answers.
    pub fn first_words<const N: usize>(&self, region: Region) -> io::Result<[u64; N]> {
        self.check(region)?;
        let mut bytes = [[0; 8]; N];
        if region.len < size_of_val(&bytes) as u64 {
            return Err(invalid());
        }
        self.file
            .read_exact_at(bytes.as_flattened_mut(), region.offset)?;
        Ok(bytes.map(u64::from_ne_bytes))
    }

    fn map_as(&self, region: Region, protection: ProtFlags) -> io::Result<Mapping> {
        self.check(region)?;
        let len = usize::try_from(region.len).map_err(|_| invalid())?;
        let len = NonZeroUsize::new(len).ok_or_else(invalid)?;
        let offset = i64::try_from(region.offset).map_err(|_| invalid())?;
        // SAFETY: without MAP_FIXED the kernel chooses an address that nothing else uses.
        let start = unsafe {
            mmap(
                None,
                len,
                protection,
                MapFlags::MAP_SHARED,
                &self.file,
                offset,
            )
        }?;
        Ok(Mapping {
            start: start.cast(),
            words: len.get() / 8,
        })
    }
}

fn invalid() -> io::Error {
    io::Error::from_raw_os_error(libc::EINVAL)
}

/// Returns a number of bytes as the kernel takes it.
fn signed(bytes: u64) -> io::Result<i64> {
    i64::try_from(bytes).map_err(|_| io::Error::from_raw_os_error(libc::EFBIG))
}

impl AsFd for SharedFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// A [`Region`] in this process; a forked child has it too.
#[derive(Debug)]
pub struct Mapping {
    start: NonNull<AtomicU64>,
    words: usize,
}

impl Mapping {
    /// Returns the whole region as words.
    #[must_use]
    pub fn words(&self) -> &[AtomicU64] {
        // SAFETY: `start` is page-aligned and heads `words` words that stay mapped and backed by the file (it
        // cannot shrink) for as long as `self`; every access by any process is through an atomic.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.words) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: this is the mapping that `map` made, and the borrows that `words` gave end before `self`.
        let unmapped = unsafe { munmap(self.start.cast(), self.words * 8) };
        debug_assert_eq!(unmapped, Ok(()));
    }
}

// SAFETY: a mapping belongs to the process, not to a thread, and it is only accessed through atomics.
unsafe impl Send for Mapping {}
// SAFETY: as for Send.
unsafe impl Sync for Mapping {}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn grown(file: &SharedFile, len: usize) -> Region {
        file.grow(NonZeroUsize::new(len).unwrap()).unwrap()
    }

    #[test]
    fn two_mappings_show_the_same_words() {
        let file = SharedFile::create("test").unwrap();
        let region = grown(&file, 4096);
        let (one, other) = (file.map(region).unwrap(), file.map(region).unwrap());
        one.words()[511].store(42, Relaxed);
        assert_eq!(other.words()[511].load(Relaxed), 42);
        assert_eq!(other.words().len(), 512);
    }

    #[test]
    fn regions_do_not_overlap_and_keep_their_content_when_the_file_grows() {
        let file = SharedFile::create("test").unwrap();
        let first = grown(&file, 100);
        let mapping = file.map(first).unwrap();
        mapping.words()[12].store(7, Relaxed);
        let second = grown(&file, 70_000);
        assert_eq!((first.offset, first.len), (0, 104));
        assert_eq!((second.offset, second.len), (65_536, 70_000));
        assert_eq!(mapping.words()[12].load(Relaxed), 7);
        assert!(
            file.map(second)
                .unwrap()
                .words()
                .iter()
                .all(|word| word.load(Relaxed) == 0)
        );
    }

    #[test]
    fn the_place_of_a_region_that_nobody_uses_is_given_again_and_is_empty() {
        let file = SharedFile::create("test").unwrap();
        let beside = |len: usize, in_use: &[Region]| {
            let len = NonZeroUsize::new(len).unwrap();
            file.grow_beside(len, in_use).unwrap()
        };
        let [one, two, three] = [(); 3].map(|()| grown(&file, 70_000));
        file.map(two).unwrap().words()[8_000].store(7, Relaxed);
        let (small, large) = (1 << 16, 1 << 18);
        assert_eq!(beside(large, &[three, one]).offset, 3 * 131_072);
        let again = beside(70_000, &[three, one]);
        assert_eq!(again, two);
        assert_eq!(file.map(again).unwrap().words()[8_000].load(Relaxed), 0);
        assert_eq!(beside(small, &[two, three]).offset, 0);
        assert_eq!(beside(small, &[one, two, three]).offset, 3 * 131_072);
        let first = SharedFile::create("test").unwrap();
        let first = first.grow_beside(NonZeroUsize::new(100).unwrap(), &[]);
        let (offset, len) = (0, 104);
        assert_eq!(first.unwrap(), Region { offset, len });
    }

    #[test]
    fn a_region_outside_the_file_or_misaligned_is_refused() {
        let file = SharedFile::create("test").unwrap();
        grown(&file, 4096);
        for region in [
            Region {
                offset: 0,
                len: 4104,
            },
            Region { offset: 0, len: 0 },
            Region { offset: 0, len: 12 },
            Region {
                offset: 4096,
                len: 8,
            },
            Region {
                offset: 65_536,
                len: 8,
            },
            Region {
                offset: u64::MAX - 65_535,
                len: u64::MAX - 7,
            },
        ] {
            let refused = file.map(region).unwrap_err();
            assert_eq!(refused.raw_os_error(), Some(libc::EINVAL), "{region:?}");
            assert!(file.check(region).is_err(), "{region:?}");
        }
    }

    #[test]
    fn the_first_words_are_read_without_a_mapping() {
        let file = SharedFile::create("test").unwrap();
        let (_, region) = (grown(&file, 8), grown(&file, 16));
        let other = SharedFile::adopt(file.as_fd().try_clone_to_owned().unwrap()).unwrap();
        let mapping = file.map(region).unwrap();
        mapping.words()[1].store(42, Relaxed);
        assert_eq!(other.first_words(region).unwrap(), [0, 42]);
        assert!(other.first_words::<3>(region).is_err(), "there are two");
        let later = grown(&file, 8);
        assert_eq!(other.first_words(later).unwrap(), [0]);
    }

    #[test]
    fn who_may_only_read_sees_what_is_written_and_cannot_write() {
        let file = SharedFile::create("test").unwrap();
        let region = grown(&file, 4096);
        let mapping = file.map(region).unwrap();
        let reader = SharedFile::adopt(file.for_reading().unwrap()).unwrap();
        mapping.words()[7].store(42, Relaxed);
        let seen = reader.map_for_reading(region).unwrap();
        assert_eq!(seen.words()[7].load(Relaxed), 42);
        let refused = reader.map(region).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::EACCES));
        let mode = reader.file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "nobody else opens it through /proc");
    }

    #[test]
    fn a_file_that_can_shrink_is_not_adopted() {
        let plain = memfd::create("test").unwrap();
        assert!(SharedFile::adopt(plain).is_err());
        let shared = SharedFile::create("test").unwrap();
        let copy = shared.as_fd().try_clone_to_owned().unwrap();
        assert!(SharedFile::adopt(copy).is_ok());
        assert!(shared.file.set_len(0).is_ok(), "it was empty");
        grown(&shared, 8);
        assert_eq!(
            shared.file.set_len(0).unwrap_err().raw_os_error(),
            Some(libc::EPERM)
        );
    }
}
