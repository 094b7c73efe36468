//! The life cycle of libphp behind a safe interface.
