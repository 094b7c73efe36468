//! A program on a terminal of its own, which types and looks at the screen.

use std::fs::File;
use std::io::{self, Read, Write};
use std::num::NonZero;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

use anyhow::ensure;
use nix::pty::openpty;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{Winsize, tcsetwinsize};
use vt100::Parser;

use crate::{PATIENCE, Result, tool};

/// A program that is shown on a screen.
#[derive(Debug)]
pub struct Screen {
    child: Child,
    /// The terminal's other side.
    keyboard: File,
    shown: Shown,
}

/// What is on the screen, as a terminal would show it.
struct Shown(Parser);

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.screen().contents())
    }
}

impl Screen {
    /// Starts a command on a screen with so many rows and columns.
    ///
    /// # Errors
    /// Fails when there are no terminals, or the command cannot be run.
    pub fn start(command: &Command, (rows, columns): (u16, u16)) -> Result<Self> {
        let parser = Parser::new(NonZero::try_from(rows)?, NonZero::try_from(columns)?, 0);
        let pair = openpty(None, None)?;
        tcsetwinsize(&pair.master, size(rows, columns))?;
        // The terminal is to be the one that signals about it go by.
        let mut session = Command::new(tool::find("setsid", "util-linux")?);
        session
            .args(["--ctty", "--wait"])
            .arg(command.get_program());
        session
            .args(command.get_args())
            .env("TERM", "xterm-256color");
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => session.env(name, value),
                None => session.env_remove(name),
            };
        }
        let child = session
            .stdin(Stdio::from(pair.slave.try_clone()?))
            .stdout(Stdio::from(pair.slave.try_clone()?))
            .stderr(Stdio::from(pair.slave))
            .spawn()?;
        Ok(Self {
            child,
            keyboard: pair.master.into(),
            shown: Shown(parser),
        })
    }

    /// Types something.
    ///
    /// # Errors
    /// Fails when nobody listens.
    pub fn type_keys(&mut self, keys: &str) -> Result {
        Ok(self.keyboard.write_all(keys.as_bytes())?)
    }

    /// Makes the screen another size.
    ///
    /// # Errors
    /// Fails when it is none.
    pub fn resize(&mut self, (rows, columns): (u16, u16)) -> Result {
        let screen = self.shown.0.screen_mut();
        screen.set_size(NonZero::try_from(rows)?, NonZero::try_from(columns)?);
        Ok(tcsetwinsize(&self.keyboard, size(rows, columns))?)
    }

    /// Waits until what is shown is as it should be, and returns it, row by row.
    ///
    /// # Errors
    /// Fails with what is shown when it is not in [`PATIENCE`].
    pub fn when(&mut self, is_right: impl Fn(&str) -> bool) -> Result<String> {
        let begun = Instant::now();
        loop {
            let text = self.shown.0.screen().contents();
            if is_right(&text) {
                return Ok(text);
            }
            ensure!(begun.elapsed() < PATIENCE, "on the screen:\n{text}");
            ensure!(
                self.look()?,
                "the program has ended; on the screen:\n{text}"
            );
        }
    }

    /// Whether a program's own screen is shown, and not what was there before.
    #[must_use]
    pub fn is_alternate(&self) -> bool {
        self.shown.0.screen().alternate_screen()
    }

    /// Whether anything on it has a colour.
    #[must_use]
    pub fn has_colours(&self) -> bool {
        let screen = self.shown.0.screen();
        let (rows, columns) = screen.size();
        let (rows, columns) = (rows.get(), columns.get());
        let mut places = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
        places.any(|(row, column)| {
            let cell = screen.cell(row, column);
            cell.is_some_and(|cell| cell.fgcolor() != vt100::Color::Default)
        })
    }

    /// Waits for the program's end.
    ///
    /// # Errors
    /// Fails when it goes on.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        let begun = Instant::now();
        while self.look()? {
            ensure!(begun.elapsed() < PATIENCE, "it goes on:\n{:?}", self.shown);
        }
        Ok(self.child.wait()?)
    }

    /// Takes in what was written, waiting for it for a while; tells whether anybody may still write.
    fn look(&mut self) -> Result<bool> {
        let wait = Timespec {
            tv_sec: 0,
            tv_nsec: 100_000_000,
        };
        if poll(
            &mut [PollFd::new(&self.keyboard, PollFlags::IN)],
            Some(&wait),
        )? == 0
        {
            return Ok(true);
        }
        let mut bytes = [0; 4096];
        match self.keyboard.read(&mut bytes) {
            Ok(count) => self.shown.0.process(&bytes[..count]),
            // The other side has been closed by all.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => {
                return Ok(false);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
        Ok(true)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn size(rows: u16, columns: u16) -> Winsize {
    Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}
