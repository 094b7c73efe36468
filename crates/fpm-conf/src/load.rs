//! From the name of a file to a configuration: read, check, show.
//!
//! Original: sapi/fpm/fpm/fpm_conf.c (`fpm_conf_init_main`)

#[cfg(test)]
mod tests;

use bstr::{BStr, BString, ByteSlice};

use crate::check::Check;
use crate::draft::{Draft, non_empty};
use crate::items::{Stopped, feed};
use crate::options::{LoadOptions, Purpose, Surroundings};
use crate::prefix::Prefixes;
use crate::report::{Report, text};
use crate::sections::DraftSections;
use crate::source::Source;
use crate::{ConfError, Config, LogLevel, PhpVersion, check, dump, finish};

/// A configuration that can be used, and what there was to say on the way.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Notices and warnings, and with `-t` or `-tt` the outcome.
    pub report: Report,
}

/// Loads the configuration file `name` and all that it includes.
///
/// Log files that it names are created, as the original does even when it only tests.
///
/// # Errors
/// The configuration cannot be used; the error carries everything that is to be said about that, except the closing
/// `FPM initialization failed`, which is said about other failures too.
pub fn load(
    name: &BStr,
    options: &LoadOptions,
    around: Surroundings<'_>,
) -> Result<Loaded, ConfError> {
    let prefixes = Prefixes {
        global: options.prefix.as_ref().map(|prefix| prefix.as_bstr()),
        build: &options.folders,
    };
    if let Some(prefix) = non_empty(&options.prefix)
        && !around.files.is_dir(prefix)
    {
        let mut report = Report::default();
        let complaint = text!(
            "the global prefix '",
            prefix,
            "' does not exist or is not a directory"
        );
        report.log(LogLevel::Error, complaint);
        return Err(ConfError::Prefix {
            path: prefix.to_owned(),
            report: Box::new(report),
        });
    }

    let mut source = Source::new(around, prefixes, options.php);
    let (draft, read) = read(name, options, &mut source);
    if read.is_err() {
        return Err(cannot_read(name, source));
    }

    let mut check = Check::new(draft, options, around, prefixes, source.report);
    if check.run().is_err() {
        check
            .report
            .log(LogLevel::Error, "failed to post process the configuration");
        return Err(ConfError::Check {
            path: name.to_owned(),
            report: Box::new(check.report),
        });
    }
    if options.purpose != Purpose::Run && check.accounts().is_err() {
        return Err(ConfError::Account {
            path: name.to_owned(),
            report: Box::new(check.report),
        });
    }

    let Check {
        draft,
        mut report,
        heartbeat,
        events,
        ..
    } = check;
    if options.purpose == Purpose::TestAndDump {
        dump::dump(&draft, events, options, &mut report);
    }
    if options.purpose != Purpose::Run {
        // In 8.2 the text itself ends in a line feed, so an empty line follows.
        let end = if options.php == PhpVersion::Php82 {
            "\n"
        } else {
            ""
        };
        report.log(
            LogLevel::Notice,
            text!("configuration file ", name, " test is successful", end),
        );
    }
    Ok(Loaded {
        config: finish::finish(name, draft, events, heartbeat),
        report,
    })
}

/// Finds out where the daemon that runs with the configuration file `name` takes orders: `control.listen`, absolute. Nothing
/// else is looked at: the file may have been broken since that daemon was started.
///
/// # Errors
/// When the file cannot be read as far as the directive.
pub fn control_listen(
    name: &BStr,
    options: &LoadOptions,
    around: Surroundings<'_>,
) -> Result<Option<BString>, ConfError> {
    let prefixes = Prefixes {
        global: options.prefix.as_ref().map(|prefix| prefix.as_bstr()),
        build: &options.folders,
    };
    let mut source = Source::new(around, prefixes, options.php);
    let (mut draft, read) = read(name, options, &mut source);
    let folder = options.folders.localstatedir.as_bstr();
    match check::control_listen(&mut draft.global, prefixes, folder) {
        None if read.is_err() => Err(cannot_read(name, source)),
        path => Ok(path.cloned()),
    }
}

fn cannot_read(name: &BStr, mut source: Source<'_>) -> ConfError {
    source.report.log(
        LogLevel::Error,
        text!("failed to load configuration file '", name, "'"),
    );
    ConfError::Read {
        path: name.to_owned(),
        report: Box::new(source.report),
    }
}

/// Reads the file and all that it includes; returns what has been read even when that was stopped.
fn read(
    name: &BStr,
    options: &LoadOptions,
    source: &mut Source<'_>,
) -> (Draft, Result<(), Stopped>) {
    let mut sections = DraftSections {
        draft: Draft::default(),
        options,
        refusals: Vec::new(),
    };
    sections.draft.global.pid = non_empty(&options.pid).map(ToOwned::to_owned);
    let fed = source.open(name).and_then(|()| {
        feed(&mut *source, &mut sections).inspect_err(|Stopped| {
            for refusal in &sections.refusals {
                source.refuse(refusal.as_bstr());
            }
            source.abandon();
        })
    });
    (sections.draft, fed)
}
