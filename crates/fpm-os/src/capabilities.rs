//! The capabilities of the own process (capabilities(7)).
//!
//! What a process may gain by executing a program (the bounding set) is left alone: mail programs that scripts start may
//! need it.

use std::io;

use nix::errno::Errno;

/// The form of the two structures below: 64 bits a set, in two halves (linux/capability.h).
const VERSION_3: u32 = 0x2008_0522;

/// `struct __user_cap_header_struct`.
#[repr(C)]
struct Header {
    version: u32,
    /// 0 is the calling thread.
    pid: libc::c_int,
}

/// `struct __user_cap_data_struct`: one half of each set.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Half {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

static NONE: [Half; 2] = [Half {
    effective: 0,
    permitted: 0,
    inheritable: 0,
}; 2];

/// Gives up all capabilities: effective, permitted, inheritable, and with them the ambient ones.
///
/// # Errors
/// None that the system documents for giving up.
pub fn give_up() -> io::Result<()> {
    let mut header = Header {
        version: VERSION_3,
        pid: 0,
    };
    // SAFETY: capset reads a header and the two halves that its version has; both live through the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_capset,
            &raw mut header,
            (&raw const NONE).cast::<Half>(),
        )
    };
    Ok(Errno::result(result).map(drop)?)
}

/// Tells whether the process has a capability, or could hand one to a program that it executes.
///
/// # Errors
/// None that the system documents for the own process.
pub fn any_left() -> io::Result<bool> {
    let mut header = Header {
        version: VERSION_3,
        pid: 0,
    };
    let mut sets = NONE;
    // SAFETY: capget reads a header and writes the two halves that its version has; both live through the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_capget,
            &raw mut header,
            (&raw mut sets).cast::<Half>(),
        )
    };
    Errno::result(result)?;
    // An ambient capability is permitted and inheritable as well.
    Ok(sets != NONE)
}
