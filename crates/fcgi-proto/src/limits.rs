//! What the server side accepts from a peer that may be hostile.
//!
//! Whatever a peer can make grow must have its bound here; php-fpm has none but the 65,535 bytes of a record.

/// Bounds of one connection.
///
/// The defaults let through what nginx, Apache (100 fields of 8,190 bytes) and Go's servers (1 MiB of headers) let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest number of name-value pairs in one request, repeated names counted every time. Default 20,000.
    pub params: usize,
    /// Largest sum of the lengths of all names and values of one request, in bytes. Default 4 MiB.
    pub params_bytes: usize,
    /// Largest name, in bytes. Default 64 KiB.
    pub name_bytes: usize,
    /// Largest value, in bytes. Default 2 MiB.
    pub value_bytes: usize,
    /// Size that the buffer that the connection is read into may grow to, in bytes; it does not bound anything that the peer may
    /// send. Default 32 KiB: a request of nginx with a small body is one read. At least 64 are used.
    pub input_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            params: 20_000,
            params_bytes: 4 << 20,
            name_bytes: 64 << 10,
            value_bytes: 2 << 20,
            input_bytes: 32 << 10,
        }
    }
}
