//! `cargo xtask build-php`: libphp, the php command line and the original php-fpm from one source.
//!
//! A build is identified by its release and by the hash of what was asked for; the second call finds the
//! stamp and returns at once. `Request::run` is also what `demo` and `test` call.

use std::ffi::OsString;
use std::fs::{self, File};
use std::num::NonZero;
use std::path::{self, PathBuf};
use std::thread;

use anyhow::{Context as _, bail};
use nix::fcntl::{Flock, FlockArg};
use xshell::{Shell, cmd};

use crate::cache::{Build, Cache};
use crate::packages;
use crate::php_version::Wanted;
use flags::{Extent, Linking, Options, Variant};

mod apt_sources;
mod compile;
mod debian;
mod flags;
mod log;
mod release;
mod source;

const USAGE: &str = "\
cargo xtask build-php [options] [-- CONFIGURE-OPTION…]

Builds libphp, php and the original php-fpm into the cache and prints the prefix.

  --version V     a series (8.2, 8.4) or a release (8.2.32)
  --tarball FILE  this archive of PHP's source
  --source DIR    this source tree; it is built outside of it
  --static        libphp.a instead of libphp.so: fpmd then has PHP within itself
  --minimal       no extensions but opcache and what PHP cannot do without
  --debug         with PHP's own assertions (--enable-debug)
  --jobs N        compile N files at once (default: all processors)

FPMD_PHP_PREFIX=PREFIX has fpmd built against it. What was made with --static, --minimal or --debug is taken
unasked only where there is no other.
";

/// What to build.
pub(crate) struct Request {
    wanted: Option<Wanted>,
    given: Given,
    options: Options,
    jobs: NonZero<usize>,
}

/// A source that the caller brings along.
enum Given {
    Nothing,
    Tarball(PathBuf),
    Directory(PathBuf),
}

/// The command.
pub(crate) fn run(sh: &Shell, arguments: lexopt::Parser) -> anyhow::Result<()> {
    let Some(request) = Request::parse(arguments)? else {
        print!("{USAGE}");
        return Ok(());
    };
    let build = request.run(sh)?;
    println!("{}", build.prefix.display());
    Ok(())
}

impl Request {
    /// Asks for a release build of a version, as it is everywhere.
    pub(crate) fn plain(wanted: Wanted) -> Request {
        Request {
            wanted: Some(wanted),
            given: Given::Nothing,
            options: Options::PLAIN,
            jobs: thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN),
        }
    }

    /// Asks for a PHP for tests that becomes a part of fpmd: only with these extensions, and not optimised, for which it would
    /// take twice as long. PHP's own assertions come with that.
    pub(crate) fn smallest_static(wanted: Wanted, extensions: &[&str]) -> Request {
        Request {
            options: Options {
                variant: Variant::Debug,
                linking: Linking::Static,
                extent: Extent::Minimal,
                extra: extensions.iter().map(|&option| option.to_owned()).collect(),
            },
            ..Request::plain(wanted)
        }
    }

    /// Reads the command's arguments; `None` when help is wanted.
    fn parse(mut arguments: lexopt::Parser) -> anyhow::Result<Option<Request>> {
        use lexopt::{Arg, ValueExt as _};

        let mut request = Request {
            wanted: None,
            ..Request::plain("8.2".parse()?)
        };
        while let Some(argument) = arguments.next()? {
            match argument {
                Arg::Long("version") => {
                    request.wanted = Some(arguments.value()?.string()?.parse()?);
                }
                Arg::Long("tarball") => {
                    request.given = Given::Tarball(path::absolute(arguments.value()?)?);
                }
                Arg::Long("source") => {
                    request.given = Given::Directory(path::absolute(arguments.value()?)?);
                }
                Arg::Long("debug") => request.options.variant = Variant::Debug,
                Arg::Long("static") => request.options.linking = Linking::Static,
                Arg::Long("minimal") => request.options.extent = Extent::Minimal,
                Arg::Long("jobs") | Arg::Short('j') => request.jobs = arguments.value()?.parse()?,
                Arg::Long("help") | Arg::Short('h') => return Ok(None),
                // What stands behind `--` are configure's options.
                Arg::Value(option) => {
                    request.options.extra.push(configure_option(option)?);
                }
                _ => return Err(argument.unexpected().into()),
            }
        }
        if request.wanted.is_none() && matches!(request.given, Given::Nothing) {
            bail!(
                "say which PHP: --version 8.2, --tarball FILE or --source DIR (--help tells more)"
            );
        }
        Ok(Some(request))
    }

    /// Returns the build that was asked for, from the cache or newly made.
    ///
    /// # Errors
    /// When packages cannot be installed, no source is found, or the build fails.
    pub(crate) fn run(&self, sh: &Shell) -> anyhow::Result<Build> {
        let cache = Cache::locate()?;
        let key = flags::key(&self.options, &self.source_name(sh)?);
        if let Some(build) = cache.find(self.wanted, &key) {
            return Ok(build);
        }
        let _lock = lock(&cache)?;
        // Whoever held the lock may have made exactly this build.
        if let Some(build) = cache.find(self.wanted, &key) {
            return Ok(build);
        }
        packages::install(sh, &[&packages::PHP])?;
        let source = source::obtain(sh, &cache, self.wanted, &self.given, &key)?;
        let has_module = |module: &str| cmd!(sh, "pkgconf --exists {module}").quiet().run().is_ok();
        let features = flags::features(&self.options, has_module);
        compile::compile(&cache, &source, &key, &self.options, &features, self.jobs)?;
        cache
            .find(self.wanted, &key)
            .context("the finished build is not in the cache")
    }

    /// Names a given source in the key, so that it never passes for the release.
    fn source_name(&self, sh: &Shell) -> anyhow::Result<String> {
        match &self.given {
            Given::Nothing => Ok(String::new()),
            Given::Tarball(file) => {
                let sum = cmd!(sh, "sha256sum {file}")
                    .quiet()
                    .read()
                    .with_context(|| format!("cannot read {}", file.display()))?;
                Ok(sum.split_whitespace().next().unwrap_or_default().to_owned())
            }
            Given::Directory(directory) => {
                let directory = directory
                    .canonicalize()
                    .with_context(|| format!("cannot open {}", directory.display()))?;
                Ok(directory.to_string_lossy().into_owned())
            }
        }
    }
}

fn configure_option(argument: OsString) -> anyhow::Result<String> {
    match argument.into_string() {
        Ok(option) if option.starts_with('-') || option.contains('=') => Ok(option),
        Ok(other) => bail!("'{other}' is neither an option of build-php nor of configure"),
        Err(_) => bail!("configure's options must be valid UTF-8"),
    }
}

/// Lets one build at a time work in the cache; the kernel drops the lock with the process.
fn lock(cache: &Cache) -> anyhow::Result<Flock<File>> {
    fs::create_dir_all(cache.work())?;
    let file = File::create(cache.work().join("lock"))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(lock),
        Err((file, _)) => {
            eprintln!("waiting for another build-php to finish");
            Flock::lock(file, FlockArg::LockExclusive)
                .map_err(|(_, errno)| errno)
                .context("cannot lock the cache")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> anyhow::Result<Option<Request>> {
        Request::parse(lexopt::Parser::from_args(arguments))
    }

    #[test]
    fn options_of_configure_follow_two_dashes() {
        let request = parse(&[
            "--version",
            "8.4",
            "--debug",
            "--static",
            "-j3",
            "--",
            "--enable-bcmath",
        ])
        .unwrap()
        .unwrap();
        assert_eq!(request.wanted, Some("8.4".parse().unwrap()));
        assert_eq!(request.options.variant, Variant::Debug);
        assert_eq!(request.options.linking, Linking::Static);
        assert_eq!(request.options.extent, Extent::Usual);
        assert_eq!(request.jobs.get(), 3);
        assert_eq!(request.options.extra, ["--enable-bcmath"]);
    }

    #[test]
    fn says_what_is_wrong() {
        for wrong in [
            &[][..],
            &["8.2"],
            &["--version", "eight"],
            &["--jobs", "0", "--version", "8.2"],
        ] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
        assert!(parse(&["--help"]).unwrap().is_none());
    }
}
