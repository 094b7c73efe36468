//! Byte slices in the layout of the C shim, so that whole tables of them cross the border without
//! being copied.

use std::marker::PhantomData;
use std::ops::Deref;
use std::{fmt, ptr, slice};

use bstr::ByteSlice;

/// A `&[u8]` in the layout of C. Dereferences to the bytes.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct CSlice<'a> {
    raw: php_sys::fpmd_text,
    bytes: PhantomData<&'a [u8]>,
}

impl<'a> CSlice<'a> {
    /// Wraps `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self {
            raw: php_sys::fpmd_text {
                at: bytes.as_ptr().cast(),
                length: bytes.len(),
            },
            bytes: PhantomData,
        }
    }

    /// Returns the bytes with the lifetime of what they were borrowed from.
    pub fn as_bytes(&self) -> &'a [u8] {
        // SAFETY: `raw` was made from a slice that lives for 'a, or came from the shim under the
        // contract of `from_raw`.
        unsafe { bytes_of(self.raw) }
    }

    /// Hands the bytes to the shim.
    pub(crate) fn raw(&self) -> php_sys::fpmd_text {
        self.raw
    }
}

/// Borrows what the shim points to.
///
/// # Safety
/// `text` names `length` readable bytes that do not change for 'a; `at` may be anything when
/// `length` is 0.
pub(crate) unsafe fn bytes_of<'a>(text: php_sys::fpmd_text) -> &'a [u8] {
    if text.length == 0 {
        return &[];
    }
    // SAFETY: the caller promises `length` readable bytes, and `length` is not 0, so the pointer is
    // valid.
    unsafe { slice::from_raw_parts(text.at.cast(), text.length) }
}

/// Borrows a table of texts from the shim.
///
/// # Safety
/// `first` points to `count` texts, each as `bytes_of` wants it, that do not change for 'a.
pub(crate) unsafe fn slices_of<'a>(
    first: *const php_sys::fpmd_text,
    count: usize,
) -> &'a [CSlice<'a>] {
    let first = if count == 0 {
        ptr::NonNull::dangling().as_ptr()
    } else {
        first.cast()
    };
    // SAFETY: CSlice is a transparent wrapper of fpmd_text, and the caller promises `count` of
    // them.
    unsafe { slice::from_raw_parts(first, count) }
}

impl<'a> From<&'a [u8]> for CSlice<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::new(bytes)
    }
}

impl Deref for CSlice<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl fmt::Debug for CSlice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_bytes().as_bstr(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_text_may_point_anywhere() {
        // SAFETY: the length is 0, so the pointer is not looked at.
        let bytes = unsafe {
            bytes_of(php_sys::fpmd_text {
                at: ptr::null(),
                length: 0,
            })
        };
        assert_eq!(bytes, b"");
        // SAFETY: the count is 0, so the pointer is not looked at.
        assert!(unsafe { slices_of(ptr::null(), 0) }.is_empty());
    }

    #[test]
    fn a_slice_keeps_its_bytes() {
        let line = CSlice::new(b"X-A: \0b");
        assert_eq!(&*line, b"X-A: \0b");
        assert_eq!(format!("{line:?}"), r#""X-A: \0b""#);
    }
}
