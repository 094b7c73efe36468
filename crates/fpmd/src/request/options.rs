//! The command line of `fpmd request`.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;

use bstr::{BString, ByteSlice};
use lexopt::Arg::{Long, Short, Value};
use lexopt::{Parser, ValueExt};

use super::Show;

/// How long an answer may take unless the command line says otherwise.
const DEFAULT_LIMIT: Duration = Duration::from_secs(30);

/// What the command line asks for.
#[derive(Debug, PartialEq)]
pub(super) enum Asked {
    /// The help text.
    Help,
    /// A page.
    Page(Options),
}

/// What to ask for, and how.
#[derive(Debug, PartialEq)]
pub(super) struct Options {
    /// Whom to ask.
    pub(super) address: Address,
    /// The file to run, absolute.
    pub(super) script: BString,
    /// `-e`: variables to send, or not to send, in the order of the command line.
    pub(super) variables: Vec<(BString, Option<BString>)>,
    /// `-b`: the body.
    pub(super) body: Body,
    /// `-n`: what of the answer is printed.
    pub(super) show: Show,
    /// `-t`: how long the whole exchange may take; `None` for ever.
    pub(super) limit: Option<Duration>,
}

/// Where an application listens.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Address {
    /// Path of a unix socket.
    Unix(PathBuf),
    /// Host and port.
    Tcp(String, u16),
}

impl Address {
    /// Reads an address: with a slash, or without a colon and a port, it is a path. `unix:PATH` is nginx's way to say so.
    fn parse(text: &OsString) -> Self {
        let path = |text: &[u8]| Self::Unix(PathBuf::from(OsString::from_vec(text.to_vec())));
        let bytes = text.as_encoded_bytes();
        if let Some(rest) = bytes.strip_prefix(b"unix:") {
            return path(rest);
        }
        let Some(name) = text.to_str().filter(|name| !name.contains('/')) else {
            return path(bytes);
        };
        if let Ok(port) = name.parse() {
            return Self::Tcp("127.0.0.1".to_owned(), port);
        }
        match name
            .rsplit_once(':')
            .map(|(host, port)| (host, port.parse()))
        {
            Some((host, Ok(port))) if !host.is_empty() => Self::Tcp(
                host.trim_start_matches('[')
                    .trim_end_matches(']')
                    .to_owned(),
                port,
            ),
            _ => path(bytes),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => path.display().fmt(f),
            Self::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
        }
    }
}

/// The body of the request.
#[derive(Debug, PartialEq)]
pub(super) enum Body {
    /// None: a GET request.
    None,
    /// These bytes.
    Given(BString),
    /// What standard input has.
    Stdin,
}

impl Body {
    /// Returns the body's bytes.
    ///
    /// # Errors
    /// When standard input cannot be read.
    pub(super) fn read(&self) -> io::Result<Option<Vec<u8>>> {
        match self {
            Self::None => Ok(None),
            Self::Given(bytes) => Ok(Some(bytes.to_vec())),
            Self::Stdin => {
                let mut bytes = Vec::new();
                io::stdin().lock().read_to_end(&mut bytes)?;
                Ok(Some(bytes))
            }
        }
    }
}

/// Reads the arguments after `request`.
///
/// # Errors
/// What is wrong with them, as a sentence.
pub(super) fn parse(arguments: &[OsString]) -> Result<Asked, lexopt::Error> {
    let mut parser = Parser::from_args(arguments);
    let mut places = Vec::new();
    let mut variables = Vec::new();
    let (mut body, mut show, mut limit) = (Body::None, Show::All, Some(DEFAULT_LIMIT));
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(Asked::Help),
            Short('e') | Long("env") => variables.push(variable(parser.value()?)?),
            Short('b') | Long("body") => {
                body = match parser.value()?.into_vec() {
                    text if text == b"-" => Body::Stdin,
                    text => Body::Given(text.into()),
                }
            }
            Short('n') | Long("no-headers") => show = Show::Body,
            Short('t') | Long("timeout") => limit = seconds(&parser.value()?)?,
            Value(value) if places.len() < 2 => places.push(value),
            other => return Err(other.unexpected()),
        }
    }
    let mut places = places.into_iter();
    let (Some(address), Some(script)) = (places.next(), places.next()) else {
        return Err("ADDRESS and SCRIPT are needed".into());
    };
    let script = std::path::absolute(script).map_err(|error| format!("SCRIPT: {error}"))?;
    Ok(Asked::Page(Options {
        address: Address::parse(&address),
        script: script.into_os_string().into_vec().into(),
        variables,
        body,
        show,
        limit,
    }))
}

/// Splits `NAME=VALUE`, or `NAME`.
fn variable(text: OsString) -> Result<(BString, Option<BString>), lexopt::Error> {
    let text = text.into_vec();
    let (name, value) = match text.split_once_str("=") {
        Some((name, value)) => (name, Some(value.into())),
        None => (&text[..], None),
    };
    if name.is_empty() {
        return Err(format!("-e {}: a variable has a name", text.as_bstr()).into());
    }
    Ok((name.into(), value))
}

/// Reads a number of seconds; 0 means no limit.
fn seconds(text: &OsString) -> Result<Option<Duration>, lexopt::Error> {
    let seconds: f64 = text.parse()?;
    let limit =
        Duration::try_from_secs_f64(seconds).map_err(|error| format!("-t {seconds}: {error}"))?;
    Ok(Some(limit).filter(|limit| !limit.is_zero()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Options {
        let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        match parse(&arguments) {
            Ok(Asked::Page(options)) => options,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn addresses() {
        for (text, expected) in [
            ("/run/php.sock", "unix /run/php.sock"),
            ("unix:php.sock", "unix php.sock"),
            ("php.sock", "unix php.sock"),
            ("dir:1/php:9000", "unix dir:1/php:9000"),
            ("host:notaport", "unix host:notaport"),
            (":9000", "unix :9000"),
            ("9000", "tcp 127.0.0.1:9000"),
            ("localhost:9000", "tcp localhost:9000"),
            ("[::1]:9000", "tcp [::1]:9000"),
            ("localhost:70000", "unix localhost:70000"),
        ] {
            let address = Address::parse(&OsString::from(text));
            let kind = if matches!(address, Address::Unix(_)) {
                "unix"
            } else {
                "tcp"
            };
            assert_eq!(format!("{kind} {address}"), expected);
        }
    }

    #[test]
    fn options() {
        let options = parsed("s /x.php -e A=b -e C --env=D=e=f -b body -n -t 1.5");
        let variables = vec![
            ("A".into(), Some("b".into())),
            ("C".into(), None),
            ("D".into(), Some("e=f".into())),
        ];
        assert_eq!(options.script, "/x.php");
        assert_eq!(options.variables, variables);
        assert_eq!(options.body, Body::Given("body".into()));
        assert_eq!(
            (options.show, options.limit),
            (Show::Body, Some(Duration::from_millis(1500)))
        );
        let options = parsed("-b - s x.php -t0");
        assert_eq!(
            (options.body, options.show, options.limit),
            (Body::Stdin, Show::All, None)
        );
        assert!(options.script.starts_with(b"/") && options.script.ends_with(b"/x.php"));
    }

    #[test]
    fn wrong_options() {
        for line in [
            "s",
            "s /x.php more",
            "-e =b s /x.php",
            "-t -1 s /x.php",
            "-t x s /x.php",
            "-z s /x.php",
            "-e",
        ] {
            let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert!(parse(&arguments).is_err(), "{line}");
        }
        assert!(matches!(parse(&["-h".into()]), Ok(Asked::Help)));
    }
}
