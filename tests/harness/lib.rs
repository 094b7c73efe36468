//! Starts a FastCGI process manager and talks to it the way web servers, operators and browsers do.
//!
//! The daemon under test comes from the environment ([`Subject`]), so every test runs against fpmd and against the
//! original php-fpm. Rules for whoever adds to this library: a test waits for an event with a [`PATIENCE`] deadline,
//! never for time to pass; every daemon has a directory and sockets of its own; a missing tool is a failure that
//! names the Debian package, never a skipped test.

#![forbid(unsafe_code)]

mod answer;
mod browser;
mod chromium;
mod client;
pub mod control;
mod daemon;
mod executable;
mod fpm;
mod gate;
mod heir;
mod load;
mod log;
mod mariadb;
mod multipart;
mod nginx;
mod noise;
pub mod operator;
mod own;
mod packages;
mod page;
mod patience;
mod process;
mod programs;
mod prometheus;
mod python;
mod record;
mod request;
mod screen;
mod site;
mod small_disk;
mod subject;
mod syslog;
mod tail;
mod tool;
mod tour;
mod wordpress;

use std::time::Duration;

pub use answer::Answer;
pub use browser::Browser;
pub use chromium::{Chromium, View};
pub use client::{Address, Connection};
pub use daemon::{Daemon, Refusal};
pub use executable::{copy_program, write_program};
pub use fpm::Fpm;
pub use gate::Gate;
pub use load::{Failure, Load, LoadReport, Running};
pub use log::Log;
pub use mariadb::MariaDb;
pub use multipart::Multipart;
pub use nginx::Nginx;
pub use noise::{md5, noise};
pub use own::start_own;
pub use packages::Packages;
pub use page::Page;
pub use patience::{wait_for, wait_until};
pub use process::Process;
pub use programs::Programs;
pub use prometheus::Prometheus;
pub use python::Python;
pub use record::{Record, pair, pairs};
pub use request::Request;
pub use screen::Screen;
pub use site::Site;
pub use small_disk::SmallDisk;
pub use subject::{PhpComesFrom, PhpVersion, Subject, Under, under};
pub use syslog::Syslog;
pub use tool::find as find_tool;
pub use tour::Tour;
pub use wordpress::WordPress;

/// How long a test waits for something that should happen at once, before it fails.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What a test returns; an error fails it with the whole chain of contexts.
pub type Result<T = ()> = anyhow::Result<T>;
