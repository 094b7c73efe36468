//! Programs that a test makes.
//!
//! Rule: this process never has one open for writing. A child that another thread forks at that moment would have it, too, until it
//! executes something else, and as long as that the kernel refuses to execute the file (ETXTBSY, execve(2)).

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::ensure;

use crate::Result;

/// Makes a program of a script's text, in the place of any file of that name.
///
/// # Errors
/// Fails when it cannot be written.
pub fn write_program(path: &Path, text: &str) -> Result {
    let mut shell = shell(path).stdin(Stdio::piped()).spawn()?;
    if let Some(mut input) = shell.stdin.take() {
        input.write_all(text.as_bytes())?;
    }
    ensure!(shell.wait()?.success(), "cannot write {}", path.display());
    Ok(())
}

/// Copies a program, in the place of any file of that name; with something `behind` its end it is another one that does the same.
///
/// # Errors
/// Fails when it cannot be read or written.
pub fn copy_program(from: &Path, path: &Path, behind: &str) -> Result {
    let mut shell = shell(path);
    let copied = shell.arg(behind).stdin(File::open(from)?).status()?;
    ensure!(copied.success(), "cannot copy {}", from.display());
    Ok(())
}

/// A shell that writes its input to a program's file. One that was there before may be running: it is left alone.
fn shell(path: &Path) -> Command {
    let mut shell = Command::new("/bin/sh");
    let script = "rm -f -- \"$1\" && { cat; printf %s \"$2\"; } > \"$1\" && chmod 755 -- \"$1\"";
    shell.args(["-c", script, "sh"]).arg(path);
    shell
}
