//! The way along a stack in memory that is made up: whole, broken, changing and by chance.

use std::cell::Cell;
use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

/// A layout that is none of PHP's, so that nothing here depends on one.
const STACK: fpmd_stack = fpmd_stack {
    innermost: 0x100,
    script: 0x108,
    frame_size: 40,
    frame_function: 0,
    frame_call_info: 8,
    frame_caller: 16,
    frame_instruction: 24,
    function_type: 0,
    function_name: 8,
    function_file: 16,
    instruction_line: 4,
    text: 16,
    internal_function: 1,
    call_kind: 3,
    top_code: 3,
};

/// Some pages; what was not put there is zero.
#[derive(Clone, Default)]
struct Bytes(HashMap<u64, Vec<u8>>);

impl Memory for Bytes {
    fn copy(&self, address: u64, buffer: &mut [u8]) -> Option<()> {
        let mut rest = buffer;
        let mut at = address;
        while !rest.is_empty() {
            let page = &self.0.get(&(at / PAGE))?[(at % PAGE) as usize..];
            let (part, after) = rest.split_at_mut(page.len().min(rest.len()));
            part.copy_from_slice(&page[..part.len()]);
            at += part.len() as u64;
            rest = after;
        }
        Some(())
    }
}

impl Bytes {
    fn put(&mut self, address: u64, bytes: &[u8]) {
        for (at, byte) in (address..).zip(bytes) {
            let page = self
                .0
                .entry(at / PAGE)
                .or_insert_with(|| vec![0; PAGE as usize]);
            page[(at % PAGE) as usize] = *byte;
        }
    }

    fn word(&mut self, address: u64, word: u64) {
        self.put(address, &word.to_ne_bytes());
    }

    fn string(&mut self, address: u64, text: &str) {
        self.put(address + 16, text.as_bytes());
        self.put(address + 16 + text.len() as u64, &[0]);
    }

    /// A function at `address` with its file behind it.
    fn function(&mut self, address: u64, kind: u64, name: &str) {
        self.word(address, kind);
        self.word(
            address + 8,
            if name.is_empty() { 0 } else { address + 0x100 },
        );
        self.word(address + 16, address + 0x200);
        self.string(address + 0x100, name);
        self.string(address + 0x200, "/file.php");
    }

    /// A frame at `address`; the instruction behind it is on `line`.
    fn frame(&mut self, address: u64, function: u64, call_info: u64, caller: u64, line: u32) {
        self.put(address, &[0; 48]);
        self.word(address, function);
        self.word(address + 8, call_info);
        self.word(address + 16, caller);
        self.word(address + 24, address + 40);
        self.put(address + 44, &line.to_ne_bytes());
    }
}

/// A script that calls `outer`, which lets PHP call `sleep`.
fn script() -> Bytes {
    let mut memory = Bytes::default();
    memory.word(0x100, 0x1000);
    memory.word(0x108, 0x200);
    memory.put(0x200, b"/script.php\0");
    memory.function(0x8000, 2, "");
    memory.function(0x9000, 2, "outer");
    memory.function(0xa000, 1, "sleep");
    memory.frame(0x1000, 0xa000, 0, 0x2000, 0);
    memory.frame(0x2000, 0x9000, 0, 0x3000, 7);
    memory.frame(0x3000, 0x8000, 3, 0, 9);
    memory
}

/// Shows a trace as the slow log does, in short.
fn shown(trace: &StackTrace) -> (Vec<String>, TraceEnd) {
    let frames = trace.frames.iter();
    let frames = frames.map(|frame| {
        format!(
            "{:x} {} {}:{}",
            frame.address, frame.function, frame.file, frame.line
        )
    });
    (frames.collect(), trace.end)
}

fn whole(frames: &[&str]) -> (Vec<String>, TraceEnd) {
    (
        frames.iter().map(ToString::to_string).collect(),
        TraceEnd::Whole,
    )
}

#[test]
fn calls_are_shown_with_the_place_they_come_from() {
    let found = trace(&STACK, &script(), 20);
    assert_eq!(found.script, Some("/script.php".into()));
    assert_eq!(
        shown(&found),
        whole(&["1000 sleep /file.php:7", "2000 outer /file.php:9"])
    );
}

#[test]
fn only_so_many_are_shown() {
    assert_eq!(
        shown(&trace(&STACK, &script(), 1)),
        whole(&["1000 sleep /file.php:7"])
    );
}

#[test]
fn what_has_no_name_and_what_is_no_function() {
    let mut memory = script();
    memory.frame(0x2000, 0x8000, 0, 0x2800, 7);
    memory.frame(0x2800, 0, 0, 0x3000, 0);
    assert_eq!(
        shown(&trace(&STACK, &memory, 20)),
        whole(&[
            "1000 sleep /file.php:7",
            "2000 [INCLUDE_OR_EVAL] :0",
            "2800 ??? /file.php:9"
        ])
    );
}

#[test]
fn without_a_script_nothing_is_followed() {
    let mut memory = script();
    memory.word(0x108, 0);
    let found = trace(&STACK, &memory, 20);
    assert_eq!(
        (found.script, found.frames, found.end),
        (None, vec![], TraceEnd::Cut)
    );
}

#[test]
fn a_script_that_is_yet_to_be_compiled_has_no_calls() {
    let mut memory = script();
    memory.word(0x100, 0);
    assert_eq!(shown(&trace(&STACK, &memory, 20)), whole(&[]));
}

#[test]
fn a_frame_that_is_gone_cuts_the_trace() {
    let mut memory = script();
    memory.frame(0x3000, 0x8000, 0, 0xdead_0000, 9);
    assert_eq!(shown(&trace(&STACK, &memory, 20)).1, TraceEnd::Cut);
    let mut memory = script();
    memory.frame(0x3000, 0xdead_0000, 3, 0, 9);
    assert_eq!(
        shown(&trace(&STACK, &memory, 20)),
        (vec!["1000 sleep /file.php:7".to_owned()], TraceEnd::Cut)
    );
}

#[test]
fn what_only_looks_like_the_script_is_no_end() {
    let mut memory = script();
    memory.frame(0x3000, 0, 3, 0, 9);
    assert_eq!(shown(&trace(&STACK, &memory, 20)).1, TraceEnd::Cut);
}

/// Memory in which the first looks find a call that has ended and that nobody seems to have called.
struct Astray {
    bytes: Bytes,
    looks: Cell<u32>,
}

impl Memory for Astray {
    fn copy(&self, address: u64, buffer: &mut [u8]) -> Option<()> {
        self.bytes.copy(address, buffer)?;
        if address == STACK.innermost {
            let look = self.looks.replace(self.looks.get() + 1);
            let frame = if look < 5 { 0x1100u64 } else { 0x1000 };
            buffer.copy_from_slice(&frame.to_ne_bytes());
        }
        Some(())
    }
}

#[test]
fn looks_that_lose_their_way_alike_are_not_believed() {
    let mut bytes = script();
    bytes.frame(0x1100, 0x9000, 0, 0, 7);
    let memory = Astray {
        bytes,
        looks: Cell::new(0),
    };
    assert_eq!(
        shown(&trace(&STACK, &memory, 20)),
        whole(&["1000 sleep /file.php:7", "2000 outer /file.php:9"])
    );
}

#[test]
fn a_circle_has_an_end() {
    let mut memory = script();
    memory.frame(0x3000, 0x9000, 0, 0x1000, 9);
    assert_eq!(trace(&STACK, &memory, u32::MAX).frames.len(), MOST_FRAMES);
}

#[test]
fn texts_have_an_end_too() {
    let mut memory = script();
    memory.word(0x9008, 0x2_0ff0);
    memory.string(0x2_0ff0, &"x".repeat(5000));
    assert_eq!(
        trace(&STACK, &memory, 20).frames[1].function,
        "x".repeat(1023)
    );
}

/// Memory in which something returns from the innermost call, or calls it, between all reads.
struct Busy {
    bytes: Bytes,
    reads: Cell<u64>,
}

impl Memory for Busy {
    fn copy(&self, address: u64, buffer: &mut [u8]) -> Option<()> {
        self.bytes.copy(address, buffer)?;
        let reads = self.reads.replace(self.reads.get() + 1);
        if address == STACK.innermost {
            let frame = [0x1000u64, 0x2000, 0x1100][reads as usize % 3];
            buffer.copy_from_slice(&frame.to_ne_bytes());
        }
        Some(())
    }
}

#[test]
fn outer_calls_are_found_however_busy_the_script_is() {
    let mut bytes = script();
    bytes.frame(0x1100, 0xdead_0000, 0, 0x2000, 0);
    for reads in 0..3 {
        let memory = Busy {
            bytes: bytes.clone(),
            reads: Cell::new(reads),
        };
        let found = trace(&STACK, &memory, 20);
        let outermost = found.frames.last().map(|frame| frame.function.clone());
        assert_eq!(
            (outermost, found.end),
            (Some("outer".into()), TraceEnd::Whole)
        );
    }
}

/// Memory that is full of chance: `seed` decides about every read anew.
struct Chance {
    seed: Cell<u64>,
}

impl Memory for Chance {
    fn copy(&self, address: u64, buffer: &mut [u8]) -> Option<()> {
        for byte in buffer {
            let next = self
                .seed
                .get()
                .wrapping_add(address)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15);
            self.seed.set(next ^ next >> 29);
            *byte = (next >> 56) as u8;
        }
        (!self.seed.get().is_multiple_of(50)).then_some(())
    }
}

proptest! {
    #[test]
    fn chance_makes_no_endless_trace(seed: u64, depth: u32) {
        let found = trace(&STACK, &Chance { seed: Cell::new(seed) }, depth);
        prop_assert!(found.frames.len() <= MOST_FRAMES.min(depth as usize));
    }

    #[test]
    fn a_changed_byte_does_no_harm(structure in 0..7_usize, offset in 0..40_u64, value: u8) {
        let mut memory = script();
        let structures = [0x100, 0x1000, 0x2000, 0x3000, 0x8000, 0x9000, 0xa000];
        memory.put(structures[structure] + offset, &[value]);
        let found = trace(&STACK, &memory, 20);
        prop_assert!(found.frames.len() <= 20);
    }
}
