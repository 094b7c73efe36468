//! How much memory this process has for itself.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use nix::unistd::{SysconfVar, sysconf};

/// What the kernel knows of the memory of the process that has opened it.
#[derive(Debug)]
pub struct OwnMemory {
    statm: File,
    page: u64,
}

impl OwnMemory {
    /// Opens it, for this process. Afterwards a change of the root directory or the user does not matter.
    ///
    /// # Errors
    /// ENOENT where /proc is not mounted.
    pub fn open() -> io::Result<OwnMemory> {
        let page = sysconf(SysconfVar::PAGE_SIZE)?;
        Ok(OwnMemory {
            statm: File::open("/proc/self/statm")?,
            page: page
                .and_then(|page| u64::try_from(page).ok())
                .unwrap_or(4096),
        })
    }

    /// Returns how many bytes of memory are this process's and no file's: resident less shared memory. What it has of its parent
    /// since its fork counts. One system call; the kernel may be some hundred kilobytes behind.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn used(&self) -> io::Result<u64> {
        let mut line = [0; 128];
        let length = self.statm.read_at(&mut line, 0)?;
        let pages = pages(&line[..length]);
        let pages = pages.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
        Ok(pages * self.page)
    }
}

/// Reads resident less shared pages from `size resident shared …` (proc_pid_statm(5)).
fn pages(line: &[u8]) -> Option<u64> {
    let mut numbers = str::from_utf8(line).ok()?.split(' ').skip(1);
    let mut number = || numbers.next()?.parse::<u64>().ok();
    let (resident, shared) = (number()?, number()?);
    Some(resident.saturating_sub(shared))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_less_shared() {
        assert_eq!(pages(b"70000 5000 1200 300 0 900 0\n"), Some(3800));
        assert_eq!(pages(b"7 1 2 0 0 0 0\n"), Some(0));
        assert_eq!(pages(b""), None);
        assert_eq!(pages(b"1 x 3"), None);
    }

    #[test]
    fn memory_that_is_used_counts() {
        const SIZE: usize = 64 << 20;
        let memory = OwnMemory::open().unwrap();
        let before = memory.used().unwrap();
        let block = vec![1_u8; SIZE];
        let with = memory.used().unwrap();
        assert!(with >= before + SIZE as u64 / 2, "{before} {with}");
        assert_eq!(block[SIZE - 1], 1);
    }
}
