//! `cargo xtask demo`: from a checkout to a page of PHP in a browser, with one command.
//!
//! Everything runs in a temporary folder with copies of conf/'s own files, on the loopback interface, and is
//! gone at the end.

use std::net::TcpListener;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use xshell::{Shell, cmd};

use crate::cargo::{Profile, build_fpmd};
use crate::daemon::Daemon;
use crate::packages;
use crate::php::Php;
use site::Site;

mod http;
mod site;

const USAGE: &str = "\
cargo xtask demo [options]

Builds fpmd, starts it behind nginx on this machine, shows a page of PHP and stays until Ctrl-C.

  --once       show the page and stop
  --port N     nginx's port (default: 8080, or a free one when that is taken)
  --packaged   use the distribution's libphp even if there is another
  --dev        build without optimisation: sooner ready, slower to serve
";

const DEFAULT_PORT: u16 = 8080;

/// The first line of the demo's page, in plain text.
const GREETING: &str = "fpmd serves PHP";

/// How long a program may take until it listens.
const START_DEADLINE: Duration = Duration::from_secs(20);

/// What happens when the page has been shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stay {
    UntilInterrupted,
    NotAtAll,
}

/// Where libphp comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Quickest,
    Packaged,
}

#[derive(Debug, PartialEq, Eq)]
struct Options {
    stay: Stay,
    port: Option<u16>,
    origin: Origin,
    profile: Profile,
}

/// The command.
pub(crate) fn run(sh: &Shell, arguments: lexopt::Parser) -> anyhow::Result<()> {
    let Some(options) = Options::parse(arguments)? else {
        print!("{USAGE}");
        return Ok(());
    };
    // A taken port is better known before minutes of building.
    let port = choose_port(options.port)?;
    packages::install(sh, &[&packages::FPMD, &packages::DEMO])?;
    let php = match options.origin {
        Origin::Quickest => Php::quickest(sh)?,
        Origin::Packaged => Php::packaged(sh)?,
    };
    eprintln!("building fpmd with {}", php.describe());
    let fpmd = build_fpmd(sh, &php, options.profile)?;

    let interrupted = catch_interrupts()?;
    let site = Site::create(&sh.current_dir().join("conf"), port)?;
    let root = site.root();
    let mut arguments: Vec<String> = ["--nodaemonize", "--force-stderr"]
        .map(str::to_owned)
        .to_vec();
    arguments.extend(php.opcache().iter().map(|option| (*option).to_owned()));
    for (option, file) in [
        ("--prefix", ""),
        ("--fpm-config", "php-fpm.conf"),
        ("--php-ini", "php.ini"),
    ] {
        arguments.extend([option.to_owned(), root.join(file).display().to_string()]);
    }
    let mut server = Daemon::start("fpmd", &fpmd, &arguments, root)?;
    server.wait_until(START_DEADLINE, || site.socket_accepts())?;

    let direct =
        ask_directly(sh, &fpmd, &site).with_context(|| server.complaint("does not answer"))?;
    println!(
        "\nfpmd, asked directly over FastCGI ({}):\n",
        site.socket().display()
    );
    println!("{}", indented(&direct));

    let nginx_arguments =
        ["-p", &root.display().to_string(), "-c", "nginx.conf"].map(str::to_owned);
    let nginx = packages::nginx_program(sh)?;
    let mut web = Daemon::start("nginx", &nginx, &nginx_arguments, root)?;
    web.wait_until(START_DEADLINE, || http::listens(port))?;
    let answer = http::fetch(port, "/index.php")?;
    ensure!(
        answer.status == 200 && answer.body.starts_with(GREETING),
        "{}\nnginx answered {}:\n{}",
        server.complaint("did not send the page to nginx"),
        answer.status,
        answer.body
    );
    println!("\nthe same through nginx (http://127.0.0.1:{port}/):\n");
    println!("{}", indented(&answer.body));

    if options.stay == Stay::UntilInterrupted {
        println!("\nOpen http://127.0.0.1:{port}/ in a browser. Ctrl-C ends the demo.");
        println!(
            "Page: {}  Logs: {}",
            site.script().display(),
            root.join("log").display()
        );
        stay(&interrupted, &mut [&mut server, &mut web])?;
    }
    web.stop()?;
    server.stop()
}

impl Options {
    /// Reads the command's arguments; `None` when help is wanted.
    fn parse(mut arguments: lexopt::Parser) -> anyhow::Result<Option<Options>> {
        use lexopt::{Arg, ValueExt as _};

        let mut options = Options {
            stay: Stay::UntilInterrupted,
            port: None,
            origin: Origin::Quickest,
            profile: Profile::Release,
        };
        while let Some(argument) = arguments.next()? {
            match argument {
                Arg::Long("once") => options.stay = Stay::NotAtAll,
                Arg::Long("port") => options.port = Some(arguments.value()?.parse()?),
                Arg::Long("packaged") => options.origin = Origin::Packaged,
                Arg::Long("dev") => options.profile = Profile::Dev,
                Arg::Long("help") | Arg::Short('h') => return Ok(None),
                _ => return Err(argument.unexpected().into()),
            }
        }
        Ok(Some(options))
    }
}

/// Takes the port that was asked for, or the default, or any when the default is taken.
fn choose_port(wanted: Option<u16>) -> anyhow::Result<u16> {
    let bind = |port| TcpListener::bind(("127.0.0.1", port));
    if let Some(port) = wanted {
        bind(port).with_context(|| {
            format!("cannot use port {port}; without --port a free one is taken")
        })?;
        return Ok(port);
    }
    if bind(DEFAULT_PORT).is_ok() {
        return Ok(DEFAULT_PORT);
    }
    let free = bind(0)
        .context("no port is free on the loopback interface")?
        .local_addr()?
        .port();
    eprintln!("port {DEFAULT_PORT} is in use, taking {free}");
    Ok(free)
}

/// From here on Ctrl-C is a message, so that the daemons end before we do.
fn catch_interrupts() -> anyhow::Result<Receiver<()>> {
    let (sender, receiver) = mpsc::channel();
    ctrlc::set_handler(move || {
        // Nobody listens any more only when the demo is ending anyway.
        let _ = sender.send(());
    })
    .context("cannot catch Ctrl-C")?;
    Ok(receiver)
}

/// Requests the page with the client that fpmd brings along.
fn ask_directly(sh: &Shell, fpmd: &Path, site: &Site) -> anyhow::Result<String> {
    let (socket, script) = (site.socket(), site.script());
    let answer = cmd!(sh, "{fpmd} request {socket} {script}")
        .quiet()
        .read()?;
    ensure!(
        answer.contains(GREETING),
        "fpmd answered something else than the page:\n{answer}"
    );
    Ok(answer)
}

/// Waits for Ctrl-C, or for a program that ends by itself.
fn stay(interrupted: &Receiver<()>, daemons: &mut [&mut Daemon]) -> anyhow::Result<()> {
    loop {
        match interrupted.recv_timeout(Duration::from_millis(300)) {
            Ok(()) => {
                eprintln!("\nstopping");
                return Ok(());
            }
            Err(RecvTimeoutError::Disconnected) => bail!("cannot wait for Ctrl-C"),
            Err(RecvTimeoutError::Timeout) => {
                for daemon in daemons.iter_mut() {
                    daemon.ensure_running()?;
                }
            }
        }
    }
}

fn indented(text: &str) -> String {
    text.lines()
        .map(|line| format!("    {line}").trim_end().to_owned() + "\n")
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_refused_when_asked_for() {
        let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = choose_port(Some(port)).unwrap_err().to_string();
        assert!(error.contains(&port.to_string()), "{error}");
        assert_ne!(choose_port(None).unwrap(), port);
    }

    #[test]
    fn options_are_read() {
        let parse = |arguments: &[&str]| Options::parse(lexopt::Parser::from_args(arguments));
        let options = parse(&["--once", "--port", "81", "--packaged", "--dev"])
            .unwrap()
            .unwrap();
        let expected = Options {
            stay: Stay::NotAtAll,
            port: Some(81),
            origin: Origin::Packaged,
            profile: Profile::Dev,
        };
        assert_eq!(options, expected);
        assert!(parse(&["--port", "100000"]).is_err());
        assert!(parse(&["-h"]).unwrap().is_none());
    }
}
