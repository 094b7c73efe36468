//! `fpmd request ADDRESS SCRIPT`: asks a FastCGI application, ours or another, for one page. For health checks and tests.
//!
//! Rule: nothing here knows fpmd's daemon or its configuration; what a web server would have said comes from [`variables`], and only
//! the answer's completeness and status decide the exit code.

use std::ffi::OsString;
use std::io::{self, Write};

mod answer;
mod exchange;
mod failure;
mod options;
mod socket;
mod variables;

use self::answer::Show;
use self::failure::Failure;
use self::options::{Asked, Options};
use crate::exit;

/// The answer is complete, its HTTP status is an error.
const HTTP_ERROR: u8 = 1;
/// Nobody listens at the address.
const NOT_CONNECTED: u8 = 2;
/// The answer is incomplete, refused or no FastCGI.
const NO_ANSWER: u8 = 3;
/// The time was over before the answer was complete.
const TOO_LATE: u8 = 4;
/// The body cannot be read, or the answer cannot be written.
const LOCAL_FAILURE: u8 = 74;

const HELP: &str = "\
Usage: fpmd request [OPTION]... ADDRESS SCRIPT
Asks a FastCGI application for a page and prints the answer, headers and body, to standard output. What the application reports as
errors (FastCGI's STDERR) goes to standard error.

  ADDRESS                 path of a unix socket, HOST:PORT, or PORT on 127.0.0.1
  SCRIPT                  file to run, as the application sees it; for a status or ping page its path, such as /ping

  -e, --env NAME=VALUE    send the CGI variable NAME with this VALUE; NAME alone: do not send it
  -b, --body BODY         send BODY with REQUEST_METHOD POST, `-` for what standard input has
  -n, --no-headers        print the body only
  -t, --timeout SECONDS   give up after so long, 0 for never (default: 30)
  -h, --help              this text

Exit code: 0 when the answer is complete and its status is below 400.
  1   the answer is complete, its status is 400 or above, or the application says that it failed
  2   nobody listens at ADDRESS
  3   the answer is incomplete, the request was refused, or what came is no FastCGI
  4   the time was over
  64  the command line is wrong
  74  the body cannot be read, or the answer cannot be written
";

/// Runs the command; `arguments` are those after `request`. Returns the exit code, see the help text.
#[inline(never)]
pub(crate) fn run(arguments: &[OsString]) -> u8 {
    let options = match options::parse(arguments) {
        Ok(Asked::Page(options)) => options,
        Ok(Asked::Help) => {
            // Whoever closes our standard output does not want to read it.
            let _ = io::stdout().write_all(HELP.as_bytes());
            return exit::OK;
        }
        Err(error) => {
            eprintln!("fpmd request: {error}\nTry `fpmd request --help`.");
            return exit::USAGE;
        }
    };
    ask(&options).unwrap_or_else(|failure| {
        eprintln!("fpmd request: {failure}");
        failure.exit_code()
    })
}

/// Asks for the page, prints it, and judges it.
fn ask(options: &Options) -> Result<u8, Failure> {
    let body = options.body.read().map_err(Failure::Body)?;
    let variables = variables::variables(options, body.as_deref());
    let request = exchange::encode(&variables, body.as_deref());
    let mut answer = answer::Answer::new(options.show, io::stdout().lock(), io::stderr().lock());
    let socket = socket::Socket::connect(&options.address, options.limit)?;
    let end = exchange::exchange(&socket, &request, &mut answer)?;
    let status = answer.finish()?;
    Ok(if status >= 400 || end.app_status != 0 {
        HTTP_ERROR
    } else {
        exit::OK
    })
}
