//! What PHP is doing at this moment, seen from another thread.
//!
//! The script is not stopped, so everything read here may change while it is read. Three rules keep
//! that harmless: memory is copied by the kernel, never through a pointer; every loop has an end
//! that does not depend on what is read; and what does not fit together is left out.
//!
//! Original: sapi/fpm/fpm/fpm_php_trace.c, which stops the process with ptrace(2).

mod walk;

use bstr::BString;

use crate::engine::Engine;

/// PHP's stack. It may be sent to another thread and read there while PHP runs.
#[derive(Clone, Copy, Debug)]
pub struct Stack {
    layout: php_sys::fpmd_stack,
}

/// What was found on the stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackTrace {
    /// The path of the primary script; `None` when no script was found to run.
    pub script: Option<BString>,
    /// The calls, innermost first. The code of the primary script itself is not one.
    pub frames: Vec<StackFrame>,
    /// How the trace ends.
    pub end: TraceEnd,
}

/// A call on the stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackFrame {
    /// Where PHP keeps it.
    pub address: u64,
    /// The name of the function, without its class; `[INCLUDE_OR_EVAL]` for code that is none, `???`
    /// when PHP itself has put the frame there.
    pub function: BString,
    /// The file from which it was called; empty when there is no PHP code that did.
    pub file: BString,
    /// The line there.
    pub line: u32,
}

/// How a trace ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceEnd {
    /// At the primary script, or at the depth that was asked for.
    Whole,
    /// Where the stack could not be followed any further.
    Cut,
}

impl Engine {
    /// Returns the place of PHP's stack in this process and in those that are forked from it.
    pub fn stack(&self) -> Stack {
        // SAFETY: PHP is started, so its globals are there.
        let layout = unsafe { php_sys::fpmd_stack_place() };
        Stack { layout }
    }
}

impl Stack {
    /// Looks at the stack of this process, at most `depth` calls deep. It never waits for PHP, and
    /// never makes it wait.
    #[must_use]
    pub fn trace(&self, depth: u32) -> StackTrace {
        walk::trace(&self.layout, &OwnMemory, depth)
    }
}

/// The memory of this process.
struct OwnMemory;

impl walk::Memory for OwnMemory {
    fn copy(&self, address: u64, buffer: &mut [u8]) -> Option<()> {
        // SAFETY: the address may be any; the buffer is writable for its whole length.
        unsafe { php_sys::fpmd_copy_memory(address, buffer.as_mut_ptr().cast(), buffer.len()) }
            .then_some(())
    }
}
