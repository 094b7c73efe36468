//! Statistics in shared memory: one slot per worker, one writer per slot.
