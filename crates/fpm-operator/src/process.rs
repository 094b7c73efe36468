//! The process: who it becomes, and how it ends.
//!
//! Rule: before it listens it is nobody: no privileges, nothing open but its channel and its listening socket.

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;

use fpm_channel::operator::{OperatorEnd, Start, ToOperator};
use fpm_channel::{Next, RunAs};
use fpm_os::identity::{self, Identity};
use fpm_os::process;
use fpm_os::signal::Signal;
use fpm_os::signal::set::{Disposition, set_disposition};
use fpm_os::title::ProcessTitle;
use nix::unistd::{Gid, Uid};
use tokio::runtime;
use tokio::sync::oneshot;

use crate::desk::Desk;
use crate::door::Door;
use crate::error::OperatorError;

/// What ps shows.
const TITLE: &str = "fpmd: operator";

/// What a terminal or a service manager sends to all processes: what it means is the master's to say.
const NOT_OURS: [Signal; 6] = [
    Signal::INT,
    Signal::QUIT,
    Signal::TERM,
    Signal::HUP,
    Signal::USR1,
    Signal::USR2,
];

/// Answers at the socket that the master behind `channel` hands over, until the master is gone or has taken leave.
///
/// To be called in a process with a single thread, before anything keeps a pointer into the environment.
///
/// # Errors
/// When the master makes no sense, when the process cannot become who it is to be, or when the kernel is short of something.
pub fn run(channel: OwnedFd) -> Result<(), OperatorError> {
    for signal in NOT_OURS {
        set_disposition(signal, Disposition::Ignore).map_err(OperatorError::io("sigaction()"))?;
    }
    if let Ok(mut title) = ProcessTitle::claim() {
        title.set(TITLE.as_bytes());
    }
    let channel = OperatorEnd::adopt(channel);
    let start = match channel.wait()? {
        Next::Message(ToOperator::Start(start)) => start,
        Next::Closed => return Ok(()),
        Next::Message(ToOperator::Answer(_)) | Next::Nothing => {
            return Err(OperatorError::NotStarted);
        }
    };
    let Start {
        parameters,
        listener,
    } = *start;
    if let Some(run_as) = &parameters.run_as {
        identity::assume(&identity(run_as))?;
    }
    // Others of the same user, who may be `nobody`, are not to look into it.
    process::make_undumpable().map_err(OperatorError::io("prctl()"))?;
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(OperatorError::io("the event loop"))?;
    // One thread serves, another waits for what the master says.
    runtime.block_on(async {
        let door = Door::adopt(listener, &parameters.settings.listen)
            .map_err(OperatorError::io("the listening socket"))?;
        let desk = Arc::new(Desk::new(channel, parameters.settings));
        let (end, ended) = oneshot::channel();
        let listener = Arc::clone(&desk);
        thread::Builder::new()
            .name("master".to_owned())
            .spawn(move || end.send(listener.hear()))
            .map_err(OperatorError::io("a thread"))?;
        tokio::select! {
            never = door.attend(desk) => match never {},
            end = ended => end.unwrap_or(Ok(())),
        }
    })
}

fn identity(run_as: &RunAs) -> Identity {
    Identity {
        // A name in the database holds no NUL byte.
        user: CString::new(run_as.user.to_vec()).unwrap_or_default(),
        uid: Uid::from_raw(run_as.uid),
        gid: Gid::from_raw(run_as.gid),
    }
}
