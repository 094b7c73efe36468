//! What a daemon makes of a case.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context;
use fpmd_tests::{Result, Subject};
use nix::unistd::{User, chown};

use crate::case::{Case, placed};

/// Who checks a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Starter {
    /// Whoever runs the tests.
    Caller,
    /// A user without rights, whom root becomes. He may read what root may: PHP lies in the home of who has built it.
    Nobody,
}

impl Starter {
    /// Returns a command for the program, and lets him write to `directory`.
    fn command(self, program: &Path, directory: &Path) -> Result<Command> {
        let mut command = match self {
            Starter::Caller => return Ok(Command::new(program)),
            Starter::Nobody => Command::new("setpriv"),
        };
        let nobody = User::from_name("nobody")?.context("there is no user nobody")?;
        chown(directory, Some(nobody.uid), Some(nobody.gid))?;
        command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]);
        command.args([
            "--inh-caps=-all,+dac_read_search",
            "--ambient-caps=+dac_read_search",
        ]);
        command.arg(program);
        Ok(command)
    }
}

/// Everything that `-tt` leaves behind, without times and process ids.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    exit_code: Option<i32>,
    output: String,
    log: Option<String>,
    files: Vec<String>,
}

impl Outcome {
    /// Runs the daemon on a case in `directory`, which is empty before and afterwards.
    pub(crate) fn of(
        daemon: &Subject,
        starter: Starter,
        case: &Case,
        directory: &Path,
    ) -> Result<Self> {
        case.write(directory)?;
        let place = |text: &String| {
            String::from_utf8_lossy(&placed(text.as_bytes(), directory)).into_owned()
        };
        let mut command = starter.command(daemon.program(), directory)?;
        command
            .args(["-n", "-tt", "-y"])
            .arg(directory.join("php-fpm.conf"))
            .args(case.arguments.iter().map(place));
        command.envs(
            case.environment
                .iter()
                .map(|(name, value)| (name, place(value))),
        );
        command
            .env_remove("NOTIFY_SOCKET")
            .current_dir(directory)
            .stdin(Stdio::null());
        let output = command
            .output()
            .with_context(|| format!("cannot run {}", daemon.program().display()))?;

        let mut text = without_times(&output.stdout);
        text.push_str(&without_times(&output.stderr));
        let log = fs::read(directory.join("error.log"))
            .ok()
            .map(|log| without_times(&log));
        let mut files = Vec::new();
        list(directory, "", &mut files)?;
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_dir() {
                fs::remove_dir_all(path)?;
            } else {
                fs::remove_file(path)?;
            }
        }
        files.sort();
        Ok(Self {
            exit_code: output.status.code(),
            output: text,
            log,
            files,
        })
    }
}

fn list(directory: &Path, prefix: &str, files: &mut Vec<String>) -> Result {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            list(&entry.path(), &format!("{name}/"), files)?;
        }
        files.push(name);
    }
    Ok(())
}

/// Takes the time off each line, and the process id, function and line number that `log_level = debug` adds.
fn without_times(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let lines = text.split_inclusive('\n').map(|line| {
        let is_log = line.starts_with('[') && line.get(3..4) == Some("-");
        let line = if is_log {
            line.split_once("] ").map_or(line, |(_, rest)| rest)
        } else {
            line
        };
        match line.split_once(": pid ") {
            Some((level, rest)) if is_log => {
                let text = rest
                    .splitn(3, ", ")
                    .nth(2)
                    .and_then(|rest| rest.split_once(": "));
                format!("{level}: {}", text.map_or(rest, |(_, text)| text))
            }
            _ => line.to_owned(),
        }
    });
    lines.collect()
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "exit code {:?}, files {:?}", self.exit_code, self.files)?;
        for line in self.output.lines() {
            writeln!(f, "  {line}")?;
        }
        match &self.log {
            Some(log) if *log == self.output => writeln!(f, "  (the same in the log)"),
            Some(log) => writeln!(f, "log:\n{log}"),
            None => writeln!(f, "no log"),
        }
    }
}
