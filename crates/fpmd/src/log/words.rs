//! The format of a line that a worker has said, as pure functions.
//!
//! Original: sapi/fpm/fpm/zlog.c (`zlog_stream_*`)

use fpm_conf::LogLevel;
use fpm_master::program::{Ending, Speaker, Words};

use super::json;
use super::line::{Form, Record, prefix};

/// What the original says of a pipe that ended among a worker's first words.
const PIPE_CLOSED: &[u8] = b", pipe is closed";

/// Returns how many bytes of what a worker says fit in one line of `limit` bytes.
pub(super) fn room(form: Form, record: &Record<'_>, speaker: &Speaker<'_>, limit: usize) -> usize {
    match form {
        Form::Json => json::TEXT_MAX,
        // The names of the two streams are equally long.
        Form::Plain | Form::Terminal(_) => {
            limit.saturating_sub(compose(form, record, speaker, &NOTHING).len())
        }
    }
}

const NOTHING: Words<'static> = Words {
    stream: fpm_master::program::Stream::Stderr,
    text: b"",
    ending: Ending::Complete,
    request: b"",
};

/// Puts a line together, line feed included. When warnings are not logged the original leaves the beginning out and the end in.
pub(super) fn compose(
    form: Form,
    record: &Record<'_>,
    speaker: &Speaker<'_>,
    words: &Words<'_>,
) -> Vec<u8> {
    if form == Form::Json {
        return json::words(record, speaker, words);
    }
    let pool = speaker.pool;
    if !pool.decorate_workers_output {
        return [words.text, b"\n"].concat();
    }
    let before = if record.configured > LogLevel::Warning {
        String::new()
    } else {
        format!(
            "{}[pool {}] child {} said into {}: \"",
            prefix(form, record),
            pool.name,
            speaker.process,
            words.stream.name()
        )
    };
    let after = match words.ending {
        Ending::PipeClosed => PIPE_CLOSED,
        Ending::Complete | Ending::Cut => b"",
    };
    [before.as_bytes(), words.text, b"\"", after, b"\n"].concat()
}

/// Returns what syslog is told, which adds time and name itself.
pub(super) fn for_syslog(speaker: &Speaker<'_>, words: &Words<'_>) -> Vec<u8> {
    let before = format!(
        "[WARNING] [pool {}] child {} said into {}: \"",
        speaker.pool.name,
        speaker.process,
        words.stream.name()
    );
    [before.as_bytes(), words.text, b"\""].concat()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bstr::ByteSlice;
    use fpm_channel::Generation;
    use fpm_conf::Pool;
    use fpm_master::program::Stream;
    use nix::unistd::Pid;

    use super::*;
    use crate::log::line::Place;

    const WORDS: Words<'static> = Words {
        stream: Stream::Stdout,
        text: b"a\xff",
        ending: Ending::Complete,
        request: b"r-1",
    };

    fn record(configured: LogLevel) -> Record<'static> {
        Record {
            level: LogLevel::Warning,
            configured,
            now: Duration::new(1_795_262_893, 12_345_000),
            place: Place::default(),
            text: b"".into(),
        }
    }

    fn line(form: Form, configured: LogLevel, pool: &Pool, words: &Words<'_>) -> Vec<u8> {
        let speaker = Speaker {
            pool,
            process: Pid::from_raw(42),
            generation: Generation(3),
        };
        compose(form, &record(configured), &speaker, words)
    }

    #[test]
    fn lines_are_decorated_as_the_originals() {
        let mut pool = Pool::new("www", "/run/www.sock");
        let plain = |pool: &Pool, level, words| line(Form::Plain, level, pool, words);
        let said = plain(&pool, LogLevel::Notice, &WORDS);
        let expected = b"] WARNING: [pool www] child 42 said into stdout: \"a\xff\"\n";
        assert_eq!(said[21..].as_bstr(), expected.as_bstr());
        assert_eq!(plain(&pool, LogLevel::Error, &WORDS), b"a\xff\"\n");
        let closed = Words {
            ending: Ending::PipeClosed,
            ..WORDS
        };
        let said = plain(&pool, LogLevel::Notice, &closed);
        assert!(said.ends_with(b"\"a\xff\", pipe is closed\n"));
        pool.decorate_workers_output = false;
        assert_eq!(plain(&pool, LogLevel::Notice, &WORDS), b"a\xff\n");
    }

    #[test]
    fn a_line_with_its_decoration_is_as_long_as_it_may_be() {
        let pool = Pool::new("www", "/run/www.sock");
        let speaker = Speaker {
            pool: &pool,
            process: Pid::from_raw(42),
            generation: Generation(3),
        };
        let record = record(LogLevel::Notice);
        let room = room(Form::Plain, &record, &speaker, 1024);
        let text = vec![b'x'; room];
        let words = Words {
            text: &text,
            ..WORDS
        };
        assert_eq!(compose(Form::Plain, &record, &speaker, &words).len(), 1024);
    }

    #[test]
    fn objects_name_the_worker() {
        let mut pool = Pool::new("www", "/run/www.sock");
        // It changes nothing here.
        pool.decorate_workers_output = false;
        let said = line(Form::Json, LogLevel::Error, &pool, &WORDS);
        let said = String::from_utf8(said).unwrap();
        let (_, rest) = said.split_once("\",\"level\"").unwrap();
        assert_eq!(
            rest,
            ":\"warning\",\"pool\":\"www\",\"pid\":42,\"generation\":3,\"request_id\":\"r-1\",\"stream\":\"stdout\",\"message\":\"a\u{fffd}\"}\n"
        );
    }
}
