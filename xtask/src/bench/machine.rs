//! What the figures were measured on.

use std::fs;
use std::thread;

use nix::sys::utsname::uname;
use xshell::{Shell, cmd};

use super::side::{Both, Program, Side};
use crate::cache::Build;

/// The machine and the programs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Machine {
    processors: String,
    kernel: String,
    programs: Vec<String>,
}

impl Machine {
    /// Looks around.
    pub(super) fn look(
        sh: &Shell,
        build: &Build,
        programs: &Both<Program>,
    ) -> anyhow::Result<Machine> {
        let count = thread::available_parallelism()?;
        let model = fs::read_to_string("/proc/cpuinfo")
            .ok()
            .and_then(|text| model(&text))
            .unwrap_or_else(|| "processor".to_owned());
        let commit = cmd!(sh, "git rev-parse --short HEAD")
            .quiet()
            .ignore_stderr()
            .read()
            .unwrap_or_default();
        let version = |side: Side| {
            let program = &programs.of(side).path;
            let text = cmd!(sh, "{program} -v").quiet().read().unwrap_or_default();
            text.lines().next().unwrap_or_default().to_owned()
        };
        Ok(Machine {
            processors: format!("{count} × {model}"),
            kernel: uname().map(|name| name.release().to_string_lossy().into_owned())?,
            programs: vec![
                format!("fpmd {commit}: {}", version(Side::Ours)),
                format!("php-fpm: {}", version(Side::Theirs)),
                format!("PHP {} from {}", build.version, build.prefix.display()),
            ],
        })
    }

    /// A line for the chart.
    pub(super) fn title(&self) -> String {
        format!("{}, Linux {}", self.processors, self.kernel)
    }

    /// All of it, line by line.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.title()];
        lines.extend(self.programs.iter().cloned());
        lines
    }
}

/// How many processes wanted a processor in the last minute, on average.
pub(super) fn load() -> Option<f64> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    text.split(' ').next()?.parse().ok()
}

fn model(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo
        .lines()
        .find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_has_a_name() {
        let text = "processor\t: 0\nmodel name\t: Some CPU @ 3 GHz\nflags\t: a b\n";
        assert_eq!(model(text).as_deref(), Some("Some CPU @ 3 GHz"));
        assert_eq!(model("processor: 0\n"), None);
        assert!(load().is_some());
    }
}
