//! Files that logs are written to, whatever they are, by writers who never wait.
//!
//! A file on disk takes what it is given or says why not. A pipe that nobody empties, a terminal that was stopped and a
//! socket whose reader sleeps would make their writer wait, so none of them is ever written to in a way that could.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::socket::{MsgFlags, send};

use crate::poll::{self, Interest, Waited};

/// As much as a pipe takes at once or not at all (PIPE_BUF, pipe(7)).
const PIPE_BUF: usize = 4096;

/// An open file and the way to write to it without waiting.
#[derive(Debug)]
pub struct Sink {
    file: File,
    way: Way,
}

/// How not to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// It does not let anybody wait by itself.
    Write,
    /// By a flag of the call.
    Send,
    /// By asking first. The file is others' too, and a flag of it would be theirs; between question and write one of them may
    /// take the room, which cannot be helped.
    Ask,
}

impl Sink {
    /// Takes over a file that is open for writing.
    #[must_use]
    pub fn new(file: File) -> Sink {
        Sink {
            way: way(&file),
            file,
        }
    }

    /// Writes once, without waiting; returns how much was taken.
    ///
    /// # Errors
    /// `WouldBlock` when there is no room now, and what write(2) answers.
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self.way {
            Way::Write => write(&self.file, bytes),
            Way::Send => {
                let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
                Ok(send(self.file.as_raw_fd(), bytes, flags)?)
            }
            Way::Ask => match poll::wait(&self.file, Interest::Writable, Some(Duration::ZERO))? {
                Waited::Ready => write(&self.file, &bytes[..bytes.len().min(PIPE_BUF)]),
                Waited::TimedOut => Err(io::ErrorKind::WouldBlock.into()),
            },
        }
    }
}

impl AsFd for Sink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Opens a log for appending and creates it for its owner alone if it is not there. A named pipe that nobody reads is opened as
/// well.
///
/// # Errors
/// What open(2) answers.
pub fn open(path: &OsStr) -> io::Result<File> {
    let mut options = options();
    match options.open(path) {
        // Having both its ends makes open(2) succeed (fifo(7)).
        Err(error) if error.raw_os_error() == Some(Errno::ENXIO as i32) => {
            options.read(true).create(false).open(path)
        }
        other => other,
    }
}

/// Appends to a log that is opened for this alone, in one write.
///
/// # Errors
/// What open(2) and write(2) answer instead of waiting (a named pipe that nobody reads or empties), and `WriteZero` when not all was
/// taken.
pub fn append(path: &OsStr, bytes: &[u8]) -> io::Result<()> {
    let file = options().open(path)?;
    if write(&file, bytes)? < bytes.len() {
        return Err(io::ErrorKind::WriteZero.into());
    }
    Ok(())
}

/// Opens standard error once more. A pipe or a terminal then has a flag of its own not to make anybody wait, if it may be
/// opened by name; anything else is shared with whoever started this process.
///
/// # Errors
/// What fcntl(2) answers.
pub fn open_stderr() -> io::Result<File> {
    let copy = File::from(io::stderr().as_fd().try_clone_to_owned()?);
    if way(&copy) == Way::Ask
        && let Ok(file) = open(OsStr::new("/proc/self/fd/2"))
    {
        return Ok(file);
    }
    Ok(copy)
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits());
    options
}

fn way(file: &File) -> Way {
    let kind = file.metadata().map(|metadata| metadata.file_type());
    if kind.as_ref().is_ok_and(FileTypeExt::is_socket) {
        return Way::Send;
    }
    if kind.is_ok_and(|kind| kind.is_file() || kind.is_block_device()) {
        return Way::Write;
    }
    let flags = fcntl(file, FcntlArg::F_GETFL).unwrap_or_default();
    if OFlag::from_bits_retain(flags).contains(OFlag::O_NONBLOCK) {
        Way::Write
    } else {
        Way::Ask
    }
}

fn write(mut file: &File, bytes: &[u8]) -> io::Result<usize> {
    loop {
        match file.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::*;

    /// Writes until there is no room; returns how much there was.
    fn fill(sink: &Sink) -> usize {
        let mut written = 0;
        loop {
            match sink.write(&[b'x'; 1000]) {
                Ok(count) => written += count,
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "{error}");
                    return written;
                }
            }
        }
    }

    #[test]
    fn a_pipe_that_nobody_empties_makes_nobody_wait() {
        let (mut reader, writer) = io::pipe().unwrap();
        let sink = Sink::new(File::from(OwnedFd::from(writer)));
        assert_eq!(sink.way, Way::Ask);
        let written = fill(&sink);
        assert!(written >= PIPE_BUF, "{written}");
        reader.read_exact(&mut vec![0; written]).unwrap();
        assert_eq!(sink.write(&[b'y'; 10_000]).unwrap(), PIPE_BUF);
        drop(reader);
        assert_eq!(
            sink.write(b"z").unwrap_err().kind(),
            io::ErrorKind::BrokenPipe
        );
    }

    #[test]
    fn a_socket_makes_nobody_wait() {
        let (reader, writer) = UnixStream::pair().unwrap();
        let sink = Sink::new(File::from(OwnedFd::from(writer)));
        assert_eq!(sink.way, Way::Send);
        assert!(fill(&sink) > 0);
        drop(reader);
        assert!(sink.write(b"z").is_err());
    }

    #[test]
    fn a_named_pipe_without_a_reader_is_opened_and_makes_nobody_wait() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        mkfifo(&path, Mode::S_IRWXU).unwrap();
        let sink = Sink::new(open(path.as_os_str()).unwrap());
        assert_eq!(sink.way, Way::Write);
        assert!(fill(&sink) > 0);
    }

    #[test]
    fn what_is_appended_once_is_taken_or_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        append(file.as_os_str(), b"a").unwrap();
        append(file.as_os_str(), b"b").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "ab");
        let path = folder.path().join("pipe");
        mkfifo(&path, Mode::S_IRWXU).unwrap();
        let error = append(path.as_os_str(), b"x").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(Errno::ENXIO as i32));
        let _reader = open(path.as_os_str()).unwrap();
        append(path.as_os_str(), b"x").unwrap();
        let error = append(path.as_os_str(), &[b'x'; 1 << 20]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WriteZero);
        let error = append(OsStr::new("/dev/full"), b"x").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(Errno::ENOSPC as i32));
    }

    #[test]
    fn a_file_is_created_for_its_owner_and_appended_to() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        for text in ["a", "b"] {
            let sink = Sink::new(open(path.as_os_str()).unwrap());
            assert_eq!(sink.way, Way::Write);
            sink.write(text.as_bytes()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "ab");
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(open(folder.path().join("no/log").as_os_str()).is_err());
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let sink = Sink::new(open(OsStr::new("/dev/full")).unwrap());
        let error = sink.write(b"x").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(Errno::ENOSPC as i32));
    }
}
