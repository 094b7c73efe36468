//! The life cycle of libphp behind a safe interface: start PHP once, run requests one after the
//! other, end it.
//!
//! ```text
//! Engine::start ─ zygote ─ fork ─ Engine::set_ini … finish_ini ─ after_fork ─ run ─ run ─ run … ─ shutdown
//! ```
//!
//! Rules that a changer must keep:
//! - Every call into PHP goes through one guarded entry of the C shim (`php-sys`). No jump of PHP's
//!   ever crosses a Rust frame.
//! - What PHP asks of us during a request goes to a [`Host`]. Its methods are leaves: they copy
//!   bytes and return. They have no way to reach the [`Engine`], which is mutably borrowed while
//!   they run, so PHP is never entered twice.
//! - Nothing of PHP's structures leaves this crate: what goes in and comes out is bytes, numbers
//!   and enums.
//!
//! PHP is global state of the process. There is one [`Engine`] a process, it stays on the thread
//! that started it, and a fork takes it into the child. Only a [`Stack`] and a [`Reminder`] may be
//! used elsewhere: the one looks at what PHP is doing, the other makes PHP look at the clock.

mod calls;
mod engine;
mod error;
mod host;
mod ini_files;
mod lookup;
mod overtime;
mod request;
mod settings;
mod stack;
mod start;
mod status;
mod text;

pub use engine::Engine;
pub use error::{IniError, SapiError};
pub use host::{BodyRead, ClientGone, Executed, FinishRequest, Host, ResponseHead};
pub use overtime::{Reminder, Scope, TimeLimit};
pub use request::{Action, Completion, Outcome, Param, RequestInfo};
pub use settings::{IniAccess, IniFault};
pub use stack::{Stack, StackFrame, StackTrace, TraceEnd};
pub use start::{
    BuiltPaths, Settle, StartOptions, built_paths, built_version, built_version_id,
    distribution_folder,
};
pub use status::{PoolStatus, ProcessStatus};
pub use text::CSlice;
