//! `--watch`: the same again and again.

use std::io::{self, IsTerminal, Write};
use std::thread;
use std::time::Duration;

use super::arguments::{Form, StatusOptions};
use super::failure::Failure;

/// Moves the cursor to the upper left corner and clears what is below it (ECMA-48, CUP and ED).
const CLEAR: &str = "\x1b[H\x1b[J";

/// Prints a text, in the place of the one before on a terminal that is watched.
pub(super) fn print(text: &str, options: &StatusOptions) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    let in_place = options.watch.is_some() && options.form() == Form::Text && output.is_terminal();
    let clear = if in_place { CLEAR } else { "" };
    write!(output, "{clear}{text}")
        .and_then(|()| output.flush())
        .map_err(Failure::Output)
}

/// Does something every so many seconds, until it fails.
pub(super) fn again_and_again(
    seconds: u32,
    show: impl Fn() -> Result<(), Failure>,
) -> Result<(), Failure> {
    loop {
        show()?;
        thread::sleep(Duration::from_secs(seconds.into()));
    }
}
