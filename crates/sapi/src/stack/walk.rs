//! The way along the stack, over any memory: a list of frames that was seen twice, and then what
//! the frames are called.
//!
//! A changer must know: `frames` of one look were not all there at the same time. A second look
//! tells which were; outer frames stay for long, the innermost come and go.

use bstr::BString;
use php_sys::fpmd_stack;

use super::{StackFrame, StackTrace, TraceEnd};

/// The most calls that are followed, whatever depth is asked for: pointers may run in a circle.
const MOST_FRAMES: usize = 10_000;

/// How many frames in a row that are not PHP code are followed for the caller of the last one shown.
const BEYOND: usize = 64;

/// How often to look for two looks that are the same.
const LOOKS: usize = 50;

/// How many looks in a row have to be the same if the stack ends with something that nobody has called: two may have lost
/// their way alike, for a function that calls itself leaves the same frames behind again and again.
const ALONE: usize = 40;

/// The longest text, as in the original.
const MOST_TEXT: usize = 1023;

/// No read of a text crosses a multiple of this: pages are not smaller.
const PAGE: u64 = 4096;

/// Memory that may not be there.
pub(super) trait Memory {
    /// Copies what is at `address`, if all of it is there.
    fn copy(&self, address: u64, buffer: &mut [u8]) -> Option<()>;
}

/// A frame as it is in memory.
#[derive(Clone, Copy, Debug)]
struct Raw {
    address: u64,
    function: u64,
    call_info: u32,
    caller: u64,
    instruction: u64,
}

impl Raw {
    /// Tells whether this is still the same call. Its instruction may be another by now.
    fn is(&self, other: &Raw) -> bool {
        let call = |raw: &Raw| (raw.address, raw.function, raw.call_info, raw.caller);
        call(self) == call(other)
    }
}

/// A look at the stack.
#[derive(Clone, Debug)]
struct Look {
    /// The frames, innermost first.
    frames: Vec<Raw>,
    /// What comes after the last of them.
    end: End,
}

/// How a look ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// With the primary script.
    Top,
    /// With something that nobody has called.
    Nobody,
    /// With as many frames as were wanted.
    Depth,
    /// With a frame that could not be read.
    Unreadable,
}

/// Nothing that could be read.
const CUT: Look = Look {
    frames: Vec::new(),
    end: End::Unreadable,
};

/// What a frame turns out to be.
enum Named {
    /// The primary script: here the stack ends.
    Top,
    /// A call.
    Call(BString),
}

/// Follows the stack.
pub(super) fn trace(stack: &fpmd_stack, memory: &impl Memory, depth: u32) -> StackTrace {
    let walk = Walk { stack, memory };
    let script = walk
        .word(stack.script)
        .filter(|at| *at != 0)
        .and_then(|at| walk.text(at));
    let mut trace = StackTrace {
        script,
        frames: Vec::new(),
        end: TraceEnd::Cut,
    };
    if trace.script.is_some() {
        let depth = usize::try_from(depth).map_or(MOST_FRAMES, |depth| depth.min(MOST_FRAMES));
        trace.end = walk.follow(depth, &mut trace.frames);
    }
    trace
}

/// A stack in some memory.
struct Walk<'a, M> {
    stack: &'a fpmd_stack,
    memory: &'a M,
}

impl<M: Memory> Walk<'_, M> {
    /// Appends the frames and tells how they end.
    fn follow(&self, depth: usize, frames: &mut Vec<StackFrame>) -> TraceEnd {
        let (look, fleeting) = self.settled(depth);
        for (index, raw) in look.frames.iter().enumerate() {
            if frames.len() == depth {
                return TraceEnd::Whole;
            }
            match self.frame(raw, &look.frames[index + 1..]) {
                Some((Named::Top, ..)) => return TraceEnd::Whole,
                Some((Named::Call(function), file, line)) => frames.push(StackFrame {
                    address: raw.address,
                    function,
                    file,
                    line,
                }),
                // It was gone already: whatever was called from it is no news either.
                None if index < fleeting => frames.clear(),
                None => return TraceEnd::Cut,
            }
        }
        match look.end {
            End::Nobody | End::Depth => TraceEnd::Whole,
            // What looked like the primary script turned out to be none.
            End::Top | End::Unreadable => TraceEnd::Cut,
        }
    }

    /// Looks until two looks agree. When they never do, the last one is taken, as far as its outer
    /// frames are those of the look before. Returns also how many inner frames were seen only once.
    fn settled(&self, depth: usize) -> (Look, usize) {
        let mut before = self.look(depth);
        let mut agreed = 0;
        for _ in 0..LOOKS {
            let now = self.look(depth);
            if before.frames.len() == now.frames.len() && joint(&before, &now) == 0 {
                agreed += 1;
                // Nothing was called, and nothing has returned.
                if now.end != End::Nobody || agreed == ALONE {
                    return (now, 0);
                }
            } else {
                agreed = 0;
            }
            before = now;
        }
        let now = self.look(depth);
        let fleeting = joint(&before, &now);
        let arrived = match now.end {
            End::Top => matches!(
                now.frames.last().map(|last| self.name(last)),
                Some(Some(Named::Top))
            ),
            End::Depth => true,
            // A look that lost its way in memory that is used for something else by now ends here.
            End::Nobody | End::Unreadable => false,
        };
        if arrived && fleeting < now.frames.len() {
            (now, fleeting)
        } else {
            (CUT, 0)
        }
    }

    /// Reads frames from the innermost outwards: those to be shown, and enough to find the caller of
    /// the last one.
    fn look(&self, depth: usize) -> Look {
        let mut frames = Vec::new();
        let mut next = self.word(self.stack.innermost);
        let end = loop {
            match next {
                Some(0) => break End::Nobody,
                Some(_) if frames.len() == depth + BEYOND => break End::Depth,
                _ => {}
            }
            let Some(raw) = next.and_then(|address| self.raw(address)) else {
                break End::Unreadable;
            };
            next = Some(raw.caller);
            frames.push(raw);
            if raw.call_info & self.stack.call_kind == self.stack.top_code {
                break End::Top;
            }
        };
        Look { frames, end }
    }

    fn raw(&self, address: u64) -> Option<Raw> {
        let stack = self.stack;
        let mut bytes = [0; 256];
        let bytes = bytes.get_mut(..stack.frame_size as usize)?;
        self.memory.copy(address, bytes)?;
        Some(Raw {
            address,
            function: u64::from_ne_bytes(field(bytes, stack.frame_function)?),
            call_info: u32::from_ne_bytes(field(bytes, stack.frame_call_info)?),
            caller: u64::from_ne_bytes(field(bytes, stack.frame_caller)?),
            instruction: u64::from_ne_bytes(field(bytes, stack.frame_instruction)?),
        })
    }

    /// Finds out what a frame is and where it was called from.
    fn frame(&self, raw: &Raw, callers: &[Raw]) -> Option<(Named, BString, u32)> {
        let named = self.name(raw)?;
        if let Named::Top = named {
            return Some((named, BString::default(), 0));
        }
        let (file, line) = self.call_site(callers)?;
        Some((named, file, line))
    }

    fn name(&self, raw: &Raw) -> Option<Named> {
        if !is_pointer(raw.function) {
            return Some(Named::Call("???".into()));
        }
        let name = self.word(place(raw.function, self.stack.function_name))?;
        if name != 0 {
            return self.string(name).map(Named::Call);
        }
        if raw.call_info & self.stack.call_kind == self.stack.top_code {
            return Some(Named::Top);
        }
        // Also the outermost frame of a fiber: the original calls it the same.
        Some(Named::Call("[INCLUDE_OR_EVAL]".into()))
    }

    /// Finds the nearest caller that is PHP code, and where it is.
    fn call_site(&self, callers: &[Raw]) -> Option<(BString, u32)> {
        for caller in callers {
            if !is_pointer(caller.function) {
                break;
            }
            let mut kind = [0];
            self.memory
                .copy(place(caller.function, self.stack.function_type), &mut kind)?;
            if u32::from(kind[0]) & self.stack.internal_function != 0 {
                continue;
            }
            let file = self.string(self.word(place(caller.function, self.stack.function_file))?)?;
            let mut line = [0; 4];
            if is_pointer(caller.instruction) {
                let at = place(caller.instruction, self.stack.instruction_line);
                self.memory.copy(at, &mut line)?;
            }
            return Some((file, u32::from_ne_bytes(line)));
        }
        Some((BString::default(), 0))
    }

    fn word(&self, address: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        self.memory.copy(address, &mut bytes)?;
        Some(u64::from_ne_bytes(bytes))
    }

    /// Copies a string of PHP's.
    fn string(&self, address: u64) -> Option<BString> {
        self.text(place(address, self.stack.text))
    }

    /// Copies bytes up to a NUL.
    fn text(&self, mut address: u64) -> Option<BString> {
        let mut text = Vec::new();
        let mut bytes = [0; MOST_TEXT];
        while text.len() < MOST_TEXT {
            let on_page = usize::try_from(PAGE - address % PAGE).unwrap_or(MOST_TEXT);
            let part = &mut bytes[..on_page.min(MOST_TEXT - text.len())];
            self.memory.copy(address, part)?;
            match part.iter().position(|byte| *byte == 0) {
                Some(end) => {
                    text.extend_from_slice(&part[..end]);
                    break;
                }
                None => text.extend_from_slice(part),
            }
            address = address.wrapping_add(part.len() as u64);
        }
        Some(text.into())
    }
}

/// Returns how many frames of `now` come before those that it has in common with `before`.
fn joint(before: &Look, now: &Look) -> usize {
    let (before, now) = (&before.frames, &now.frames);
    let continues = |start: usize| {
        let same = before.iter().position(|raw| raw.is(&now[start]));
        same.is_some_and(|same| {
            let mut pairs = before[same..].iter().zip(&now[start..]);
            pairs.all(|(before, now)| before.is(now))
        })
    };
    (0..now.len())
        .find(|start| continues(*start))
        .unwrap_or(now.len())
}

/// Tells whether it can be the address of one of PHP's structures.
fn is_pointer(address: u64) -> bool {
    address != 0 && address.is_multiple_of(8)
}

fn place(start: u64, offset: u32) -> u64 {
    start.wrapping_add(offset.into())
}

fn field<const N: usize>(bytes: &[u8], offset: u32) -> Option<[u8; N]> {
    bytes.get(offset as usize..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests;
