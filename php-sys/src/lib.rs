//! Raw bindings to libphp and the C shim around its non-local jumps.
//!
//! The shim (`shim/*.c`) is the only code of fpmd that sees PHP's structures. It exports one
//! guarded entry per step of PHP's life cycle, declared in `shim/fpmd_php.h`; this crate is that
//! header in Rust and nothing else. Only the `sapi` crate may use it.
//!
//! A shared libphp is opened when PHP is started, so that a program may do without it until then. A static one is linked in,
//! where the chosen PHP has no other; all programs and tests that use this crate then contain PHP. Whoever makes an executable
//! hands the linker's argument of `build/main.rs` on.

#![expect(non_camel_case_types, reason = "the names are those of the C header")]
#![expect(
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "bindgen writes its layout checks with plain allow attributes"
)]

include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
