//! Long commands: their output goes to a file, the terminal gets a percentage, a failure the lines that matter.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _, Write as _};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};

/// How many lines of a failed command's log are shown.
const SHOWN_LINES: usize = 15;

/// Runs a command with its whole output in `log`, handing every line to `on_line` as well.
///
/// # Errors
/// When it cannot be started or fails; the message then has the lines that matter and the log's path.
pub(super) fn run_logged(
    mut command: Command,
    log: &Path,
    mut on_line: impl FnMut(&str),
) -> anyhow::Result<()> {
    let (reader, writer) = io::pipe()?;
    command
        .stdin(std::process::Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer);
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot start {name}"))?;
    // The command holds the write end too; the loop below would never see the end of the output.
    drop(command);
    let mut file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let mut text = String::new();
    for line in BufReader::new(reader).split(b'\n') {
        let line = line?;
        file.write_all(&line)?;
        file.write_all(b"\n")?;
        let line = String::from_utf8_lossy(&line);
        on_line(&line);
        text.push_str(&line);
        text.push('\n');
    }
    let status = child.wait()?;
    if !status.success() {
        let lines = lines_that_matter(&text).join("\n    ");
        bail!(
            "{name} failed ({status}):\n    {lines}\nThe whole log: {}",
            log.display()
        );
    }
    Ok(())
}

/// Picks what a person needs from a failed configure or make: configure's verdict to the end, or the
/// compilers' errors, or, when nothing calls itself an error, the last lines.
fn lines_that_matter(log: &str) -> Vec<&str> {
    let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    if let Some(verdict) = lines
        .iter()
        .position(|line| line.starts_with("configure: error:"))
    {
        return lines[verdict..].iter().take(SHOWN_LINES).copied().collect();
    }
    let is_error = |line: &&str| {
        ["error:", "undefined reference", "cannot find", "*** "]
            .iter()
            .any(|word| line.contains(word))
    };
    let errors: Vec<&str> = lines
        .iter()
        .copied()
        .filter(is_error)
        .take(SHOWN_LINES)
        .collect();
    if errors.is_empty() {
        lines[lines.len().saturating_sub(SHOWN_LINES)..].to_vec()
    } else {
        errors
    }
}

/// The progress of a build on the terminal, and every tenth of it in a log of CI.
pub(super) struct Progress {
    label: String,
    total: usize,
    done: usize,
    shown: usize,
}

impl Progress {
    /// Starts at nothing of `total` steps.
    pub(super) fn new(label: String, total: usize) -> Progress {
        Progress {
            label,
            total: total.max(1),
            done: 0,
            shown: 0,
        }
    }

    /// One step is done.
    pub(super) fn step(&mut self) {
        self.done += 1;
        let percent = (self.done * 100 / self.total).min(100);
        let terminal = io::stderr().is_terminal();
        let interval = if terminal { 1 } else { 10 };
        if percent / interval > self.shown / interval {
            self.shown = percent;
            let (start, end) = if terminal {
                ("\r", if percent == 100 { "\n" } else { "" })
            } else {
                ("", "\n")
            };
            eprint!("{start}{}: {percent} % compiled{end}", self.label);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configures_verdict_is_shown_to_its_end() {
        let log = "checking for foo... yes\nconfigure: error: Package requirements (libzip >= 0.11) were not met:\n\
                   \nPackage 'libzip', required by 'virtual:world', not found\n";
        assert_eq!(
            lines_that_matter(log),
            [
                "configure: error: Package requirements (libzip >= 0.11) were not met:",
                "Package 'libzip', required by 'virtual:world', not found"
            ]
        );
    }

    #[test]
    fn compilers_errors_are_found_among_the_rest() {
        let log = "cc -c a.c\na.c:3:1: error: unknown type name\ncc -c b.c\nmake: *** [Makefile:1: a.lo] Error 1\n";
        assert_eq!(
            lines_that_matter(log),
            [
                "a.c:3:1: error: unknown type name",
                "make: *** [Makefile:1: a.lo] Error 1"
            ]
        );
    }

    #[test]
    fn without_errors_the_end_is_shown() {
        let log = (0..40).map(|n| format!("line {n}\n")).collect::<String>();
        let shown = lines_that_matter(&log);
        assert_eq!((shown.len(), shown[14]), (SHOWN_LINES, "line 39"));
    }

    #[test]
    fn a_failure_names_the_log() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("a.log");
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo configure: error: two >&2; exit 3"]);
        let mut lines = 0;
        let error = run_logged(command, &log, |_| lines += 1)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("configure: error: two") && error.contains("a.log"),
            "{error}"
        );
        assert_eq!(lines, 2);
    }
}
