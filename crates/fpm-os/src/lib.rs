//! Every call into the operating system behind a safe interface.
