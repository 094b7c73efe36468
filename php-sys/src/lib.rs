//! Raw bindings to libphp and the C shim around its non-local jumps.
