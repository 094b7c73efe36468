//! `cargo xtask bench`: fpmd and the original side by side, on the same PHP, php.ini and pool.
//!
//! Both take turns in short runs, so that a machine that gets slower gets slower for both, and only ratios of neighbouring
//! runs count. Every answer is checked; a run with a wrong byte does not count. Nothing here is a test: no figure fails.

use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use xshell::Shell;

use crate::build_php::Request;
use crate::cargo::{Profile, build_fpmd};
use crate::packages;
use crate::php::Php;
use crate::php_version::{SUPPORTED, Wanted};
use finding::Finding;
use machine::Machine;
use side::{Both, Family, Program};
use work::{Bench, Effort};

mod case;
mod cases;
mod finding;
mod fpm;
mod json;
mod load;
mod machine;
mod metric;
mod nginx;
mod pages;
mod place;
mod plot;
mod procfs;
mod side;
mod site;
mod statistics;
mod strace;
mod table;
mod wordpress;
mod work;

const USAGE: &str = "\
cargo xtask bench [options] [CASE…]

Measures fpmd beside the original php-fpm, both with opcache, and prints medians of ratios with their spread.

  --php V            with this PHP (default: 8.2)
  --against PHP_FPM  another original than the one that build-php made
  --fpmd FPMD        this program, instead of building one
  --quick            fewer and shorter runs: for a look, not for figures
  --pairs N          so many runs of each daemon (default: 7, quick 2); a spread takes 6, and is the narrower the more there are
  --json FILE        write every run's figures
  --plot FILE        write a chart (SVG)
  --into FILE        put the results into a text, between <!-- bench --> and <!-- /bench -->

Cases (default: all):
";

/// From this load average on, the machine is held to have other things to do.
const DISTURBED: f64 = 1.0;

#[derive(Debug, PartialEq, Eq)]
struct Options {
    php: Wanted,
    against: Option<PathBuf>,
    fpmd: Option<PathBuf>,
    effort: Effort,
    /// How many runs each daemon has, if somebody has said so.
    pairs: Option<usize>,
    json: Option<PathBuf>,
    plot: Option<PathBuf>,
    into: Option<PathBuf>,
    cases: Vec<String>,
}

/// The command.
pub(crate) fn run(sh: &Shell, arguments: lexopt::Parser) -> anyhow::Result<()> {
    let Some(options) = Options::parse(arguments)? else {
        print!("{USAGE}{}", cases::listing());
        return Ok(());
    };
    // A name that is not in the list is better known before minutes of building.
    let cases = cases::select(&options.cases)?;
    let into = options
        .into
        .as_deref()
        .map(place::Place::find)
        .transpose()?;
    packages::install(sh, &[&packages::FPMD, &packages::BENCH])?;
    let build = Request::plain(options.php).run(sh)?;
    let programs = Both {
        ours: Program {
            path: match &options.fpmd {
                Some(program) => program.clone(),
                None => build_fpmd(sh, &Php::Built(build.clone()), Profile::Release)?,
            },
            family: Family::Zygote,
        },
        theirs: Program {
            path: match &options.against {
                Some(program) => program.clone(),
                None => build.prefix.join("sbin/php-fpm"),
            },
            family: Family::Master,
        },
    };
    let machine = Machine::look(sh, &build, &programs)?;
    println!("{}", machine.lines().join("\n"));
    if let Some(load) = machine::load()
        && load >= DISTURBED
    {
        println!("note: this machine has other work (load average {load}); the spread shows it");
    }
    println!();

    let bench = Bench {
        programs,
        opcache: opcache(&build.prefix)?,
        php: build.prefix.join("bin/php"),
        nginx: packages::nginx_program(sh)?,
        examples: sh.current_dir().join("conf"),
        effort: options.effort,
    };
    let mut findings = Vec::new();
    for case in cases {
        let measured = bench
            .measure(case)
            .with_context(|| format!("case {}", case.name))?;
        let finding = Finding::of(case, measured);
        println!("{}", table::block(&finding));
        findings.push(finding);
    }
    let summary = table::summary(&findings);
    print!("{summary}");
    if let Some(place) = into {
        place.put(&table::section(
            &machine.lines(),
            &options.repeated(),
            &summary,
        ))?;
    }
    if let Some(file) = &options.json {
        let report = json::report(&machine, options.effort, &findings);
        write(file, &serde_json::to_string_pretty(&report)?)?;
    }
    if let Some(file) = &options.plot {
        write(file, &plot::svg(&findings, &machine.title()))?;
    }
    Ok(())
}

/// Finds opcache in a PHP's prefix.
fn opcache(prefix: &Path) -> anyhow::Result<PathBuf> {
    let folder = prefix.join("lib/php/extensions");
    let versions =
        fs::read_dir(&folder).with_context(|| format!("no extensions in {}", folder.display()))?;
    versions
        .filter_map(|version| Some(version.ok()?.path().join("opcache.so")))
        .find(|file| file.is_file())
        .with_context(|| format!("no opcache in {}", folder.display()))
}

fn write(file: &PathBuf, text: &str) -> anyhow::Result<()> {
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

impl Options {
    /// The command that repeats these measurements.
    fn repeated(&self) -> String {
        let mut words = vec!["cargo xtask bench".to_owned()];
        if self.effort.run == Effort::QUICK.run {
            words.push("--quick".to_owned());
        }
        if let Some(pairs) = self.pairs {
            words.push(format!("--pairs {pairs}"));
        }
        if self.php != Wanted::Newest(SUPPORTED[0]) {
            words.push(format!("--php {}", self.php));
        }
        words.extend(self.cases.iter().cloned());
        words.join(" ")
    }

    /// Reads the command's arguments; `None` when help is wanted.
    fn parse(mut arguments: lexopt::Parser) -> anyhow::Result<Option<Options>> {
        use lexopt::{Arg, ValueExt as _};

        // Commands run in the checkout's root; files that a caller names are relative to where it is.
        let path = |value: std::ffi::OsString| std::path::absolute(value);
        let mut options = Options {
            php: Wanted::Newest(SUPPORTED[0]),
            against: None,
            fpmd: None,
            effort: Effort::FULL,
            pairs: None,
            json: None,
            plot: None,
            into: None,
            cases: Vec::new(),
        };
        while let Some(argument) = arguments.next()? {
            match argument {
                Arg::Long("php") => options.php = arguments.value()?.string()?.parse()?,
                Arg::Long("against") => options.against = Some(path(arguments.value()?)?),
                Arg::Long("fpmd") => options.fpmd = Some(path(arguments.value()?)?),
                Arg::Long("quick") => options.effort = Effort::QUICK,
                Arg::Long("pairs") => {
                    let pairs: NonZero<usize> = arguments.value()?.parse()?;
                    options.pairs = Some(pairs.get());
                }
                Arg::Long("json") => options.json = Some(path(arguments.value()?)?),
                Arg::Long("into") => options.into = Some(path(arguments.value()?)?),
                Arg::Long("plot") => options.plot = Some(path(arguments.value()?)?),
                Arg::Long("help") | Arg::Short('h') => return Ok(None),
                Arg::Value(name) => options.cases.push(name.string()?),
                _ => return Err(argument.unexpected().into()),
            }
        }
        if let Some(pairs) = options.pairs {
            options.effort.pairs = pairs;
        }
        Ok(Some(options))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> anyhow::Result<Option<Options>> {
        Options::parse(lexopt::Parser::from_args(arguments))
    }

    #[test]
    fn options_and_cases_are_told_apart() {
        let options = parse(&["hello", "--quick", "--php", "8.4", "--json", "/a", "json"])
            .unwrap()
            .unwrap();
        assert_eq!(options.cases, ["hello", "json"]);
        assert_eq!(options.effort, Effort::QUICK);
        assert_eq!(options.php, "8.4".parse().unwrap());
        assert_eq!(options.json, Some("/a".into()));
        assert_eq!(
            options.repeated(),
            "cargo xtask bench --quick --php 8.4 hello json"
        );
        let options = parse(&["--pairs", "20", "--quick"]).unwrap().unwrap();
        assert_eq!(options.effort.pairs, 20);
        assert_eq!(options.repeated(), "cargo xtask bench --quick --pairs 20");
        assert!(parse(&["--pairs", "0"]).is_err());
        assert_eq!(parse(&[]).unwrap().unwrap().repeated(), "cargo xtask bench");
        assert!(parse(&["--fast"]).is_err());
        assert!(parse(&["--help"]).unwrap().is_none());
    }
}
