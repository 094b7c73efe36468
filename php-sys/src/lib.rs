//! Raw bindings to libphp and the C shim around its non-local jumps.
//!
//! The shim (`shim/*.c`) is the only code of fpmd that sees PHP's structures. It exports one
//! guarded entry per step of PHP's life cycle, declared in `shim/fpmd_php.h`; this crate is that
//! header in Rust and nothing else. Only the `sapi` crate may use it.

#![expect(non_camel_case_types, reason = "the names are those of the C header")]
#![expect(
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "bindgen writes its layout checks with plain allow attributes"
)]

include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
